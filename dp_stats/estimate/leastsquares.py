"""The best linear unbiased estimate of one statistic from all its noisy measurements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Grid, LevelNames, sum_groups
from dp_stats.estimate.intervals import laplace_sum_quantile, normal_quantile, one_draw_quantile, quantile_of_parts
from dp_stats.estimate.lattice import Lattice, without_unused_levels
from dp_stats.plan.algebra import Key, Query, Structure, key_of, weights
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.model import Measurement

Floats = NDArray[np.float64]


class LeastSquares:
    """Generalised least squares over every measured table of one additive statistic.

    Values are in the statistic's own unit (a sum's steps times their size).

    Args:
        grid: the public grid of the edition.
        measurements: the plan's measurements of this statistic, of role ``statistic``.
        noisy: measurement id → noisy integers.
        needed: levels that will be asked for, besides the measured ones.
    """

    def __init__(
        self,
        grid: Grid,
        measurements: Iterable[Measurement],
        noisy: Mapping[str, NDArray[np.int64]],
        needed: Iterable[LevelNames] = (),
    ) -> None:
        self.measurements = tuple(measurements)
        self.grid = without_unused_levels(grid, [*(m.levels for m in self.measurements), *needed])
        self.lattice = Lattice(self.grid)
        self.unit = float(self.measurements[0].unit)
        self.laplace = any(m.epsilon is not None for m in self.measurements)
        precision: dict[Key, float] = {}
        weighted: dict[Key, Floats] = {}
        for m in self.measurements:
            level = self._level(m)
            precision[level] = precision.get(level, 0.0) + 1 / m.variance
            weighted[level] = weighted.get(level, np.zeros(m.shape)) + noisy[m.id].reshape(m.shape) / m.variance
        self.structure = Structure(self.grid, precision)
        self._measured = {level: total / precision[level] for level, total in weighted.items()}
        self._quantiles: dict[Key, float] = {}

    def _level(self, measurement: Measurement) -> Key:
        return key_of(self.grid, self.lattice.names(self.lattice.key(measurement.levels)))

    @cached_property
    def leaves(self) -> Floats:
        """The estimate of every leaf of ``self.grid``."""
        return self.structure.estimate(self._measured) * self.unit

    def value(self, queries: Mapping[str, Query], *, of: Floats | None = None) -> Floats:
        """Product queries: dimension → level name or weights ``(queries, leaves)``; a dimension left out is summed.
        ``of`` is an array of leaves to take instead of the estimate.

        Returns:
            Array with one axis per dimension, as long as its queries; ``grid.shape(levels)`` for level names.
        """
        values = self.leaves if of is None else of
        for axis, dimension in enumerate(self.grid.dimensions):
            query = queries.get(dimension.name, dimension.top.name)
            if isinstance(query, str):
                level = dimension.level(query)
                values = sum_groups(values, level.group, len(level.codes), axis)
            else:
                values = np.moveaxis(np.tensordot(weights(dimension, query), values, axes=(1, axis)), 0, axis)
        return values

    def variance(self, queries: Mapping[str, Query]) -> Floats:
        """Variance of ``value(queries)``, same shape; infinite where what was measured does not tell."""
        return np.asarray(self.structure.query_variance(queries)) * self.unit**2

    def covariance(self, first: Mapping[str, Query], second: Mapping[str, Query]) -> Floats:
        """Covariance of ``value(first)`` with ``value(second)``; one-query dimensions are repeated."""
        return np.asarray(self.structure.covariance(first, second)) * self.unit**2

    def quantile(self, queries: Mapping[str, Query]) -> float:
        """How many standard errors a 95 % interval reaches on each side, for a typical cell of ``queries``.

        Gaussian noise: 1.96. Laplace noise: between 2.12 (one draw dominates) and 1.96 (many draws), from how
        the middle cell's error is shared among the draws it is made of.
        """
        if len(self.measurements) == 1 and self._is_measured(queries):
            continuous = laplace_sum_quantile(1.0) if self.laplace else normal_quantile()
            mechanism: Mechanism = "discrete_laplace" if self.laplace else "discrete_gaussian"
            return max(continuous, one_draw_quantile(self.measurements[0].scale, mechanism))
        if not self.laplace:
            return normal_quantile()
        asked = (queries.get(d.name, d.top.name) for d in self.grid.dimensions)
        key = tuple(q if isinstance(q, str) else hashlib.sha256(np.asarray(q).tobytes()).hexdigest() for q in asked)
        if key not in self._quantiles:
            self._quantiles[key] = quantile_of_parts(self._parts(queries))
        return self._quantiles[key]

    def _is_measured(self, queries: Mapping[str, Query]) -> bool:
        """Whether the only measurement answers the queries by itself."""
        level = dict(zip((d.name for d in self.grid.dimensions), self._level(self.measurements[0]), strict=True))
        names = {d.name: queries.get(d.name, d.top.name) for d in self.grid.dimensions}
        return all(isinstance(name, str) for name in names.values()) and self.lattice.key(
            {d: str(name) for d, name in names.items()}
        ) == self.lattice.key(level)

    def _parts(self, queries: Mapping[str, Query]) -> Floats:
        """What each Laplace draw adds to the variance of the middle cell."""
        cell = np.ones(())
        for dimension in self.grid.dimensions:
            rows = weights(dimension, queries.get(dimension.name, dimension.top.name))
            cell = np.multiply.outer(cell, rows[len(rows) // 2])
        solved = self.structure.solve(cell)
        parts = []
        for m in self.measurements:
            answer = self.grid.roll_up(solved, self.lattice.names(self.lattice.key(m.levels))) / m.variance
            parts.append(answer.ravel() ** 2 * m.variance)
        return np.concatenate(parts)
