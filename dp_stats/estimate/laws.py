"""Which cell of a table has which law of error: cells of regions and windows of unlike size are of unlike numbers of draws.

Errors of few draws have long tails, and with little noise they are none, one or two whole steps: how often depends on how many
draws the cell is made of. So cells whose errors differ have laws of their own; of at most ``LAWS`` each takes that of the next
less certain cell, with its error where there is little noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension
from dp_stats.estimate.noise_law import NoiseLaw
from dp_stats.estimate.persons import Persons
from dp_stats.estimate.quantity import Quantity
from dp_stats.plan.algebra import Query, weights

Floats = NDArray[np.float64]

LITTLE_NOISE = 3.0
"""Standard errors, in steps, below which errors are a few whole steps, and their law differs from cell to cell."""

LAWS, FEW_LAWS = 24, 4
"""The most laws that are computed for cells of one table with little noise, and for those with more."""

ALIKE = 1.01
"""Cells with more noise whose standard errors differ by less have one law, that of the least certain of them."""


@dataclass(frozen=True, eq=False)
class CellLaws:
    """The law of each cell of a table, with the questions of ``NoiseLaw``.

    Attributes:
        which: the place in ``laws`` of each cell's. stretch: what its error is multiplied by, at least 1; same shape.
    """

    laws: tuple[NoiseLaw, ...]
    which: NDArray[np.intp]
    stretch: Floats

    def two_sided_reach(self, error: Floats) -> Floats:
        """As of ``NoiseLaw``."""
        reach = np.array([law.two_sided for law in self.laws])[self.which]
        return np.asarray(error * self.stretch * reach)

    def interval(self, centre: Floats, error: Floats, *, low: float = -np.inf) -> tuple[Floats, Floats]:
        """As of ``NoiseLaw``, each cell by its own law."""
        stretched = np.broadcast_to(error * self.stretch, centre.shape)
        if len(self.laws) == 1:
            return self.laws[0].interval(centre, stretched, low=low)
        lower, upper = np.empty_like(centre), np.empty_like(centre)
        for number, law in enumerate(self.laws):
            here = self.which == number
            lower[here], upper[here] = law.interval(centre[here], stretched[here], low=low)
        return lower, upper

    def take(self, places: NDArray[np.intp], axis: int) -> CellLaws:
        """Those of some places along an axis."""
        return CellLaws(self.laws, np.take(self.which, places, axis), np.take(self.stretch, places, axis))

    def where(self, chosen: NDArray[np.bool_], other: CellLaws) -> CellLaws:
        """These where ``chosen``, else those of ``other``."""
        return CellLaws(
            self.laws + other.laws,
            np.where(chosen, self.which, other.which + len(self.laws)),
            np.where(chosen, self.stretch, other.stretch),
        )


def laws_of_cells(quantity: Quantity | Persons, queries: Mapping[str, Query]) -> CellLaws:
    """The laws of the errors of ``quantity.value(queries)``, in its standard errors; of noise alone, so from no value."""
    error = np.sqrt(quantity.fit.variance(queries))
    if isinstance(quantity, Persons):
        return CellLaws((quantity.law(queries),), np.zeros(error.shape, dtype=np.intp), np.ones(error.shape))
    error = np.where(np.isfinite(error), error / quantity.fit.unit, np.nan)
    little = error < LITTLE_NOISE
    more = np.where(little, np.nan, error)
    chosen, of_little, stretch = _nodes(np.where(little, error, np.nan).ravel(), LAWS)
    others, of_more, _ = _nodes(more.ravel(), FEW_LAWS, alike=ALIKE)
    which = np.where(little.ravel(), of_little, of_more + len(chosen))
    cells = [np.unravel_index(node, error.shape) for node in (*chosen, *others)]
    laws = tuple(quantity.law(_cell(quantity, queries, cell)) for cell in cells) or (quantity.law(queries),)
    shape = error.shape
    return CellLaws(laws, which.clip(max=len(laws) - 1).reshape(shape), np.where(little, stretch.reshape(shape), 1.0))


def _cell(quantity: Quantity, queries: Mapping[str, Query], cell: tuple[np.intp, ...]) -> dict[str, Query]:
    """The queries of one cell, as weights of the leaves."""
    found: dict[str, Query] = {}
    for dimension, place in zip(quantity.grid.dimensions, cell, strict=True):
        found[dimension.name] = _row(dimension, queries.get(dimension.name, dimension.top.name), int(place))
    return found


def _row(dimension: Dimension, query: Query, place: int) -> Floats:
    if isinstance(query, str):
        return np.asarray(dimension.level(query).group == place, dtype=np.float64)[None]
    return weights(dimension, query)[[place]]


def _nodes(error: Floats, most: int, *, alike: float = 1.0) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """At most so many cells whose laws are computed; for each cell (NaN: none is wanted) the place in them of the
    next one with at least its error, and how many times larger that error is."""
    rounded = np.round(error, 9)
    size, nodes = np.unique(rounded[~np.isnan(rounded)], return_index=True)
    nodes = np.flatnonzero(~np.isnan(rounded))[nodes]
    kept = np.arange(len(size))
    if alike > 1.0:
        step = np.floor(np.log(np.maximum(size, 1e-9)) / np.log(alike))
        kept = np.flatnonzero(np.diff(step, append=np.inf) > 0)
    if len(kept) > most:
        steps = np.geomspace(max(size[0], 1e-9), size[-1], most)
        kept = np.unique(np.searchsorted(size, steps, side="left").clip(max=len(size) - 1))
    size, nodes = size[kept], nodes[kept]
    which = np.where(np.isnan(rounded), 0, np.searchsorted(size, rounded, side="left"))
    stretch = np.ones_like(error)
    known = ~np.isnan(rounded) & (rounded > 0)
    stretch[known] = np.maximum(size[which[known]] / rounded[known], 1.0)
    return nodes, which.astype(np.intp), stretch
