"""Which leaf of a calendar each day of a period falls in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension
from dp_stats.catalogue.periods import Period, parse_period


def day_index(dimension: Dimension, period: Period) -> NDArray[np.intp]:
    """For each day of the period the index of its leaf in ``dimension``; shape ``(days,)``."""
    lasts = [min(parse_period(code).end, period.end).toordinal() for code in dimension.leaf.codes]
    return np.searchsorted(lasts, [day.toordinal() for day in period.days]).astype(np.intp)
