"""Errors of published values, foreseen: after shrinkage, and after settling in whole numbers that are not negative.

A count's value cannot be negative, so where noise is large against the count its error stays well below the noise;
what a shrunken cell leans on is not exact either; and rounding adds a little. The two constants of ``_above_zero``
were fitted to published errors of sparse and dense tables (``benchmarks.accuracy``), within a fifth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.plan.adjusted import (
    PROBABILITIES,
    after_shrinkage,
    cell_sizes,
    gain_of_shrinkage,
    true_variances,
)
from dp_stats.plan.scenarios import LIKELY, Scenario
from dp_stats.plan.symmetry import Floats
from dp_stats.plan.targets import Target, mean_share, statistic_of

VarianceOf = Callable[[Target], Floats]


CURVE = 2000
"""Points of a curve through what shrinkage leaves of variances."""


def published_variance(
    grid: Grid, release: Release, target: Target, variance_of: VarianceOf, scenario: Scenario = LIKELY
) -> Floats:
    """Expected squared error of each published value of an additive target; that of least squares where no size is
    guessed or values can be negative.

    Args:
        variance_of: the variance of least squares of any target. scenario: how unlike cells are taken to be.
    """
    found = _published_variance(grid, release, target, variance_of, scenario)
    if statistic_of(release, target.statistic).kind == "persons":
        return found  # they do not add up: no table takes an error of another
    if scenario.alone_in is None or scenario.few is None or target.prior_mean is None:
        return found
    coarser = _margin(grid, target, next(i for i, d in enumerate(grid.dimensions) if d.name == scenario.alone_in))
    if coarser is None:
        return found
    taken = _published_variance(grid, release, coarser, variance_of, LIKELY)
    return np.asarray(found + scenario.few * float(np.mean(taken[np.isfinite(taken)])))


def _published_variance(
    grid: Grid, release: Release, target: Target, variance_of: VarianceOf, scenario: Scenario
) -> Floats:
    """The same of cells that take no error of others."""
    variance = variance_of(target)
    statistic = statistic_of(release, target.statistic)
    signed = statistic.kind == "sum" and (statistic.lower or 0) < 0
    if target.prior_mean is None or signed or statistic.kind == "persons":
        return variance
    size = (
        max(abs(float(end)) for end in (statistic.lower or 0, statistic.upper or 1)) if statistic.kind == "sum" else 1.0
    )
    settled = _above_zero(variance, target.prior_mean, size, scenario)
    if target.windowed:
        levels = dict(zip(target.queries, target.levels, strict=True))
        cells = replace(target, queries=levels, prior_mean=_mean_of_cells(grid, target, levels))
        alone = variance_of(cells)
        single = _cells(grid, release, cells, variance_of, size, scenario)
        gain = min(float(np.mean(single)) / max(float(np.mean(alone)), 1e-300), 1.0)
        return np.asarray(settled * gain**scenario.window + _rounding(variance, target.prior_mean, size, scenario))
    rounded = settled + _rounding(variance, target.prior_mean, size, scenario)
    return np.minimum(rounded, _cells(grid, release, target, variance_of, size, scenario))


def _cells(
    grid: Grid, release: Release, target: Target, variance_of: VarianceOf, size: float, scenario: Scenario
) -> Floats:
    """The same of the cells of a level."""
    assert target.prior_mean is not None
    variance = variance_of(target)
    rounding = _rounding(variance, target.prior_mean, size, scenario)
    shrunken = _shrunken(grid, release, target, variance_of, size, scenario, leaning_margins=True)
    return rounding + (_above_zero(variance, target.prior_mean, size, scenario) if shrunken is None else shrunken)


def _shrunken(
    grid: Grid,
    release: Release,
    target: Target,
    variance_of: VarianceOf,
    size: float,
    scenario: Scenario,
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
    finite = variance[np.isfinite(variance)]
    rows = float(
        scenario.rows(np.asarray(np.median(finite)) if finite.size else np.zeros(()), leaning.mean, leaning.row)
    )
    sizes, probabilities = scenario.sizes or (cell_sizes(), PROBABILITIES)
    true = true_variances(
        [replace(leaning, row=leaning.row * rows)],
        scenario.alone if len(margins) == 1 else scenario.spread,
        sizes=sizes,
    )
    shrunken = _after_shrinkage(variance, true, probabilities)
    doubt = 0.0
    for own in margins:
        assert own.prior_mean is not None
        ratio = own.prior_mean / leaning.mean
        error = _above_zero(variance_of(own), own.prior_mean, size, scenario)
        if leaning_margins and sum(n != d.top.name for n, d in zip(own.levels, grid.dimensions, strict=True)) > 1:
            # a margin of one dimension leans on nothing: how large each area is, no other tells
            settled = _shrunken(grid, release, own, variance_of, size, scenario, leaning_margins=False)
            error = error if settled is None else np.minimum(error, settled)
        doubt += float(np.mean(error)) / ratio**2
    return np.asarray(shrunken + np.minimum(doubt, variance))


def _after_shrinkage(variance: Floats, true: Floats, probabilities: Floats) -> Floats:
    """``after_shrinkage`` of any number of variances: of many it is read off a curve through a few."""
    known = variance[np.isfinite(variance) & (variance > 0)]
    if variance.size <= CURVE or not known.size:
        return after_shrinkage(variance.ravel(), true, probabilities)[0].reshape(variance.shape)
    points = np.geomspace(known.min(), known.max(), CURVE)
    found = np.interp(variance, points, after_shrinkage(points, true, probabilities)[0])
    return np.where(np.isfinite(variance), found, variance)


def _margins(grid: Grid, target: Target) -> list[Target]:
    """What a cell leans on: its table with each dimension in turn one step coarser."""
    found = (_margin(grid, target, axis) for axis in range(len(grid.dimensions)))
    return [margin for margin in found if margin is not None]


def _margin(grid: Grid, target: Target, axis: int) -> Target | None:
    """The table with one dimension a step coarser; None at the top."""
    assert target.prior_mean is not None
    dimension = grid.dimensions[axis]
    cells = len(dimension.level(target.levels[axis]).codes)
    coarser = [level for level in dimension.levels if len(level.codes) < cells]
    if not coarser:
        return None
    margin = max(coarser, key=lambda level: len(level.codes))
    levels = (*target.levels[:axis], margin.name, *target.levels[axis + 1 :])
    mean = target.prior_mean * cells / len(margin.codes)
    return replace(target, levels=levels, queries={**target.queries, dimension.name: margin.name}, prior_mean=mean)


def _above_zero(variance: Floats, mean: float, size: float, scenario: Scenario) -> Floats:
    """Squared error of a value of that variance that is settled with its margins and cannot be negative."""
    finite = np.isfinite(variance)
    v = np.where(finite, variance, 1.0)
    if scenario.sizes is None:
        error = _of_size(v, mean, size, scenario)
    else:
        pairs = zip(*scenario.sizes, strict=True)
        error = sum((share * _of_size(v, mean * float(one), size, scenario) for one, share in pairs), np.zeros(()))
    return np.where(finite, error, variance)


def _of_size(variance: Floats, mean: float, size: float, scenario: Scenario) -> Floats:
    true = scenario.above * (
        0.65 * np.sqrt(np.maximum(variance, 0.0)) * mean + 0.6 * mean**2
    ) + size * mean * scenario.rows(variance, mean, size)
    return np.asarray(true * variance / np.maximum(true + variance, 1e-300))


def _rounding(variance: Floats, mean: float, size: float, scenario: Scenario) -> Floats:
    """Squared error of rounding to whole numbers that add up. Most values of a sparse table round to none; and with
    little noise there is little to round, as an error is then no or one whole step, and so is the estimate."""
    if size != 1.0:
        return np.zeros_like(variance)
    sizes, shares = scenario.sizes or (np.ones(1), np.ones(1))
    means = mean * sizes
    most = float(shares @ np.where(means < 0.5, np.minimum(means * (1 - means) / 4, 0.125), 0.125))
    return np.minimum(most, variance / 4)


def _mean_of_cells(grid: Grid, target: Target, levels: dict[str, str]) -> float:
    assert target.prior_mean is not None
    return target.prior_mean * mean_share(grid, levels) / mean_share(grid, target.queries)
