"""The best linear unbiased estimate of one statistic from all its noisy measurements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid, LevelNames, sum_groups
from dp_stats.estimate.lattice import Lattice, without_unused_levels
from dp_stats.estimate.noise_law import Draws, NoiseLaw, law_of
from dp_stats.plan.algebra import Key, Query, Structure, key_of, weights
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.model import Measurement

Floats = NDArray[np.float64]


MOST_LAWS = 1024
"""How many laws a process keeps: editions of a series have the same ones, and finding them takes longer than fitting."""

_laws: dict[tuple[str, ...], NoiseLaw] = {}


class LeastSquares:
    """Generalised least squares over every measured table of one additive statistic.

    Values are in the statistic's own unit (a sum's steps times their size).

    Args:
        grid: the public grid of the edition.
        measurements: the plan's measurements of this statistic, of role ``statistic``.
        noisy: measurement id → noisy integers.
        needed: levels that will be asked for, besides the measured ones.
        draws: how many tables with noise of their own were added up to each of ``noisy``.
    """

    def __init__(
        self,
        grid: Grid,
        measurements: Iterable[Measurement],
        noisy: Mapping[str, NDArray[np.int64]],
        needed: Iterable[LevelNames] = (),
        *,
        draws: int = 1,
    ) -> None:
        self.measurements = tuple(measurements)
        self.draws = draws
        self.grid = without_unused_levels(grid, [*(m.levels for m in self.measurements), *needed])
        self.lattice = Lattice(self.grid)
        self.unit = float(self.measurements[0].unit)
        precision: dict[Key, float] = {}
        weighted: dict[Key, Floats] = {}
        for m in self.measurements:
            level = self._level(m)
            precision[level] = precision.get(level, 0.0) + 1 / m.variance
            weighted[level] = weighted.get(level, np.zeros(m.shape)) + noisy[m.id].reshape(m.shape) / m.variance
        self.structure = Structure(self.grid, precision)
        self._measured = {level: total / precision[level] for level, total in weighted.items()}

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
        return np.asarray(self.structure.query_variance(queries)) * (self.unit**2 * self.draws)

    def covariance(self, first: Mapping[str, Query], second: Mapping[str, Query]) -> Floats:
        """Covariance of ``value(first)`` with ``value(second)``; one-query dimensions are repeated."""
        return np.asarray(self.structure.covariance(first, second)) * (self.unit**2 * self.draws)

    def law(self, queries: Mapping[str, Query], *, times: float = 1.0, more: Sequence[Draws] = ()) -> NoiseLaw:
        """The law of the error of a typical (the middle) cell of ``queries``, in its standard errors.

        Windows of time that are a group of a level (a week's last 7-day sum) have that level's law. Where something else was
        added to values, ``more`` are its draws in that cell, and ``times`` is what the noise of the fit is multiplied by.
        """
        added = [replace(d, weight=round(d.weight / times, 2)) for d in more]  # nearly equal laws count as one
        asked = (queries.get(d.name, d.top.name) for d in self.grid.dimensions)
        key = (
            self._shape,
            *map(repr, added),
            *(q if isinstance(q, str) else hashlib.sha256(np.asarray(q).tobytes()).hexdigest() for q in asked),
        )
        if key not in _laws:
            if len(_laws) >= MOST_LAWS:
                _laws.clear()
            _laws[key] = law_of([*self.noise_draws(queries), *added])
        return _laws[key]

    @cached_property
    def _shape(self) -> str:
        """A digest of all that laws depend on: the grid, and how each level was measured; no value."""
        hashed = hashlib.sha256(repr(self.draws).encode())
        for dimension in self.grid.dimensions:
            hashed.update(dimension.name.encode() + b"\0")
            for level in dimension.levels:
                hashed.update(
                    f"{level.name}\0{len(level.codes)}\0".encode() + np.asarray(level.group, np.int64).tobytes()
                )
        for m in self.measurements:
            levels = self.lattice.names(self.lattice.key(m.levels))
            hashed.update(repr((levels, m.scale, m.variance, m.epsilon is None)).encode())
        return hashed.hexdigest()

    def noise_draws(self, queries: Mapping[str, Query]) -> list[Draws]:
        """The noise draws that the error of the middle cell is made of, equal ones together."""
        cell = [middle_of(d, queries.get(d.name, d.top.name)) for d in self.grid.dimensions]
        found = []
        for m in self.measurements:
            names = self.lattice.names(self.lattice.key(m.levels))
            covariances, cells = self.structure.covariances_with(cell, names)
            size = np.abs(covariances).ravel() / m.variance
            known = size > 1e-9 * max(float(size.max(initial=0.0)), 1e-300)
            # draws of weights within a thousandth count as equal
            weights_, kind = np.unique(np.exp(np.round(np.log(size[known]), 3)), return_inverse=True)
            counts = np.bincount(kind, weights=cells.ravel()[known])
            mechanism: Mechanism = "discrete_gaussian" if m.epsilon is None else "discrete_laplace"
            found += [
                Draws(float(w), int(n) * self.draws, m.scale, mechanism) for w, n in zip(weights_, counts, strict=True)
            ]
        return found


def middle_of(dimension: Dimension, query: Query) -> Floats:
    """The middle one of the queries along a dimension, as weights of its leaves."""
    if isinstance(query, str):
        level = dimension.level(query)
        return np.asarray(level.group == len(level.codes) // 2, dtype=np.float64)
    rows = weights(dimension, query)
    return np.asarray(rows[len(rows) // 2])
