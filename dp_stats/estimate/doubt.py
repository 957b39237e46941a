"""What is uncertain about sums of cells because the factors of their coarse cells are (``truncation.Factors``)."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid, Level, LevelNames, sum_groups
from dp_stats.catalogue.partitions import first_leaves
from dp_stats.estimate.truncation import Factors
from dp_stats.plan.algebra import Query, weights

Floats = NDArray[np.float64]

AT_ONCE = 4_000_000
"""Numbers held at once, beyond which queries are taken in parts."""


def doubt_of_factors(
    grid: Grid, factors: Factors, queries: Mapping[str, Query], values: Floats, own: Floats
) -> tuple[Floats, Floats]:
    """Σ over coarse cells of (what the query holds of the cell)² × variance of its own factor, and, for the factor of the
    whole on which coarse cells lean, (Σ what it holds × lean)² × the variance of that. Exact, also of weighted sums.

    Args:
        grid: of ``values``, its leaves before the factors. own: variance of each coarse cell's own factor.
    """
    asked = {d.name: queries.get(d.name, d.top.name) for d in grid.dimensions}
    matrices = {d.name: weights(d, asked[d.name]) for d in grid.dimensions if not isinstance(asked[d.name], str)}
    if matrices:
        longest = max(matrices, key=lambda name: len(matrices[name]))
        rows = matrices[longest]
        pairs = {
            name: np.count_nonzero(_holds(rows, grid[name].level(factors.levels[name])))
            for name, rows in matrices.items()
        }
        rest = prod(len(d) for d in grid.dimensions if d.name not in matrices)
        if len(rows) > 1 and prod(pairs.values()) * rest > AT_ONCE:
            halves = np.array_split(rows, 2)
            parts = [doubt_of_factors(grid, factors, {**asked, longest: half}, values, own) for half in halves]
            axis = [d.name for d in grid.dimensions].index(longest)
            alone, together = (np.concatenate(part, axis=axis) for part in zip(*parts, strict=True))
            return alone, together
    lean, sums = factors.lean, []
    for axis, dimension in enumerate(grid.dimensions):
        coarse = dimension.level(factors.levels[dimension.name])
        query = asked[dimension.name]
        if isinstance(query, str):
            values, place, group, size = _of_level(dimension.level(query), coarse, values, axis)
        else:
            values, place, group, size = _of_weights(matrices[dimension.name], coarse, values, axis)
        own, lean = (np.take(one, group, axis=axis) for one in (own, lean))
        sums.append((place, size))
    alone, together = np.asarray(values**2 * own), np.asarray(values * lean)
    for axis, (place, size) in enumerate(sums):
        alone, together = (sum_groups(one, place, size, axis) for one in (alone, together))
    return alone, np.asarray(together**2 * factors.whole_variance)


_Pairs = tuple[Floats, NDArray[np.intp], NDArray[np.intp], int]
"""Sums along an axis, one for each pair of a query and a coarse group that it holds some of; the query and the group of
each, and how many queries there are."""


def _of_level(level: Level, coarse: Level, values: Floats, axis: int) -> _Pairs:
    pairs, number = np.unique(np.stack([level.group, coarse.group]), axis=1, return_inverse=True)
    sums = sum_groups(values, number.reshape(-1), pairs.shape[1], axis)
    return sums, pairs[0].astype(np.intp), pairs[1].astype(np.intp), len(level.codes)


def _of_weights(rows: Floats, coarse: Level, values: Floats, axis: int) -> _Pairs:
    query, group = np.nonzero(_holds(rows, coarse))
    asked = rows[query] * (coarse.group[None, :] == group[:, None])
    sums = np.moveaxis(np.tensordot(asked, values, axes=(1, axis)), 0, axis)
    return sums, query.astype(np.intp), group.astype(np.intp), len(rows)


def _holds(rows: Floats, coarse: Level) -> NDArray[np.bool_]:
    """Which queries hold some of which coarse groups."""
    held = np.zeros((len(rows), len(coarse.codes)), dtype=np.bool_)
    query, leaf = np.nonzero(rows)
    held[query, coarse.group[leaf]] = True
    return held


def splitting(grid: Grid, queries: Mapping[str, Query], levels: LevelNames) -> NDArray[np.bool_]:
    """Which cells of queries take only some of the leaves of a coarse cell, or take them unlike; shape as their values.

    Cell by cell, so that a number has one interval whichever query asks for it: the last cumulative sum takes whole what the
    ones before it split.
    """
    found = np.zeros([1] * len(grid.dimensions), dtype=np.bool_)
    for axis, dimension in enumerate(grid.dimensions):
        along = _splits(
            queries.get(dimension.name, dimension.top.name), dimension, dimension.level(levels[dimension.name])
        )
        found = found | along.reshape([-1 if i == axis else 1 for i in range(found.ndim)])
    return found


def _splits(query: Query, dimension: Dimension, coarse: Level) -> NDArray[np.bool_]:
    if isinstance(query, str):
        group = dimension.level(query).group
        pairs, taken = np.unique(np.stack([group, coarse.group]), axis=1, return_counts=True)
        some = taken < np.bincount(coarse.group)[pairs[1]]
        return np.bincount(pairs[0], weights=some, minlength=len(dimension.level(query).codes)) > 0
    rows = weights(dimension, query)
    return np.asarray((rows != rows[:, first_leaves(coarse.group)][:, coarse.group]).any(axis=1))


def absolute_of(queries: Mapping[str, Query]) -> dict[str, Query]:
    """The same queries without signs."""
    return {name: query if isinstance(query, str) else np.abs(query) for name, query in queries.items()}


def sides_of(queries: Mapping[str, Query]) -> tuple[Mapping[str, Query], Mapping[str, Query] | None]:
    """The same queries of what is added, and of what is subtracted; None where nothing is."""
    below = {name for name, query in queries.items() if not isinstance(query, str) and (np.asarray(query) < 0).any()}
    if not below:
        return queries, None

    def side(sign: float) -> dict[str, Query]:
        return {n: np.maximum(sign * np.asarray(q), 0.0) if n in below else q for n, q in queries.items()}

    return side(1.0), side(-1.0)
