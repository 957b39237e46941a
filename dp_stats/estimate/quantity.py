"""One additive statistic: best values and variances of any sum of its cells, corrected for what was truncated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Level, LevelNames, sum_groups
from dp_stats.catalogue.models import Statistic
from dp_stats.estimate.late import added_noise
from dp_stats.estimate.lattice import LevelIndex
from dp_stats.estimate.leastsquares import LeastSquares
from dp_stats.estimate.noise_law import NoiseLaw
from dp_stats.estimate.truncation import Correction, Factors
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

    def __init__(
        self, statistic: Statistic, fit: LeastSquares, correction: Correction | None = None, late: Factors | None = None
    ) -> None:
        self.statistic = statistic
        self.fit = fit
        self.grid = fit.grid
        self.correction = correction
        self.factors = [*([late] if late else []), *([correction.factors] if correction else [])]
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
        values = self.fit.leaves
        for factors in self.factors:
            values = values * self.spread_out(factors)
        return values

    def spread_out(self, factors: Factors) -> Floats:
        """The factor of every leaf."""
        lattice = self.fit.lattice
        leaf = tuple(0 for _ in self.grid.dimensions)
        return lattice.spread_out(factors.factor, leaf, lattice.key(factors.levels))

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
        variance, values = self.fit.variance(queries), self.fit.leaves
        for factors in self.factors:
            corrected = values * self.spread_out(factors)
            kept, after = (self.fit.value(queries, of=leaves) for leaves in (values, corrected))
            factor = factors.factor
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(kept > 0, after / kept, float(factor.mean()))
            ratio = np.clip(ratio, factor.min(), factor.max())
            noise = added_noise(self.fit, factors, queries, ratio) if factors.adds else variance * ratio**2
            doubt, chance = self.local_doubt(factors, queries, kept, ratio - 1.0)
            variance = np.asarray(noise + self._factor_variance(factors, queries, values) + (doubt**2 + chance))
            values = corrected
        return variance

    def law(self, queries: Mapping[str, Query]) -> NoiseLaw:
        """The law of the error of a typical cell, in its standard errors."""
        return self.fit.law(queries)

    def _factor_variance(self, factors: Factors, queries: Mapping[str, Query], values: Floats) -> Floats:
        """Σ over coarse cells of (rows of the query in the coarse cell)² × variance of its own factor, and, for the
        factor of the whole on which coarse cells lean, (Σ rows × lean)² × its variance."""
        own, lean, sums = factors.own_variance, factors.lean, []
        for axis, dimension in enumerate(self.grid.dimensions):
            query = queries.get(dimension.name, dimension.top.name)
            coarse = dimension.level(factors.levels[dimension.name])
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
        return np.asarray(spread + shared**2 * factors.whole_variance)

    def local_doubt(
        self, factors: Factors, queries: Mapping[str, Query], kept: Floats, share: Floats
    ) -> tuple[Floats, Floats]:
        """How far added rows of a query finer than the coarse level may be from their coarse cell's share: the standard
        deviation of how finer cells differ, and the variance of the chance of which cell a row falls in."""
        finer = False
        for dimension in self.grid.dimensions:
            query = queries.get(dimension.name, dimension.top.name)
            coarse = dimension.level(factors.levels[dimension.name])
            finer |= _splits(query, dimension, coarse)
        if not finer:
            return np.zeros(()), np.zeros(())
        rows = np.abs(kept)
        doubt = factors.spread * share * rows
        if factors.adds:  # a share may be below nothing by its noise, what falls in a cell by chance may not
            share = np.maximum(share, 0.0)
        return doubt, factors.cluster * share * rows * self.row_size


def _splits(query: Query, dimension: Dimension, coarse: Level) -> bool:
    """Whether a query takes only some of the leaves of a group of a coarse level, or takes them unlike."""
    if isinstance(query, str):
        return len(dimension.level(query).codes) > len(coarse.codes)
    rows = weights(dimension, query)
    first = np.unique(coarse.group, return_index=True)[1]
    return not np.array_equal(rows, rows[:, first][:, coarse.group])
