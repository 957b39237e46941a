"""One additive statistic: best values and variances of any sum of its cells, corrected for what was truncated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import LevelNames, sum_groups
from dp_stats.catalogue.models import Statistic
from dp_stats.estimate.lattice import LevelIndex
from dp_stats.estimate.leastsquares import LeastSquares
from dp_stats.estimate.noise_law import NoiseLaw
from dp_stats.estimate.truncation import Correction
from dp_stats.plan.algebra import Query, weights

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Posterior:
    """Shrunken values of a level, with the variance and third central moment of the truth around them."""

    value: Floats
    variance: Floats
    third_moment: Floats


class Quantity:
    """Least squares of one statistic, and its correction for the contribution bound if there is one.

    Queries are as in ``LeastSquares.value``: one level name or weight matrix per dimension. ``shrunken`` has the
    levels at which published values lean on neighbouring cells (see ``estimate.shrink``).
    """

    def __init__(self, statistic: Statistic, fit: LeastSquares, correction: Correction | None = None) -> None:
        self.statistic = statistic
        self.fit = fit
        self.grid = fit.grid
        self.correction = correction
        self.shrunken: Mapping[LevelIndex, Posterior] = {}

    @property
    def lowest(self) -> float:
        """The smallest value a total can have."""
        return -np.inf if self.statistic.kind == "sum" and (self.statistic.lower or 0) < 0 else 0.0

    @property
    def row_size(self) -> float:
        """The most that one row adds: 1 in a count, the larger clipping bound in a sum."""
        ends = (self.statistic.lower, self.statistic.upper)
        return max(abs(float(end)) for end in ends if end is not None) if self.statistic.kind == "sum" else 1.0

    @cached_property
    def leaves(self) -> Floats:
        """Corrected leaves of ``grid``."""
        if self.correction is None:
            return self.fit.leaves
        lattice = self.fit.lattice
        leaf = tuple(0 for _ in self.grid.dimensions)
        return self.fit.leaves * lattice.spread_out(
            self.correction.public.factor, leaf, lattice.key(self.correction.public.levels)
        )

    def value(self, queries: Mapping[str, Query]) -> Floats:
        """Best corrected value of each query."""
        return self.fit.value(queries, of=self.leaves)

    def posterior(self, levels: LevelNames) -> Posterior | None:
        """The shrunken values of a level; None where it is not shrunken."""
        return self.shrunken.get(self.fit.lattice.key(levels)) if self.shrunken else None

    def bounded(self, queries: Mapping[str, Query]) -> Floats | None:
        """The value before correction; None where nothing is corrected."""
        return None if self.correction is None else self.fit.value(queries)

    def variance(self, queries: Mapping[str, Query]) -> Floats:
        """Variance of ``value``: noise, and what is uncertain about the correction."""
        noise = self.fit.variance(queries)
        if self.correction is None:
            return noise
        kept, corrected = self.fit.value(queries), self.value(queries)
        factor = self.correction.public.factor
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(kept > 0, corrected / kept, float(factor.mean()))
        ratio = np.clip(ratio, factor.min(), factor.max())
        return np.asarray(
            noise * ratio**2 + self._factor_variance(queries) + self._local_variance(queries, kept, ratio - 1.0)
        )

    def law(self, queries: Mapping[str, Query]) -> NoiseLaw:
        """The law of the error of a typical cell, in its standard errors."""
        return self.fit.law(queries)

    def _factor_variance(self, queries: Mapping[str, Query]) -> Floats:
        """Σ over coarse cells of (rows of the query in the coarse cell)² × variance of its own factor, and, for the
        factor of the whole on which coarse cells lean, (Σ rows × lean)² × its variance."""
        assert self.correction is not None
        public, correct = self.correction.public, self.correction
        values, own, lean, sums = self.fit.leaves, correct.own_variance, correct.lean, []
        for axis, dimension in enumerate(self.grid.dimensions):
            query = queries.get(dimension.name, dimension.top.name)
            coarse = dimension.level(public.levels[dimension.name])
            if isinstance(query, str):
                level = dimension.level(query)
                pairs, group = np.unique(np.stack([level.group, coarse.group]), axis=1, return_inverse=True)
                values = sum_groups(values, group.reshape(-1), pairs.shape[1], axis)
                own, lean = (np.take(one, pairs[1], axis=axis) for one in (own, lean))
                sums.append((pairs[0].astype(np.intp), len(level.codes)))
            else:
                rows = weights(dimension, query)
                values = np.moveaxis(np.tensordot(rows, values, axes=(1, axis)), 0, axis)
                own, lean = (one.max(axis=axis, keepdims=True) for one in (own, lean))
                sums.append((np.arange(len(rows)), len(rows)))
        spread, shared = np.asarray(values**2 * own), np.asarray(values * lean)
        for axis, (group, size) in enumerate(sums):
            spread, shared = (sum_groups(one, group, size, axis) for one in (spread, shared))
        return np.asarray(spread + shared**2 * correct.whole_variance)

    def _local_variance(self, queries: Mapping[str, Query], kept: Floats, share: Floats) -> Floats:
        """How far truncated rows of a query finer than the coarse level may be from their coarse cell's share."""
        assert self.correction is not None
        public = self.correction.public
        finer = False
        for dimension in self.grid.dimensions:
            query = queries.get(dimension.name, dimension.top.name)
            coarse = dimension.level(public.levels[dimension.name])
            finer |= not isinstance(query, str) or len(dimension.level(query).codes) > len(coarse.codes)
        if not finer:
            return np.zeros(())
        rows = np.abs(kept)
        return (public.spread * share * rows) ** 2 + self.correction.cluster * share * rows * self.row_size
