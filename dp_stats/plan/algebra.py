"""Generalised least squares over the levels of a grid, with exact variances, by structure.

Measurements ``y_l = Q_l x + noise`` at levels ``l`` with precisions ``p_l`` (one over the variance) give the
normal equations ``A x = h`` with ``A = Σ p_l Q_lᵀ Q_l`` and ``h = Σ p_l Q_lᵀ y_l``. ``A`` is a sum of products of
one small matrix per dimension on the components of ``plan.symmetry``, so it falls apart into blocks of a few
rows: solving costs a few passes over the cells, and the variance of any *product query* (one weight vector per
dimension) is a sum of small contractions.

    structure = Structure(grid, {("area", "week", "band"): 1 / 8.2, ("area", "day", "all"): 1 / 9.0, …})
    leaves = structure.estimate({("area", "week", "band"): y1, ("area", "day", "all"): y2, …})
    structure.variance({"area": "region", "date": "week"})                # every cell, shape grid.shape(levels)
    structure.query_variance({"date": rolling, "area": "area"})           # rolling: weights, (queries, leaves)

Where a combination of leaves is not measured at all, ``solve`` gives the solution of least norm and the variance
of a query that needs it is infinite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid, LevelNames
from dp_stats.plan.symmetry import Axis, Component, Floats, Indices, split

Key: TypeAlias = tuple[str, ...]
"""One level per dimension, in grid order."""

Query: TypeAlias = "str | NDArray[np.float64]"
"""Queries along one dimension: a level's name (one query per group), or weights ``(queries, leaves)`` or ``(leaves,)``."""


def key_of(grid: Grid, levels: LevelNames) -> Key:
    """``levels`` as a key: complete, in grid order."""
    complete = grid.complete(levels)
    return tuple(complete[d.name] for d in grid.dimensions)


@dataclass(frozen=True, eq=False)
class Block:
    """One tuple of components: the inverse of its block of ``A``, and what it cannot see.

    Attributes:
        inverse: pseudo-inverse, shape ``(rows, rows)``, rows in the order of the components' blocks.
        unseen: projector on the combinations that are not measured; ``None`` if there are none.
    """

    components: tuple[Component, ...]
    inverse: Floats
    unseen: Floats | None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows of each dimension's block."""
        return tuple(c.block for c in self.components)


class Structure:
    """The normal equations of a set of measured levels.

    Args:
        grid: the dimensions.
        precision: measured level → 1 / variance of one cell's noise (in the measurement's own units).
        tolerance: eigenvalues of a block below this share of its largest count as not measured.
    """

    def __init__(self, grid: Grid, precision: Mapping[Key, float], *, tolerance: float = 1e-12) -> None:
        self.grid = grid
        self.precision = {key: float(p) for key, p in precision.items() if p > 0}
        self._tolerance = tolerance
        self.axes = tuple(axis_of(d, {key[i] for key in self.precision}) for i, d in enumerate(grid.dimensions))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks of ``A``, inverted."""
        return tuple(self._invert(parts) for parts in product(*(a.components for a in self.axes)))

    def _invert(self, parts: tuple[Component, ...]) -> Block:
        rows = int(np.prod([c.block for c in parts]))
        matrix = np.zeros((rows, rows))
        for key, p in self.precision.items():
            matrix += p * kron([c.matrices[name] for c, name in zip(parts, key, strict=True)])
        values, vectors = np.linalg.eigh(matrix)
        seen = values > self._tolerance * max(values[-1], 0.0)
        kept = vectors[:, seen]
        inverse = (kept / values[seen]) @ kept.T
        unseen = None if seen.all() else vectors[:, ~seen] @ vectors[:, ~seen].T
        return Block(parts, inverse, unseen)

    def normal(self, measured: Mapping[Key, NDArray[np.float64]]) -> Floats:
        """``h = Σ p_l Q_lᵀ y_l``: every measured level spread over its leaves; leaf shape."""
        h = np.zeros(self.grid.shape())
        for key, values in measured.items():
            spread = np.asarray(values, dtype=np.float64) * self.precision[key]
            for axis, (dimension, name) in enumerate(zip(self.grid.dimensions, key, strict=True)):
                group = dimension.level(name).group
                if name != dimension.leaf.name and spread.shape[axis] > 1:
                    spread = np.take(spread, group, axis=axis)
            h += spread
        return h

    def solve(self, h: Floats) -> Floats:
        """``A⁺ h``; leaf shape in and out."""
        inverses = {b.components: b.inverse for b in self.blocks}
        return self._solve(np.asarray(h, dtype=np.float64), (), inverses)

    def _solve(self, values: Floats, parts: tuple[Component, ...], inverses: Mapping[tuple[Component, ...], Floats]) -> Floats:
        """Analyse along the next axis, one component at a time; at the last, apply the inverse; then put together.

        ``values`` holds coordinates ``(copies, block)`` for each axis already analysed, leaves for the others.
        """
        done = len(parts)
        if done == len(self.axes):
            return _apply(inverses[parts], values, parts)
        axis = 2 * done
        moved = np.moveaxis(values, axis, 0)
        rest = moved.shape[1:]
        flat = np.ascontiguousarray(moved).reshape(len(moved), -1)
        total: Floats | None = None
        for part in self.axes[done].components:
            coordinates = part.analyse(flat).reshape(part.copies, part.block, *rest)
            solved = self._solve(np.moveaxis(coordinates, (0, 1), (axis, axis + 1)), (*parts, part), inverses)
            back = np.ascontiguousarray(np.moveaxis(solved, (axis, axis + 1), (0, 1)))
            piece = part.synthesise(back)
            total = piece if total is None else total + piece
        assert total is not None
        return np.moveaxis(total.reshape(len(moved), *rest), 0, axis)

    def estimate(self, measured: Mapping[Key, NDArray[np.float64]]) -> Floats:
        """The best linear unbiased estimate of every leaf from one array per measured level; leaf shape."""
        return self.solve(self.normal(measured))

    def variance(self, levels: LevelNames) -> Floats:
        """Variance of every cell at ``levels``; shape ``grid.shape(levels)``. Infinite where not estimable."""
        return self.query_variance(self.grid.complete(levels))

    def query_variance(self, queries: Mapping[str, Query]) -> Floats:
        """Variance of product queries: all combinations of the queries along each dimension.

        Args:
            queries: dimension → level name or weights; a dimension left out is summed over.

        Returns:
            Array with one axis per dimension, as long as its number of queries.
        """
        grams = [self._distinct(i, queries.get(d.name, d.top.name)) for i, d in enumerate(self.grid.dimensions)]
        values = self._contract([g for g, _ in grams])
        return values[np.ix_(*(index for _, index in grams))]

    def covariance(self, first: Mapping[str, Query], second: Mapping[str, Query]) -> Floats:
        """Covariance of ``first[i]`` with ``second[i]``: along each dimension both have equally many queries."""
        grams = []
        for axis, d in zip(self.axes, self.grid.dimensions, strict=True):
            left, right = (weights(d, q.get(d.name, d.top.name)) for q in (first, second))
            if len(left) != len(right):
                left, right = np.broadcast_arrays(left, right)
            grams.append([c.gram(left, right) for c in axis.components])
        return self._contract(grams)

    def mean_variance(self, queries: Mapping[str, Query]) -> float:
        """Mean of ``query_variance`` over all combinations, without building them."""
        grams = []
        for i, d in enumerate(self.grid.dimensions):
            distinct, index = self._distinct(i, queries.get(d.name, d.top.name))
            share = np.bincount(index) / len(index)
            grams.append([np.einsum("q,qij->ij", share, g)[None] for g in distinct])
        return float(self._contract(grams).item())

    def _distinct(self, i: int, query: Query) -> tuple[list[Floats], Indices]:
        return distinct_grams(self.axes[i], self.grid.dimensions[i], query)

    def _contract(self, grams: list[list[Floats]]) -> Floats:
        """``Σ over blocks of <inverse, S_1 ⊗ S_2 ⊗ …>`` for all combinations of the queries of each dimension."""
        counts = tuple(len(g[0]) for g in grams)
        total = np.zeros(counts)
        hidden = np.zeros(counts)
        index = product(*(range(len(a.components)) for a in self.axes))
        for block, choice in zip(self.blocks, index, strict=True):
            chosen = [grams[i][c] for i, c in enumerate(choice)]
            total += contract(block.inverse, chosen)
            if block.unseen is not None:
                weight = contract(block.unseen, chosen)
                hidden += np.where(np.abs(weight) > 1e-9 * contract(np.eye(len(block.unseen)), chosen), np.abs(weight), 0)
        size = contract(np.ones((1, 1)), [sum((np.einsum("qii->q", s) for s in g), np.zeros(1))[:, None, None] for g in grams])
        return np.where(hidden > 1e-9 * np.abs(size), np.inf, total)


def axis_of(dimension: Dimension, names: set[str]) -> Axis:
    """The components of ``dimension`` under the levels called ``names``."""
    return split({name: dimension.level(name).group for name in sorted(names)}, len(dimension))


def weights(dimension: Dimension, query: Query) -> Floats:
    """A query along a dimension as weights of its leaves; shape ``(queries, leaves)``."""
    if isinstance(query, str):
        level = dimension.level(query)
        matrix = np.zeros((len(level.codes), len(dimension)))
        matrix[level.group, np.arange(len(dimension))] = 1
        return matrix
    return np.atleast_2d(np.asarray(query, dtype=np.float64))


def distinct_grams(axis: Axis, dimension: Dimension, query: Query) -> tuple[list[Floats], Indices]:
    """Per component, the Gram matrices of the queries that differ, and which of them each query has."""
    if isinstance(query, str) and (query in axis.nested or query == dimension.leaf.name or query == dimension.top.name):
        level = dimension.level(query)
        first = np.unique(level.group, return_index=True)[1]
        _, where, index = np.unique(axis.orbit[first], return_index=True, return_inverse=True)
        rows = np.zeros((len(where), len(dimension)))
        for row, group in zip(rows, where, strict=True):
            row[level.group == group] = 1
        return [c.gram(rows) for c in axis.components], index
    rows = weights(dimension, query)
    step = max(1, 20_000_000 // max(1, rows.shape[1]))
    grams = [
        np.concatenate([c.gram(rows[i : i + step]) for i in range(0, len(rows), step)]) for c in axis.components
    ]
    flat = np.concatenate([g.reshape(len(rows), -1) for g in grams], axis=1)
    rounded = np.round(flat / max(float(np.abs(flat).max()), 1e-300), 12)
    _, where, index = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    return [g[where] for g in grams], index.reshape(-1)


def kron(matrices: list[Floats]) -> Floats:
    """Kronecker product of square matrices, first slowest."""
    result: Floats = np.ones((1, 1))
    for matrix in matrices:
        result = np.asarray(np.kron(result, matrix), dtype=np.float64)
    return result


def contract(matrix: Floats, grams: list[Floats]) -> Floats:
    """``<matrix, S_1 ⊗ S_2 ⊗ …>`` for all combinations; ``grams[d]`` has shape ``(queries, block, block)``."""
    sizes = [g.shape[1] for g in grams]
    tensor: Floats = matrix.reshape(1, *sizes, *sizes)
    for g in grams:
        half = (tensor.ndim - 1) // 2
        moved = np.moveaxis(tensor, 1 + half, 2)
        tensor = np.tensordot(moved, g, axes=([1, 2], [1, 2]))
        tensor = np.asarray(np.moveaxis(tensor, -1, 1).reshape(-1, *tensor.shape[1:-1]))
    return np.asarray(tensor.reshape([len(g) for g in grams]))


def _apply(inverse: Floats, values: Floats, parts: tuple[Component, ...]) -> Floats:
    """Multiply the block axes of ``(copies_1, block_1, copies_2, block_2, …)`` by ``inverse``."""
    if len(inverse) == 1:
        return np.asarray(values * inverse[0, 0])
    count = len(parts)
    order = [2 * i + 1 for i in range(count)] + [2 * i for i in range(count)]
    moved = np.transpose(values, order)
    solved = (inverse @ moved.reshape(len(inverse), -1)).reshape(moved.shape)
    return np.asarray(np.transpose(solved, np.argsort(order)))
