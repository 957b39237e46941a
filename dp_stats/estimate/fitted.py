"""What a reader needs to know of the fits to work out sums as they do: where each ends, and factors for added rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dp_stats.estimate.quantity import Quantity
from dp_stats.estimate.truncation import Factors


def fitted(quantities: Mapping[str, Quantity]) -> dict[str, Any]:
    """As plain values: in ``leaves`` for each statistic the finest levels that were measured, in ``factors`` what counts are
    multiplied by for late and truncated rows, in order, and how far off that may be (see ``truncation.Factors``)."""
    first = next(iter(quantities.values()), None)
    return {
        "leaves": {name: {d.name: d.leaf.name for d in one.grid.dimensions} for name, one in quantities.items()},
        "factors": [_factors(one) for one in first.factors] if first is not None else [],
    }


def _factors(factors: Factors) -> dict[str, Any]:
    def flat(values: NDArray[np.float64] | float) -> list[float]:
        return [_told(value) for value in np.broadcast_to(values, factors.factor.shape).ravel().tolist()]

    return {
        "levels": dict(factors.levels),
        "factor": flat(factors.factor),
        "own_variance": flat(factors.own_variance),
        "lean": flat(factors.lean),
        "drawn": flat(factors.drawn),
        "whole_variance": _told(factors.whole_variance),
        "spread": _told(factors.spread),
        "unsure": _told(factors.unsure),
        "cluster": _told(factors.cluster),
        "adds": factors.adds,
    }


def _told(value: float) -> float:
    """Without the last digits, which another processor, or another number of threads, would compute otherwise."""
    return float(f"{value:.10g}")
