"""Between ρ and (ε, δ), until `plan.accounting` is there: Bun and Steinke 2016, proposition 1.3, on the safe side."""

from __future__ import annotations

from fractions import Fraction
from math import log, sqrt


def epsilon_at(rho: Fraction, delta: Fraction) -> float:
    """An ε that ρ-zCDP satisfies at ``delta``: ρ + 2√(ρ ln 1/δ)."""
    return float(rho) + 2 * sqrt(float(rho) * log(1 / float(delta)))


def rho_of(epsilon: Fraction, delta: Fraction) -> Fraction:
    """A ρ whose ε at ``delta`` is at most ``epsilon``."""
    width = log(1 / float(delta))
    return Fraction((sqrt(float(epsilon) + width) - sqrt(width)) ** 2 * (1 - 1e-12))
