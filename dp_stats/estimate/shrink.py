"""Shrinkage of sparse local cells towards what their neighbours suggest (empirical Bayes), from noisy values only.

A cell's least-squares value y is compared with m, what its margins suggest: for an area on a day, the area's week
times the day's share of the region's week. The margins are the table's own, with one dimension one step coarser;
m is their log-linear fit (iterative proportional fitting; Deming and Stephan 1940); they are shrunken themselves first,
in the same way, so that an area's ages over all weeks lean on its region's. The difference y − m is part
noise, whose variance v the plan tells, and part truth, with variance t = φ·m + ψ·m², fitted by moments over all
cells. The shrunken value is m + B·(y − m) with B = t / (t + v) (Efron and Morris 1973): where the truth differs much
from what is suggested, or the noise is small, B is near one and the value stays as it is.

Its error is that of the margins, plus B times the noise of the cell, plus (1 − B) times the true difference, so its
variance is V_m + B²·v + (1 − B)²·t (Morris 1983). In an interval, t is what each group of cells of alike size shows,
if more than the fitted curve, and a standard error of its estimate is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from dp_stats.catalogue.partitions import parents
from dp_stats.estimate.lattice import Lattice, LevelIndex
from dp_stats.estimate.quantity import Posterior, Quantity
from dp_stats.plan.adjusted import LEAST_CELLS
from dp_stats.plan.algebra import Query

Floats = NDArray[np.float64]

LEAST_NOISE = 0.05
"""Noise of a smaller variance, in units squared, is below rounding: nothing is gained by shrinking."""

_SWEEPS = 5
_BINS = 24


def shrink_targets(quantity: Quantity, keys: Sequence[LevelIndex]) -> dict[LevelIndex, Posterior]:
    """Shrunken values of the local levels, coarser levels first, so that a table leans on the best margins.

    Whether a level is shrunken follows from the plan alone; by how much, from the noisy values.

    Args:
        quantity: the statistic.
        keys: published levels (of ``quantity.fit.lattice``), or measured ones; what they share is added.

    Returns:
        Level → shrunken values with their errors, for some of those levels.
    """
    lattice = quantity.fit.lattice
    published = {key for key in lattice.closure(keys) if is_local(lattice, key)}
    learning = _leaning_on(quantity, published)
    better: dict[LevelIndex, Posterior] = {}
    for key in sorted(learning, key=lambda k: (-sum(k), k)):
        better[key] = shrink(quantity, key, learning[key], better)
    return {key: posterior for key, posterior in better.items() if key in published}


def _leaning_on(quantity: Quantity, published: Iterable[LevelIndex]) -> dict[LevelIndex, list[LevelIndex]]:
    """Level → its margins, of every level that can be shrunken: ``published`` ones, and what those lean on, which
    leans on its own margins in turn (an area's ages over all weeks on its region's)."""
    lattice = quantity.fit.lattice
    found: dict[LevelIndex, list[LevelIndex]] = {}
    seen, waiting = set(published), list(published)
    while waiting:
        key = waiting.pop()
        margins = margins_of(lattice, key)
        if margins and _can_learn(quantity, key, margins):
            found[key] = margins
            waiting += [margin for margin in margins if margin not in seen]
            seen.update(margins)
    return found


def is_local(lattice: Lattice, key: LevelIndex) -> bool:
    """Whether a level is at the finest groups of the grid's largest dimension other than dates (usually areas).

    Figures of regions and nations are always plain least squares.
    """
    places = [i for i, d in enumerate(lattice.grid.dimensions) if d.kind != "date"]
    largest = max(places, key=lambda i: len(lattice.grid.dimensions[i]), default=None)
    return largest is not None and key[largest] == 0


def margins_of(lattice: Lattice, key: LevelIndex) -> list[LevelIndex]:
    """``key`` with one dimension one step coarser, for each dimension that is not at the top."""
    found = []
    for axis in range(len(key)):
        steps = [(*key[:axis], k, *key[axis + 1 :]) for k in range(len(lattice.grid.dimensions[axis].levels))]
        coarser = [s for s in steps if lattice.sums_to(key, s) and not lattice.sums_to(s, key)]
        if coarser:
            found.append(coarser[0])
    return found


def _can_learn(quantity: Quantity, key: LevelIndex, margins: Sequence[LevelIndex]) -> bool:
    """Whether there is noise worth removing, and there are enough cells to see how much of it there is."""
    lattice = quantity.fit.lattice
    if differences(lattice, key, margins) < LEAST_CELLS:
        return False
    noise = interaction_variance(quantity, key, margins)
    return bool(np.isfinite(noise).all()) and float(np.median(noise)) >= LEAST_NOISE * quantity.fit.unit**2


def differences(lattice: Lattice, key: LevelIndex, margins: Sequence[LevelIndex]) -> int:
    """How many independent differences there are between cells and what their margins suggest."""
    coarser = {axis: m[axis] for m in margins for axis in range(len(key)) if m[axis] != key[axis]}
    steps = zip(lattice.grid.dimensions, key, strict=True)
    return prod(
        len(d.levels[k].codes) - (len(d.levels[coarser[axis]].codes) if axis in coarser else 0)
        for axis, (d, k) in enumerate(steps)
    )


def shrink(
    quantity: Quantity, key: LevelIndex, margins: Sequence[LevelIndex], better: Mapping[LevelIndex, Posterior]
) -> Posterior:
    """The shrunken values at ``key``; shape of the level. ``better`` are margins that are shrunken already."""
    lattice = quantity.fit.lattice
    names = lattice.names(key)
    values = quantity.value(names)
    suggested, doubt = suggestion(quantity, key, margins, better)
    own = quantity.fit.variance(names)
    doubt = np.minimum(doubt, own)
    # where the margins are better than least squares has them, y also differs from m by what they were bettered by
    interaction = interaction_variance(quantity, key, margins)
    noise = np.maximum(interaction, own - doubt)
    difference = values - suggested
    true = _true_variance(difference**2 - noise, suggested, noise, differences(lattice, key, margins))
    trust = true.variance / np.maximum(true.variance + noise, 1e-300)
    lean = 1 - trust
    corrections = np.maximum(quantity.variance(names) - own, 0.0)
    return Posterior(
        value=np.asarray(suggested + trust * difference),
        variance=np.asarray(doubt + trust**2 * interaction + lean**2 * true.at_most + corrections),
        third_moment=np.asarray(lean**3 * true.linear * suggested * quantity.row_size**2),
    )


def suggestion(
    quantity: Quantity, key: LevelIndex, margins: Sequence[LevelIndex], better: Mapping[LevelIndex, Posterior]
) -> tuple[Floats, Floats]:
    """The log-linear fit to the margins' values (``better`` ones if there are), kept a little above zero, and the
    variance that the margins' errors give it."""
    lattice = quantity.fit.lattice
    fitted = np.ones(lattice.shape(key))
    totals = []
    for margin in margins:
        names = lattice.names(margin)
        variance = np.maximum(quantity.fit.variance(names), 0.0)
        value = better[margin].value if margin in better else quantity.value(names)
        totals.append(np.maximum(value, 0.3 * np.sqrt(variance)))
    for _ in range(_SWEEPS if len(margins) > 1 else 1):
        for margin, total in zip(margins, totals, strict=True):
            now = np.asarray(lattice.roll_up(fitted, key, margin), dtype=np.float64)
            fitted = fitted * lattice.spread_out(total / np.maximum(now, 1e-12), key, margin)
    return fitted, fitted**2 * _relative_variance(quantity, key, margins, better, fitted)


def _relative_variance(
    quantity: Quantity,
    key: LevelIndex,
    margins: Sequence[LevelIndex],
    better: Mapping[LevelIndex, Posterior],
    fitted: Floats,
) -> Floats:
    """Variance of log m. With two margins log m is their sum less what they share, and so are the variances, as each
    margin's error includes that of its own totals; with more, by inclusion and exclusion."""
    lattice = quantity.fit.lattice
    largest = total = np.zeros(())
    for size in range(1, len(margins) + 1):
        for some in combinations(margins, size):
            shared = lattice.coarsest(some)
            variance = better[shared].variance if shared in better else quantity.fit.variance(lattice.names(shared))
            sums = np.asarray(lattice.roll_up(fitted, key, shared), dtype=np.float64)
            relative = lattice.spread_out(np.maximum(variance, 0.0) / np.maximum(sums, 1e-12) ** 2, key, shared)
            total = total + (-1) ** (size + 1) * relative
            largest = np.maximum(largest, relative) if size == 1 else largest
    return np.maximum(total, largest)


def interaction_variance(quantity: Quantity, key: LevelIndex, margins: Sequence[LevelIndex]) -> Floats:
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
        parent = parents(own.group, dimension.levels[coarser[0]].group)
        siblings = np.bincount(parent)[parent]
        cell = int(np.argsort(siblings, kind="stable")[len(siblings) // 2])
        mean = (dimension.levels[coarser[0]].group == parent[cell]) / siblings[cell]
        queries[dimension.name] = ((own.group == cell) - mean)[None, :].astype(np.float64)
        ratio = (1 - 1 / siblings) / max(1 - 1 / siblings[cell], 1e-9)
        scale = scale * ratio.reshape([-1 if i == axis else 1 for i in range(len(key))])
    return np.asarray(quantity.fit.variance(queries) * scale)


@dataclass(frozen=True, eq=False)
class _TrueVariance:
    """Variance of the true differences: fitted; at most, allowing for what the fit misses; φ alone."""

    variance: Floats
    at_most: Floats
    linear: float


def _true_variance(excess: Floats, suggested: Floats, noise: Floats, independent: int) -> _TrueVariance:
    """φ·m + ψ·m² ≥ 0, fitted to ``excess`` (squared difference less noise) over groups of cells of alike size.

    A standard error of the fit is added: leaning too little costs less than leaning too much. ``independent`` of
    the differences count as independent.
    """
    order = np.argsort(suggested, axis=None)
    size = suggested.ravel()[order]
    over = excess.ravel()[order]
    parts = np.array_split(np.arange(len(size)), min(_BINS, max(len(size) // 8, 1)))
    powers = np.array([[size[p].mean(), (size[p] ** 2).mean()] for p in parts])
    moment = np.array([over[p].mean() for p in parts])
    share = np.array([len(p) for p in parts]) / len(size)
    error = np.array([over[p].std() for p in parts]) / np.sqrt(np.maximum(independent * share, 1.0))
    weight = 1 / (float(np.median(noise)) + powers[:, 0])
    weighted = powers * weight[:, None]
    (linear, quadratic), _ = nnls(weighted, moment * weight)
    lever = np.linalg.pinv(weighted) * (weight * error)
    doubt = lever @ lever.T
    squared = suggested**2
    unsure = doubt[0, 0] * squared + 2 * doubt[0, 1] * suggested * squared + doubt[1, 1] * squared**2
    fitted = linear * suggested + quadratic * squared + np.sqrt(np.maximum(unsure, 0.0))
    missed = np.maximum(moment - powers @ np.array([linear, quadratic]) - 2 * error, 0.0)
    part = np.empty(len(size), dtype=np.intp)
    part[order] = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    return _TrueVariance(np.asarray(fitted), np.asarray(fitted + missed[part.reshape(suggested.shape)]), float(linear))
