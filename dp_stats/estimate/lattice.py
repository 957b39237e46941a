"""Levels of a grid as a lattice: which of two tables is coarser, what they share, and which cell holds which."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid, Level, LevelNames
from dp_stats.catalogue.partitions import parents, refines

LevelIndex: TypeAlias = tuple[int, ...]
"""A complete level of a grid: one position in each dimension's list of levels; 0 is the finest."""


class Lattice:
    """The levels of a grid and how they roll up to each other.

    Levels of a dimension are usually nested, but need not be (weeks and months). Two levels with the
    same groups count as one: the finer name of the two stands for both.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    @cached_property
    def _refines(self) -> list[NDArray[np.bool_]]:
        return [
            np.array([[refines(a.group, b.group) for b in d.levels] for a in d.levels]) for d in self.grid.dimensions
        ]

    def key(self, levels: LevelNames) -> LevelIndex:
        """The positions of ``levels``; dimensions left out are at the top."""
        complete = self.grid.complete(levels)
        found = []
        for dimension, below in zip(self.grid.dimensions, self._refines, strict=True):
            place = [level.name for level in dimension.levels].index(complete[dimension.name])
            found.append(int(np.argmax(below[:, place] & below[place])))
        return tuple(found)

    def names(self, key: LevelIndex) -> dict[str, str]:
        """The opposite of ``key``."""
        return {d.name: d.levels[k].name for d, k in zip(self.grid.dimensions, key, strict=True)}

    def shape(self, key: LevelIndex) -> tuple[int, ...]:
        """Cells along each axis."""
        return tuple(len(d.levels[k].codes) for d, k in zip(self.grid.dimensions, key, strict=True))

    def sums_to(self, fine: LevelIndex, coarse: LevelIndex) -> bool:
        """Whether a table at ``fine`` can be summed up to ``coarse`` (also if they are equal)."""
        return all(r[a, b] for r, a, b in zip(self._refines, fine, coarse, strict=True))

    def comparable(self, a: LevelIndex, b: LevelIndex) -> bool:
        """Whether in every dimension one of the two levels refines the other."""
        return all(r[i, j] or r[j, i] for r, i, j in zip(self._refines, a, b, strict=True))

    def coarsest(self, keys: Iterable[LevelIndex]) -> LevelIndex:
        """The finest level that every one of ``keys`` can be summed up to."""

        def join(a: LevelIndex, b: LevelIndex) -> LevelIndex:
            return tuple(int(np.argmax(r[i] & r[j])) for r, i, j in zip(self._refines, a, b, strict=True))

        return reduce(join, keys)

    def finest(self, keys: Iterable[LevelIndex]) -> LevelIndex:
        """The coarsest level that can be summed up to every one of ``keys``."""

        def meet(a: LevelIndex, b: LevelIndex) -> LevelIndex:
            return tuple(
                len(r) - 1 - int(np.argmax((r[:, i] & r[:, j])[::-1]))
                for r, i, j in zip(self._refines, a, b, strict=True)
            )

        return reduce(meet, keys)

    def maximal(self, keys: Iterable[LevelIndex]) -> list[LevelIndex]:
        """Those of ``keys`` that are not a roll-up of another one."""
        distinct = list(dict.fromkeys(keys))
        return [k for k in distinct if not any(o != k and self.sums_to(o, k) for o in distinct)]

    def closure(self, keys: Iterable[LevelIndex]) -> list[LevelIndex]:
        """``keys`` and every level that some of them share, coarsest first."""
        found = set(keys)
        while new := {self.coarsest((a, b)) for a in found for b in found} - found:
            found |= new
        return sorted(found, key=lambda k: (-sum(k), k))

    def roll_up(self, values: NDArray[np.generic], source: LevelIndex, to: LevelIndex) -> NDArray[np.generic]:
        """Sum an array at ``source`` up to ``to``."""
        return self.grid.roll_up(values, self.names(to), self.names(source))

    def cell_index(self, fine: LevelIndex, coarse: LevelIndex) -> NDArray[np.intp]:
        """Flat index of the ``coarse`` cell that holds each ``fine`` cell; shape of ``fine``, ravelled."""
        index = np.zeros((), dtype=np.intp)
        for dimension, a, b, size in zip(self.grid.dimensions, fine, coarse, self.shape(coarse), strict=True):
            index = index[..., np.newaxis] * size + parents(dimension.levels[a].group, dimension.levels[b].group)
        return index.ravel()

    def spread_out(self, values: NDArray[np.float64], fine: LevelIndex, coarse: LevelIndex) -> NDArray[np.float64]:
        """The value of the ``coarse`` cell that holds each ``fine`` cell; shape of ``fine``."""
        for axis, (dimension, a, b) in enumerate(zip(self.grid.dimensions, fine, coarse, strict=True)):
            if a != b:
                values = np.take(values, parents(dimension.levels[a].group, dimension.levels[b].group), axis=axis)
        return values


def without_unused_levels(grid: Grid, levels: Iterable[LevelNames]) -> Grid:
    """``grid`` with leaves no finer than ``levels`` need, so that work is in proportion to what is used."""
    complete = [grid.complete(one) for one in levels]
    lattice = Lattice(grid)
    base = lattice.finest([lattice.key(one) for one in complete])
    dimensions = []
    for dimension, place in zip(grid.dimensions, base, strict=True):
        kept = [
            Level(level.name, level.codes, level.names, parents(dimension.levels[place].group, level.group))
            for level in dimension.levels
            if refines(dimension.levels[place].group, level.group)
        ]
        unknown = dimension.unknown if place == 0 else None
        edges = dimension.edges if place == 0 else ()
        dimensions.append(Dimension(dimension.name, dimension.column, dimension.kind, tuple(kept), unknown, edges))
    return Grid(tuple(dimensions))
