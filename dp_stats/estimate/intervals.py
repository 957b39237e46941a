"""95 % intervals: normal and Laplace quantiles, limited to what is possible, and ratios by Fieller's theorem."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, optimize, special

from dp_stats.estimate.rounding import settled
from dp_stats.plan.expected import NORMAL_95

Floats = NDArray[np.float64]

LEVEL = 0.95
"""The share of intervals that hold the true value."""


@lru_cache
def laplace_sum_quantile(draws: float) -> float:
    """Half-width of the central 95 % of the sum of ``draws`` equal Laplace draws, in its standard deviations.

    ``draws`` need not be whole: the sum has characteristic function (1 + t²/(2·draws))^(−draws) at unit
    variance (the symmetric variance-gamma distribution; Kotz, Kozubowski and Podgórski 2001, ch. 4).
    2.118 for one draw; tends to the normal 1.960.
    """
    if draws > 100:
        return NORMAL_95

    def outside(x: float) -> float:
        if draws <= 1.0:
            return float(np.exp(-x * np.sqrt(2.0)))

        # P(|S| > x), with S a normal of gamma-distributed variance with mean 1 and shape `draws`
        def tail(u: float) -> float:
            scale = special.gammaincinv(draws, u) / draws
            return float(2 * special.ndtr(-x / np.sqrt(scale))) if scale > 0 else 0.0

        return float(integrate.quad(tail, 0.0, 1.0, limit=200)[0])

    return float(optimize.brentq(lambda x: outside(x) - (1 - LEVEL), 1.8, 2.2, xtol=1e-4))


def around(value: Floats, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """The interval, widened where needed so that it holds the published ``value``."""
    return np.fmin(lower, value), np.fmax(upper, value)


def whole_numbers(lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """The whole numbers of an interval: its coverage of a count is unchanged. At least one is kept."""
    first, last = np.ceil(lower - 1e-9), np.floor(upper + 1e-9)
    empty = first > last
    middle = np.rint(settled((lower + upper) / 2))
    return np.where(empty, middle, first), np.where(empty, middle, last)


def never_a_point(lower: Floats, upper: Floats, step: Floats | float, *, low: float) -> tuple[Floats, Floats]:
    """One ``step`` more on each side (not below ``low``) where an interval is a single point; 0 leaves it alone."""
    point = (upper - lower < 0.5 * np.asarray(step)) & (np.asarray(step) > 0)
    return np.where(point, np.maximum(lower - step, low), lower), np.where(point, upper + step, upper)


def ratio_interval(
    top: Floats,
    bottom: Floats,
    top_variance: Floats,
    bottom_variance: Floats,
    covariance: Floats | float,
    quantile: Floats | float,
    *,
    low: float,
    high: float,
) -> tuple[Floats, Floats, Floats]:
    """Interval and standard error of ``top / bottom``, by Fieller's theorem (Fieller 1954).

    The interval holds every r that top − r·bottom = 0 would not be rejected at; where the bottom is not
    clearly different from zero that is everything, so the interval is all of [``low``, ``high``].

    Returns:
        Lower end, upper end, and the standard error by the delta method (NaN where the bottom is not positive).
    """
    square = quantile**2
    a = bottom**2 - square * bottom_variance
    b = top * bottom - square * covariance
    c = top**2 - square * top_variance
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(np.maximum(b**2 - a * c, 0.0))
        clear = (a > 0) & (bottom > 0)
        lower = np.where(clear, (b - root) / a, low)
        upper = np.where(clear, (b + root) / a, high)
        ratio = top / bottom
        variance = (top_variance - 2 * ratio * covariance + ratio**2 * bottom_variance) / bottom**2
        error = np.where(bottom > 0, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    return np.clip(lower, low, high), np.clip(upper, low, high), error
