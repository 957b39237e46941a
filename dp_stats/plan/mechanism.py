"""The two noise mechanisms, and how much one value of each varies."""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

Mechanism = Literal["discrete_laplace", "discrete_gaussian"]


@cache
def noise_variance(scale: float, mechanism: Mechanism) -> float:
    """Variance of one discrete noise value of ``scale``, in integer steps squared (not the continuous formula)."""
    if mechanism == "discrete_laplace":
        half = 1 / (2 * scale)
        return 0.0 if half > 300 else 1 / (2 * math.sinh(half) ** 2)
    if scale > 5:
        return scale * scale  # the discrete variance differs by less than 1e-200
    terms = [(k, math.exp(-k * k / (2 * scale * scale))) for k in range(1, math.ceil(40 * scale) + 2)]
    return 2 * sum(k * k * t for k, t in terms) / (1 + 2 * sum(t for _, t in terms))
