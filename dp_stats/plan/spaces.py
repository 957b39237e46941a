"""Expected variances of whole tables, fast enough for an optimiser.

A table's mean variance only needs, per dimension, how much of its queries lies in each space between two nested
levels (differences of block means). With equal group sizes the levels are diagonal on these spaces and the result
is exact; with unequal sizes each level's average over the space stands for it, which is accurate enough to choose
levels and shares. What a plan promises is computed exactly afterwards, by ``plan.algebra``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy import sparse

from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.partitions import refines
from dp_stats.plan.algebra import Key, Query
from dp_stats.plan.symmetry import Floats
from dp_stats.plan.targets import Target


def chain(dimension: Dimension, wanted: Sequence[str]) -> tuple[str, ...]:
    """Nested levels of a dimension, finest first: its leaves, then each level that fits those before.

    ``wanted`` (levels that tables use, most used first) go before the others, since weeks and months exclude
    each other. Levels with the same groups count once.
    """
    names = [dimension.leaf.name, dimension.top.name, *wanted, *(lv.name for lv in dimension.levels)]
    kept: list[str] = []
    for name in dict.fromkeys(names):
        group = dimension.level(name).group
        others = [dimension.level(k).group for k in kept]
        if all(refines(group, g) or refines(g, group) for g in others) and not any(
            np.array_equal(group, g) for g in others
        ):
            kept.append(name)
    return tuple(sorted(kept, key=lambda name: -len(dimension.level(name).codes)))


@dataclass(frozen=True, eq=False)
class Spaces:
    """The grid's spaces for one chain of levels per dimension.

    Attributes:
        chains: levels per dimension, finest first; space e is what level e sees and level e + 1 does not.
    """

    grid: Grid
    chains: tuple[tuple[str, ...], ...]

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """Every level of the grid that may be measured."""
        return tuple(product(*self.chains))

    @cached_property
    def _gains(self) -> list[Floats]:
        """Per dimension, the mean eigenvalue of each level on each space; shape ``(spaces, levels)``."""
        return [_gains(d, names) for d, names in zip(self.grid.dimensions, self.chains, strict=True)]

    def gains(self, keys: Sequence[Key]) -> Floats:
        """How much each measured level says about each space; shape ``(spaces, keys)``."""
        columns = []
        for key in keys:
            column: Floats = np.ones(1)
            for names, gain, level in zip(self.chains, self._gains, key, strict=True):
                column = np.asarray(np.kron(column, gain[:, names.index(level)]))
            columns.append(column)
        return np.stack(columns, axis=1)

    def loads(self, target: Target) -> Floats:
        """Mean square of the target's queries in each space; shape ``(spaces,)``."""
        load: Floats = np.ones(1)
        for dimension, names in zip(self.grid.dimensions, self.chains, strict=True):
            load = np.asarray(np.kron(load, _loads(dimension, names, target.queries[dimension.name])))
        return load


def _gains(dimension: Dimension, names: tuple[str, ...]) -> Floats:
    groups = [dimension.level(n).group for n in names]
    counts = [len(dimension.level(n).codes) for n in names]
    traces = np.zeros((len(names) + 1, len(names)))  # trace of P_e G_j
    for j, coarse in enumerate(groups):
        size = np.bincount(coarse)
        for e, fine in enumerate(groups):
            if e <= j:
                traces[e, j] = len(coarse)
            else:
                traces[e, j] = float((np.bincount(fine, weights=size[coarse]) / np.bincount(fine)).sum())
    rank = np.array(counts) - np.array([*counts[1:], 0])
    return np.asarray(np.maximum(traces[:-1] - traces[1:], 0.0) / np.maximum(rank, 1)[:, None])


def _loads(dimension: Dimension, names: tuple[str, ...], query: Query) -> Floats:
    leaves = len(dimension)
    if isinstance(query, str):
        group = dimension.level(query).group
        rows = sparse.csr_array(
            (np.ones(leaves), (group, np.arange(leaves))), shape=(len(dimension.level(query).codes), leaves)
        )
    else:
        rows = sparse.csr_array(np.atleast_2d(query))
    squares = []
    for name in names:
        group = dimension.level(name).group
        size = np.bincount(group)
        member = sparse.csr_array((1 / np.sqrt(size[group]), (np.arange(leaves), group)), shape=(leaves, len(size)))
        projected = rows @ member
        squares.append(float(projected.multiply(projected).sum()) / rows.shape[0])
    return np.asarray(np.maximum(np.array(squares) - np.array([*squares[1:], 0.0]), 0.0))
