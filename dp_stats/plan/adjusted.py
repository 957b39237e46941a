"""What estimation does to errors after least squares, foreseen from public guesses: shrinkage, and the correction of
the contribution bound.

Both only need to be roughly right, and not too hopeful: a plan's margins are for choosing a privacy loss, while the
published intervals come from what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.models import Release
from dp_stats.plan.model import Measurement
from dp_stats.plan.symmetry import Floats
from dp_stats.plan.targets import Target, mean_share, statistic_of, targets
from dp_stats.plan.truncation import (
    added_variance,
    beyond_cap,
    cluster_guess,
    spread_inside,
    together,
    too_many,
    truncated_share,
    truncation_cap,
    whole_variance,
)

TRUE_SPREAD = 0.5
"""How far true cells are taken to lie from what their margins suggest, relative to their size, besides chance."""

CELL_SPREAD = 1.2
"""Standard deviation of the logarithm of the means of cells of one table."""

NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
PROBABILITIES = _WEIGHTS / _WEIGHTS.sum()

LEAST_CELLS = 24
"""Independent differences of cells from their margins that are needed to tell truth from noise, and so to shrink."""


@dataclass(frozen=True)
class Shrinkage:
    """What is guessed about the true cells of a level that will be shrunken: their mean, and the size of one row."""

    mean: float
    row: float


def gain_of_shrinkage(grid: Grid, release: Release, target: Target) -> Shrinkage | None:
    """What shrinkage can use, for a target whose cells will be shrunken; None where they will not be, or nothing is
    guessed."""
    statistic = statistic_of(release, target.statistic)
    signed = statistic.kind == "sum" and (statistic.lower or 0) < 0
    if target.prior_mean is None or statistic.kind == "persons" or signed or not _leans(grid, release, target):
        return None
    return Shrinkage(target.prior_mean, float(statistic.upper or 1) if statistic.kind == "sum" else 1.0)


def cell_sizes(log_spread: float = CELL_SPREAD) -> Floats:
    """Plausible sizes of cells relative to their mean, log-normal, as likely as ``PROBABILITIES``."""
    return np.asarray(np.exp(log_spread * NODES - log_spread**2 / 2))


def true_variances(
    found: Sequence[Shrinkage | None], spread: float = TRUE_SPREAD, *, sizes: Floats | None = None
) -> Floats:
    """Plausible variances of true cells around what their margins suggest, ``(targets, nodes)``; infinite: not shrunken.

    ``spread`` is how far cells lie from it, relative to their size. Cells differ in size: their means are ``sizes`` times the
    guess, log-normal where nothing else is said.
    """
    sizes = cell_sizes() if sizes is None else sizes
    rows = [
        np.full(len(sizes), np.inf) if one is None else one.mean * sizes * one.row + (spread * one.mean * sizes) ** 2
        for one in found
    ]
    return np.stack(rows)


def after_shrinkage(variance: Floats, truth: Floats, probabilities: Floats = PROBABILITIES) -> tuple[Floats, Floats]:
    """Mean of t·v/(t + v) over plausible true variances t, and its derivative in v; ``truth`` has one row per v."""
    known = np.isfinite(truth)
    t, v = np.where(known, truth, 1.0), variance[:, None]
    value = np.where(known, t * v / (t + v), v)
    slope = np.where(known, (t / (t + v)) ** 2, 1.0)
    return value @ probabilities, slope @ probabilities


def _leans(grid: Grid, release: Release, target: Target) -> bool:
    """Whether a level is local and has enough cells (see ``estimate.shrink``)."""
    used = [t.levels for t in targets(grid, release) if t.statistic == target.statistic]
    places = [i for i, d in enumerate(grid.dimensions) if d.kind != "date"]
    finest = {i: max(len(grid.dimensions[i].level(k[i]).codes) for k in used) for i in places}
    largest = max(places, key=lambda i: finest[i], default=None)
    sizes = [len(d.level(k).codes) for d, k in zip(grid.dimensions, target.levels, strict=True)]
    if largest is None or sizes[largest] < finest[largest]:
        return False
    pairs = zip(grid.dimensions, sizes, strict=True)
    return prod(size - _coarser(d, size) for d, size in pairs) >= LEAST_CELLS


def _coarser(dimension: Dimension, size: int) -> int:
    """Groups of the next coarser level; 0 at the top, where nothing is compared."""
    return max((n for level in dimension.levels if (n := len(level.codes)) < size), default=0)


def correction_variance(
    grid: Grid, release: Release, target: Target, rows: Measurement | None, persons: Measurement | None
) -> float:
    """What the correction for truncated rows adds to the variance of a value of mean size; noise alone where no size
    is guessed.

    It is the noise of the coarse cell's factor, how much groups inside it may differ, chance, and what is not known of rows
    beyond the cap on those of one person.

    Args:
        rows, persons: the measurements of what is truncated, if there are any.
    """
    declared = statistic_of(release, target.statistic)
    if rows is None or declared.kind == "persons":
        return 0.0
    ends = [abs(float(end)) for end in (declared.lower, declared.upper) if end is not None]
    size = max(ends) if declared.kind == "sum" else 1.0
    known = _known(grid, release, target, rows, persons, size)
    added = added_variance(known.part, known.cells, known.truncated, rows.variance, known.whole)
    inside = known.cells * known.part < 1 - 1e-9
    chance = together(release.contribution) * known.mean * (1.0 if inside else known.beyond)
    return (added + chance + (known.beyond * known.mean) ** 2) * size**2


def most_missing(grid: Grid, release: Release, target: Target, rows: Measurement, persons: Measurement | None) -> float:
    """The most rows of a count of mean size that intervals of what is not corrected have room for (``estimate.left_out``): the
    expected ones and twice the doubt that the estimate will have. That is larger than the expected error: of what finer cells
    differ by, and of chance, as much as there may be truncated rows, one standard deviation above those that are found."""
    known = _known(grid, release, target, rows, persons, 1.0)
    spread = spread_inside(grid, rows.levels, target.queries)
    noise = added_variance(known.part, known.cells, known.truncated, rows.variance, known.whole, spread=0.0)
    found = known.mean * too_many(release.contribution, truncation_cap(release))
    may_be = found + known.part * float(np.sqrt(known.whole))
    chance = together(release.contribution) * may_be if spread else 0.0
    doubt = noise + chance + (spread * may_be) ** 2 + (known.beyond * found) ** 2
    return found + 2 * float(np.sqrt(doubt))


@dataclass(frozen=True)
class _Known:
    """What is guessed of the truncated rows of a value: its part of everything, the coarse cells, its rows of them, all of them,
    the variance of their number, and the share of them beyond the cap."""

    part: float
    cells: int
    mean: float
    truncated: float
    whole: float
    beyond: float


def _known(
    grid: Grid, release: Release, target: Target, rows: Measurement, persons: Measurement | None, size: float
) -> _Known:
    part, cells = mean_share(grid, target.queries), prod(rows.shape)
    cap = truncation_cap(release)
    cluster, beyond = cluster_guess(release.contribution, cap), beyond_cap(release.contribution, cap)
    # rows of the value, if each adds as much as it can
    mean = truncated_share(release.contribution) * (target.prior_mean or 0.0) / size
    truncated = mean / part
    counted = persons.variance * prod(persons.shape) if persons is not None else np.inf
    whole = whole_variance(rows.variance * cells, counted, cluster, truncated / cluster.mean)
    return _Known(part, cells, mean, truncated, whole, beyond)
