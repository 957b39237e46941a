"""What a reader needs to know of the fits to work out sums as they do: where each ends, and factors for added rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dp_stats.estimate.late_rows import LateRows
from dp_stats.estimate.quantity import Quantity
from dp_stats.estimate.truncation import Factors
from dp_stats.plan.mechanism import noise_variance


def fitted(quantities: Mapping[str, Quantity]) -> dict[str, Any]:
    """As plain values: in ``leaves`` for each statistic the finest levels that were measured; in ``late_rows`` for a count how
    late rows that are known coarsely are spread (see ``late_rows.LateRows``); in ``factors`` for each statistic what it is
    multiplied by for late and truncated rows, in order, and how far off that may be (see ``truncation.Factors``)."""
    return {
        "leaves": {name: {d.name: d.leaf.name for d in one.grid.dimensions} for name, one in quantities.items()},
        "late_rows": {name: _late(one.late) for name, one in quantities.items() if one.late is not None},
        "factors": {name: [_factors(factors) for factors in one.factors] for name, one in quantities.items()},
    }


def _late(late: LateRows) -> dict[str, Any]:
    return {
        "levels": dict(late.levels),
        "axis": late.axis,
        "late": [_told(value) for value in late.late.tolist()],
        "late_variance": [_told(value) for value in late.late_variance.tolist()],
        "kept": [_told(value) for value in late.kept.tolist()],
        "share": [_told(value) for value in late.share.tolist()],
        "follows": [_told(value) for value in late.follows.tolist()],
        "between": _told(late.between),
        "lean": [_told(value) for value in late.lean.tolist()],
        "whole_variance": _told(late.whole_variance),
        "spread": _told(late.spread),
        "tables": [
            {"scale": scale, "laplace": mechanism == "discrete_laplace", "count": many, "variance": variance}
            for (scale, mechanism), many in Counter(late.tables).items()
            for variance in (noise_variance(scale, mechanism),)
        ],
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
    }


def _told(value: float) -> float:
    """Without the last digits, which another processor, or another number of threads, would compute otherwise."""
    return float(f"{value:.10g}")
