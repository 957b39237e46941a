"""Which contribution bound suits a release: what each truncates, the noise that it needs, and what both come to.

Everything here follows from the catalogue alone: nothing is read, spent or drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot, log

from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Contribution, Release
from dp_stats.catalogue.periods import Period
from dp_stats.errors import CatalogueError
from dp_stats.plan.expected import NORMAL_95
from dp_stats.plan.make import make_plan
from dp_stats.plan.truncation import truncated_share, truncation_cap

Place = tuple[str, str]


NEARLY = log(1.05)
"""Scores that differ by less are alike: a guess of how often people repeat is no better than that."""


@dataclass(frozen=True)
class BoundChoice:
    """One contribution bound, with one cap on a person's truncated rows that are counted.

    Attributes:
        rows, cap: the bound and the cap. truncated_share: expected share of all rows that is truncated.
        bias, margin: per (table, statistic) with a guessed mean: how much too low the bounded value is, and the 95 % margin of
            its noise where nothing is spent on measuring what is truncated.
        error: root-mean-square error of what would be published, of noise and bias together: after the correction for truncated
            rows, with its own doubts, where they are measured; else of the bounded value.
    """

    rows: int
    cap: int
    truncated_share: float
    bias: Mapping[Place, float]
    margin: Mapping[Place, float]
    error: Mapping[Place, float]

    @property
    def score(self) -> float:
        """Mean logarithm of the errors: smaller is better, alike for large and small numbers."""
        return sum(log(e) for e in self.error.values()) / len(self.error)


def bounds(
    catalogue: Catalogue, release: Release, period: Period, candidates: Sequence[int] | None = None
) -> tuple[BoundChoice, ...]:
    """Bias, noise and total error for several contribution bounds, from the declared ``contribution.repeats``.

    Raises:
        CatalogueError: no repeats are declared, so nothing is known about what a bound truncates.
    """
    repeats = _repeats(release)
    ks = candidates or sorted({*repeats, release.contribution.rows})
    return tuple(_choice(catalogue, release, period, k, None) for k in ks)


def caps(catalogue: Catalogue, release: Release, period: Period, rows: int) -> tuple[BoundChoice, ...]:
    """The same for several caps on one person's truncated rows, at one bound; none where nothing is truncated there.

    Raises:
        CatalogueError: no repeats are declared.
    """
    most = max(_repeats(release)) - rows
    if most < 1 or not release.contribution.measure_truncation:
        return ()
    candidates = sorted({c for c in (1, 2, 3, 5, 8, 12, 20, 30) if c < most} | {most})
    return tuple(_choice(catalogue, release, period, rows, cap) for cap in candidates)


def best_bound(choices: Sequence[BoundChoice]) -> BoundChoice | None:
    """The choice with the smallest errors, where sizes are guessed."""
    scored = [c for c in choices if c.error]
    return min(scored, key=lambda c: (c.score, c.rows, c.cap)) if scored else None


def best_cap(bound: BoundChoice, choices: Sequence[BoundChoice]) -> BoundChoice:
    """The bound with its own cap, unless another makes errors a twentieth smaller: then the largest of the caps that are as
    good to a twentieth. Declared repeats leave out what is rare, and a larger cap counts it."""
    best = best_bound(choices)
    if best is None or bound.score <= best.score + NEARLY:
        return bound
    return max((c for c in choices if c.error and c.score <= best.score + NEARLY), key=lambda c: c.cap)


def _repeats(release: Release) -> Mapping[int, float]:
    repeats = release.contribution.repeats
    if not repeats:
        raise CatalogueError(
            f"release '{release.id}': contribution.repeats is empty. Declare a public guess of how many rows people "
            "have, for example {1: 0.9, 2: 0.08, 3: 0.02}, from an earlier edition or elsewhere."
        )
    return repeats


def _choice(catalogue: Catalogue, release: Release, period: Period, rows: int, cap: int | None) -> BoundChoice:
    update = {"rows": rows} | ({} if cap is None else {"truncated_rows": cap})
    corrected: Contribution = release.contribution.model_copy(update=update)
    bounded = corrected.model_copy(update={"measure_truncation": False})
    share = truncated_share(corrected)
    margin, means = _margins(catalogue, release, period, bounded)
    bias = {place: share * means[place] for place in margin}
    error = {place: hypot(bias[place], margin[place] / NORMAL_95) for place in margin}
    counted = truncation_cap(release.model_copy(update={"contribution": corrected}))
    if release.contribution.measure_truncation:
        after, _ = _margins(catalogue, release, period, corrected)
        error = {place: after[place] / NORMAL_95 for place in after}
    return BoundChoice(rows, counted, share, bias, margin, error)


def _margins(
    catalogue: Catalogue, release: Release, period: Period, contribution: Contribution
) -> tuple[dict[Place, float], dict[Place, float]]:
    """Expected margins and means of counts, sums and what is a multiple or a sum of them, where a mean is guessed."""
    plan = make_plan(catalogue, release.model_copy(update={"contribution": contribution}), period)
    additive = {s.id for s in release.statistics if s.kind != "persons"}
    additive |= {
        d.id for d in release.derived if d.kind in ("rate", "daily", "rolling", "cumulative") and d.of in additive
    }
    known = [e for e in plan.expected if e.prior_mean and e.statistic in additive]
    margins = {(e.table, e.statistic): e.margin_95 for e in known}
    return margins, {(e.table, e.statistic): e.prior_mean for e in known if e.prior_mean}
