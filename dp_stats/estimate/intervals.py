"""95 % intervals: normal and Laplace quantiles, limited to what is possible, and ratios by Fieller's theorem."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, optimize, special

from dp_stats.plan.mechanism import Mechanism, noise_variance

Floats = NDArray[np.float64]

LEVEL = 0.95


@lru_cache
def normal_quantile() -> float:
    """Standard errors that a two-sided 95 % normal interval reaches on each side."""
    return float(special.ndtri(0.5 + LEVEL / 2))


@lru_cache
def laplace_sum_quantile(draws: float) -> float:
    """Half-width of the central 95 % of the sum of ``draws`` equal Laplace draws, in its standard deviations.

    ``draws`` need not be whole: the sum has characteristic function (1 + t²/(2·draws))^(−draws) at unit
    variance (the symmetric variance-gamma distribution; Kotz, Kozubowski and Podgórski 2001, ch. 4).
    2.118 for one draw; tends to the normal 1.960.
    """
    if draws > 100:
        return normal_quantile()

    def outside(x: float) -> float:
        if draws <= 1.0:
            return float(np.exp(-x * np.sqrt(2.0)))

        # P(|S| > x), with S a normal of gamma-distributed variance with mean 1 and shape `draws`
        def tail(u: float) -> float:
            scale = special.gammaincinv(draws, u) / draws
            return float(2 * special.ndtr(-x / np.sqrt(scale))) if scale > 0 else 0.0

        return float(integrate.quad(tail, 0.0, 1.0, limit=200)[0])

    return float(optimize.brentq(lambda x: outside(x) - (1 - LEVEL), 1.8, 2.2, xtol=1e-4))


@lru_cache
def one_draw_quantile(scale: float, mechanism: Mechanism) -> float:
    """Standard errors that a 95 % interval of one discrete noise value reaches: a whole number of steps.

    A continuous quantile would be limited to the steps inside it, which hold as little as 90 % where noise is small.
    """
    deviation = math.sqrt(noise_variance(scale, mechanism))
    if scale > 50:
        return laplace_sum_quantile(1.0) if mechanism == "discrete_laplace" else normal_quantile()
    steps = np.arange(1, math.ceil(20 * scale) + 20)
    tails = np.exp(-steps / scale if mechanism == "discrete_laplace" else -(steps**2) / (2 * scale**2))
    inside = np.concatenate([[1.0], 1 + 2 * np.cumsum(tails)]) / (1 + 2 * tails.sum())
    return float(int(np.argmax(inside >= LEVEL)) / max(deviation, 1e-300))


def quantile_of_parts(parts: Floats) -> float:
    """Quantile for a sum of independent Laplace draws that add ``parts`` to its variance.

    The sum is matched in variance and kurtosis by one of equal draws; their number is (Σ parts)² / Σ parts².
    """
    squares = float(np.square(parts).sum())
    if squares == 0.0:
        return normal_quantile()
    draws = float(parts.sum()) ** 2 / squares
    return laplace_sum_quantile(round(max(draws, 1.0), 1))


def interval(
    centre: Floats,
    error: Floats,
    quantile: float | Floats,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    shift: float | Floats = 0.0,
) -> tuple[Floats, Floats]:
    """``centre`` + ``shift`` ± ``quantile`` · ``error``, limited to [``low``, ``high``].

    Where noise has pushed the centre below ``low``, the upper end does not fall along with it: an interval of a
    single point would look like certainty (see ``above_the_bound``).
    """
    reach = quantile * error
    lower, upper = centre + shift - reach, centre + shift + reach
    if np.isfinite(low):
        upper = np.fmax(upper, above_the_bound(centre + shift, reach / normal_quantile(), low))
    return np.clip(lower, low, high), np.clip(upper, low, high)


def above_the_bound(centre: Floats, error: Floats, low: float) -> Floats:
    """The upper end for a centre below what is possible: the 95 % point of the noise's normal law truncated at ``low``.

    It equals ``centre`` + 1.96 ``error`` for a centre at ``low`` and stays above ``low`` however far below the centre
    lies; it is wider than the interval it replaces, so coverage can only rise. NaN where the centre is not below.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where((centre < low) & (error > 0), (low - centre) / error, np.nan)
        beyond = -special.ndtri_exp(np.log(1 - LEVEL) + special.log_ndtr(-depth))
    return np.asarray(centre + beyond * error)


def skewness_shift(variance: Floats, third_moment: Floats, quantile: float) -> Floats:
    """How far both ends of an interval move for a skewed distribution (Cornish and Fisher 1938, first term)."""
    return np.asarray((quantile**2 - 1) / 6 * third_moment / np.maximum(variance, 1e-12))


def around(value: Floats, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """The interval, widened where needed so that it holds the published ``value``."""
    return np.fmin(lower, value), np.fmax(upper, value)


def whole_numbers(lower: Floats, upper: Floats, centre: Floats | None = None) -> tuple[Floats, Floats]:
    """The whole numbers of an interval: its coverage of a count is unchanged. At least one is kept.

    Where the ``centre`` is a whole number, so is the noise, and the reach is rounded (continuity correction).
    """
    if centre is not None:
        whole = np.abs(centre - np.rint(centre)) < 1e-6
        reach = np.rint(upper - centre)
        lower = np.where(whole, np.where(lower > 0, np.maximum(centre - reach, 0), np.minimum(lower, 0)), lower)
        upper = np.where(whole, centre + reach, upper)
    first, last = np.ceil(lower - 1e-9), np.floor(upper + 1e-9)
    empty = first > last
    middle = np.rint((lower + upper) / 2)
    return np.where(empty, middle, first), np.where(empty, middle, last)


def ratio_interval(
    top: Floats,
    bottom: Floats,
    top_variance: Floats,
    bottom_variance: Floats,
    covariance: Floats | float,
    quantile: float,
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
