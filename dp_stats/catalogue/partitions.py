"""Partitions of a dimension's leaves into groups, as the index of each leaf's group: which lies in which."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def first_leaves(group: Indices) -> Indices:
    """The first leaf of each group, in the order of the groups; shape ``(groups,)``."""
    return np.unique(group, return_index=True)[1]


def refines(fine: Indices, coarse: Indices) -> bool:
    """Whether every group of ``fine`` lies inside one group of ``coarse`` (also if they are equal)."""
    _, first, index = np.unique(fine, return_index=True, return_inverse=True)
    return bool(np.array_equal(coarse[first][index], coarse))


def parents(fine: Indices, coarse: Indices) -> Indices:
    """The ``coarse`` group that holds each ``fine`` group, where ``fine`` refines ``coarse``; shape ``(fine groups,)``."""
    return coarse[first_leaves(fine)]
