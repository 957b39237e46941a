"""The only place where OpenDP's noise is constructed.

One vector of exact integers goes in, the same vector plus independent discrete noise comes out, drawn by
OpenDP's exact samplers from the operating system's randomness. There is no seed to set.

Before anything is drawn, the very mechanism that will draw is asked by OpenDP's own map what the *whole* vector
costs, and that is compared with what the plan says it costs. Only then is the vector cut into chunks for two
threads. Cutting changes nothing: the mechanism adds independent noise of one scale to each coordinate, so
M(x₁, …, xₙ) has the same distribution as (M(x₁, …, xⱼ), M(xⱼ₊₁, …, xₙ)) with independent draws, and the map
that was asserted bounds the privacy loss of that joint distribution. The chunks are one release and are never
charged one by one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import opendp.prelude as dp
from numpy.typing import NDArray

from dp_stats.errors import BudgetError
from dp_stats.plan.accounting import root_up
from dp_stats.plan.mechanism import Mechanism

THREADS = 2
CHUNK = 8_192
"""Cells in one call: long enough that its fixed cost vanishes, short enough to share the work evenly."""

LARGEST = 2**62
"""Exact answers beyond this could saturate when noise is added; no declared bound reaches it."""

dp.enable_features("contrib")


def add_noise(
    values: NDArray[np.int64],
    *,
    mechanism: Mechanism,
    scale: float,
    l1: int,
    l2_squared: int,
    epsilon: Fraction | None = None,
    rho: Fraction | None = None,
) -> NDArray[np.int64]:
    """Add discrete noise of one scale to every integer of a vector, after asserting what that costs.

    Args:
        values: exact bounded integers of any shape.
        scale: Laplace b or Gaussian σ, in integer steps.
        l1, l2_squared: how far one person can move the whole vector.
        epsilon: the most the vector may cost (discrete Laplace). rho: the same (discrete Gaussian).

    Returns:
        Noisy integers of the same shape.

    Raises:
        BudgetError: OpenDP's map says that the vector costs more than it may. Nothing is drawn then.
        TypeError, OverflowError: the values are not 64-bit integers of a safe size.
    """
    if values.dtype != np.int64:
        raise TypeError("only 64-bit integers may meet noise")
    if values.size and max(abs(int(values.min())), abs(int(values.max()))) > LARGEST:
        raise OverflowError("an exact answer is too large to add noise to")
    mechanism_of_vector = _measurement(mechanism, scale)
    moved, allowed = (l1, epsilon) if mechanism == "discrete_laplace" else (root_up(Fraction(l2_squared)), rho)
    _assert_cost(mechanism_of_vector, moved=moved, allowed=allowed)
    flat = np.ascontiguousarray(values).reshape(-1)
    chunks = [flat[start : start + CHUNK] for start in range(0, flat.size, CHUNK)]

    def noisy(chunk: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.array(mechanism_of_vector(chunk), dtype=np.int64)

    with ThreadPoolExecutor(THREADS) as pool:
        drawn = list(pool.map(noisy, chunks))
    return np.concatenate(drawn).reshape(values.shape) if drawn else values.copy()


def _assert_cost(mechanism_of_vector: Any, *, moved: float, allowed: Fraction | None) -> None:
    """Ask the mechanism that will draw what it costs: at another scale it would name another cost."""
    if allowed is None or Fraction(mechanism_of_vector.map(moved)) > allowed:
        raise BudgetError(
            "The noise of one table would cost more than its plan says; nothing was drawn. "
            "Make the plan again (dp-stats plan) and have it approved again."
        )


def _measurement(mechanism: Mechanism, scale: float) -> Any:
    domain = dp.vector_domain(dp.atom_domain(T="i64"))
    if mechanism == "discrete_laplace":
        return (domain, dp.l1_distance(T="i64")) >> dp.m.then_laplace(scale)
    return (domain, dp.l2_distance(T="f64")) >> dp.m.then_gaussian(scale)
