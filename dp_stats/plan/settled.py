"""Errors of published values, foreseen: after shrinkage, and after settling in whole numbers that are not negative.

A count's value cannot be negative, so where noise is large against the count its error stays well below the noise;
what a shrunken cell leans on is not exact either; and rounding adds a little. The two constants of ``_above_zero``
were fitted to published errors of sparse and dense worlds (``benchmarks.accuracy``), within a fifth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.plan.adjusted import after_shrinkage, gain_of_shrinkage, true_variances
from dp_stats.plan.symmetry import Floats
from dp_stats.plan.targets import Target, mean_share, statistic_of

VarianceOf = Callable[[Target], Floats]

SPREAD = 0.2
"""How far true cells are expected to lie from what their margins suggest; planning is more cautious (``plan.adjusted``)."""

WINDOW_GAIN = {True: 0.1, False: 0.25}
"""How much of what is gained for single cells a sum of them over a window keeps, as an exponent; True: of shrunken
ones, whose errors go together."""


def published_variance(grid: Grid, release: Release, target: Target, variance_of: VarianceOf) -> Floats:
    """Expected squared error of each published value of an additive target; that of least squares where no size is
    guessed or values can be negative.

    Args:
        variance_of: the variance of least squares of any target.
    """
    variance = variance_of(target)
    statistic = statistic_of(release, target.statistic)
    signed = statistic.kind == "sum" and (statistic.lower or 0) < 0
    if target.prior_mean is None or signed or statistic.kind == "persons":
        return variance
    size = (
        max(abs(float(end)) for end in (statistic.lower or 0, statistic.upper or 1)) if statistic.kind == "sum" else 1.0
    )
    settled = _above_zero(variance, target.prior_mean, size)
    if target.windowed:
        levels = dict(zip(target.queries, target.levels, strict=True))
        cells = replace(target, queries=levels, prior_mean=_mean_of_cells(grid, target, levels))
        alone = variance_of(cells)
        single = float(np.mean(_cells(grid, release, cells, variance_of, size)) / max(float(np.mean(alone)), 1e-300))
        leaning = gain_of_shrinkage(grid, release, cells) is not None
        return np.asarray(settled * min(single, 1.0) ** WINDOW_GAIN[leaning])
    return np.minimum(settled + _rounding(target.prior_mean, size), _cells(grid, release, target, variance_of, size))


def _cells(grid: Grid, release: Release, target: Target, variance_of: VarianceOf, size: float) -> Floats:
    """The same of the cells of a level."""
    assert target.prior_mean is not None
    variance = variance_of(target)
    rounding = _rounding(target.prior_mean, size)
    shrunken = _shrunken(grid, release, target, variance_of, size, leaning_margins=True)
    return rounding + (_above_zero(variance, target.prior_mean, size) if shrunken is None else shrunken)


def _shrunken(
    grid: Grid, release: Release, target: Target, variance_of: VarianceOf, size: float, *, leaning_margins: bool
) -> Floats | None:
    """Squared error of shrunken cells; None where they are not shrunken. With ``leaning_margins`` what they lean on
    is itself shrunken."""
    leaning = gain_of_shrinkage(grid, release, target)
    if leaning is None:
        return None
    variance = variance_of(target)
    shrunken = after_shrinkage(variance.ravel(), true_variances([leaning], SPREAD))[0].reshape(variance.shape)
    doubt = _doubt(grid, release, target, variance_of, size, leaning_margins=leaning_margins)
    return np.asarray(shrunken + np.minimum(doubt, variance))


def _doubt(
    grid: Grid, release: Release, target: Target, variance_of: VarianceOf, size: float, *, leaning_margins: bool
) -> float:
    """What the errors of a cell's margins give what it leans on: each margin's, shared among its cells. A margin of
    one dimension leans on nothing: how large each area is, no other tells."""
    assert target.prior_mean is not None
    total = 0.0
    for axis, dimension in enumerate(grid.dimensions):
        cells = len(dimension.level(target.levels[axis]).codes)
        coarser = [level for level in dimension.levels if len(level.codes) < cells]
        if not coarser:
            continue
        margin = max(coarser, key=lambda level: len(level.codes))
        ratio = cells / len(margin.codes)
        levels = (*target.levels[:axis], margin.name, *target.levels[axis + 1 :])
        queries = {d.name: name for d, name in zip(grid.dimensions, levels, strict=True)}
        own = replace(target, levels=levels, queries=queries, prior_mean=target.prior_mean * ratio)
        error = _above_zero(variance_of(own), target.prior_mean * ratio, size)
        if leaning_margins and sum(level != d.top.name for level, d in zip(levels, grid.dimensions, strict=True)) > 1:
            shrunken = _shrunken(grid, release, own, variance_of, size, leaning_margins=False)
            error = error if shrunken is None else np.minimum(error, shrunken)
        total += float(np.mean(error)) / ratio**2
    return total


def _above_zero(variance: Floats, mean: float, size: float) -> Floats:
    """Squared error of a value of that variance that is settled with its margins and cannot be negative."""
    truth = 0.65 * np.sqrt(np.maximum(variance, 0.0)) * mean + 0.6 * mean**2 + size * mean
    finite = np.isfinite(variance)
    v = np.where(finite, variance, 1.0)
    return np.where(finite, truth * v / np.maximum(truth + v, 1e-300), variance)


def _rounding(mean: float, size: float) -> float:
    """Squared error of rounding to whole numbers that add up; most values of a sparse table round to none."""
    return (min(mean * (1 - mean), 0.125) if 0 < mean < 0.5 else 0.125) if size == 1.0 else 0.0


def _mean_of_cells(grid: Grid, target: Target, levels: dict[str, str]) -> float:
    assert target.prior_mean is not None
    return target.prior_mean * mean_share(grid, levels) / mean_share(grid, target.queries)
