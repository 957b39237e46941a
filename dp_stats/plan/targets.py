"""What is published, as linear queries on the grid, with public guesses of their size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from dp_stats.catalogue.grid import Dimension, Grid, Level
from dp_stats.catalogue.models import Derived, Release, Statistic, Table
from dp_stats.errors import CatalogueError
from dp_stats.plan.algebra import Key, Query, key_of, weights
from dp_stats.plan.symmetry import Floats

DAYS = {"day": 1, "week": 7, "4-week": 28}


@dataclass(frozen=True, eq=False)
class Target:
    """One measured statistic as one table needs it: a product query, at a level or over windows of time.

    Attributes:
        table: the table's id; statistic: the measured statistic's id.
        levels: where it is published.
        queries: dimension → level name or weights of the leaves, complete.
        prior_mean: public guess of the mean of the values (None: none declared).
        weight, ceiling: as declared for the table; a ceiling is of its first statistic.
    """

    table: str
    statistic: str
    levels: Key
    queries: Mapping[str, Query]
    prior_mean: float | None
    weight: float
    ceiling: float | None

    @property
    def windowed(self) -> bool:
        """Whether it is a rolling or cumulative sum rather than the cells of a level."""
        return any(not isinstance(q, str) for q in self.queries.values())


def targets(grid: Grid, release: Release) -> list[Target]:
    """Every distinct linear query that the published statistics are made of, once, with its largest weight."""
    totals = prior_totals(grid, release)
    found: dict[tuple[object, ...], Target] = {}
    for table in release.tables:
        for name in table.statistics:
            derived = derived_of(release, name)
            for measured in measured_for(release, name):
                target = target_of(grid, release, table, measured, derived, totals)
                if name != table.statistics[0] or (
                    derived and derived.kind in ("rate", "daily", "mean", "share", "quantile")
                ):
                    target = replace(target, ceiling=None)
                mark = (measured, target.levels, (derived.kind, derived.days) if derived and target.windowed else None)
                found[mark] = _stricter(found[mark], target) if mark in found else target
    return list(found.values())


def _stricter(one: Target, other: Target) -> Target:
    """The same query published twice: the larger weight and the smaller ceiling count."""
    ceilings = [t.ceiling for t in (one, other) if t.ceiling is not None]
    return replace(one, weight=max(one.weight, other.weight), ceiling=min(ceilings, default=None))


def target_of(
    grid: Grid, release: Release, table: Table, measured: str, derived: Derived | None, totals: Mapping[str, float]
) -> Target:
    """What ``table`` needs of the statistic ``measured`` for one of its statistics (``derived``, or itself)."""
    statistic = statistic_of(release, measured)
    key = key_of(grid, published_levels(grid, table, derived))
    queries: dict[str, Query] = {d.name: name for d, name in zip(grid.dimensions, key, strict=True)}
    if derived is not None and derived.kind in ("rolling", "cumulative"):
        if statistic.kind == "persons":
            raise CatalogueError(
                f"release '{release.id}', derived '{derived.id}': distinct persons of several days cannot be added. Use a count."
            )
        date = date_of(grid, release)
        axis = grid.dimensions.index(date)
        queries[date.name] = window(date, date.level(key[axis]), derived)
    total = totals.get(measured)
    if table.prior_mean is not None and measured_for(release, table.statistics[0])[0] == measured:
        total = table.prior_mean * grid.cells(table.levels)
    mean = total * mean_share(grid, queries) if total is not None else None
    return Target(table.id, measured, key, queries, mean, table.weight, table.ceiling)


def mean_share(grid: Grid, queries: Mapping[str, Query]) -> float:
    """The share of a statistic's total that the mean value of product queries has."""
    return prod(_mean_share(grid[name], q) for name, q in queries.items())


def _mean_share(dimension: Dimension, query: Query) -> float:
    if isinstance(query, str):
        return 1 / len(dimension.level(query).codes)
    return float(weights(dimension, query).sum(axis=1).mean()) / len(dimension)


def window(date: Dimension, level: Level, derived: Derived) -> Floats:
    """Weights of a rolling or cumulative sum that ends with each group of ``level``; shape ``(groups, leaves)``."""
    last = np.array([np.flatnonzero(level.group == g)[-1] for g in range(len(level.codes))])
    leaf = np.arange(len(date))
    inside = leaf[None, :] <= last[:, None]
    if derived.kind == "rolling":
        length = max(1, round(derived.days / DAYS.get(date.leaf.name, 1)))
        inside &= leaf[None, :] > last[:, None] - length
    return inside.astype(np.float64)


def date_of(grid: Grid, release: Release) -> Dimension:
    """The calendar of the release.

    Raises:
        CatalogueError: it has none, so nothing can roll or cumulate.
    """
    for dimension in grid.dimensions:
        if dimension.kind == "date":
            return dimension
    raise CatalogueError(
        f"release '{release.id}': rolling and cumulative statistics need a date dimension. Declare one."
    )


def published_levels(grid: Grid, table: Table, derived: Derived | None) -> dict[str, str]:
    """The levels that a statistic of ``table`` is computed from: a quantile also needs its histogram's bins."""
    levels = dict(table.levels)
    if derived is not None and derived.kind == "quantile" and derived.across:
        levels[derived.across] = grid[derived.across].leaf.name
    return levels


def derived_of(release: Release, name: str) -> Derived | None:
    """The derived statistic called ``name``, if it is one."""
    return next((d for d in release.derived if d.id == name), None)


def statistic_of(release: Release, name: str) -> Statistic:
    """The measured statistic called ``name``."""
    return next(s for s in release.statistics if s.id == name)


def measured_for(release: Release, name: str) -> tuple[str, ...]:
    """The measured statistics that a published one is computed from, the main one first."""
    derived = derived_of(release, name)
    if derived is None:
        return (name,)
    return tuple(_unique(m for part in (derived.of, derived.over) if part for m in measured_for(release, part)))


def _unique(names: Iterator[str]) -> Iterator[str]:
    return iter(dict.fromkeys(names))


def prior_totals(grid: Grid, release: Release) -> dict[str, float]:
    """Public guesses of each measured statistic's total in the period: declared, or from a table's prior mean."""
    totals = {s.id: s.expected_total for s in release.statistics if s.expected_total is not None}
    for table in release.tables:
        measured = measured_for(release, table.statistics[0])[0]
        if table.prior_mean is not None and measured not in totals:
            totals[measured] = table.prior_mean * grid.cells(table.levels)
    return totals


def place_of(grid: Grid, release: Release) -> int | None:
    """The axis of the release's geography: the list of codes of which most are published; None if there is none."""
    used = [t.levels for t in targets(grid, release)]
    sizes = {
        axis: max(len(d.level(key[axis]).codes) for key in used)
        for axis, d in enumerate(grid.dimensions)
        if d.kind == "code"
    }
    largest = max(sizes, key=lambda axis: sizes[axis], default=None)
    return largest if largest is not None and sizes[largest] > 1 else None


def group_of(grid: Grid, release: Release, target: Target) -> str:
    """``local``, ``regional`` or ``national``, by the geography's level; the table's own id where there is none."""
    axis = place_of(grid, release)
    if axis is None:
        return target.table
    place = grid.dimensions[axis]
    size = len(place.level(target.levels[axis]).codes)
    if size == 1:
        return "national"
    finest = max(len(place.level(t.levels[axis]).codes) for t in targets(grid, release))
    return "local" if size == finest else "regional"
