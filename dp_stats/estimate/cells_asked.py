"""Which cells are asked for: codes of any level and days, as weights on the leaves of a grid or of what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.partitions import first_leaves
from dp_stats.catalogue.periods import Period, parse_period
from dp_stats.errors import NotDerivableError
from dp_stats.estimate.quantity import Quantity

Floats = NDArray[np.float64]


def conditions(
    grid: Grid, where: Mapping[str, Sequence[str]], period: Period, begin: date, stop: date
) -> dict[str, Floats]:
    """Dimension → 1 for every leaf that is asked for.

    Args:
        where: dimension → codes, at any of its levels. period: the edition's. begin, stop: first day, and the day after
            the last.

    Raises:
        NotDerivableError: there is no such dimension or code, or days were summed to more than is asked for, or not told
            apart at all.
    """
    for name in where:
        if name not in [d.name for d in grid.dimensions]:
            refuse(f"there is no dimension '{name}'; there are {', '.join(d.name for d in grid.dimensions)}")
    weights = {}
    if not any(d.kind == "date" for d in grid.dimensions) and (begin > period.start or stop <= period.end):
        refuse(f"the days of {period.label} were not told apart, and the period asked for cuts them")
    for dimension in grid.dimensions:
        weights[dimension.name] = leaves(dimension, where.get(dimension.name))
        if dimension.kind == "date":
            weights[dimension.name] = weights[dimension.name] * _between(dimension, period, begin, stop)
    return weights


def leaves(dimension: Dimension, codes: Sequence[str] | None) -> Floats:
    """1 for every leaf that one of ``codes`` (of any level) holds; all leaves without codes."""
    if codes is None:
        return np.ones(len(dimension))
    chosen = np.zeros(len(dimension))
    for code in codes:
        level = next((level for level in dimension.levels if code in level.codes), None)
        if level is None:
            refuse(f"'{code}' is no code of '{dimension.name}' at any of its levels")
        chosen[level.group == level.codes.index(code)] = 1.0
    return chosen


def _between(dimension: Dimension, period: Period, begin: date, stop: date) -> Floats:
    """1 for every leaf that lies in the days asked for; a leaf is cut at the ends of the edition's period."""
    chosen = np.zeros(len(dimension))
    last = stop - timedelta(days=1)
    for i, code in enumerate(dimension.leaf.codes):
        leaf = parse_period(code).within(period.start, period.end)
        start, end = leaf.start, leaf.end
        if start >= begin and end <= last:
            chosen[i] = 1.0
        elif start <= last and end >= begin:
            refuse(f"days were summed to '{dimension.leaf.name}' {code}, which the period asked for cuts")
    return chosen


def on_fit(quantity: Quantity, dimension: Dimension, rows: Floats) -> Floats:
    """Weights, a row a cell, on the leaves that were measured, which may be coarser than the grid's.

    Raises:
        NotDerivableError: a row asks for less than one of those.
    """
    level = dimension.level(quantity.grid[dimension.name].leaf.name)
    kept = rows[:, first_leaves(level.group)]
    if not np.array_equal(kept[:, level.group], rows):
        refuse(f"'{dimension.name}' was measured by {level.name} at the finest")
    return kept


def refuse(reason: str) -> NoReturn:
    """Say why what has been measured does not tell.

    Raises:
        NotDerivableError: always.
    """
    raise NotDerivableError(f"Not derivable: {reason}. A new release would have to measure it.")
