"""How much could any other choice of what to measure give? The lower bound of the matrix mechanism.

    python -m benchmarks.matrix_bound EXACT.csv.gz --areas AREAS.csv --weeks 13

Any set of linear queries with Gaussian noise, of which everything published is a linear unbiased estimate, has a sum of
squared errors Σ c·MSE of at least σ²·(Σ singular values)² / cells, where σ² is the variance of a single query's noise for
the whole budget and the singular values are those of all published statistics, each scaled by √(c / its cells) (Li and
Miklau 2013, *Optimal error of query sets under the differentially-private matrix mechanism*). With c = 1 / MSE of the plan,
the square root of the number of statistics over the bound is how many times better they could all be at once. Laplace noise
is held against the same bound with its own σ²: it is then valid, but far from what can be reached, as levels share ε
and not ρ. Shrinkage is left out on both sides.

The singular values are exact: groups of areas and bands fall apart by symmetry (``plan.symmetry``). Counts of EXACT are not
looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import _header
from benchmarks.exact_counts import catalogue_of, read_exact_counts
from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.models import Release
from dp_stats.plan import make_plan
from dp_stats.plan.accounting import scale_for_epsilon, scale_for_rho
from dp_stats.plan.algebra import axis_of, weights
from dp_stats.plan.expected import accuracy
from dp_stats.plan.mechanism import noise_variance
from dp_stats.plan.symmetry import Component
from dp_stats.plan.targets import Target, group_of, targets

Floats = NDArray[np.float64]

LOSSES = (("Gaussian alone, ρ = 0.5", Fraction(1, 2), Fraction(0)), ("pure ε = 1", Fraction(1), None))
GROUPS = ("local", "regional", "national")


def singular_values(grid: Grid, found: Sequence[Target], scales: Sequence[float]) -> tuple[Floats, Floats]:
    """Singular values of the targets' queries, each target scaled by √scale, and how often each occurs."""
    names = [{t.queries[d.name] for t in found if isinstance(t.queries[d.name], str)} for d in grid.dimensions]
    dense = [any(not isinstance(t.queries[d.name], str) for t in found) for d in grid.dimensions]
    parts = [
        [None] if whole else list(axis_of(d, {str(n) for n in used}).components)
        for d, used, whole in zip(grid.dimensions, names, dense, strict=True)
    ]
    values, often = [], []
    for choice in product(*parts):
        total: Floats = np.zeros((1, 1))
        for target, scale in zip(found, scales, strict=True):
            term = np.full((1, 1), scale)
            for dimension, part in zip(grid.dimensions, choice, strict=True):
                term = np.kron(term, _gram(dimension, part, target))
            total = total + term
        one = np.sqrt(np.maximum(np.linalg.eigvalsh(total), 0.0))
        values.append(one)
        often.append(np.full(len(one), np.prod([_copies(part) for part in choice], dtype=np.float64)))
    return np.concatenate(values), np.concatenate(often)


def _gram(dimension: Dimension, part: Component | None, target: Target) -> Floats:
    """A target's queries along a dimension as a matrix on one component (None: on all leaves)."""
    query = target.queries[dimension.name]
    if part is None:
        rows = weights(dimension, query)
        return np.asarray(rows.T @ rows)
    return part.matrices[str(query)]


def _copies(part: Component | None) -> int:
    """How many independent copies of a component there are; contrasts are one fewer than the siblings."""
    if part is None:
        return 1
    return part.copies - (0 if part.siblings is None else len(np.unique(part.siblings)))


def bound(grid: Grid, found: Sequence[Target], errors: Sequence[float], variance: float) -> float:
    """How many times better all targets could be at once than ``errors`` (mean squared) by any linear strategy.

    ``variance`` is that of one query's noise for the whole budget at sensitivity one.
    """
    cells = [np.prod([len(weights(d, t.queries[d.name])) for d in grid.dimensions]) for t in found]
    values, often = singular_values(grid, found, [1 / (e * n) for e, n in zip(errors, cells, strict=True)])
    assert round(float(often.sum())) == grid.cells(), "every cell is in one component"
    least = variance * float(values @ often) ** 2 / grid.cells()
    return float(np.sqrt(len(found) / least))


def report(release: Release, grid: Grid, errors: Sequence[float], variance: float) -> None:
    """Print the bound for all published statistics together and for each group alone."""
    found = targets(grid, release)
    groups = [group_of(grid, release, t) for t in found]
    for name in ("all", *GROUPS):
        chosen = [i for i, g in enumerate(groups) if name in (g, "all")]
        if name != "all" and len(chosen) in (0, len(found)):
            continue
        times = bound(grid, [found[i] for i in chosen], [errors[i] for i in chosen], variance)
        print(f"  {name} ({len(chosen)} statistics): at most {times:.2f} times better at once")


def _variance(total: Fraction, delta: Fraction | None) -> float:
    """Of one value's noise for all of ρ (``delta`` is 0) or of a pure ε."""
    if delta is None:
        return noise_variance(scale_for_epsilon(1, total), "discrete_laplace")
    return noise_variance(scale_for_rho(1, total), "discrete_gaussian")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exact", type=Path)
    parser.add_argument("--areas", type=Path, help="CSV of code and region")
    parser.add_argument("--weeks", type=int, default=13)
    parser.add_argument("--guess", type=float, default=35.0, help="guessed mean of an area and day")
    options = parser.parse_args()
    columns = {name: name for name in ("date", "area", "count", "band") if name in _header(options.exact)}
    exact = read_exact_counts(options.exact, columns=columns, lookup=options.areas).first_days(7 * options.weeks)
    for title, total, delta in LOSSES:
        for only, priority in (("all tables", "balanced"), ("all tables", "local"), ("local tables alone", "local")):
            catalogue, release, _ = catalogue_of(
                exact, prior=options.guess, epsilon=total, delta=delta, priority=priority
            )
            if only != "all tables":
                local = tuple(t for t in release.tables if t.levels.get("area") == "area")
                release = release.model_copy(update={"tables": local})
            grid = catalogue.grid(release, exact.period)
            given = accuracy(grid, release, make_plan(catalogue, release, exact.period).measurements)
            errors = [float(np.mean(given.variance(t))) for t in targets(grid, release)]
            print(f"{title}, {only}, priority {priority}")
            report(release, grid, errors, _variance(total, delta))


if __name__ == "__main__":
    main()
