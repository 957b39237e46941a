"""Totals, means and changes from sums over windows of time: the value, its interval and its standard error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.across import AcrossStatistic
from dp_stats.catalogue.models import Statistic
from dp_stats.estimate.intervals import around, ratio_interval
from dp_stats.estimate.noise_law import NoiseLaw
from dp_stats.estimate.spread import Spread
from dp_stats.plan.expected import NORMAL_95

Floats = NDArray[np.float64]
Made = tuple[Floats, Floats, Floats, Floats, Floats]
"""Value, unrounded value, lower and upper end, standard error."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Sums over windows, and over earlier ones; arrays of one shape, rows first. ``change_variance`` is that of
    ``value − before``, which tells what both share."""

    value: Floats
    variance: Floats
    before: Floats
    before_variance: Floats
    change_variance: Floats

    @property
    def covariance(self) -> Floats:
        """Of ``value`` with ``before``."""
        return np.asarray((self.variance + self.before_variance - self.change_variance) / 2)


@dataclass(frozen=True, eq=False)
class Spans:
    """Of each row: days of the window and of the earlier one, and days between their middles; NaN where there is none."""

    days: Floats
    days_before: Floats
    between: Floats

    @classmethod
    def of(cls, pairs: Sequence[tuple[tuple[date, date], tuple[date, date] | None] | None]) -> Spans:
        """From the first and last days."""
        rows = np.full((len(pairs), 3), np.nan)
        for row, pair in zip(rows, pairs, strict=True):
            if pair is not None:
                (first, last), before = pair
                row[0] = (last - first).days + 1
                if before is not None:
                    row[1] = (before[1] - before[0]).days + 1
                    row[2] = ((last - before[1]).days + (first - before[0]).days) / 2
        return cls(rows[:, 0], rows[:, 1], rows[:, 2])

    def along(self, values: Floats) -> Spans:
        """The same, so that they broadcast along the rows of an array."""
        shape = (-1, *[1] * (values.ndim - 1))
        return Spans(self.days.reshape(shape), self.days_before.reshape(shape), self.between.reshape(shape))


def estimate_of(
    one: AcrossStatistic,
    statistic: Statistic,
    sums: Compared,
    *,
    laws: tuple[NoiseLaw, NoiseLaw],
    spans: Spans,
    scale: Floats | float = 1.0,
) -> Made:
    """A statistic across editions.

    Args:
        statistic: what the sums are of. laws: of the errors of a sum, and of a difference.
        scale: what values are multiplied by, for a rate; a ratio of rates is one of amounts.
    """
    low = -np.inf if statistic.kind == "sum" and (statistic.lower or 0) < 0 else 0.0
    if one.kind in ("total", "cumulative", "mean"):
        divisor = one.periods if one.kind == "mean" else 1
        return _scaled(_total(sums.value, sums.variance, statistic, laws[0], low), np.asarray(scale) / divisor)
    if one.kind == "difference":
        best = _best(sums.value, statistic, low) - _best(sums.before, statistic, low)
        error = np.sqrt(sums.change_variance)
        unrounded = sums.value - sums.before
        spread = Spread(unrounded, error, laws[1], error, False)
        ends = spread.published(best, statistic, low=-np.inf)
        return _scaled((best, unrounded, *ends, error), np.asarray(scale))
    ratio = _ratio(sums, statistic, max(laws[1].two_sided, NORMAL_95), low)
    if one.kind == "ratio":
        return ratio
    growth = _growth(ratio, spans.along(sums.value))
    return growth if one.kind == "growth" else _doubling(growth)


def _best(value: Floats, statistic: Statistic, low: float) -> Floats:
    """What is published of a sum: a count is a whole number and not negative."""
    return np.asarray(np.maximum(value if statistic.kind == "sum" else np.rint(value), low))


def _total(value: Floats, variance: Floats, statistic: Statistic, law: NoiseLaw, low: float) -> Made:
    error, best = np.sqrt(variance), _best(value, statistic, low)
    return best, value, *Spread(value, error, law, error, False).published(best, statistic, low=low), error


def _scaled(made: Made, scale: Floats) -> Made:
    known = np.isfinite(made[0]) & np.isfinite(scale)
    value, unrounded, lower, upper, error = (np.where(known, part * scale, np.nan) for part in made)
    return value, unrounded, lower, upper, error


def _ratio(sums: Compared, statistic: Statistic, reach: float, low: float) -> Made:
    """By Fieller's theorem; NaN where the amount before is not clearly above zero."""
    lower, upper, error = ratio_interval(
        sums.value, sums.before, sums.variance, sums.before_variance, sums.covariance, reach, low=0.0, high=np.inf
    )
    best, before = _best(sums.value, statistic, low), _best(sums.before, statistic, low)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, unrounded = best / before, sums.value / sums.before
        known = np.isfinite(upper) & (before > 0) & np.isfinite(value)
        lower, upper = around(np.where(known, value, 0.0), lower, upper)
    parts = (np.where(known, part, np.nan) for part in (value, unrounded, lower, upper, error))
    value, unrounded, lower, upper, error = parts
    return value, unrounded, lower, upper, error


def _growth(ratio: Made, spans: Spans) -> Made:
    """Per cent a day, from a ratio: 100 × the logarithm of the ratio of daily means, by days between the windows; NaN where
    an amount is not clearly above zero."""
    value, unrounded, lower, upper, error = ratio
    with np.errstate(divide="ignore", invalid="ignore"):
        known = (lower > 0) & (value > 0) & (unrounded > 0)
        alike = np.asarray(spans.days_before / spans.days)
        parts = (100 * np.log(part * alike) / spans.between for part in (value, unrounded, lower, upper))
        value, unrounded, lower, upper = (np.where(known, part, np.nan) for part in parts)
        error = np.where(known, 100 * error / ratio[1] / spans.between, np.nan)
    return value, unrounded, lower, upper, error


def _doubling(growth: Made) -> Made:
    """Days to double, or below zero to halve; NaN where growth may be nothing."""
    value, unrounded, lower, upper, error = growth
    with np.errstate(divide="ignore", invalid="ignore"):
        clear = ((lower > 0) & (unrounded > 0)) | ((upper < 0) & (unrounded < 0))
        days = 100 * np.log(2)
        parts = (days / value, days / unrounded, days / upper, days / lower, days * error / unrounded**2)
        value, unrounded, lower, upper, error = (np.where(clear, part, np.nan) for part in parts)
    return value, unrounded, lower, upper, error
