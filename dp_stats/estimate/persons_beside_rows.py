"""Distinct persons beside rows: never more persons than rows in a cell, and none where there are no rows.

Each table of persons is a measurement of its own, so its noise knows nothing of the rows that are published beside it. A
number of persons is put between one, where there are rows, and the rows of its cell: of every published level, after both
are added up to the level that they share. Its interval has the smaller of both lower and of both upper ends.

True persons are no more than true rows, so the smaller upper end is too small where either of two is: at most as often as 5 %
together where both numbers are the same; but then the smaller lower end is hardly ever too large. Where there are clearly more
rows than persons nothing changes. So intervals go on to hold 95 % of the time, and rows keep the values that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.partitions import parents
from dp_stats.estimate.intervals import around

Floats = NDArray[np.float64]
Levels = tuple[str, ...]
"""A level of each dimension, in grid order."""
Interval = tuple[Floats, Floats]


def between_rows(persons: Floats, grid: Grid, at: Levels, rows: Mapping[Levels, Floats]) -> Floats:
    """Numbers of persons at a level, no more than the published rows of every level allow.

    Args:
        persons: of the cells at ``at``. rows: level → published rows there.
    """
    found = persons
    for level, published in rows.items():
        shared = _shared(grid, at, level)
        most = _spread(grid, grid.roll_up(published, _names(grid, shared), _names(grid, level)), at, shared)
        found = np.minimum(found, np.maximum(most, 0.0))
        if shared == at:
            found = np.maximum(found, np.minimum(most, 1.0))
    return found


def interval_beside_rows(
    value: Floats, interval: Interval, grid: Grid, at: Levels, rows: Mapping[Levels, Callable[[], Interval]]
) -> Interval:
    """The interval of numbers of persons, no end of which is above that of the rows beside it or of a larger cell.

    Args:
        value: published persons at ``at``. rows: level → the interval published of rows there.
    """
    lower, upper = interval
    for level, beside in rows.items():
        if _shared(grid, at, level) == level:
            least, most = (_spread(grid, end, at, level) for end in beside())
            lower, upper = np.fmin(lower, least), np.fmin(upper, most)
    return around(value, np.maximum(lower, 0.0), upper)


def _names(grid: Grid, levels: Levels) -> dict[str, str]:
    return {d.name: name for d, name in zip(grid.dimensions, levels, strict=True)}


def _shared(grid: Grid, one: Levels, other: Levels) -> Levels:
    """The coarser of two levels along each dimension."""
    found = []
    for dimension, a, b in zip(grid.dimensions, one, other, strict=True):
        order = [level.name for level in dimension.levels]
        found.append(order[max(order.index(a), order.index(b))])
    return tuple(found)


def _spread(grid: Grid, values: Floats, fine: Levels, coarse: Levels) -> Floats:
    """The value of the coarse cell that holds each fine one."""
    for axis, (dimension, a, b) in enumerate(zip(grid.dimensions, fine, coarse, strict=True)):
        if a != b:
            values = np.take(values, parents(dimension.level(a).group, dimension.level(b).group), axis=axis)
    return np.asarray(values)
