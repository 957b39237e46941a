"""Discrete noise for benchmarks and simulations alone (the pipeline draws by OpenDP): exact laws, seeded by numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def discrete_laplace(rng: np.random.Generator, scale: float, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Whole numbers with P(x) ∝ exp(−|x| / scale): the difference of two geometric draws."""
    stop = -np.expm1(-1 / scale)
    return np.asarray(rng.geometric(stop, shape) - rng.geometric(stop, shape), dtype=np.int64)


def discrete_gaussian(rng: np.random.Generator, scale: float, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Whole numbers with P(x) ∝ exp(−x² / (2 scale²)), by inversion of their distribution."""
    reach = int(np.ceil(12 * scale)) + 2
    support = np.arange(-reach, reach + 1)
    below = np.cumsum(np.exp(-(support**2) / (2 * scale**2)))
    return np.asarray(support[np.searchsorted(below, rng.random(shape) * below[-1], side="right")], dtype=np.int64)
