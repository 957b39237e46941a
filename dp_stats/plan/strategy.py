"""Which levels to measure, with what share of the budget, and with which noise.

The shares minimise the objective of ``plan.objective``. The problem is not convex, so BFGS runs over softmax weights
from fixed starts; levels that do not earn their share are dropped one by one. There is no randomness: the same
declarations give the same strategy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import numpy as np

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.plan.algebra import Key, Structure
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.objective import HOLD, Place, Problem, build
from dp_stats.plan.sensitivity import Sensitivity
from dp_stats.plan.spaces import Spaces, chain
from dp_stats.plan.symmetry import Floats, Indices
from dp_stats.plan.targets import Target, statistic_of, targets

NEGLIGIBLE = 0.002
ROUND = 10_000
MOST_KEYS = 400
SOFT = HOLD / 10
POLISHED = 4

UNLIKE, OFF, HELD, ROUNDS = 4, 1.21, 0.06, 5
"""Groups of which the largest is so many times the smallest are looked at exactly; squared errors that are off by less are left
as they are, if none is so much (in logarithm) above what is allowed; and how often errors are made exact."""


@dataclass(frozen=True)
class Strategy:
    """The chosen shares of the total budget (of ε for Laplace, of ρ for Gaussian), and how large errors are."""

    mechanism: Mechanism
    shares: Mapping[Place, Fraction]
    errors: tuple[float, ...]
    """Root-mean-square error of everything published, after shrinkage."""
    error: float
    """Their geometric mean, by declared weights, with a floor of 0.1 % of the guessed mean."""


def choose(
    grid: Grid,
    release: Release,
    sensitivities: Mapping[Place, Sensitivity],
    spaces: Spaces,
    found: Sequence[Target],
    *,
    mechanism: Mechanism,
    total: Fraction,
    every_share: bool = False,
) -> Strategy:
    """The best strategy with one mechanism.

    Args:
        sensitivities: of every place that may be measured (see ``candidates``).
        total: ε (Laplace) or ρ (Gaussian) for the published statistics.
        every_share: whether shares too small to matter are measured, too, as something published needs one.
    """
    problem = build(grid, release, sensitivities, spaces, found)
    shares, _ = optimise(problem, mechanism, float(total))
    if _unlike(grid):
        problem, shares = _exactly(grid, problem, shares, found, mechanism, float(total))
    errors = problem.published(shares, mechanism, float(total))
    assert errors is not None, "an optimum has finite errors"
    mse = errors[0]
    mean = float(problem.weight @ np.log(mse + problem.floors) / problem.weight.sum())
    rounded = _round(problem.places, shares if every_share else np.where(shares * ROUND >= 1, shares, 0.0))
    return Strategy(mechanism, rounded, tuple(np.sqrt(mse).tolist()), float(np.exp(mean / 2)))


def _unlike(grid: Grid) -> bool:
    """Whether groups of some level differ much in how many leaves they have, as regions may."""
    sizes = [level.sizes for d in grid.dimensions if d.kind != "date" for level in d.levels]
    return any(one.max() >= UNLIKE * one.min() for one in sizes)


def _exactly(
    grid: Grid, problem: Problem, shares: Floats, found: Sequence[Target], mechanism: Mechanism, total: float
) -> tuple[Problem, Floats]:
    """The problem with errors as they are at its best shares, and these; both unchanged where the errors are nearly so.

    The objective knows errors as means over groups that are taken to be alike. Where they are not, its errors are multiplied
    by what is missing, and it is optimised again; what is best by errors as they are is taken.
    """
    best: _Exact | None = None
    for _ in range(ROUNDS):
        now = _made_exact(grid, problem, shares, found, mechanism, total)
        if now.near and best is None:
            return problem, shares
        if best is None or now.value < best.value:
            best = now
        if now.near:
            break
        problem = replace(
            problem, times=np.sqrt(problem.times * now.problem.times)
        )  # half way: errors move as shares do
        shares, _ = optimise(problem, mechanism, total)
    assert best is not None
    for _ in range(ROUNDS):  # the same levels with other shares: errors move little then
        if best.near:
            break
        active = np.flatnonzero(best.shares > 0)
        alone = best.problem.alone(mechanism, total)
        shares, _ = _descend(best.problem, alone, mechanism, total, active, best.shares[active], HOLD)
        now = _made_exact(grid, best.problem, shares, found, mechanism, total)
        if now.value >= best.value:
            break
        best = now
    return best.problem, best.shares


@dataclass(frozen=True)
class _Exact:
    """A problem whose errors are as they are at some shares; the objective there, and whether the problem that they were found
    with was near it."""

    problem: Problem
    shares: Floats
    value: float
    near: bool


def _made_exact(
    grid: Grid, problem: Problem, shares: Floats, found: Sequence[Target], mechanism: Mechanism, total: float
) -> _Exact:
    errors = problem.errors(shares, mechanism, total)
    assert errors is not None, "an optimum has finite errors"
    off = _least_squares(grid, problem, shares, found, mechanism, total) / errors[0]
    exact = replace(problem, times=problem.times * off)
    alone = exact.alone(mechanism, total)
    published = exact.published(shares, mechanism, total)
    assert published is not None, "as above"
    kept = bool((exact.over(published[0], alone)[0] < HELD).all())
    value, _ = exact.value(shares, alone, mechanism, total)
    return _Exact(exact, shares, value, kept and bool(((off < OFF) & (off > 1 / OFF)).all()))


def _least_squares(
    grid: Grid, problem: Problem, shares: Floats, found: Sequence[Target], mechanism: Mechanism, total: float
) -> Floats:
    """Exact mean squared errors of least squares."""
    precision, _ = problem.precision(shares, mechanism, total)
    structures = {
        statistic: Structure(grid, {problem.places[i][1]: float(precision[i]) for i in at if shares[i] > 0})
        for statistic, at in problem.at.items()
    }
    return np.array(
        [
            1 / precision[own] if own >= 0 else float(structures[t.statistic].query_variance(t.queries).mean())
            for t, own in zip(found, problem.own, strict=True)
        ]
    )


def _round(places: Sequence[Place], shares: Floats) -> dict[Place, Fraction]:
    """Shares as round fractions that add up to one, so that plans made on any machine are equal.

    What has any share keeps one.
    """
    kept = {p: Fraction(max(int(s * ROUND), 1), ROUND) for p, s in zip(places, shares, strict=True) if s > 0}
    largest = max(kept, key=lambda p: kept[p])
    kept[largest] += 1 - sum(kept.values(), Fraction(0))
    return kept


def candidates(grid: Grid, release: Release, *, finest: bool = False) -> tuple[Spaces, list[Target], list[Place]]:
    """What may be measured: every product of nested levels for additive statistics, what is published for persons.

    With ``finest`` only those with the leaves of time, for statistics that are added up over windows.
    """
    found = targets(grid, release)
    chains = []
    for i, dimension in enumerate(grid.dimensions):
        used = [t.levels[i] for t in found if not t.windowed]
        chains.append(chain(dimension, sorted(set(used), key=lambda name: (-used.count(name), name))))
    spaces = Spaces(grid, tuple(chains))
    keys = spaces.keys if len(spaces.keys) <= MOST_KEYS else _near(spaces, found)
    places: list[Place] = []
    for statistic in sorted({t.statistic for t in found}):
        if statistic_of(release, statistic).kind == "persons":
            places += [(statistic, key) for key in sorted({t.levels for t in found if t.statistic == statistic})]
        else:
            leaves = finest and any(t.windowed and t.statistic == statistic for t in found)
            places += [(statistic, key) for key in keys if not leaves or _is_finest(grid, key)]
    return spaces, found, places


def _is_finest(grid: Grid, key: Key) -> bool:
    """Whether a level tells the leaves of time apart."""
    return all(d.kind != "date" or d.leaf.name == level for d, level in zip(grid.dimensions, key, strict=True))


def _near(spaces: Spaces, found: Sequence[Target]) -> tuple[Key, ...]:
    """In a large lattice: what is published, and the finest and coarsest of each two of them."""
    order = [{name: i for i, name in enumerate(names)} for names in spaces.chains]
    published = [t.levels for t in found if all(n in o for n, o in zip(t.levels, order, strict=True))]
    kept = {tuple(names[0] for names in spaces.chains), *published}
    for one, two in product(published, published):
        for pick in (min, max):
            kept.add(tuple(pick(a, b, key=o.__getitem__) for a, b, o in zip(one, two, order, strict=True)))
    return tuple(sorted(kept))


def optimise(problem: Problem, mechanism: Mechanism, total: float) -> tuple[Floats, float]:
    """Shares that minimise the objective, zero where a level does not earn its share."""
    everything = np.arange(len(problem.places))
    alone = problem.alone(mechanism, total)

    def descend(active: Indices, start: Floats, hold: float = HOLD) -> tuple[Floats, float]:
        return _descend(problem, alone, mechanism, total, active, start, hold)

    # softly first, as a steep wall turns a descent aside; then what came furthest with the objective itself
    soft = sorted((descend(everything, start, SOFT) for start in _starts(problem)), key=lambda run: run[1])
    runs = [descend(everything, start + 1e-9) for start, _ in soft[:POLISHED]]
    shares, value = min(runs, key=lambda run: run[1])
    active = np.flatnonzero(shares > NEGLIGIBLE)
    slack = NEGLIGIBLE * problem.weight.sum()
    trimmed = descend(active, shares[active])
    if trimmed[1] <= value + slack:
        shares, value = trimmed
    else:
        active = np.flatnonzero(shares > 0)
    reference = value
    refused: set[int] = set()
    while len(active) > 1:
        order = [i for i in active[np.argsort(shares[active], kind="stable")] if i not in refused]
        if not order:
            break
        rest = active[active != order[0]]
        start = shares[rest] + 1e-9
        trial = descend(rest, start)
        if trial[1] <= reference + slack:
            (shares, value), active = trial, rest
        else:
            refused.add(int(order[0]))
    return shares, value


def _starts(problem: Problem) -> list[Floats]:
    """Fixed starting weights: all alike; what is published, alike and with most for those whose say is largest; and
    each level favoured by turns (in bit-reversed order)."""
    count = len(problem.places)
    published = np.full(count, 0.003)
    favoured = published.copy()
    for place, say in zip(problem.home, problem.weight, strict=True):
        if place >= 0:
            published[place] = 1 / len(problem.goals)
            favoured[place] += say**2 / len(problem.goals)
    starts = [np.full(count, 1.0), published, favoured]
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        radical = np.array([_radical_inverse(i + 1, base) for i in range(count)])
        starts.append(np.exp(6 * (radical - 1)))
    return starts


def _radical_inverse(i: int, base: int) -> float:
    """Van der Corput's sequence: digits of ``i`` mirrored at the point."""
    value, scale = 0.0, 1.0
    while i:
        scale /= base
        i, digit = divmod(i, base)
        value += digit * scale
    return value


def _descend(
    problem: Problem, alone: Floats, mechanism: Mechanism, total: float, active: Indices, start: Floats, hold: float
) -> tuple[Floats, float]:
    """BFGS over softmax weights of the ``active`` places (few enough that its full matrix beats limited memory)."""
    from scipy.optimize import minimize  # takes half of the time that a command needs to start

    def evaluate(logits: Floats) -> tuple[float, Floats]:
        powers = np.exp(logits - logits.max())
        part = powers / powers.sum()
        shares = np.zeros(len(problem.places))
        shares[active] = part
        value, gradient = problem.value(shares, alone, mechanism, total, hold)
        if not np.isfinite(value):
            return 1e12, np.zeros(len(active))
        inner = gradient[active]
        return value, part * (inner - part @ inner)

    result = minimize(
        evaluate, np.log(start / start.sum()), jac=True, method="BFGS", options={"maxiter": 400, "gtol": 1e-5}
    )
    powers = np.exp(result.x - result.x.max())
    shares = np.zeros(len(problem.places))
    shares[active] = powers / powers.sum()
    return shares, float(result.fun)
