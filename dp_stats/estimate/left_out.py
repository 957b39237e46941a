"""What truncated rows may do to statistics that are not corrected for them: distinct persons, means and quantiles.

A count or a sum is multiplied by a factor. These three cannot be: who is missing from a cell, how large the missing values
are and which bins they fall in is not known. Their intervals hold what the missing rows may do instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Grid, LevelNames
from dp_stats.estimate.quantity import Quantity

Floats = NDArray[np.float64]
Interval = tuple[Floats, Floats]


def rows_left_out(count: Quantity | None, levels: LevelNames) -> Floats | float:
    """The most rows that may be missing from each cell, as they were truncated: the estimate and twice its standard error.
    Zero where nothing is truncated or ``tells`` says no."""
    if count is None or count.correction is None or not tells(count, levels):
        return 0.0
    kept, corrected = count.fit.value(levels), count.value(levels)
    doubt = np.sqrt(np.maximum(count.variance(levels) - count.fit.variance(levels), 0.0))
    return np.asarray(np.maximum(corrected - kept, 0.0) + 2 * doubt)


def nobody_left_out(grid: Grid, levels: LevelNames) -> bool:
    """Whether every distinct person of a level is counted, however many rows are truncated, where the bound keeps a row of
    everybody (``plan.sensitivity.everybody_counts``): in the one cell of everything."""
    return all(levels.get(d.name, d.top.name) == d.top.name for d in grid.dimensions)


def tells(count: Quantity, levels: LevelNames) -> bool:
    """Whether the rows of each cell of a level are known, so that one knows how many may be missing there."""
    for dimension in count.grid.dimensions:
        if levels.get(dimension.name, dimension.top.name) not in {level.name for level in dimension.levels}:
            return False  # rows were measured coarser only
    return bool(np.isfinite(count.fit.variance(levels)).all())


def mean_interval(
    lower: Floats, upper: Floats, *, kept: Floats, missing: Floats | float, low: float, high: float
) -> Interval:
    """The interval of the mean of all rows, from that of the kept rows.

    With m missing rows beside n kept ones of mean μ the mean of all is μ + m/(m + n)·(ν − μ). Where values cannot be
    negative the mean ν of the missing rows is put between the smallest possible value and as far above μ: from nothing
    to twice μ, where nothing is the smallest. Else it may be anything between the clipping bounds.

    Args:
        lower, upper: of the kept rows' mean. kept, missing: rows of each cell. low, high: clipping bounds.
    """
    share = missing / (missing + np.maximum(kept, 1.0))
    if low < 0:
        least, most = np.full_like(lower, low), np.full_like(upper, high)
    else:
        least, most = np.full_like(lower, low), np.minimum(upper + (upper - low), high)
    with np.errstate(invalid="ignore"):
        wider = lower + share * (least - lower), upper + share * (most - upper)
    return wider[0], np.where(np.isfinite(upper), wider[1], upper)


def outweighs(noise: Interval, everything: Interval) -> NDArray[np.bool_]:
    """Where truncated rows make an interval more than twice as wide as noise alone does."""
    return np.asarray(everything[1] - everything[0] > 2 * (noise[1] - noise[0]) + 1e-9)
