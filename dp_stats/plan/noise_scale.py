"""The noise of one measured table: its scale, and what it costs, from what one person moves and what may be spent."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from dp_stats.plan import accounting
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.sensitivity import Sensitivity


class NoiseScale(NamedTuple):
    """Scale in integer steps, ε (None for Gaussian noise) and ρ."""

    scale: float
    epsilon: Fraction | None
    rho: Fraction


def noise_scale(moves: Sensitivity, mechanism: Mechanism, budget: Fraction) -> NoiseScale:
    """The least noise that ``budget`` pays for: ε of Laplace noise, ρ of Gaussian."""
    if mechanism == "discrete_laplace":
        scale = accounting.scale_for_epsilon(moves.l1, budget)
        epsilon = accounting.laplace_epsilon(moves.l1, scale)
        return NoiseScale(scale, epsilon, accounting.pure_rho(epsilon))
    scale = accounting.scale_for_rho(moves.l2_squared, budget)
    return NoiseScale(scale, None, accounting.gaussian_rho(moves.l2_squared, scale))
