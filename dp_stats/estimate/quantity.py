"""One additive statistic: best values and variances of any sum of its cells, corrected for what was truncated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import LevelNames
from dp_stats.catalogue.models import Statistic
from dp_stats.estimate.doubt import absolute_of, doubt_of_factors, sides_of, splitting
from dp_stats.estimate.late_rows import LateRows
from dp_stats.estimate.lattice import LevelIndex
from dp_stats.estimate.leastsquares import LeastSquares
from dp_stats.estimate.noise_law import Draws, NoiseLaw
from dp_stats.estimate.truncation import Correction, Factors
from dp_stats.plan.algebra import Query

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
        self,
        statistic: Statistic,
        fit: LeastSquares,
        correction: Correction | None = None,
        late: LateRows | None = None,
    ) -> None:
        self.statistic = statistic
        self.fit = fit
        self.grid = fit.grid
        self.correction = correction
        self.late = late if statistic.kind == "count" else None
        others = [late.factors(fit)] if late is not None and self.late is None else []
        self.factors = [*others, *([correction.factors] if correction else [])]
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
        values = self.counted
        for factors in self.factors:
            values = values * self.spread_out(factors)
        return values

    @cached_property
    def counted(self) -> Floats:
        """Leaves as they were counted, late rows with them, before any factor."""
        return self.fit.leaves if self.late is None else self.late.leaves(self.fit)

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
        noise, added, subtracted = self.signed_variance(queries)
        return np.asarray(noise + added**2 + subtracted**2)

    def signed_variance(self, queries: Mapping[str, Query]) -> tuple[Floats, Floats, Floats]:
        """What is uncertain about ``value`` of queries whose weights may be negative.

        What a coarse cell's factor is uncertain about counts once for all of a query that lies in the cell, with its sign.

        Returns:
            The variance of noise and chance; standard deviations of how cells differ in their share of late and truncated
            rows, of what is added and of what is subtracted.
        """
        variance, values = self.noise(queries), self.counted
        doubts = [np.zeros(()), np.zeros(())]
        sides, absolute = sides_of(queries), absolute_of(queries)
        for number, side in enumerate(sides):
            if side is not None and self.late is not None:
                doubts[number], chance = self.late.doubt(self.fit, side)
                variance = variance + chance
        for factors in self.factors:
            corrected = values * self.spread_out(factors)
            ratio = _ratio(factors, self.fit.value(absolute, of=values), self.fit.value(absolute, of=corrected))
            drawn = np.broadcast_to(np.asarray(factors.drawn), factors.factor.shape)
            alone, common = doubt_of_factors(self.grid, factors, queries, values, factors.own_variance - drawn)
            variance = np.asarray(variance * ratio**2 + alone + common)
            for number, side in enumerate(sides):
                if side is not None:
                    kept, after = self.fit.value(side, of=values), self.fit.value(side, of=corrected)
                    doubt, chance = self.local_doubt(factors, side, kept, _ratio(factors, kept, after) - 1.0)
                    differ = doubt_of_factors(self.grid, factors, side, values, drawn)[0] if drawn.any() else 0.0
                    doubts[number] = np.sqrt(doubts[number] ** 2 + doubt**2 + differ)
                    variance = variance + chance
            values = corrected
        return variance, doubts[0], doubts[1]

    def noise(self, queries: Mapping[str, Query]) -> Floats:
        """Variance of the noise of what was counted, late rows with it."""
        return self.fit.variance(queries) if self.late is None else self.late.noise(self.fit, queries)

    def law(self, queries: Mapping[str, Query]) -> NoiseLaw:
        """The law of the error of a typical cell, in its standard errors."""
        if self.late is None:
            return self.fit.law(queries)
        times, more = self.late.draws(self.fit, queries)
        return self.fit.law(queries, times=times, more=more)

    def noise_draws(self, queries: Mapping[str, Query]) -> list[Draws]:
        """The noise draws that the error of a typical cell is made of."""
        own = self.fit.noise_draws(queries)
        if self.late is None:
            return own
        times, more = self.late.draws(self.fit, queries)
        return [*(replace(d, weight=d.weight * times) for d in own), *more]

    def local_doubt(
        self, factors: Factors, queries: Mapping[str, Query], kept: Floats, share: Floats
    ) -> tuple[Floats, Floats]:
        """How far added rows of a query finer than the coarse level may be from their coarse cell's share: the standard
        deviation of how finer cells differ, and the variance of the chance of which cell a row falls in."""
        finer = splitting(self.grid, queries, factors.levels)
        if not finer.any():
            return np.zeros(()), np.zeros(())
        rows, share = np.where(finer, np.abs(kept), 0.0), share + factors.unsure
        chance = np.maximum(share, 0.0)  # a share may be below nothing by its noise, what falls in a cell may not
        return factors.spread * share * rows, factors.cluster * chance * rows * self.row_size


def _ratio(factors: Factors, kept: Floats, after: Floats) -> Floats:
    factor = factors.factor
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(kept > 0, after / kept, float(factor.mean()))
    return np.clip(ratio, factor.min(), factor.max())
