"""What estimation does to errors after least squares, foreseen from public guesses: shrinkage, and the correction of
the contribution bound.

Both only need to be roughly right, and not too hopeful: a plan's margins are for choosing a privacy loss, while the
published intervals come from what was measured.
"""

from __future__ import annotations

from math import prod

import numpy as np

from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.models import Release
from dp_stats.plan.model import Measurement
from dp_stats.plan.symmetry import Floats
from dp_stats.plan.targets import Target, mean_share, statistic_of, targets
from dp_stats.plan.truncation import truncated_share

TRUE_SPREAD = 0.5
"""How far true cells are taken to lie from what their margins suggest, relative to their size, besides chance."""

LEAST_CELLS = 24
"""Independent differences that shrinkage needs, as in ``estimate.shrink``."""

TRUNCATION_SPREAD = 0.5
"""How far groups are taken to differ in their share of truncated rows, relative to it, as in ``estimate.truncation``."""

CLUSTER = 2.0


def shrunken(grid: Grid, release: Release, target: Target, variance: Floats) -> Floats:
    """Variance of published values where they lean on their margins: t·v/(t + v) with true variance t of the cells."""
    statistic = statistic_of(release, target.statistic)
    signed = statistic.kind == "sum" and (statistic.lower or 0) < 0
    if target.prior_mean is None or statistic.kind == "persons" or signed or target.windowed:
        return variance
    if not _leans(grid, release, target):
        return variance
    size = float(statistic.upper or 1) if statistic.kind == "sum" else 1.0
    truth = target.prior_mean * size + (TRUE_SPREAD * target.prior_mean) ** 2
    return np.asarray(np.where(np.isfinite(variance), truth * variance / (truth + variance), variance))


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


def correction_variance(grid: Grid, release: Release, target: Target, truncation: Measurement | None) -> float:
    """What the correction for truncated rows adds to the variance of a value of mean size; 0 where no size is guessed.

    It is the noise of the coarse cell's factor, how much groups inside it may differ, and chance.
    """
    if truncation is None or target.prior_mean is None or statistic_of(release, target.statistic).kind == "persons":
        return 0.0
    declared = statistic_of(release, target.statistic)
    ends = [abs(float(end)) for end in (declared.lower, declared.upper) if end is not None]
    size = max(ends) if declared.kind == "sum" else 1.0
    mean, share = target.prior_mean, truncated_share(release.contribution)
    part = prod(truncation.shape) * mean_share(grid, target.queries)  # of the rows of a coarse cell, or of several
    noise = truncation.variance * (part**2 if part < 1 else part) * size**2
    if part > 1 - 1e-9:
        return noise
    return noise + (TRUNCATION_SPREAD * share * mean) ** 2 + CLUSTER * share * mean * size
