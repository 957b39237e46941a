"""Expected errors of shares, means and quantiles, by the delta method: of a cell of a given size, and no more than can be.

However little is known, a share lies between 0 and 100 %, a mean between the clipping bounds and a quantile between the
outer edges; an error is put together with what it would be if nothing at all were known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from dp_stats.catalogue.grid import Dimension
from dp_stats.plan.symmetry import Floats
from dp_stats.plan.targets import Target

VarianceOf = Callable[[Target], Floats]

NOTHING_KNOWN = 0.3
"""Error of a value that is known to lie in a range only, as a share of the range: likely."""

DENSER = 1.3
"""How many times more rows than a mean bin the one has that a quantile lies in: it lies in large bins more often."""


def share_deviation(part: Floats, whole: Floats, published: Floats, mean: float, groups: int) -> Floats:
    """Standard deviation of a part of a whole, in per cent.

    Args:
        part, whole: variances of both by least squares. published: that of the published part. mean: rows in a part.
        groups: parts of a whole, on the average alike.
    """
    # Var(x/t) with cov(x, t) = Var(t)/groups, its exact mean over the groups that add up to t
    left = np.maximum(part - whole / groups**2, 0.0) * published / np.maximum(part, 1e-300)
    share = 1 / groups
    return 100 * _limited(np.sqrt(left) / (mean * groups), np.sqrt(share * (1 - share)))


def mean_deviation(
    top: Floats, bottom: Floats, mean: float, rows: float, bounds: Sequence[float], most: float = NOTHING_KNOWN
) -> Floats:
    """Standard deviation of a mean of so many rows, from the variances of the sum and of the number of rows; ``most``: as a
    share of the range that means may lie in."""
    return _limited(np.sqrt(top + mean**2 * bottom) / rows, most * (bounds[1] - bounds[0]))


def mean_room(mean: float, missing: float, rows: float, bounds: Sequence[float]) -> float:
    """How much wider on each side the interval of a mean is for missing rows (``estimate.left_out.mean_interval``).

    Args:
        missing: rows that may be truncated of ``rows``, those and the kept ones.
    """
    share = min(missing / max(rows, 1.0), 1.0)
    low, high = bounds
    least, most = (mean - low, min(mean - low, high - mean)) if low >= 0 else (mean - low, high - mean)
    return share * (least + most) / 2


def quantile_room(missing: float, edges: Sequence[float], mean: float) -> float:
    """The same of a quantile: all missing rows may lie below it, or above. ``mean``: rows in a bin."""
    return min(missing / 2 / (DENSER * mean) * (edges[-1] - edges[0]) / (len(edges) - 1), (edges[-1] - edges[0]) / 2)


def quantile_deviation(
    target: Target,
    variance_of: VarianceOf,
    across: Dimension,
    edges: Sequence[float],
    q: float,
    mean: float,
    *,
    gain: float = 1.0,
    most: float = NOTHING_KNOWN,
) -> Floats:
    """Standard deviation of a quantile: that of the rows below it, over the rows of the bin that it lies in.

    Args:
        target: the histogram. edges: of its bins; groups without a place among them (unknown) are left out.
        mean: rows in a bin. gain: what is left of squared errors of least squares. most: as a share of the range of the edges.
    """
    bins = len(edges) - 1
    known = np.arange(len(across)) < bins
    below = np.where(known, np.clip(q * bins - np.arange(len(across)), 0.0, 1.0) - q, 0.0)
    spread = np.sqrt(gain * variance_of(replace(target, queries={**target.queries, across.name: below[None]})))
    width = (edges[-1] - edges[0]) / bins
    return _limited(spread / (DENSER * mean) * width, most * (edges[-1] - edges[0]))


def _limited(deviation: Floats, most: float) -> Floats:
    return np.asarray(deviation / np.sqrt(1 + (deviation / most) ** 2)) if most > 0 else np.zeros_like(deviation)
