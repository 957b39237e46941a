"""Late rows that are known coarsely, spread over finer cells: values, and what is uncertain about them.

A coarse cell g has X rows that were counted before and L late ones, both with noise. A cell c of it with x rows gets

    x·(1 + s) + q·(L − s·X),

where s is the share of late rows in g as far as it is known, and q the cell's part of g's leaves. Whatever s is, the cells
of g add up to X + L: what is published of g and of all that consists of such cells is unbiased, however noisy X is. (To
multiply by 1 + L/X is not: where X is small beside its noise the ratio is anything.) With s exact the rest is noise.

In survey sampling this is the difference estimator with a synthetic part (Särndal, Swensson and Wretman 1992, ch. 6). Its
noise is that of a linear sum of the tables' draws, with the weight v = q + t·(x − q·X) of L − s·X, where t says how far s
itself follows L.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Level, sum_groups
from dp_stats.catalogue.partitions import first_leaves
from dp_stats.estimate.doubt import splitting
from dp_stats.estimate.leastsquares import LeastSquares, middle_of
from dp_stats.estimate.noise_law import Draws
from dp_stats.estimate.truncation import Factors
from dp_stats.plan.algebra import Query, alike_by_first_leaves, weights
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.symmetry import Axis

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

MANY = 400
"""Coarse cells above which the covariances between them are left out."""


@dataclass(frozen=True, eq=False)
class LateRows:
    """Late rows of an edition in coarse cells, which differ along one dimension; all arrays have one value a cell.

    Attributes:
        levels: the coarse level, complete and in grid order. axis: place of the dimension along which cells differ.
        late, late_variance: late rows and the variance of their noise. kept, kept_variance: the same of rows counted before.
        share: late rows per row counted before, as far as known. follows: t, how far the share follows late rows.
        between: variance of how coarse cells differ in it. lean: how far each is drawn to the share of the whole, whose
            variance is ``whole_variance``.
        spread: standard deviation of finer cells around their coarse cell's share, relative to it.
        tables: scale and mechanism of each table that was added up.
    """

    levels: Mapping[str, str]
    axis: int
    late: Floats
    late_variance: Floats
    kept: Floats
    kept_variance: Floats
    share: Floats
    follows: Floats
    between: float
    lean: Floats
    whole_variance: float
    spread: float
    tables: Sequence[tuple[float, Mechanism]]

    def leaves(self, fit: LeastSquares) -> Floats:
        """Leaves with late rows added."""
        group = self._coarse(fit).group
        size = np.bincount(group) * (fit.leaves.size / len(group))
        left = (self.late - self.share * self.kept) / size
        shape = [-1 if i == self.axis else 1 for i in range(fit.leaves.ndim)]
        return np.asarray(fit.leaves * (1 + self.share[group]).reshape(shape) + left[group].reshape(shape))

    def factors(self, fit: LeastSquares) -> Factors:
        """What another statistic of the same rows is multiplied by: its own late part was not measured."""
        shape = [len(self.share) if i == self.axis else 1 for i in range(fit.leaves.ndim)]
        share, lean = self.share.reshape(shape), self.lean.reshape(shape)
        own, drawn = self.between * lean, self.between * lean**2
        return Factors(self.levels, 1.0 + share, own, lean, self.whole_variance, self.spread, 1.0, drawn=drawn)

    def noise(self, fit: LeastSquares, queries: Mapping[str, Query]) -> Floats:
        """Variance of the noise of queries with late rows added, that of the whole's share with it."""
        parts = self._parts(fit, queries)
        own, late = self._noise(fit, queries, parts)
        leaning = parts.total(parts.along(self.lean) * parts.unlike(self.kept))
        return np.asarray(own + late + self._true(leaning**2, fit, queries) * self.whole_variance)

    def doubt(self, fit: LeastSquares, queries: Mapping[str, Query]) -> tuple[Floats, Floats]:
        """Of how finer cells differ from the share they are given: the standard deviation; and the variance of the chance
        of which cell a row falls in."""
        parts = self._parts(fit, queries)
        off = parts.total((parts.along(self.lean) * parts.unlike(self.kept)) ** 2)
        drawn = self.between * self._true(off, fit, queries)
        finer = splitting(fit.grid, queries, self.levels)
        if not finer.any():
            return np.sqrt(drawn), np.zeros(())
        own = parts.along(self.share) * parts.rows
        left = parts.part * parts.along(self.late - self.share * self.kept)
        differ = np.maximum(parts.total(own) ** 2 - float((self.share**2).min()) * fit.variance(queries), 0.0)
        chance = np.maximum(parts.total(own + left), 0.0)
        return np.sqrt(np.where(finer, self.spread**2 * differ, 0.0) + drawn), np.where(finer, chance, 0.0)

    def _true(self, square: Floats, fit: LeastSquares, queries: Mapping[str, Query]) -> Floats:
        """A square of rows that lean on the whole, without what noise alone makes of it."""
        noise = float((self.lean**2).min()) * fit.variance(queries)
        return np.where(np.isfinite(noise), np.maximum(square - noise, 0.0), square)

    def draws(self, fit: LeastSquares, queries: Mapping[str, Query]) -> tuple[float, list[Draws]]:
        """Of the middle cell of queries: what the noise of rows counted before is multiplied by, and the draws of late ones."""
        middle = {d.name: middle_of(d, queries.get(d.name, d.top.name))[None, :] for d in fit.grid.dimensions}
        own, late = (float(part.reshape(())) for part in self._noise(fit, middle, self._parts(fit, middle)))
        before = float(fit.variance(middle).reshape(()))
        weight = np.sqrt(late / float(self.late_variance.mean()))
        found = [Draws(float(weight), many, *table) for table, many in Counter(self.tables).items()]
        return float(np.sqrt(own / before)) if 0 < before < np.inf else 1.0, found

    def _coarse(self, fit: LeastSquares) -> Level:
        return self._level(fit.grid.dimensions[self.axis])

    def _level(self, dimension: Dimension) -> Level:
        return dimension.level(self.levels[dimension.name])

    def _noise(self, fit: LeastSquares, queries: Mapping[str, Query], parts: _Parts) -> tuple[Floats, Floats]:
        """Variance of the noise of rows counted before, and of late ones."""
        weight = parts.part + parts.along(self.follows) * parts.unlike(self.kept)
        late = parts.total(weight**2 * parts.along(self.late_variance))
        weight = weight * parts.along(self.share)
        plain, shared = self._covariances(fit, queries, parts)
        own = plain - 2 * parts.total(weight * shared) + self._between(fit, parts, weight)
        return np.where(np.isfinite(plain), np.maximum(own, 0.0), np.inf), late

    def _covariances(self, fit: LeastSquares, queries: Mapping[str, Query], parts: _Parts) -> tuple[Floats, Floats]:
        """Variance of the rows of queries, multiplied by 1 + share; and their covariance with each coarse cell they touch."""
        dimension = fit.grid.dimensions[self.axis]
        query, group = queries.get(dimension.name, dimension.top.name), self._coarse(fit).group
        nested = isinstance(query, str) and len(parts.query) == parts.size
        grown = 1 + self.share
        first, second, index = _alike(fit, queries, self.axis)
        if isinstance(query, str) and nested:
            plain = fit.variance(queries) * parts.along(grown) ** 2
            leaf = first_leaves(dimension.level(query).group)
            along = fit.structure.axes[self.axis]
            kinds = np.stack([along.orbit[leaf], self._kind(group[leaf], group)])
            alike = alike_by_first_leaves(query, along, dimension)
            some, which = _representatives(kinds if alike else np.arange(len(leaf))[None, :])
            own = np.stack([dimension.level(query).group == one for one in some]).astype(np.float64)
            whole = np.stack([group == group[leaf[one]] for one in some]).astype(np.float64)
            times = parts.along(grown)
        else:
            rows = weights(dimension, query) * grown[group]
            plain = fit.variance({**queries, dimension.name: rows})
            if not np.isfinite(plain).all():  # it is not known how the query's rows lie in coarse cells
                plain = np.where(np.isfinite(plain), plain, fit.variance(queries) * self._mean_grown(parts) ** 2)
            own = rows[parts.query]
            whole = (group[None, :] == parts.group[:, None]).astype(np.float64)
            which, times = np.arange(len(parts.query)), np.ones(())
        first[dimension.name], second[dimension.name], index[self.axis] = own, whole, which
        shared = fit.covariance(first, second)[np.ix_(*index)]
        return plain, np.asarray(np.where(np.isfinite(shared), shared, 0.0) * times)

    def _mean_grown(self, parts: _Parts) -> Floats:
        """1 + the mean share of late rows of each query."""
        rows = np.maximum(parts.rows, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = parts.total(rows * parts.along(self.share)) / parts.total(rows)
        return 1 + np.where(np.isfinite(mean), mean, float(self.share.mean()))

    def _kind(self, of: Indices, group: Indices) -> Indices:
        """Which coarse cells are told apart where covariances are found: all if they are few, else by size."""
        return of if len(self.share) <= MANY else np.bincount(group)[of].astype(np.intp)

    def _between(self, fit: LeastSquares, parts: _Parts, weight: Floats) -> Floats:
        """Variance of the sum over coarse cells of their rows counted before, times ``weight``."""
        if len(parts.query) == parts.size or len(self.share) > MANY:
            return parts.total(weight**2 * parts.along(self.kept_variance))
        dimension, group = fit.grid.dimensions[self.axis], self._coarse(fit).group
        rows = (group[None, :] == np.arange(len(self.share))[:, None]).astype(np.float64)
        tops: dict[str, Query] = {d.name: d.top.name for d in fit.grid.dimensions}
        matrix = np.stack(
            [
                fit.covariance({**tops, dimension.name: row[None, :]}, {**tops, dimension.name: rows}).reshape(-1)
                for row in rows
            ]
        )
        by_cell = np.moveaxis(weight, self.axis, -1)
        dense = np.zeros((*by_cell.shape[:-1], parts.size, len(self.share)))
        dense[..., parts.query, parts.group] = by_cell
        return np.moveaxis(np.einsum("...g,gh,...h->...", dense, matrix, dense), -1, self.axis)

    def _parts(self, fit: LeastSquares, queries: Mapping[str, Query]) -> _Parts:
        """What each query holds of each coarse cell that it touches."""
        rows, part = fit.leaves, np.ones(())
        query, group, size = np.zeros(0, np.intp), np.zeros(0, np.intp), 0
        for axis, dimension in enumerate(fit.grid.dimensions):
            asked, coarse = queries.get(dimension.name, dimension.top.name), self._level(dimension).group
            count = np.bincount(coarse)
            if isinstance(asked, str):
                level = dimension.level(asked)
                pairs, inverse = np.unique(np.stack([level.group, coarse]), axis=1, return_inverse=True)
                rows = sum_groups(rows, inverse.reshape(-1), pairs.shape[1], axis)
                own, touched, here, codes = np.bincount(inverse.reshape(-1)), pairs[1], pairs[0], len(level.codes)
            else:
                given = weights(dimension, asked)
                member = (coarse[:, None] == np.arange(len(count))).astype(np.float64)
                here, touched = np.nonzero((np.abs(given) @ member) > 0)
                cut = given[here] * member.T[touched]
                rows = np.moveaxis(np.tensordot(cut, rows, axes=(1, axis)), 0, axis)
                own, codes = cut.sum(axis=1), len(given)
            part = np.multiply.outer(part, own / count[touched])
            if axis == self.axis:
                query, group, size = here.astype(np.intp), touched.astype(np.intp), codes
        return _Parts(rows, np.asarray(part), query, group, size, self.axis)


@dataclass(frozen=True, eq=False)
class _Parts:
    """Queries cut into what they hold of each coarse cell: along ``axis`` one entry for each pair of the two.

    Attributes:
        rows: counted before. part: of the coarse cell's leaves. query, group: of each pair. size: how many queries.
    """

    rows: Floats
    part: Floats
    query: Indices
    group: Indices
    size: int
    axis: int

    def along(self, of_group: Floats) -> Floats:
        """A number of each coarse cell, at each pair."""
        return of_group[self.group].reshape([-1 if i == self.axis else 1 for i in range(self.rows.ndim)])

    def unlike(self, kept: Floats) -> Floats:
        """Rows beyond those that would be there if all leaves of a coarse cell had as many."""
        return np.asarray(self.rows - self.part * self.along(kept))

    def total(self, pairs: Floats) -> Floats:
        """Summed over the coarse cells of each query."""
        return np.asarray(sum_groups(np.broadcast_to(pairs, self.rows.shape), self.query, self.size, self.axis))


def _alike(
    fit: LeastSquares, queries: Mapping[str, Query], skipped: int
) -> tuple[dict[str, Query], dict[str, Query], list[Indices]]:
    """Queries along the other axes, with the whole beside them: of those that no measurement tells apart, one. And which
    of them each query is like."""
    first: dict[str, Query] = {}
    second: dict[str, Query] = {}
    index = []
    for axis, (along, dimension) in enumerate(zip(fit.structure.axes, fit.grid.dimensions, strict=True)):
        query = queries.get(dimension.name, dimension.top.name)
        rows, which = (
            _distinct(along, dimension, query) if axis != skipped else (np.zeros((0, 0)), np.zeros(0, np.intp))
        )
        first[dimension.name], second[dimension.name] = rows, np.ones((1, len(dimension)))
        index.append(which)
    return first, second, index


def _distinct(along: Axis, dimension: Dimension, query: Query) -> tuple[Floats, Indices]:
    if alike_by_first_leaves(query, along, dimension):
        group = dimension.level(query).group
        some, which = _representatives(along.orbit[first_leaves(group)][None, :])
        return np.stack([group == one for one in some]).astype(np.float64), which
    rows = weights(dimension, query)
    return rows, np.arange(len(rows))


def _representatives(kinds: Indices) -> tuple[Indices, Indices]:
    """One of each kind of columns, and the kind of each."""
    _, some, which = np.unique(kinds, axis=1, return_index=True, return_inverse=True)
    return some.astype(np.intp), which.reshape(-1).astype(np.intp)
