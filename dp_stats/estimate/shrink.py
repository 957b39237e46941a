"""Shrinkage of sparse local cells towards what their neighbours suggest (empirical Bayes), from noisy values only.

A cell's least-squares value y is compared with m, what its margins suggest: for an area on a day, the area's week
times the day's share of the region's week. The margins are the table's own, with one dimension one step coarser;
m is their log-linear fit (iterative proportional fitting; Deming and Stephan 1940). The difference y − m is part
noise, whose variance v the plan tells, and part truth, with variance φ·m + ψ·m², fitted by moments over all cells.
The shrunken value is m + B·(y − m) with B = truth / (truth + v) (Efron and Morris 1973).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from dp_stats.estimate.lattice import Key, Lattice, parents
from dp_stats.estimate.quantity import Quantity
from dp_stats.plan.algebra import Query

Floats = NDArray[np.float64]

WORTHWHILE = 0.05
"""A table is shrunken if the plan expects its sparser cells' error variance to fall by at least this share."""

_GUESSED_SPREAD = 0.2
_SWEEPS = 5
_BINS = 24


def shrink_targets(quantity: Quantity, keys: Sequence[Key], prior_total: float) -> dict[Key, Floats]:
    """Shrunken values of the levels for which the plan predicts that this is closer to the truth.

    Coarser levels come first: a table leans on margins that are as good as they can be.

    Args:
        quantity: the statistic.
        keys: published levels (of ``quantity.fit.lattice``), or measured ones; what they share is added.
        prior_total: public guess of the statistic's total.

    Returns:
        Level → shrunken values, for some of those levels.
    """
    lattice = quantity.fit.lattice
    chosen: dict[Key, Floats] = {}
    for key in lattice.closure(keys):
        margins = margins_of(lattice, key)
        if (
            margins
            and is_local(lattice, key)
            and _worthwhile(quantity, key, margins, prior_total / prod(lattice.shape(key)))
        ):
            chosen[key] = shrink(quantity, key, margins, chosen)
    return chosen


def is_local(lattice: Lattice, key: Key) -> bool:
    """Whether a level is at the finest groups of the grid's largest dimension other than dates (usually areas).

    Figures of regions and nations are always plain least squares.
    """
    places = [i for i, d in enumerate(lattice.grid.dimensions) if d.kind != "date"]
    largest = max(places, key=lambda i: len(lattice.grid.dimensions[i]), default=None)
    return largest is not None and key[largest] == 0


def margins_of(lattice: Lattice, key: Key) -> list[Key]:
    """``key`` with one dimension one step coarser, for each dimension that is not at the top."""
    found = []
    for axis in range(len(key)):
        steps = [(*key[:axis], k, *key[axis + 1 :]) for k in range(len(lattice.grid.dimensions[axis].levels))]
        coarser = [s for s in steps if lattice.sums_to(key, s) and not lattice.sums_to(s, key)]
        if coarser:
            found.append(coarser[0])
    return found


def _worthwhile(quantity: Quantity, key: Key, margins: Sequence[Key], mean: float) -> bool:
    """Whether noise matters in a cell with a quarter of the mean (areas differ much in size)."""
    noise = float(np.median(interaction_variance(quantity, key, margins)))
    sparse = mean / 4
    truth = sparse + (_GUESSED_SPREAD * sparse) ** 2
    total = float(np.median(quantity.fit.variance(quantity.fit.lattice.names(key))))
    return noise / (truth + noise) * noise / total >= WORTHWHILE


def shrink(quantity: Quantity, key: Key, margins: Sequence[Key], better: Mapping[Key, Floats]) -> Floats:
    """The shrunken values at ``key``; shape of the level. ``better`` are margins that are shrunken already."""
    lattice = quantity.fit.lattice
    values = quantity.value(lattice.names(key))
    suggested = suggestion(quantity, key, margins, better)
    noise = interaction_variance(quantity, key, margins)
    difference = values - suggested
    truth = _structure(difference**2 - noise, suggested, noise)
    trust = truth / np.maximum(truth + noise, 1e-300)
    return np.asarray(suggested + trust * difference)


def suggestion(quantity: Quantity, key: Key, margins: Sequence[Key], better: Mapping[Key, Floats]) -> Floats:
    """The log-linear fit to the margins' values (``better`` ones if there are), which are kept a little above zero."""
    lattice = quantity.fit.lattice
    fitted = np.ones(lattice.shape(key))
    totals = []
    for margin in margins:
        names = lattice.names(margin)
        error = np.sqrt(np.maximum(quantity.fit.variance(names), 0.0))
        value = better[margin] if margin in better else quantity.value(names)
        totals.append(np.maximum(value, 0.3 * error))
    for _ in range(_SWEEPS if len(margins) > 1 else 1):
        for margin, total in zip(margins, totals, strict=True):
            now = np.asarray(lattice.roll_up(fitted, key, margin), dtype=np.float64)
            fitted = fitted * lattice.spread_out(total / np.maximum(now, 1e-12), key, margin)
    return fitted


def interaction_variance(quantity: Quantity, key: Key, margins: Sequence[Key]) -> Floats:
    """Noise variance of what is left of a cell after its margins are taken out; broadcasts to the level's shape.

    It is that of the product of contrasts, own value minus the mean of its siblings, along each dimension.
    """
    queries: dict[str, Query] = {}
    scale = np.ones((1,) * len(key))
    for axis, dimension in enumerate(quantity.grid.dimensions):
        own = dimension.levels[key[axis]]
        coarser = [m[axis] for m in margins if m[axis] != key[axis]]
        if not coarser:
            queries[dimension.name] = own.name
            continue
        parent = parents(dimension, key[axis], coarser[0])
        siblings = np.bincount(parent)[parent]
        cell = int(np.argsort(siblings, kind="stable")[len(siblings) // 2])
        mean = (dimension.levels[coarser[0]].group == parent[cell]) / siblings[cell]
        queries[dimension.name] = ((own.group == cell) - mean)[None, :].astype(np.float64)
        ratio = (1 - 1 / siblings) / max(1 - 1 / siblings[cell], 1e-9)
        scale = scale * ratio.reshape([-1 if i == axis else 1 for i in range(len(key))])
    return np.asarray(quantity.fit.variance(queries) * scale)


def _structure(excess: Floats, suggested: Floats, noise: Floats) -> Floats:
    """φ·m + ψ·m² ≥ 0, fitted to ``excess`` (squared difference less noise) over groups of cells of alike size."""
    order = np.argsort(suggested, axis=None)
    size = suggested.ravel()[order]
    over = excess.ravel()[order]
    parts = [p for p in np.array_split(np.arange(len(size)), _BINS) if len(p)]
    mean = np.array([size[p].mean() for p in parts])
    square = np.array([(size[p] ** 2).mean() for p in parts])
    moment = np.array([over[p].mean() for p in parts])
    weight = 1 / (float(np.median(noise)) + mean)
    (linear, quadratic), _ = nnls(np.stack([mean, square], axis=1) * weight[:, None], moment * weight)
    return np.asarray(linear * suggested + quadratic * suggested**2)
