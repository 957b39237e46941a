"""What is known of the truth behind published values, and the one interval that is published with each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, LevelNames
from dp_stats.catalogue.models import Statistic
from dp_stats.catalogue.partitions import first_leaves
from dp_stats.estimate.intervals import around, never_a_point, whole_numbers
from dp_stats.estimate.noise_law import LawsAlong, NoiseLaw
from dp_stats.estimate.persons import Persons
from dp_stats.estimate.quantity import Quantity
from dp_stats.plan.algebra import Query

Floats = NDArray[np.float64]

LITTLE_NOISE = 1.0
"""Standard errors, in steps, below which errors are a few whole steps, and their law differs from window to window."""

LAWS, FEW_LAWS = 16, 4
"""The most laws that are computed for windows of one table, with little noise and with more."""


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
    law: NoiseLaw | LawsAlong
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
        value, and holds ``value``, but is never wider than the two-sided interval of least squares and one step.

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
        return around(value, lower, upper, widest=2 * self.law.two_sided_reach(self.error) + step + missing)


def spread_of_level(quantity: Quantity | Persons, levels: LevelNames) -> Spread:
    """Of the cells of a level; with the posterior's error where it is shrunken."""
    error = np.sqrt(quantity.variance(levels))
    found = quantity.posterior(levels) if isinstance(quantity, Quantity) else None
    typical = error if found is None else np.minimum(np.sqrt(found.variance), error)
    return Spread(quantity.value(levels), error, quantity.law(levels), typical, found is not None)


def spread_of_windows(
    quantity: Quantity | Persons, levels: LevelNames, dates: Dimension, window: Floats
) -> tuple[Spread, dict[str, Query]]:
    """Of sums over windows of time, and the queries that ask for them.

    Windows that are the groups of a level have that level's law, so that the last 7-day sum of a week and the week
    have one interval. Others have a law of their own where they differ in length or there is little noise; of at most
    ``LAWS`` each takes that of the next less certain window, and with little noise its error, as errors are whole steps.

    Args:
        levels: of the table. dates: its dimension of time. window: weights of the leaves of ``dates``, a row a window.
    """
    rows = _on_leaves(quantity, dates, window)
    queries: dict[str, Query] = {**levels, dates.name: rows}
    error = np.sqrt(quantity.variance(queries))
    level = _level_of(dates, window)
    usual = quantity.law({**levels, dates.name: level} if level else queries)
    axis = [d.name for d in quantity.grid.dimensions].index(dates.name)
    typical = np.asarray(np.median(error, axis=tuple(i for i in range(error.ndim) if i != axis)))
    length = window.sum(axis=1)
    alike = float(np.median(length)) == float(length.max())
    unit = quantity.fit.unit if isinstance(quantity, Quantity) else 1.0
    little = float(np.median(typical)) < LITTLE_NOISE * unit
    law: NoiseLaw | LawsAlong = usual
    if little or not alike:
        grouped = _groups_of(dates, level, window) if level else np.zeros(len(window), dtype=np.bool_)
        nodes, which, stretch = _nodes(np.where(grouped, np.nan, typical), LAWS if little else FEW_LAWS)
        laws = [quantity.law({**levels, dates.name: rows[[node]]}) for node in nodes]
        stretch = stretch if little else np.ones_like(stretch)
        law = LawsAlong((usual, *laws), axis, np.where(grouped, 0, which + 1), np.where(grouped, 1.0, stretch))
    return Spread(quantity.value(queries), error, law, error, False), queries


def _nodes(error: Floats, most: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """At most so many windows whose laws are computed; for each window (NaN: none is wanted) the place in them of the
    next one with at least its error, and how many times larger that error is."""
    rounded = np.round(error, 9)
    size, nodes = np.unique(rounded[~np.isnan(rounded)], return_index=True)
    nodes = np.flatnonzero(~np.isnan(rounded))[nodes]
    if len(size) > most:
        steps = np.geomspace(max(size[0], 1e-9), size[-1], most)
        kept = np.unique(np.searchsorted(size, steps, side="left").clip(max=len(size) - 1))
        size, nodes = size[kept], nodes[kept]
    which = np.where(np.isnan(rounded), 0, np.searchsorted(size, rounded, side="left"))
    stretch = np.ones_like(error)
    known = ~np.isnan(rounded) & (rounded > 0)
    stretch[known] = np.maximum(size[which[known]] / rounded[known], 1.0)
    return nodes, which.astype(np.intp), stretch


def _level_of(dates: Dimension, window: Floats) -> str | None:
    """The level of whose groups the middle one is a window."""
    for level in dates.levels:
        if level.sizes.max() == window.sum(axis=1).max():
            middle = level.group == len(level.codes) // 2
            if (window == middle).all(axis=1).any():
                return level.name
    return None


def _groups_of(dates: Dimension, level: str, window: Floats) -> NDArray[np.bool_]:
    """Which windows are groups of the level."""
    group = dates.level(level).group
    first = np.argmax(window > 0, axis=1)
    return np.asarray((window == (group[None, :] == group[first][:, None])).all(axis=1))


def _on_leaves(quantity: Quantity | Persons, dates: Dimension, window: Floats) -> Floats:
    """Weights of the grid's leaves as weights of the leaves that the fit works on, which may be coarser."""
    group = dates.level(quantity.grid[dates.name].leaf.name).group
    return window[:, first_leaves(group)]
