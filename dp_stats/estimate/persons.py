"""Distinct persons: each published table is its own measurement, for persons of several cells do not add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Statistic
from dp_stats.errors import CatalogueError
from dp_stats.estimate.noise_law import NoiseLaw, one_draw
from dp_stats.plan.algebra import Query
from dp_stats.plan.model import Measurement

Floats = NDArray[np.float64]


class Persons:
    """Noisy tables of distinct persons, with the same questions as ``Quantity``; only level names can be asked."""

    lowest = 0.0

    def __init__(
        self,
        statistic: Statistic,
        grid: Grid,
        measurements: Iterable[Measurement],
        noisy: Mapping[str, NDArray[np.int64]],
    ) -> None:
        self.statistic = statistic
        self.grid = grid
        self._measured = {tuple(grid.complete(m.levels).values()): m for m in measurements}
        self._noisy = noisy

    @property
    def fit(self) -> Persons:
        """Values before correction, which are the values: nothing is corrected."""
        return self

    @property
    def whole(self) -> dict[tuple[str, ...], Floats]:
        """Published whole numbers by level."""
        return {key: np.maximum(self.value(m.levels), 0.0) for key, m in self._measured.items()}

    def _find(self, queries: Mapping[str, Query]) -> Measurement:
        asked = [queries.get(d.name, d.top.name) for d in self.grid.dimensions]
        if all(isinstance(one, str) for one in asked) and tuple(map(str, asked)) in self._measured:
            return self._measured[tuple(map(str, asked))]
        raise CatalogueError(
            f"Distinct persons ('{self.statistic.id}') cannot be added up. Publish a table of them at that level, or use a count."
        )

    def value(self, queries: Mapping[str, Query]) -> Floats:
        """The noisy table at a measured level."""
        m = self._find(queries)
        return self._noisy[m.id].reshape(m.shape).astype(np.float64)

    def bounded(self, queries: Mapping[str, Query]) -> Floats | None:
        """Nothing is corrected."""
        self._find(queries)
        return None

    def variance(self, queries: Mapping[str, Query]) -> Floats:
        """Variance of each cell's noise."""
        m = self._find(queries)
        return np.full(m.shape, m.variance)

    def covariance(self, first: Mapping[str, Query], second: Mapping[str, Query]) -> Floats:
        """Two tables have independent noise; a table has its variance with itself."""
        a, b = self._find(first), self._find(second)
        return self.variance(first) if a is b else np.zeros(np.broadcast_shapes(a.shape, b.shape))

    def law(self, queries: Mapping[str, Query]) -> NoiseLaw:
        """The law of one draw, in its standard errors."""
        m = self._find(queries)
        return one_draw(m.scale, "discrete_gaussian" if m.epsilon is None else "discrete_laplace")
