"""Quantiles of a noisy histogram, with intervals by test inversion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def quantile_with_interval(
    counts: Floats,
    balance: Floats,
    error: Floats,
    edges: Floats,
    q: float,
    reach: Floats | float,
    missing: Floats | float = 0.0,
) -> tuple[Floats, Floats, Floats]:
    """The ``q`` quantile of histograms along the last axis.

    The balance at an edge is (rows below it) − q · (all rows); it crosses zero at the quantile. The value takes rows
    to be spread evenly inside a bin. The interval does not, as where they lie in a bin is not known: it goes from the
    last edge that is clearly below the quantile to the first that is clearly above (Woodruff 1952). With m rows missing
    the balance at an edge may be q·m less, if all lie above it, or (1 − q)·m more, if all lie below.

    Args:
        counts: published, non-negative; shape ``(…, bins)``.
        balance, error: unbiased balance at each edge and its standard error; shape ``(…, bins + 1)``.
        edges: of the bins, rising; reach: standard errors on each side, one number or as ``error``.
        missing: the most rows of each histogram that may be in no bin; shape ``(…, 1)``.

    Returns:
        Value, lower and upper end; NaN where a histogram is empty.
    """
    below = np.concatenate([np.zeros((*counts.shape[:-1], 1)), np.cumsum(counts, axis=-1)], axis=-1)
    value = _first_crossing(below - q * below[..., -1:], edges)
    clearly_below = balance + reach * error + (1 - q) * missing < 0
    clearly_above = balance - reach * error - q * missing > 0
    place = np.arange(len(edges))
    lower = edges[np.where(clearly_below, place, 0).max(axis=-1)]
    upper = edges[np.where(clearly_above, place, len(edges) - 1).min(axis=-1)]
    empty = below[..., -1] <= 0
    return tuple(np.where(empty, np.nan, side) for side in (value, lower, upper))  # type: ignore[return-value]


def _first_crossing(rising: Floats, edges: Floats) -> Floats:
    """Where a rising line through the edges first reaches zero; the last edge if it never does."""
    reached = rising >= 0
    index = np.where(reached.any(axis=-1), reached.argmax(axis=-1), len(edges) - 1)
    return _between(rising, edges, np.maximum(index, 1), at_start=index == 0)


def _between(rising: Floats, edges: Floats, index: NDArray[np.intp], *, at_start: NDArray[np.bool_]) -> Floats:
    high = np.take_along_axis(rising, index[..., None], axis=-1)[..., 0]
    low = np.take_along_axis(rising, index[..., None] - 1, axis=-1)[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(high > low, np.clip(-low / (high - low), 0.0, 1.0), 1.0)
    point = edges[index - 1] + part * (edges[index] - edges[index - 1])
    return np.where(at_start, edges[0], point)
