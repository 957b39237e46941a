"""Privacy accounting: the only place that asks OpenDP what a noise scale costs, and the exact inverses.

Every result is rounded so that privacy is never under-stated: OpenDP's maps round upwards, what goes into
them is rounded upwards here, and sums are exact fractions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import opendp.prelude as dp

from dp_stats.catalogue.models import Budget

dp.enable_features("contrib")

DEFAULT_DELTA = Fraction(1, 10**6)
"""δ at which ε is shown where neither the release nor the budget declares one."""

LARGEST_CONVERTED = 100
"""ρ up to which ε is asked of OpenDP; beyond, it protects nobody, and a bound is good enough."""


def delta_of(budget: Budget) -> Fraction:
    """The δ at which ε is shown under a budget: its own, or the usual one."""
    return budget.delta if budget.delta is not None else DEFAULT_DELTA


def laplace_epsilon(l1: int, scale: float) -> Fraction:
    """ε of discrete Laplace noise of ``scale`` on integers that one person moves by at most ``l1`` in L1.

    Source: Ghosh, Roughgarden and Sundararajan (2009); OpenDP ``make_laplace``.
    """
    return Fraction(_laplace(scale).map(l1))


def gaussian_rho(l2_squared: int, scale: float) -> Fraction:
    """ρ of discrete Gaussian noise of ``scale`` on integers moved by at most ``√l2_squared`` in L2.

    Source: Canonne, Kamath and Steinke (2020), theorem 4; OpenDP ``make_gaussian``.
    """
    return Fraction(_gaussian(scale).map(root_up(Fraction(l2_squared))))


def scale_for_epsilon(l1: int, epsilon: Fraction) -> float:
    """The smallest Laplace scale, as a double, for which OpenDP's own map says at most ``epsilon``."""
    return _smallest(l1 / float(epsilon), lambda scale: laplace_epsilon(l1, scale) <= epsilon)


def scale_for_rho(l2_squared: int, rho: Fraction) -> float:
    """The smallest Gaussian scale, as a double, for which OpenDP's own map says at most ``rho``."""
    return _smallest(math.sqrt(l2_squared / (2 * float(rho))), lambda scale: gaussian_rho(l2_squared, scale) <= rho)


def pure_rho(epsilon: Fraction) -> Fraction:
    """ρ that an ε-differentially private table costs: ε²/2 (Bun and Steinke 2016, proposition 1.4)."""
    return epsilon * epsilon / 2


@lru_cache(maxsize=4096)
def epsilon_at(rho: Fraction, delta: Fraction) -> float:
    """ε at ``delta`` of ``rho``-zCDP, by OpenDP's conversion (Canonne, Kamath and Steinke 2020, corollary 13).

    OpenDP's conversion overflows where ρ is in the hundreds; from ``LARGEST_CONVERTED`` on this is the bound
    ρ + 2 √(ρ ln(1/δ)) (Bun and Steinke 2016, proposition 1.3), which is never below it.
    """
    if rho > LARGEST_CONVERTED:
        root = Fraction(root_up(rho * Fraction(math.nextafter(-math.log(_down(delta)), math.inf))))
        return math.nextafter(float(rho + 2 * root), math.inf)
    unit: Any = dp.c.make_zCDP_to_approxDP(_gaussian(1.0))  # its ρ is d²/2 for an input distance d
    return float(unit.map(root_up(2 * rho)).epsilon(_down(delta)))


@lru_cache(maxsize=4096)
def rho_of(epsilon: Fraction, delta: Fraction) -> Fraction:
    """The largest ρ (to a relative 2⁻⁴⁰, below it) whose ε at ``delta`` is at most ``epsilon``."""
    high = Fraction(1)
    while epsilon_at(high, delta) <= epsilon:
        high *= 2
    while epsilon_at(high / 2, delta) > epsilon:
        high /= 2
    low = high / 2
    for _ in range(40):
        middle = (low + high) / 2
        if epsilon_at(middle, delta) <= epsilon:
            low = middle
        else:
            high = middle
    return low


def root_up(square: Fraction) -> float:
    """A double at least the square root of ``square``, exact where the root is a whole number."""
    root = math.sqrt(square)
    while Fraction(root) ** 2 < square:
        root = math.nextafter(root, math.inf)
    return root


def _down(value: Fraction) -> float:
    rounded = float(value)
    return rounded if Fraction(rounded) <= value else math.nextafter(rounded, 0.0)


def _smallest(start: float, holds: Callable[[float], bool]) -> float:
    """The smallest double near ``start`` for which ``holds`` (which is false below some scale, true above)."""
    scale = start
    while holds(scale):
        scale = math.nextafter(scale, 0.0)
    while not holds(scale):
        scale = math.nextafter(scale, math.inf)
    return scale


@lru_cache(maxsize=256)
def _laplace(scale: float) -> Any:
    return dp.m.make_laplace(dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64"), scale=scale)


@lru_cache(maxsize=256)
def _gaussian(scale: float) -> Any:
    return dp.m.make_gaussian(dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64"), scale=scale)
