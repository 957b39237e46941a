"""Which leaf of a calendar each day of a period falls in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, date_dimension
from dp_stats.catalogue.periods import Period


def day_index(dimension: Dimension, period: Period) -> NDArray[np.intp]:
    """For each day of the period the index of its leaf in ``dimension``; shape ``(days,)``."""
    leaf = dimension.leaf.name
    levels = ("day",) if leaf == "day" else ("day", leaf)
    days = date_dimension(dimension.name, dimension.column, period, levels)
    return days.level(leaf).group if any(level.name == leaf for level in days.levels) else days.top.group
