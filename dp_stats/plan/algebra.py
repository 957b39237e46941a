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

from collections.abc import Mapping, Sequence
from functools import cached_property, reduce
from itertools import product
from math import prod
from typing import TypeAlias, TypeGuard, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid, LevelNames
from dp_stats.catalogue.partitions import first_leaves
from dp_stats.plan.blocks import LARGEST_DENSE, Block, LargeBlock, block_of
from dp_stats.plan.symmetry import Axis, Component, Floats, Indices, split

Key: TypeAlias = tuple[str, ...]
"""One level per dimension, in grid order."""

Query: TypeAlias = "str | NDArray[np.float64]"
"""Queries along one dimension: a level's name (one query per group), or weights ``(queries, leaves)`` or ``(leaves,)``."""

T = TypeVar("T", bound=np.generic)


def key_of(grid: Grid, levels: LevelNames) -> Key:
    """``levels`` as a key: complete, in grid order."""
    complete = grid.complete(levels)
    return tuple(complete[d.name] for d in grid.dimensions)


_AXES: WeakKeyDictionary[Dimension, dict[frozenset[str], Axis]] = WeakKeyDictionary()
_GRAMS: WeakKeyDictionary[Axis, dict[str, tuple[list[Floats], Indices]]] = WeakKeyDictionary()


class Structure:
    """The normal equations of a set of measured levels.

    Args:
        grid: the dimensions.
        precision: measured level → 1 / variance of one cell's noise (in the measurement's own units).
        tolerance: eigenvalues of a block below this share of its largest count as not measured.
        largest_dense: rows above which a block is solved by conjugate gradients instead of inverted.
    """

    def __init__(
        self,
        grid: Grid,
        precision: Mapping[Key, float],
        *,
        tolerance: float = 1e-12,
        largest_dense: int = LARGEST_DENSE,
    ) -> None:
        self.grid = grid
        self.precision = {key: float(p) for key, p in precision.items() if p > 0}
        self._tolerance = tolerance
        self._largest = largest_dense
        self.axes = tuple(axis_of(d, {key[i] for key in self.precision}) for i, d in enumerate(grid.dimensions))

    @cached_property
    def blocks(self) -> Mapping[tuple[Component, ...], Block]:
        """All blocks of ``A``, one for each choice of a component per dimension."""
        return {parts: self._block(parts) for parts in product(*(a.components for a in self.axes))}

    def _block(self, parts: tuple[Component, ...]) -> Block:
        terms = [
            (p, [c.matrices[name] for c, name in zip(parts, key, strict=True)]) for key, p in self.precision.items()
        ]
        return block_of(terms, [c.block for c in parts], self._tolerance, self._largest)

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
        return self._solve(np.asarray(h, dtype=np.float64), ())

    def _solve(self, values: Floats, parts: tuple[Component, ...]) -> Floats:
        """Analyse along the next axis, one component at a time; at the last, apply the inverse; then put together.

        ``values`` holds coordinates ``(copies, block)`` for each axis already analysed, leaves for the others.
        """
        done = len(parts)
        if done == len(self.axes):
            return _apply(self.blocks[parts], values, len(parts))
        axis = 2 * done
        moved = np.moveaxis(values, axis, 0)
        rest = moved.shape[1:]
        flat = np.ascontiguousarray(moved).reshape(len(moved), -1)
        total: Floats | None = None
        for part in self.axes[done].components:
            coordinates = part.analyse(flat).reshape(part.copies, part.block, *rest)
            solved = self._solve(np.moveaxis(coordinates, (0, 1), (axis, axis + 1)), (*parts, part))
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
        grams, indices = [], []
        for axis, dimension in zip(self.axes, self.grid.dimensions, strict=True):
            distinct, index = _known_grams(axis, dimension, queries.get(dimension.name, dimension.top.name))
            grams.append(distinct)
            indices.append(index)
        return self._contract(grams, _norms(grams))[np.ix_(*indices)]

    def covariance(self, first: Mapping[str, Query], second: Mapping[str, Query]) -> Floats:
        """Covariance of ``first[i]`` with ``second[i]``: along each dimension both have equally many queries."""
        grams, norms = [], []
        for axis, d in zip(self.axes, self.grid.dimensions, strict=True):
            left, right = (weights(d, q.get(d.name, d.top.name)) for q in (first, second))
            left, right = np.broadcast_arrays(left, right)
            grams.append([c.gram(left, right) for c in axis.components])
            norms.append(np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1))
        return self._contract(grams, norms)

    def covariances_with(self, query: Sequence[Floats], levels: LevelNames) -> tuple[Floats, Indices]:
        """Covariance of one product query, a weight vector per dimension, with every cell at ``levels``.

        Cells that no symmetry of the grid and the query tells apart have one covariance, so few are distinct however
        many cells there are. Where measurements do not tell the query, it is that of the solution of least norm.

        Returns:
            The covariances, and how many cells have each; both with one axis per dimension.
        """
        complete = self.grid.complete(levels)
        if any(isinstance(block, LargeBlock) for block in self.blocks.values()):
            solved = self.grid.roll_up(self.solve(_outer(query)), complete)
            return solved, np.ones(solved.shape, dtype=np.intp)
        grams, counts = [], []
        for axis, dimension, along in zip(self.axes, self.grid.dimensions, query, strict=True):
            group = dimension.level(complete[dimension.name]).group
            some, count = _told_apart(axis, group, along)
            rows = (group == some[:, None]).astype(np.float64)
            repeated = np.broadcast_to(along, rows.shape)
            grams.append([c.gram(repeated, rows) for c in axis.components])
            counts.append(count)
        total = np.zeros([len(c) for c in counts])
        choices = product(*(range(len(a.components)) for a in self.axes))
        for block, choice in zip(self.blocks.values(), choices, strict=True):
            total += block.contract([grams[i][c] for i, c in enumerate(choice)])[0]
        return total, _outer(counts)

    def _contract(self, grams: list[list[Floats]], norms: list[Floats]) -> Floats:
        """``Σ over blocks of <inverse, S_1 ⊗ S_2 ⊗ …>`` for all combinations of the queries of each dimension.

        ``norms`` are the queries' squared lengths per dimension: a larger share of them than rounding error in
        what no measurement sees makes the result infinite.
        """
        counts = tuple(len(n) for n in norms)
        total, unseen, size = np.zeros(counts), np.zeros(counts), np.ones(())
        choices = product(*(range(len(a.components)) for a in self.axes))
        for block, choice in zip(self.blocks.values(), choices, strict=True):
            value, hidden = block.contract([grams[i][c] for i, c in enumerate(choice)])
            total += value
            unseen += np.abs(hidden)
        for n in norms:
            size = np.multiply.outer(size, n)
        return np.where(unseen > 1e-9 * size, np.inf, total)


def _outer(parts: Sequence[NDArray[T]]) -> NDArray[T]:
    """The product of one vector per axis."""
    return np.asarray(reduce(np.multiply.outer, parts))


def _told_apart(axis: Axis, group: Indices, query: Floats) -> tuple[Indices, Indices]:
    """One group of each kind that a query along the axis tells apart, and how many are of its kind.

    Groups are of one kind if the query's coordinates meet them alike in every component: then so does any sum of
    coordinates with fixed generic factors.
    """
    marks = []
    for component in axis.components:
        found = component.analyse(query[:, None])[:, :, 0]
        block = np.arange(1, component.block + 1)
        factors = np.cos(np.multiply.outer(np.sqrt(2) * block, np.sqrt(3) * block) + np.sqrt(5) * block)
        leaves = component.synthesise((found @ factors)[:, :, None])[:, 0]
        marks.append(np.bincount(group, weights=leaves))
    seen = np.stack(marks, axis=1)
    seen = np.round(seen / max(float(np.abs(seen).max()), 1e-300), 10)
    _, some, count = np.unique(seen, axis=0, return_index=True, return_counts=True)
    return some, count


def _norms(grams: list[list[Floats]]) -> list[Floats]:
    """Squared lengths of queries from their Gram matrices in all components."""
    return [np.sum([np.einsum("qii->q", g) for g in parts], axis=0) for parts in grams]


def axis_of(dimension: Dimension, names: set[str]) -> Axis:
    """The components of ``dimension`` under the levels called ``names``; kept as long as the dimension is."""
    known = _AXES.setdefault(dimension, {})
    key = frozenset(names)
    if key not in known:
        known[key] = split({name: dimension.level(name).group for name in sorted(names)}, len(dimension))
    return known[key]


def _known_grams(axis: Axis, dimension: Dimension, query: Query) -> tuple[list[Floats], Indices]:
    """``distinct_grams``; those of levels are kept with the axis."""
    if not isinstance(query, str):
        return distinct_grams(axis, dimension, query)
    known = _GRAMS.setdefault(axis, {})
    if query not in known:
        known[query] = distinct_grams(axis, dimension, query)
    return known[query]


def weights(dimension: Dimension, query: Query) -> Floats:
    """A query along a dimension as weights of its leaves; shape ``(queries, leaves)``."""
    if isinstance(query, str):
        level = dimension.level(query)
        matrix = np.zeros((len(level.codes), len(dimension)))
        matrix[level.group, np.arange(len(dimension))] = 1
        return matrix
    return np.atleast_2d(np.asarray(query, dtype=np.float64))


def alike_by_first_leaves(query: Query, axis: Axis, dimension: Dimension) -> TypeGuard[str]:
    """Whether ``query`` is a level whose cells no measurement tells apart if it does not tell their first leaves apart."""
    return isinstance(query, str) and (query in axis.nested or query in (dimension.leaf.name, dimension.top.name))


def distinct_grams(axis: Axis, dimension: Dimension, query: Query) -> tuple[list[Floats], Indices]:
    """Per component, the Gram matrices of the queries that differ, and which of them each query has."""
    if alike_by_first_leaves(query, axis, dimension):
        level = dimension.level(query)
        _, where, index = np.unique(axis.orbit[first_leaves(level.group)], return_index=True, return_inverse=True)
        rows = np.zeros((len(where), len(dimension)))
        for row, group in zip(rows, where, strict=True):
            row[level.group == group] = 1
        return [c.gram(rows) for c in axis.components], index
    rows = weights(dimension, query)
    step = max(1, 20_000_000 // max(1, rows.shape[1]))
    grams = [np.concatenate([c.gram(rows[i : i + step]) for i in range(0, len(rows), step)]) for c in axis.components]
    flat = np.concatenate([g.reshape(len(rows), -1) for g in grams], axis=1)
    rounded = np.round(flat / max(float(np.abs(flat).max()), 1e-300), 12)
    _, where, index = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    return [g[where] for g in grams], index.reshape(-1)


def _apply(block: Block, values: Floats, count: int) -> Floats:
    """Multiply the block axes of ``(copies_1, block_1, copies_2, block_2, …)`` by the block's inverse."""
    order = [2 * i + 1 for i in range(count)] + [2 * i for i in range(count)]
    moved = np.transpose(values, order)
    rows = prod(moved.shape[:count])
    if rows == 1:
        return block.apply(values.reshape(1, -1)).reshape(values.shape)
    solved = block.apply(moved.reshape(rows, -1)).reshape(moved.shape)
    return np.asarray(np.transpose(solved, np.argsort(order)))
