"""What is known of the truth behind published values, and the one interval that is published with each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, LevelNames
from dp_stats.catalogue.models import Statistic
from dp_stats.catalogue.partitions import first_leaves
from dp_stats.estimate.intervals import around, never_a_point, whole_numbers
from dp_stats.estimate.laws import CellLaws, laws_of_cells
from dp_stats.estimate.noise_law import NoiseLaw
from dp_stats.estimate.persons import Persons
from dp_stats.estimate.quantity import Quantity
from dp_stats.plan.algebra import Query

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spread:
    """What is known of the truth behind published values, from least squares alone.

    Its intervals hold 95 % of the time for every true value, also where the published value leans on its neighbours:
    in an outbreak as in an ordinary week.

    Attributes:
        centre, error: unbiased value and its standard error. law: of the error, in standard errors.
        typical: standard error of the published value, smaller where it is shrunken; shrunken: whether it is.
    """

    centre: Floats
    error: Floats
    law: NoiseLaw | CellLaws
    typical: Floats
    shrunken: bool

    def interval(self, low: float) -> tuple[Floats, Floats]:
        """95 % interval, none of it below ``low``."""
        return self.law.interval(self.centre, self.error, low=low)

    def published(
        self, value: Floats, statistic: Statistic, *, low: float, missing: Floats | float = 0.0
    ) -> tuple[Floats, Floats]:
        """The interval that is published with ``value``, whichever way one came to that number.

        Of a count it is made of the whole numbers inside the interval. It is never one point while noise can move the
        value, and holds ``value``. Where settling has moved that outside, the other end stays: what was measured says as much
        of the truth as before. Else it is never wider than the two-sided interval of least squares and one step.

        Args:
            value: published, in the unit of ``statistic``. low: the smallest possible. missing: how many may be missing
                from each cell, as they are in no measurement; the upper end holds them.
        """
        lower, upper = self.interval(low)
        upper = upper + missing
        if statistic.kind != "sum":
            lower, upper = whole_numbers(lower, upper)
        step = float(statistic.resolution) if statistic.kind == "sum" else 1.0
        lower, upper = never_a_point(lower, upper, np.where(self.error > 1e-3 * step, step, 0.0), low=low)
        return around(value, lower, upper)


def spread_of_level(quantity: Quantity | Persons, levels: LevelNames) -> Spread:
    """Of the cells of a level; with the posterior's error where it is shrunken."""
    error = np.sqrt(quantity.variance(levels))
    found = quantity.posterior(levels) if isinstance(quantity, Quantity) else None
    typical = error if found is None else np.minimum(np.sqrt(found.variance), error)
    return Spread(quantity.value(levels), error, laws_of_cells(quantity, levels), typical, found is not None)


def spread_of_windows(
    quantity: Quantity | Persons, levels: LevelNames, dates: Dimension, window: Floats
) -> tuple[Spread, dict[str, Query]]:
    """Of sums over windows of time, and the queries that ask for them.

    Windows that are the groups of a level have that level's laws, so that the last 7-day sum of a week and the week have
    one interval.

    Args:
        levels: of the table. dates: its dimension of time. window: weights of the leaves of ``dates``, a row a window.
    """
    rows = _on_leaves(quantity, dates, window)
    queries: dict[str, Query] = {**levels, dates.name: rows}
    error = np.sqrt(quantity.variance(queries))
    laws = laws_of_cells(quantity, queries)
    level = _level_of(dates, window)
    if level:
        axis = [d.name for d in quantity.grid.dimensions].index(dates.name)
        group, grouped = _groups_of(dates, level, window)
        of_level = laws_of_cells(quantity, {**levels, dates.name: level}).take(group, axis)
        shape = [-1 if i == axis else 1 for i in range(error.ndim)]
        laws = of_level.where(grouped.reshape(shape), laws)
    return Spread(quantity.value(queries), error, laws, error, False), queries


def _level_of(dates: Dimension, window: Floats) -> str | None:
    """The level of whose groups the middle one is a window."""
    for level in dates.levels:
        if level.sizes.max() == window.sum(axis=1).max():
            middle = level.group == len(level.codes) // 2
            if (window == middle).all(axis=1).any():
                return level.name
    return None


def _groups_of(dates: Dimension, level: str, window: Floats) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The group of the level that each window begins in, and whether it is that group."""
    group = dates.level(level).group
    first = group[np.argmax(window > 0, axis=1)]
    return first, np.asarray((window == (group[None, :] == first[:, None])).all(axis=1))


def _on_leaves(quantity: Quantity | Persons, dates: Dimension, window: Floats) -> Floats:
    """Weights of the grid's leaves as weights of the leaves that the fit works on, which may be coarser."""
    group = dates.level(quantity.grid[dates.name].leaf.name).group
    return window[:, first_leaves(group)]
