"""Expected errors of everything a release publishes: exact for sums, by the delta method for ratios, and with what
shrinkage and the correction of the contribution bound will roughly do to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Derived, Release, Table
from dp_stats.catalogue.populations import likely_population
from dp_stats.plan.adjusted import correction_variance
from dp_stats.plan.algebra import Key, Structure, key_of
from dp_stats.plan.model import ExpectedError, Measurement
from dp_stats.plan.settled import published_variance
from dp_stats.plan.symmetry import Floats
from dp_stats.plan.targets import Target, derived_of, measured_for, prior_totals, statistic_of, target_of

NORMAL_95 = 1.959963984540054
"""Standard errors in half a 95 % interval of a normal value."""


@dataclass(frozen=True)
class Accuracy:
    """What a plan's measurements say about any sum of cells.

    Attributes:
        structures: additive statistic → its measured levels and precisions, in real units.
        own: (statistic, level) → variance, for distinct persons, whose tables do not add up.
        truncation: the measurement of truncated rows, if there is one.
    """

    grid: Grid
    structures: Mapping[str, Structure]
    own: Mapping[tuple[str, Key], float]
    truncation: Measurement | None = None

    def variance(self, target: Target) -> Floats:
        """Variance of each value of a linear target, in real units squared."""
        if target.statistic in self.structures:
            return self.structures[target.statistic].query_variance(target.queries)
        shape = self.grid.shape(dict(zip(target.queries, target.levels, strict=True)))
        return np.full(shape, self.own[(target.statistic, target.levels)])


def accuracy(grid: Grid, release: Release, measurements: tuple[Measurement, ...]) -> Accuracy:
    """The accuracy that measurements give."""
    precisions: dict[str, dict[Key, float]] = {}
    own = {}
    for m in measurements:
        if m.role != "statistic":
            continue
        variance = m.variance * float(m.unit) ** 2
        key = key_of(grid, m.levels)
        if statistic_of(release, m.statistic).kind == "persons":
            own[(m.statistic, key)] = variance
        else:
            known = precisions.setdefault(m.statistic, {})
            known[key] = known.get(key, 0.0) + 1 / variance
    truncation = next((m for m in measurements if m.role == "truncated_rows"), None)
    return Accuracy(grid, {s: Structure(grid, p) for s, p in precisions.items()}, own, truncation)


def expected_errors(catalogue: Catalogue, grid: Grid, release: Release, given: Accuracy) -> tuple[ExpectedError, ...]:
    """One entry for each statistic of each table; a ratio whose size nobody has guessed is left out."""
    totals = prior_totals(grid, release)
    found = []
    for table in release.tables:
        for name in table.statistics:
            derived = derived_of(release, name)
            target = target_of(grid, release, table, measured_for(release, name)[0], derived, totals)
            spread = _spread(catalogue, grid, release, table, derived, target, given, totals)
            if spread is not None:
                found.append(_summary(table.id, name, *spread))
    return tuple(found)


def _summary(table: str, statistic: str, deviation: Floats, mean: float | None) -> ExpectedError:
    known = deviation[np.isfinite(deviation)]
    margin, worst = (NORMAL_95 * float(v) for v in (np.median(known), known.max()))
    return ExpectedError(
        table=table,
        statistic=statistic,
        cells=deviation.size,
        prior_mean=mean,
        margin_95=margin,
        worst=worst,
        relative=margin / mean if mean else None,
    )


def _spread(
    catalogue: Catalogue,
    grid: Grid,
    release: Release,
    table: Table,
    derived: Derived | None,
    target: Target,
    given: Accuracy,
    totals: Mapping[str, float],
) -> tuple[Floats, float | None] | None:
    """Standard deviation of each value and the mean value."""
    variance = given.variance(target)
    mean = target.prior_mean
    if derived is None or derived.kind in ("rolling", "cumulative", "rate"):
        variance = published_variance(grid, release, target, given.variance) + correction_variance(
            grid, release, target, given.truncation
        )
    if derived is None or derived.kind in ("rolling", "cumulative"):
        return np.sqrt(variance), mean
    if derived.kind == "rate":
        levels = grid.complete(table.levels)
        people = likely_population(grid, release, catalogue, levels, derived.population)
        if people is None or not people.any():  # where nobody lives there is no rate
            return None
        with np.errstate(divide="ignore"):
            scale = derived.per / people
        typical = mean * derived.per / float(people.mean()) if mean is not None else None
        return np.sqrt(variance) * scale, typical
    if mean is None:
        return None
    if derived.kind == "mean" and derived.over:
        over = target_of(grid, release, table, derived.over, derived, totals)
        if over.prior_mean is None:
            return None
        ratio = mean / over.prior_mean
        return np.sqrt(variance + ratio**2 * given.variance(over)) / over.prior_mean, ratio
    assert derived.across is not None
    dimension = grid[derived.across]
    axis = [d.name for d in grid.dimensions].index(derived.across)
    groups = variance.shape[axis]
    if derived.kind == "share":
        whole = given.variance(replace(target, queries={**target.queries, derived.across: dimension.top.name}))
        # Var(x/t) with cov(x, t) = Var(t)/groups, its exact mean over the groups that add up to t
        return 100 / (mean * groups) * np.sqrt(np.maximum(variance - whole / groups**2, 0)), 100 / groups
    bins = len(dimension)
    below = (np.arange(bins) < derived.q * bins).astype(np.float64) - derived.q
    spread = np.sqrt(given.variance(replace(target, queries={**target.queries, derived.across: below[None]})))
    width = float(np.mean(np.diff(dimension.edges))) if len(dimension.edges) > 1 else 1.0
    return spread / mean * width, None
