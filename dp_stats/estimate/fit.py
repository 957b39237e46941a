"""The nearest table, in squares, that is not negative and has given margins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Margin = tuple[NDArray[np.intp], Floats]
"""Group of each cell, and the total that each group must have."""

_SWEEPS = 40
_NEWTON = 200


def nearest_with_margins(target: Floats, margins: Sequence[Margin], *, minimum: float | None = 0.0) -> Floats:
    """Minimise Σ(x − target)² subject to x ≥ ``minimum`` and Σ x over each group = its total.

    Exact block ascent on the dual: x = max(target + Σ shifts of its groups, minimum), one family of
    groups solved after another. The last margin is met to rounding error; the others as well as 40
    sweeps allow (to a thousandth where the margins agree and the sweeps converge).
    """
    low = -np.inf if minimum is None else minimum
    base = np.array(target, dtype=np.float64)
    if not margins:
        return np.maximum(base, low)
    totals = [np.asarray(total, dtype=np.float64) for _, total in margins]
    for _ in range(_SWEEPS if len(margins) > 1 else 1):
        largest = 0.0
        for (group, _), total in zip(margins, totals, strict=True):
            shift = _shift(base, group, total, low)
            base += shift[group]
            largest = max(largest, float(np.abs(shift).max(initial=0.0)))
        if largest < 1e-3:
            break
    return np.maximum(base, low)


def _shift(base: Floats, group: NDArray[np.intp], total: Floats, low: float) -> Floats:
    """The number to add to each group so that its cells, limited at ``low``, have the total."""
    groups = len(total)
    size = np.maximum(np.bincount(group, minlength=groups), 1)
    shift = (total - np.bincount(group, weights=base, minlength=groups)) / size
    if low == -np.inf:
        return np.asarray(shift)
    # from here every group's sum is at least its total; Newton's steps on a convex function only go down
    close = 1e-6 + 1e-9 * total + 1e-12 * float(np.abs(base).max(initial=0.0))
    for _ in range(_NEWTON):
        moved = base + shift[group]
        above = moved > low
        excess = np.bincount(group, weights=np.where(above, moved, low), minlength=groups) - total
        active = np.bincount(group, weights=above, minlength=groups)
        step = np.where((excess > close) & (active > 0), excess / np.maximum(active, 1), 0.0)
        if not step.any():
            break
        shift = shift - step
    return np.asarray(shift)
