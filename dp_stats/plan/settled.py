"""Errors of published values, foreseen: after shrinkage, and after settling in whole numbers that are not negative.

A count's value cannot be negative, so where noise is large against the count its error stays well below the noise;
what a shrunken cell leans on is not exact either; and rounding adds a little. The two constants of ``_above_zero``
were fitted to published errors of sparse and dense worlds (``benchmarks.accuracy``), within a fifth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.plan.adjusted import (
    CELL_SPREAD,
    PROBABILITIES,
    after_shrinkage,
    cell_sizes,
    gain_of_shrinkage,
    true_variances,
)
from dp_stats.plan.symmetry import Floats
from dp_stats.plan.targets import Target, mean_share, statistic_of

VarianceOf = Callable[[Target], Floats]


@dataclass(frozen=True)
class World:
    """How unlike the true cells of a release are, which nobody knows before; planning is more cautious (``plan.adjusted``).

    Attributes:
        spread: how far cells lie from what their margins suggest, relative to their size. alone: the same of cells that
            lean on one margin alone, which says nothing of how large each is.
        window: how much of what is gained for single cells a sum of them over a window keeps, as an exponent.
        above: how much further from zero than a typical cell those lie that noise cannot push below it.
        size: that of a typical cell, relative to the mean. log_spread: how unlike cells are in size, none where it is left to
            the other attributes.
    """

    spread: float
    alone: float
    window: float
    above: float
    size: float
    log_spread: float | None = None
    rows: float = 1.0


LIKELY = World(spread=0.2, alone=1.0, window=0.3, above=1.0, size=1.0)
ALIKE = World(spread=0.0, alone=0.3, window=0.6, above=0.5, size=1.8)
UNLIKE = World(spread=1.0, alone=2.0, window=0.1, above=3.0, size=0.4)
BURSTS = World(spread=0.5, alone=1.0, window=0.3, above=1.0, size=1.0, rows=8.0)
"""Most cells are empty, and rows come many at a time."""
UNEQUAL = World(spread=0.0, alone=0.3, window=0.6, above=0.5, size=1.0, log_spread=2.0)
"""A few large areas or groups have nearly all rows, and most cells hardly any."""


def published_variance(
    grid: Grid, release: Release, target: Target, variance_of: VarianceOf, world: World = LIKELY
) -> Floats:
    """Expected squared error of each published value of an additive target; that of least squares where no size is
    guessed or values can be negative.

    Args:
        variance_of: the variance of least squares of any target. world: how unlike cells are taken to be.
    """
    variance = variance_of(target)
    statistic = statistic_of(release, target.statistic)
    signed = statistic.kind == "sum" and (statistic.lower or 0) < 0
    if target.prior_mean is None or signed or statistic.kind == "persons":
        return variance
    size = (
        max(abs(float(end)) for end in (statistic.lower or 0, statistic.upper or 1)) if statistic.kind == "sum" else 1.0
    )
    settled = _above_zero(variance, target.prior_mean, size, world)
    if target.windowed:
        levels = dict(zip(target.queries, target.levels, strict=True))
        cells = replace(target, queries=levels, prior_mean=_mean_of_cells(grid, target, levels))
        alone = variance_of(cells)
        single = _cells(grid, release, cells, variance_of, size, world)
        gain = min(float(np.mean(single)) / max(float(np.mean(alone)), 1e-300), 1.0)
        return np.asarray(settled * gain**world.window + _rounding(variance, target.prior_mean, size))
    rounded = settled + _rounding(variance, target.prior_mean, size)
    return np.minimum(rounded, _cells(grid, release, target, variance_of, size, world))


def _cells(grid: Grid, release: Release, target: Target, variance_of: VarianceOf, size: float, world: World) -> Floats:
    """The same of the cells of a level."""
    assert target.prior_mean is not None
    variance = variance_of(target)
    rounding = _rounding(variance, target.prior_mean, size)
    shrunken = _shrunken(grid, release, target, variance_of, size, world, leaning_margins=True)
    return rounding + (_above_zero(variance, target.prior_mean, size, world) if shrunken is None else shrunken)


def _shrunken(
    grid: Grid,
    release: Release,
    target: Target,
    variance_of: VarianceOf,
    size: float,
    world: World,
    *,
    leaning_margins: bool,
) -> Floats | None:
    """Squared error of shrunken cells; None where they are not shrunken. With ``leaning_margins`` what they lean on
    is itself shrunken."""
    leaning = gain_of_shrinkage(grid, release, target)
    if leaning is None:
        return None
    variance = variance_of(target)
    margins = _margins(grid, target)
    truth = true_variances(
        [replace(leaning, row=leaning.row * world.rows)],
        world.alone if len(margins) == 1 else world.spread,
        log_spread=world.log_spread or CELL_SPREAD,
    )
    shrunken = after_shrinkage(variance.ravel(), truth)[0].reshape(variance.shape)
    doubt = 0.0
    for own in margins:
        assert own.prior_mean is not None
        ratio = own.prior_mean / leaning.mean
        error = _above_zero(variance_of(own), own.prior_mean, size, world)
        if leaning_margins and sum(n != d.top.name for n, d in zip(own.levels, grid.dimensions, strict=True)) > 1:
            # a margin of one dimension leans on nothing: how large each area is, no other tells
            settled = _shrunken(grid, release, own, variance_of, size, world, leaning_margins=False)
            error = error if settled is None else np.minimum(error, settled)
        doubt += float(np.mean(error)) / ratio**2
    return np.asarray(shrunken + np.minimum(doubt, variance))


def _margins(grid: Grid, target: Target) -> list[Target]:
    """What a cell leans on: its table with each dimension in turn one step coarser."""
    assert target.prior_mean is not None
    found = []
    for axis, dimension in enumerate(grid.dimensions):
        cells = len(dimension.level(target.levels[axis]).codes)
        coarser = [level for level in dimension.levels if len(level.codes) < cells]
        if coarser:
            margin = max(coarser, key=lambda level: len(level.codes))
            levels = (*target.levels[:axis], margin.name, *target.levels[axis + 1 :])
            queries = {d.name: name for d, name in zip(grid.dimensions, levels, strict=True)}
            mean = target.prior_mean * cells / len(margin.codes)
            found.append(replace(target, levels=levels, queries=queries, prior_mean=mean))
    return found


def _above_zero(variance: Floats, mean: float, size: float, world: World) -> Floats:
    """Squared error of a value of that variance that is settled with its margins and cannot be negative."""
    finite = np.isfinite(variance)
    v = np.where(finite, variance, 1.0)
    if world.log_spread is None:
        error = _of_size(v, mean, size, world)
    else:
        sizes = mean * cell_sizes(world.log_spread)
        error = sum(p * _of_size(v, float(one), size, world) for p, one in zip(PROBABILITIES, sizes, strict=True))
    return np.where(finite, error, variance)


def _of_size(variance: Floats, mean: float, size: float, world: World) -> Floats:
    truth = world.above * (0.65 * np.sqrt(np.maximum(variance, 0.0)) * mean + 0.6 * mean**2) + size * mean * world.rows
    return np.asarray(truth * variance / np.maximum(truth + variance, 1e-300))


def _rounding(variance: Floats, mean: float, size: float) -> Floats:
    """Squared error of rounding to whole numbers that add up. Most values of a sparse table round to none; and with
    little noise there is little to round, as an error is then no or one whole step, and so is the estimate."""
    if size != 1.0:
        return np.zeros_like(variance)
    most = min(mean * (1 - mean) / 4, 0.125) if 0 < mean < 0.5 else 0.125
    return np.minimum(most, variance / 4)


def _mean_of_cells(grid: Grid, target: Target, levels: dict[str, str]) -> float:
    assert target.prior_mean is not None
    return target.prior_mean * mean_share(grid, levels) / mean_share(grid, target.queries)
