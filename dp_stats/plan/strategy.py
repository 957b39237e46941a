"""Which levels to measure, with what share of the budget, and with which noise.

The shares minimise Σ weight · log(MSE + (0.025 · mean)²) over everything published: relative error, balanced, where
a margin below ±5 % of the mean (RMSE 2.5 %) earns little more. The mean is a public guess, so the objective is
averaged over means between 2 and 128 times that: a mean guessed too low costs the finest cells much, as coarse ones
then seem to be worth more budget, and one guessed too high costs little. Without a guess the finest published cells
are taken to have means between 10 and 10,000. A declared ceiling adds a steep penalty above it. The problem in pure
ε is not convex, so BFGS runs over softmax weights from fixed starts; levels that do not earn their share are dropped
one by one. There is no randomness: the same declarations give the same strategy.

Source of the objective's variance: McKenna et al. (2018), *Optimizing error of high-dimensional statistical queries
under differential privacy* (HDMM); here with sums over hierarchies as strategies and closed-form spaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
from scipy.optimize import minimize

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.plan.algebra import Key
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.sensitivity import Sensitivity
from dp_stats.plan.spaces import Spaces, chain
from dp_stats.plan.symmetry import Floats, Indices
from dp_stats.plan.targets import Target, mean_share, statistic_of, targets

FLOOR = 0.025

GUESSED = (2.0, 128.0)
"""The strategy is to be good for means between these multiples of the guess."""

UNGUESSED = (10.0, 10_000.0)
"""The same where nothing is guessed: means of a finest published cell, in rows (of half the largest value, in a sum)."""

MEANS = 7
NEGLIGIBLE = 0.002
ROUND = 10_000
MOST_KEYS = 400

UNSEEN = 1e-60
"""A smaller precision counts as not measured."""

Place = tuple[str, Key]
"""What one parameter of the optimiser is: a statistic measured at a level."""


@dataclass(frozen=True)
class Strategy:
    """The chosen shares of the total budget (of ε for Laplace, of ρ for Gaussian), and how large errors are."""

    mechanism: Mechanism
    shares: Mapping[Place, Fraction]
    errors: tuple[float, ...]
    """Root-mean-square error of everything published."""
    error: float
    """Their geometric mean, by declared weights, with what little an error below ±5 % of the smallest mean earns."""


@dataclass(frozen=True, eq=False)
class Problem:
    """The objective as arrays.

    Attributes:
        places: the parameters. l1, l2_squared: sensitivity of each, in integer steps; unit: real value of a step.
        gains: per additive statistic, ``(spaces, its places)``; at: the places' indices.
        loads: per additive statistic, ``(its goals, spaces)``; own: a person count's place, else −1; per goal.
        goals: the statistic of each; weight: theirs; ceiling: largest acceptable MSE (infinite: none).
        floors: per goal, the errors below which little more is earned, squared, ``(goals, plausible means)``.
    """

    places: tuple[Place, ...]
    l1: Floats
    l2_squared: Floats
    unit: Floats
    gains: Mapping[str, Floats]
    at: Mapping[str, Indices]
    loads: Mapping[str, Floats]
    own: Indices
    goals: tuple[str, ...]
    floors: Floats
    weight: Floats
    ceiling: Floats

    def precision(self, shares: Floats, mechanism: Mechanism, total: float) -> tuple[Floats, Floats]:
        """1 / variance of each place's noise and its derivative, for shares of a total ε or ρ."""
        if mechanism == "discrete_gaussian":
            rate = 2 * total / self.l2_squared / self.unit**2
            return shares * rate, rate
        half = np.minimum(shares * total / (2 * self.l1), 50.0)
        value = 2 * np.sinh(half) ** 2 / self.unit**2
        return value, np.sinh(2 * half) * total / self.l1 / self.unit**2

    def value(self, shares: Floats, mechanism: Mechanism, total: float) -> tuple[float, Floats]:
        """The objective and its gradient in the shares."""
        found = self.errors(shares, mechanism, total)
        if found is None:
            return np.inf, np.zeros(len(self.places))
        mse, jacobian = found
        base = mse[:, None] + self.floors
        over = np.maximum(np.log(mse) - np.log(self.ceiling), 0.0)
        value = float(self.weight @ (np.log(base).mean(axis=1) + 5 * over**2))
        outer = self.weight * ((1 / base).mean(axis=1) + 10 * over / mse)
        return value, outer @ jacobian

    def errors(self, shares: Floats, mechanism: Mechanism, total: float) -> tuple[Floats, Floats] | None:
        """Mean squared error of each goal and its gradient in the shares; None where a goal is not estimable."""
        precision, slope = self.precision(shares, mechanism, total)
        mse = np.zeros(len(self.goals))
        jacobian = np.zeros((len(self.goals), len(self.places)))
        for statistic, gains in self.gains.items():
            at = self.at[statistic]
            seen = gains @ precision[at]
            loads = self.loads[statistic]
            rows = np.array([i for i, s in enumerate(self.goals) if s == statistic], dtype=np.intp)
            needed = loads.max(axis=0) > 0
            if np.any(seen[needed] <= UNSEEN):
                return None
            inverse = np.where(needed, 1 / np.maximum(seen, UNSEEN), 0)
            mse[rows] = loads @ inverse
            jacobian[np.ix_(rows, at)] = -(loads * inverse**2) @ gains
        for i, place in enumerate(self.own):
            if place >= 0:
                if precision[place] <= UNSEEN:
                    return None
                mse[i] = 1 / precision[place]
                jacobian[i, place] = -(mse[i] ** 2)
        return mse, jacobian * slope


def choose(
    grid: Grid,
    release: Release,
    sensitivities: Mapping[Place, Sensitivity],
    spaces: Spaces,
    found: Sequence[Target],
    *,
    mechanism: Mechanism,
    total: Fraction,
) -> Strategy:
    """The best strategy with one mechanism.

    Args:
        sensitivities: of every place that may be measured (see ``candidates``).
        total: ε (Laplace) or ρ (Gaussian) for the published statistics.
    """
    problem = build(grid, release, sensitivities, spaces, found)
    shares, _ = optimise(problem, mechanism, float(total))
    errors = problem.errors(shares, mechanism, float(total))
    assert errors is not None, "an optimum has finite errors"
    mse = errors[0]
    mean = float(problem.weight @ np.log(mse + problem.floors[:, 0]) / problem.weight.sum())
    return Strategy(mechanism, _round(problem.places, shares), tuple(np.sqrt(mse).tolist()), float(np.exp(mean / 2)))


def _round(places: Sequence[Place], shares: Floats) -> dict[Place, Fraction]:
    """Shares as round fractions that add up to one, so that plans made on any machine are equal."""
    kept = {p: Fraction(int(s * ROUND), ROUND) for p, s in zip(places, shares, strict=True) if s * ROUND >= 1}
    largest = max(kept, key=lambda p: kept[p])
    kept[largest] += 1 - sum(kept.values(), Fraction(0))
    return kept


def candidates(grid: Grid, release: Release) -> tuple[Spaces, list[Target], list[Place]]:
    """What may be measured: every product of nested levels for additive statistics, what is published for persons."""
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
            places += [(statistic, key) for key in keys]
    return spaces, found, places


def _near(spaces: Spaces, found: Sequence[Target]) -> tuple[Key, ...]:
    """In a large lattice: what is published, and the finest and coarsest of each two of them."""
    order = [{name: i for i, name in enumerate(names)} for names in spaces.chains]
    published = [t.levels for t in found if all(n in o for n, o in zip(t.levels, order, strict=True))]
    kept = {tuple(names[0] for names in spaces.chains), *published}
    for one, two in product(published, published):
        for pick in (min, max):
            kept.add(tuple(pick(a, b, key=o.__getitem__) for a, b, o in zip(one, two, order, strict=True)))
    return tuple(sorted(kept))


def build(
    grid: Grid, release: Release, sensitivities: Mapping[Place, Sensitivity], spaces: Spaces, found: Sequence[Target]
) -> Problem:
    """The objective's arrays."""
    places = tuple(sensitivities)
    index = {place: i for i, place in enumerate(places)}
    additive = [s for s in dict.fromkeys(t.statistic for t in found) if statistic_of(release, s).kind != "persons"]
    gains, at, loads = {}, {}, {}
    for statistic in additive:
        mine = [p for p in places if p[0] == statistic]
        at[statistic] = np.array([index[p] for p in mine])
        gains[statistic] = spaces.gains([key for _, key in mine])
        loads[statistic] = np.stack([spaces.loads(t) for t in found if t.statistic == statistic])
    own = np.array([-1 if t.statistic in additive else index[(t.statistic, t.levels)] for t in found])
    declared = [statistic_of(release, s) for s, _ in places]
    unit = np.array([float(s.resolution) if s.kind == "sum" else 1.0 for s in declared])
    return Problem(
        places=places,
        l1=np.array([float(sensitivities[p].l1) for p in places]),
        l2_squared=np.array([float(sensitivities[p].l2_squared) for p in places]),
        unit=unit,
        gains=gains,
        at=at,
        loads=loads,
        own=own,
        goals=tuple(t.statistic for t in found),
        floors=(FLOOR * _plausible_means(grid, release, found)) ** 2,
        weight=np.array([max(t.weight, 1e-6) for t in found]),
        ceiling=np.array([(t.ceiling / 1.96) ** 2 if t.ceiling else np.inf for t in found]),
    )


def _plausible_means(grid: Grid, release: Release, found: Sequence[Target]) -> Floats:
    """Per goal, the means for which the strategy is to be good; shape ``(goals, MEANS)``."""
    rows = []
    for target in found:
        if target.prior_mean is not None:
            rows.append(target.prior_mean * np.geomspace(*GUESSED, MEANS))
            continue
        statistic = statistic_of(release, target.statistic)
        ends = [abs(float(end)) for end in (statistic.lower, statistic.upper) if end is not None]
        size = max(ends) / 2 if statistic.kind == "sum" else 1.0
        finest = min(mean_share(grid, t.queries) for t in found if t.statistic == target.statistic)
        rows.append(size * mean_share(grid, target.queries) / finest * np.geomspace(*UNGUESSED, MEANS))
    return np.stack(rows)


def optimise(problem: Problem, mechanism: Mechanism, total: float) -> tuple[Floats, float]:
    """Shares that minimise the objective, zero where a level does not earn its share."""
    everything = np.arange(len(problem.places))
    runs = [_descend(problem, mechanism, total, everything, start) for start in _starts(problem)]
    shares, value = min(runs, key=lambda run: run[1])
    active = np.flatnonzero(shares > NEGLIGIBLE)
    slack = NEGLIGIBLE * problem.weight.sum()
    trimmed = _descend(problem, mechanism, total, active, shares[active])
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
        trial = _descend(problem, mechanism, total, rest, start)
        if trial[1] <= reference + slack:
            (shares, value), active = trial, rest
        else:
            refused.add(int(order[0]))
    return shares, value


def _starts(problem: Problem) -> list[Floats]:
    """Fixed starting weights: all alike, each level favoured by turns (in bit-reversed order), and its opposites."""
    count = len(problem.places)
    starts = [np.full(count, 1.0)]
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
    problem: Problem, mechanism: Mechanism, total: float, active: Indices, start: Floats
) -> tuple[Floats, float]:
    """BFGS over softmax weights of the ``active`` places (few enough that its full matrix beats limited memory)."""

    def evaluate(logits: Floats) -> tuple[float, Floats]:
        powers = np.exp(logits - logits.max())
        part = powers / powers.sum()
        shares = np.zeros(len(problem.places))
        shares[active] = part
        value, gradient = problem.value(shares, mechanism, total)
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
