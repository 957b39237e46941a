"""What the contribution bound truncates, and the factors that correct counts and sums for it.

Rows beyond the bound are missing from every count. How many there are is measured, with noise, at a coarse
level g of the grid; a count in g is corrected by F_g = (kept_g + truncated_g) / kept_g. Three things are then
uncertain besides the noise of the count: the noise of F_g; how much finer groups inside g differ from it; and
the chance of which cell a truncated row falls in. All three are carried into the intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid, LevelNames
from dp_stats.estimate.intervals import laplace_sum_quantile
from dp_stats.estimate.leastsquares import LeastSquares
from dp_stats.estimate.model import TruncationEstimate
from dp_stats.plan.expected import NORMAL_95
from dp_stats.plan.model import Measurement, Plan
from dp_stats.plan.truncation import (
    AS_A_RULE,
    AT_MOST,
    LEAST_SPREAD,
    UNKNOWN_SPREAD,
    Cluster,
    by_persons,
    rows_beyond_cap,
    whole_variance,
)

Floats = NDArray[np.float64]

LEAST_GUESS = 0.005
"""A guess of a smaller share of truncated rows is taken to be this large."""


@dataclass(frozen=True, eq=False)
class Factors:
    """What counts are multiplied by in each coarse cell, and how far off that may be.

    Attributes:
        levels: the coarse level, complete and in grid order. factor: of each of its cells.
        own_variance, lean, whole_variance: as in ``Correction``.
        spread: standard deviation of finer groups around their coarse cell, relative to the share that may be truncated:
            what was measured and one ``unsure``. By a share that noise has brought near zero it would know no bounds.
        cluster: mean number of added rows that fall in a cell together.
        drawn: the part of ``own_variance`` that is no noise but how cells differ, as they are drawn to the whole.
        unsure: standard deviation of the share of the whole. What finer cells differ by, and the chance of which cell a row
            falls in, are as large as the share that may be, not as the one that noise happened to show.
    """

    levels: Mapping[str, str]
    factor: Floats
    own_variance: Floats
    lean: Floats
    whole_variance: float
    spread: float
    cluster: float
    drawn: Floats | float = 0.0
    unsure: float = 0.0


@dataclass(frozen=True, eq=False)
class Correction:
    """Factors for one edition: the public summary, and what the intervals need besides it.

    Attributes:
        public: what is published.
        truncated_share: truncated rows per kept row in each coarse cell, ``public.factor`` − 1.
        cluster: truncated rows that fall in a cell together: of the person of a truncated row, of those who have any. Where
            people have m on average it is 2m − 1, as it is for geometric numbers and nearly for small ones.
        own_variance: of each coarse cell's factor, by itself. lean: how much each leans on the factor of the whole, whose
            variance ``whole_variance`` is common to all of them.
    """

    public: TruncationEstimate
    truncated_share: Floats
    cluster: float
    own_variance: Floats
    lean: Floats
    whole_variance: float

    @property
    def factors(self) -> Factors:
        """The same as factors."""
        public = self.public
        return Factors(
            public.levels,
            public.factor,
            self.own_variance,
            self.lean,
            self.whole_variance,
            public.spread,
            self.cluster,
            drawn=self.lean * self.own_variance if public.factor.size > 1 else 0.0,
            unsure=float(np.sqrt(self.whole_variance)),
        )


def correction(
    plan: Plan,
    grid: Grid,
    noisy: Mapping[str, NDArray[np.int64]],
    count: LeastSquares,
    *,
    guess: float,
    cluster: Cluster,
) -> Correction | None:
    """The correction of an edition, or None if truncated rows were not measured.

    Args:
        plan, grid, noisy: of the edition.
        count: least squares of the kept rows.
        guess: public guess of the share of all rows that is truncated (see ``plan.truncation.truncated_share``).
        cluster: the same of truncated rows of a person who has any.
    """
    rows = next((m for m in plan.measurements if m.role == "truncated_rows"), None)
    if rows is None:
        return None
    levels = _known_level(grid, rows.levels, count)
    measured = noisy[rows.id].reshape(rows.shape).astype(np.float64)
    truncated = grid.roll_up(measured, levels, rows.levels)
    variance = grid.roll_up(np.full(rows.shape, rows.variance), levels, rows.levels)
    kept, kept_variance = count.value(levels), count.variance(levels)
    persons = next((m for m in plan.measurements if m.role == "truncated_persons"), None)
    people = None if persons is None else noisy[persons.id].astype(np.float64)
    cap = plan.truncated_rows_cap
    whole = _whole(rows, measured, persons, people, cluster, cap)
    shares = _shares(truncated, variance, kept, kept_variance, guess=guess, whole=whole)
    cap = plan.truncated_rows_cap
    counted = low = high = None
    if persons is not None and people is not None:
        counted = max(float(people.sum()), 0.0)
        low, high = _total_interval(persons, people)
    total = max(whole.rows, 0.0)
    mean = total / max(float(kept.sum()), 1.0)
    reach = laplace_sum_quantile(1.0) * float(np.sqrt(whole.variance))
    beyond = rows_beyond_cap(whole.cluster.mean, cap)
    at_most = rows_beyond_cap(whole.cluster.mean + whole.cluster.deviation, cap, nearest=AT_MOST)
    share = shares.share * (1 + beyond)
    # which cells the persons live in who have rows beyond the cap is chance: geometric numbers of mean m have a mean square of
    # 2m - 1 times their mean
    chance = beyond * shares.share * (2 * whole.cluster.mean * (1 + beyond) - 1) / np.maximum(kept, 1.0)
    own_variance = shares.own_variance * (1 + beyond) ** 2 + (chance if truncated.size > 1 else 0.0)
    may_be = mean + float(np.sqrt(shares.whole_variance))
    common = shares.whole_variance * (1 + beyond) ** 2 + (may_be * max(beyond, at_most - beyond)) ** 2
    everything = total + max(float(kept.sum()), 0.0)
    seen = truncated.size >= 4 and mean > 0
    known = seen and all(levels[d.name] == d.leaf.name for d in count.grid.dimensions if _is_place(count.grid, d))
    lump = (2 * whole.cluster.mean - 1) * (1 + beyond)
    differ = _between(truncated, variance, kept, kept_variance, common=mean, lump=lump) if seen else 0.0
    spread = max(LEAST_SPREAD if known else UNKNOWN_SPREAD, differ / may_be if seen else 0.0)
    public = TruncationEstimate(
        levels=grid.complete(levels),
        truncated_rows=total,
        lower=max(whole.rows - reach, 0.0),
        upper=max(whole.rows + reach, 0.0),
        share=total / everything if everything else 0.0,
        truncated_persons=counted,
        persons_lower=low,
        persons_upper=high,
        factor=1.0 + share,
        factor_error=np.sqrt(own_variance + shares.lean**2 * common),
        spread=spread,
        cap=cap,
        cap_reached=whole.cluster.mean >= AS_A_RULE * cap > AS_A_RULE and whole.rows > 2 * np.sqrt(whole.variance),
    )
    return Correction(public, share, lump, own_variance, shares.lean, common)


@dataclass(frozen=True)
class _Whole:
    """All truncated rows, unbiased but for the guess of how many a person has, the variance of their number, and what is
    now known about how many a person has."""

    rows: float
    variance: float
    cluster: Cluster


def _whole(
    rows: Measurement, measured: Floats, persons: Measurement | None, people: Floats | None, cluster: Cluster, cap: int
) -> _Whole:
    """Truncated rows as they were counted, and as they follow from the persons who have any, each by its precision.

    The number of persons moves by one with a person, so its noise is small; where they are few, so is the doubt about
    how many rows each of them has. What both numbers together say about that is added to the guess.
    """
    counted, variance = float(measured.sum()), rows.variance * measured.size
    if persons is None or people is None:
        return _Whole(counted, variance, cluster)
    number, noise = float(people.sum()), persons.variance * people.size
    some = max(number, 0.0)
    roughly = float(np.sqrt(some**2 + noise))
    trust = 1 / (1 + by_persons(noise, cluster, roughly) / variance)
    told = cluster.mean * number
    known = some**2 / (variance + cluster.mean**2 * noise)
    guessed = 1 / max(cluster.deviation, 1e-6) ** 2
    mean = (cluster.mean * guessed + max(counted, 0.0) / max(some, 1.0) * known) / (guessed + known)
    now = Cluster(float(np.clip(mean, 1.0, cap)), (guessed + known) ** -0.5)
    return _Whole(counted + trust * (told - counted), whole_variance(variance, noise, cluster, roughly), now)


def _is_place(grid: Grid, dimension: Dimension) -> bool:
    """Whether a dimension is the largest list of codes: usually areas."""
    codes = [d for d in grid.dimensions if d.kind == "code"]
    return dimension.kind == "code" and len(dimension) == max(len(d) for d in codes)


def truncation_levels(plan: Plan) -> Mapping[str, str] | None:
    """Where truncated rows were measured, if they were."""
    return next((m.levels for m in plan.measurements if m.role == "truncated_rows"), None)


def _known_level(grid: Grid, levels: LevelNames, count: LeastSquares) -> dict[str, str]:
    """The level with most cells, no finer than ``levels``, at which the number of kept rows is known."""
    chains = []
    for dimension in grid.dimensions:
        first = [level.name for level in dimension.levels].index(levels[dimension.name])
        chains.append([level.name for level in dimension.levels[first:]])
    options = [dict(zip(levels, names, strict=True)) for names in product(*chains)]
    known = [option for option in options if np.isfinite(count.variance(option)).all()]
    return max(known, key=grid.cells)


def _total_interval(measurement: Measurement, values: Floats) -> tuple[float, float]:
    quantile = NORMAL_95 if measurement.epsilon is None else laplace_sum_quantile(float(min(values.size, 101)))
    reach = quantile * float(np.sqrt(measurement.variance * values.size))
    return max(float(values.sum()) - reach, 0.0), max(float(values.sum()) + reach, 0.0)


def _between(
    truncated: Floats, variance: Floats, kept: Floats, kept_variance: Floats, *, common: float, lump: float
) -> float:
    """How far coarse cells differ in their share of truncated rows besides noise and chance: a standard deviation, by moments,
    of what is beyond two standard deviations of the moment's own noise. Chance counts apart where finer cells are doubted.

    Args:
        common: truncated rows per kept row of all. lump: truncated rows that fall in a cell together.
    """
    safe = np.maximum(kept, 1.0)
    noise = _noise(variance, kept, kept_variance, common=common)
    weight = safe / safe.sum()
    between = float((weight * ((truncated / safe - common) ** 2 - noise - lump * common / safe)).sum())
    unsure = float(np.sqrt(2 * ((weight * noise) ** 2).sum()))
    return float(np.sqrt(max(between - 2 * unsure, 0.0)))


def _noise(variance: Floats, kept: Floats, kept_variance: Floats, *, common: float) -> Floats:
    """Variance of the truncated rows per kept row that each coarse cell shows, by noise alone; ``common``: of all cells."""
    return np.asarray((variance + common**2 * np.maximum(kept_variance, 0.0)) / np.maximum(kept, 1.0) ** 2)


@dataclass(frozen=True, eq=False)
class _Shares:
    """Truncated rows per kept row in each coarse cell, and what is uncertain about them (see ``Correction``)."""

    share: Floats
    own_variance: Floats
    lean: Floats
    whole_variance: float


def _shares(
    truncated: Floats, variance: Floats, kept: Floats, kept_variance: Floats, *, guess: float, whole: _Whole
) -> _Shares:
    """The share of each coarse cell.

    A coarse cell with few rows says little of its own; it is drawn towards the share of the whole in
    proportion (empirical Bayes with a moment estimate of the variance between cells). So is the share of the
    whole towards the public guess, which is taken to be off by as much as itself, or by what is measured where that
    is beyond two standard deviations: in a small release the noise of the measurement is larger than what is truncated.
    As the guess may be wrong, the variance of the whole stays that of the measurement.
    """
    safe = np.maximum(kept, 1.0)
    rows = max(float(kept.sum()), 1.0)
    noise_of_whole = whole.variance / rows**2
    prior = max(guess / max(1 - guess, 0.5), LEAST_GUESS)
    off = whole.rows / rows - prior
    doubt = max(prior**2, off**2 - 4 * noise_of_whole)
    common = max(prior + doubt / (doubt + noise_of_whole) * off, 0.0)
    own = truncated / safe
    noise = _noise(variance, kept, kept_variance, common=common)
    if truncated.size == 1:
        of_kept = common**2 * np.maximum(kept_variance, 0.0) / safe**2
        return _Shares(np.full(truncated.shape, common), of_kept, np.ones(truncated.shape), noise_of_whole)
    weight = safe / safe.sum()
    between = max(float((weight * ((own - common) ** 2 - noise)).sum()), 0.0)
    trust = between / (between + noise) if between > 0 else np.zeros_like(noise)
    share = np.maximum(common + trust * (own - common), 0.0)
    # at no visible difference between cells, allow for the smallest that is taken to exist
    unseen = np.maximum(between, (LEAST_SPREAD * common) ** 2)
    left = unseen * noise / np.maximum(unseen + noise, 1e-300)
    return _Shares(share, np.maximum(left, 0.0), 1 - trust, noise_of_whole)
