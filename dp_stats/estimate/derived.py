"""Rates, daily figures, shares, means, rolling and cumulative sums and quantiles, from measured statistics at no cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.edges import edges_of
from dp_stats.catalogue.grid import Dimension, Grid, LevelNames, days_of_cells
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Derived, Release, Statistic
from dp_stats.catalogue.periods import is_part
from dp_stats.catalogue.populations import population_of
from dp_stats.errors import CatalogueError
from dp_stats.estimate.intervals import around, ratio_interval
from dp_stats.estimate.laws import CellLaws, laws_of_cells
from dp_stats.estimate.left_out import mean_interval, nobody_left_out, outweighs, rows_left_out, tells
from dp_stats.estimate.model import Estimate
from dp_stats.estimate.persons import Persons
from dp_stats.estimate.persons_beside_rows import interval_beside_rows
from dp_stats.estimate.quantiles import quantile_with_interval
from dp_stats.estimate.quantity import Quantity
from dp_stats.estimate.spread import Spread, spread_of_level, spread_of_windows
from dp_stats.plan.algebra import Query
from dp_stats.plan.expected import NORMAL_95

Floats = NDArray[np.float64]

_LEAF_DAYS = {"day": 1, "week": 7, "4-week": 28}


@dataclass(frozen=True, eq=False)
class Source:
    """A measured statistic that others are derived from.

    Attributes:
        statistic: its declaration.
        quantity: best values and variances of any query.
        whole: levels (complete, as a tuple of names) → the published whole numbers, in the statistic's unit.
        truncated: of distinct persons, the count of rows whose correction tells how many may be missing.
        beside: of distinct persons, the count of rows that is published beside them.
        everybody: of distinct persons, whether a row of everybody is kept.
    """

    statistic: Statistic
    quantity: Quantity | Persons
    whole: Mapping[tuple[str, ...], Floats]
    truncated: Quantity | None = None
    beside: Source | None = None
    everybody: bool = False

    @property
    def rows(self) -> Quantity | None:
        """The count of rows that tells how many are missing from what is not corrected."""
        return self.quantity if isinstance(self.quantity, Quantity) else self.truncated

    def published(self, grid: Grid, levels: LevelNames) -> Floats:
        """The published whole numbers at ``levels``."""
        return self.whole[tuple(grid.complete(levels).values())]

    def interval(self, value: Floats, spread: Spread, levels: LevelNames) -> tuple[Floats, Floats]:
        """The interval that is published with ``value``, of this statistic at ``levels``."""
        all_there = self.everybody and nobody_left_out(self.quantity.grid, levels)
        missing = 0.0 if all_there else rows_left_out(self.truncated, levels)
        found = spread.published(value, self.statistic, low=self.quantity.lowest, missing=missing)
        if self.beside is None:
            return found
        grid, rows = self.quantity.grid, self.beside
        published = {level: partial(rows.published_interval, rows.grid_levels(level)) for level in rows.whole}
        return interval_beside_rows(value, found, grid, tuple(grid.complete(levels).values()), published)

    def published_interval(self, levels: LevelNames) -> tuple[Floats, Floats]:
        """The interval that is published with the whole numbers at ``levels``."""
        value = self.whole[tuple(levels.values())]
        return self.interval(value, spread_of_level(self.quantity, levels), levels)

    def grid_levels(self, levels: tuple[str, ...]) -> dict[str, str]:
        """A key of ``whole`` as dimension → level."""
        return {d.name: name for d, name in zip(self.quantity.grid.dimensions, levels, strict=True)}

    def outweighed(self, value: Floats, spread: Spread, levels: LevelNames) -> NDArray[np.bool_] | None:
        """Of distinct persons, where those who may be missing outweigh the noise, or nothing tells how many may be."""
        if self.truncated is None:
            return None
        if self.everybody and nobody_left_out(self.quantity.grid, levels):
            return np.zeros(value.shape, dtype=np.bool_)
        if not tells(self.truncated, levels):
            return np.ones(value.shape, dtype=np.bool_)
        noise = spread.published(value, self.statistic, low=self.quantity.lowest)
        return outweighs(noise, self.interval(value, spread, levels))


def source_levels(derived: Derived, grid: Grid, levels: LevelNames) -> list[dict[str, str]]:
    """Levels of its sources that a derived statistic of a table needs, besides the table's own."""
    complete = grid.complete(levels)
    if derived.kind in ("share", "quantile"):
        assert derived.across is not None
        dimension = grid[derived.across]
        place = dimension.top if derived.kind == "share" else dimension.leaf
        return [complete, {**complete, dimension.name: place.name}]
    if derived.kind == "rolling":
        dates = _date_dimension(grid, derived)
        return [complete, {**complete, dates: grid[dates].leaf.name}]
    return [complete]


def derive(
    derived: Derived,
    *,
    grid: Grid,
    release: Release,
    catalogue: Catalogue,
    levels: LevelNames,
    sources: Mapping[str, Source],
) -> Estimate:
    """One derived statistic of one table.

    Args:
        derived: its declaration; grid, release, catalogue: of the edition.
        levels: of the table.
        sources: the measured statistics it is made from.
    """
    complete = grid.complete(levels)
    of = sources[derived.of]
    if derived.kind == "rate":
        return _rate(derived, of, grid, release, catalogue, complete)
    if derived.kind == "daily":
        time = _date_dimension(grid, derived)
        scale = 1 / days_of_cells(grid, time, complete[time])
        spread = spread_of_level(of.quantity, complete)
        return _scaled(derived.id, of, complete, complete, of.published(grid, complete), scale, spread)
    if derived.kind == "share":
        return _share(derived, of, grid, complete)
    if derived.kind == "mean":
        assert derived.over is not None
        return _mean(derived, of, sources[derived.over], complete)
    if derived.kind == "quantile":
        return _quantile(derived, of, grid, release, catalogue, complete)
    return _running(derived, of, grid, complete)


def _rate(
    derived: Derived, of: Source, grid: Grid, release: Release, catalogue: Catalogue, levels: dict[str, str]
) -> Estimate:
    people = population_of(grid, release, catalogue, levels, derived.population)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(people > 0, derived.per / people, np.nan)
    return _scaled(
        derived.id, of, levels, levels, of.published(grid, levels), scale, spread_of_level(of.quantity, levels)
    )


def _scaled(
    name: str,
    of: Source,
    levels: dict[str, str],
    queries: Mapping[str, Query],
    value: Floats,
    scale: Floats,
    spread: Spread,
) -> Estimate:
    lower, upper = of.interval(value, spread, levels)
    bounded = of.quantity.bounded(queries)
    own = spread.error * scale if spread.shrunken else None
    return Estimate(
        name, levels, value * scale, of.quantity.value(queries) * scale, lower * scale, upper * scale,
        spread.typical * scale, None if bounded is None else bounded * scale, spread.shrunken, own,
        of.outweighed(value, spread, levels),
    )  # fmt: skip


def _share(derived: Derived, of: Source, grid: Grid, levels: dict[str, str]) -> Estimate:
    assert derived.across is not None
    across = grid[derived.across]
    of_all = {**levels, across.name: across.top.name}
    part, whole = of.quantity.value(levels), of.quantity.value(of_all)
    some, every = spread_of_level(of.quantity, levels), spread_of_level(of.quantity, of_all)
    # the part and the rest, measured or not, are the whole: noise covariance is exact, what is uncertain about a
    # correction for truncated rows mostly cancels in a share and is left in both
    covariance = of.quantity.fit.covariance(levels, of_all)
    lower, upper, error = ratio_interval(
        some.centre, every.centre, some.error**2, every.error**2, covariance, _reach(laws_of_cells(of.quantity, levels)),
        low=0.0, high=1.0,
    )  # fmt: skip
    published, total = of.published(grid, levels), of.published(grid, of_all)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(total > 0, published / total, np.nan)
        unrounded = np.where(whole > 0, part / whole, np.nan)
    lower, upper = (np.where(np.isnan(value), np.nan, side) for side in around(value, lower, upper))
    return Estimate(
        derived.id, levels, 100 * value, 100 * unrounded, 100 * lower, 100 * upper, 100 * error, None, some.shrunken
    )


def _mean(derived: Derived, of: Source, over: Source, levels: dict[str, str]) -> Estimate:
    low, high = float(of.statistic.lower or 0), float(of.statistic.upper or np.inf)
    # rows that the bound truncated are missing from the sum and the count alike, so the kept rows' mean is taken
    top, bottom = of.quantity.fit, over.quantity.fit
    rows = bottom.value(levels)
    lower, upper, error = ratio_interval(
        top.value(levels),
        rows,
        top.variance(levels),
        bottom.variance(levels),
        0.0,
        np.maximum(*(_reach(laws_of_cells(source.quantity, levels)) for source in (of, over))),
        low=low,
        high=high,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        unrounded = np.where(rows > 0, top.value(levels) / rows, np.nan)
    value = np.clip(unrounded, low, high)
    noise = lower, upper
    missing = rows_left_out(over.rows, levels)
    lower, upper = mean_interval(lower, upper, kept=rows, missing=missing, low=low, high=high)
    outweighed = outweighs(noise, (lower, upper))
    lower, upper = (np.where(np.isnan(value), np.nan, side) for side in around(value, lower, upper))
    return Estimate(derived.id, levels, value, unrounded, lower, upper, error, outweighed=outweighed)


def _reach(laws: CellLaws) -> Floats:
    """Standard errors on each side of each ratio: no fewer than a normal law's, for with little noise the law of a count
    is nearly all at no error, and a ratio has no smallest step to add."""
    return np.maximum(laws.two_sided_reach(np.ones(())), NORMAL_95)


def _running(derived: Derived, of: Source, grid: Grid, levels: dict[str, str]) -> Estimate:
    name = _date_dimension(grid, derived)
    axis = [d.name for d in grid.dimensions].index(name)
    dates = grid[name]
    groups = dates.level(levels[name])
    last = np.searchsorted(groups.group, np.arange(len(groups.codes)), side="right")
    leaves = len(dates)
    before = np.zeros_like(last)
    if derived.kind == "rolling":
        step = _LEAF_DAYS.get(dates.leaf.name, 0)
        if not step or derived.days % step:
            raise CatalogueError(
                f"derived.{derived.id}.days: {derived.days} days are no whole number of steps of '{dates.leaf.name}'. "
                "Add the level 'day' to the date dimension or change the number."
            )
        before = last - derived.days // step
    place = np.arange(leaves)
    window = ((place >= before[:, None]) & (place < last[:, None])).astype(np.float64)
    finest = {**levels, name: dates.leaf.name} if derived.kind == "rolling" else levels
    whole = of.published(grid, finest)
    if derived.kind == "rolling":
        value = np.moveaxis(np.tensordot(window, whole, axes=(1, axis)), 0, axis)
    else:
        value = np.cumsum(whole, axis=axis)
    shape = [1] * len(grid.dimensions)
    shape[axis] = len(last)
    missing = np.where((before < 0) | _too_few_days(derived, dates, window), np.nan, 1.0).reshape(shape)
    spread, queries = spread_of_windows(of.quantity, levels, dates, window)
    return _scaled(derived.id, of, levels, queries, value, missing, spread)


def _too_few_days(derived: Derived, dates: Dimension, window: Floats) -> NDArray[np.bool_]:
    """Windows of a rolling sum with a part of a week in them: they do not cover the days that the sum is named after."""
    cut = [derived.kind == "rolling" and is_part(code, dates.leaf.name) for code in dates.leaf.codes]
    return np.asarray(window @ np.array(cut, dtype=np.float64) > 0)


def _quantile(
    derived: Derived, of: Source, grid: Grid, release: Release, catalogue: Catalogue, levels: dict[str, str]
) -> Estimate:
    assert derived.across is not None
    across = grid[derived.across]
    axis = [d.name for d in grid.dimensions].index(across.name)
    edges = edges_of(grid, release, catalogue, across.name)
    bins = len(edges) - 1
    known = np.zeros(len(across))
    known[:bins] = 1.0
    below = np.tril(np.ones((bins, len(across)))) * known
    balance = np.concatenate([np.zeros((1, len(across))), below]) - derived.q * known
    fit = of.quantity.fit
    queries: dict[str, Query] = {**levels, across.name: balance}
    error = np.moveaxis(np.sqrt(fit.variance(queries)), axis, -1)
    unrounded = np.moveaxis(fit.value(queries), axis, -1)
    reach = _reach(laws_of_cells(of.quantity, queries))
    whole = np.moveaxis(of.published(grid, {**levels, across.name: across.leaf.name}), axis, -1)[..., :bins]
    missing = rows_left_out(of.rows, {**levels, across.name: across.top.name})
    args = whole, unrounded, error, np.asarray(edges), derived.q, np.moveaxis(reach, axis, -1)
    noise = quantile_with_interval(*args)
    found = quantile_with_interval(*args, np.moveaxis(np.asarray(missing), axis, -1)) if np.any(missing) else noise
    value, lower, upper = (np.expand_dims(side, axis) for side in found)
    outweighed = outweighs(noise[1:], found[1:])
    lower, upper = around(value, lower, upper)
    error = (upper - lower) / (2 * NORMAL_95)
    return Estimate(derived.id, levels, value, value, lower, upper, error, outweighed=np.expand_dims(outweighed, axis))


def _date_dimension(grid: Grid, derived: Derived) -> str:
    for dimension in grid.dimensions:
        if dimension.kind == "date":
            return dimension.name
    raise CatalogueError(f"derived.{derived.id}: a {derived.kind} figure needs a date dimension in the release.")
