"""The nearest table, in squares, that is not negative and has given margins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Groups = NDArray[np.intp]
Margin = tuple[Groups, Floats]
"""Group of each cell, and the total that each group must have."""

_SWEEPS = 200
_NEWTON = 200


def nearest_with_margins(target: Floats, margins: Sequence[Margin], *, signed: bool = False) -> Floats:
    """Minimise Σ(x − target)² subject to x ≥ 0 (unless ``signed``) and Σ x over each group = its total.

    Exact block ascent on the dual: x = max(target + Σ shifts of its groups, 0), one family of
    groups solved after another. The last margin is met to rounding error; the others as well as 200
    sweeps allow (to a thousandth where the margins agree and the sweeps converge).
    """
    low = -np.inf if signed else 0.0
    base = np.array(target, dtype=np.float64)
    if not margins:
        return np.maximum(base, low)
    totals = [np.asarray(total, dtype=np.float64) for _, total in margins]
    for _ in range(_SWEEPS if len(margins) > 1 else 1):
        largest = 0.0
        for (group, _), total in zip(margins, totals, strict=True):
            shift = _mean_shift(base, group, total) if signed else _shift(base, group, total)
            base += shift[group]
            largest = max(largest, float(np.abs(shift).max(initial=0.0)))
        if largest < 1e-3:
            break
    return np.maximum(base, low)


def _mean_shift(base: Floats, group: Groups, total: Floats) -> Floats:
    """The number to add to every cell of each group so that they have the total."""
    size = np.maximum(np.bincount(group, minlength=len(total)), 1)
    return np.asarray((total - np.bincount(group, weights=base, minlength=len(total))) / size)


def _shift(base: Floats, group: Groups, total: Floats) -> Floats:
    """The number to add to each group so that its cells, limited at zero, have the total.

    A group's sum is a convex function of its shift. Newton's first step, from any side, lands at or above the total,
    and from there steps only go down. Groups that are there are left out of the steps that follow.
    """
    close = 1e-6 + 1e-9 * total + 1e-12 * float(np.abs(base).max(initial=0.0))
    excess, positive = _excess(base, group, total)
    shift = np.where(np.abs(excess) > close, -excess / np.maximum(positive, 1), 0.0)
    empty = (positive == 0) & (excess < -close)
    if empty.any():  # all cells are raised from the limit together
        shift[empty] = _mean_shift(base, group, total)[empty]
    going = np.abs(excess) > close
    for _ in range(_NEWTON):
        cells = np.flatnonzero(going[group])
        if not len(cells):
            break
        base, group = base[cells], group[cells]
        excess, positive = _excess(base + shift[group], group, total)
        going &= (excess > close) & (positive > 0)
        shift[going] -= excess[going] / positive[going]
    return np.asarray(shift)


def _excess(values: Floats, group: Groups, total: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """By how much each group's positive values exceed its total, and how many there are."""
    above = np.flatnonzero(values > 0)
    within = group[above]
    sums = np.bincount(within, weights=values[above], minlength=len(total))
    return sums - total, np.bincount(within, minlength=len(total))
