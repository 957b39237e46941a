"""How what the contribution bound truncates is measured: where, and with how small a share of the budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Contribution, Release
from dp_stats.plan.algebra import Key, key_of
from dp_stats.plan.mechanism import Mechanism, noise_variance
from dp_stats.plan.model import Measurement, Role
from dp_stats.plan.spaces import chain, nested
from dp_stats.plan.targets import prior_totals, targets
from dp_stats.plan.warnings import UnmeasuredTruncation

GUESSED_SHARE = 0.05
"""Share of rows that is truncated where nobody has declared how often people repeat."""

SIGNAL = 5.0
"""Truncated rows are measured as finely as the expected number per cell stays this many standard deviations."""

ROW_SHARES = (Fraction(2, 100), Fraction(3, 100), Fraction(4, 100))
PERSON_SHARE = Fraction(1, 200)


@dataclass(frozen=True)
class TruncationShare:
    """One measurement of what is truncated: its place and its share of the total budget."""

    role: Role
    statistic: str
    levels: Key
    share: Fraction


def truncation_cap(release: Release) -> int:
    """The largest number of one person's truncated rows that is counted."""
    return release.contribution.truncated_rows or 4 * release.contribution.rows


def measures_truncation(release: Release) -> bool:
    """Whether truncated rows can exist, matter to a published count or sum, and are to be measured."""
    contribution = release.contribution
    return (
        contribution.measure_truncation
        and not contribution.why_nothing_is_truncated
        and any(s.kind != "persons" for s in release.statistics)
    )


def choose_truncation(grid: Grid, release: Release, mechanism: Mechanism, total: Fraction) -> list[TruncationShare]:
    """Where truncated rows and persons are measured, and the smallest share that shows anything below the whole grid."""
    if not measures_truncation(release):
        return []
    published = targets(grid, release)
    statistic = next(
        (s.id for s in release.statistics if s.kind == "count" and any(t.statistic == s.id for t in published)), None
    )
    if statistic is None:
        return []  # truncated rows are compared with kept rows, which only a published count tells
    whole = key_of(grid, {})
    places = [t.levels for t in published if t.statistic == statistic and not t.windowed]
    expected = prior_totals(grid, release).get(statistic, 0.0) * truncated_share(release.contribution)
    level, share = whole, ROW_SHARES[-1]
    for candidate in ROW_SHARES:
        level = _finest(grid, places, expected, _deviation(truncation_cap(release), mechanism, total * candidate))
        if level != whole:
            share = candidate
            break
    return [
        TruncationShare("truncated_rows", statistic, level, share),
        TruncationShare("truncated_persons", statistic, whole, PERSON_SHARE),
    ]


def truncated_share(contribution: Contribution) -> float:
    """Expected share of rows that the bound truncates, from the declared repeats or a guess."""
    repeats = contribution.repeats
    if not repeats:
        return GUESSED_SHARE
    rows = sum(r * p for r, p in repeats.items())
    return sum(max(r - contribution.rows, 0) * p for r, p in repeats.items()) / rows if rows else 0.0


def _deviation(cap: int, mechanism: Mechanism, budget: Fraction) -> float:
    scale = cap / float(budget) if mechanism == "discrete_laplace" else cap / (2 * float(budget)) ** 0.5
    return math.sqrt(noise_variance(scale, mechanism))


def _finest(grid: Grid, places: list[Key], expected: float, deviation: float) -> Key:
    """The level with most cells, whole in time, in whose cells the expected number still stands out.

    It must be a sum of what is published at one of ``places``, since truncated rows are compared with kept rows.
    """
    best = key_of(grid, {})
    most = 1
    options = [(d.top.name,) if d.kind == "date" else chain(d, ()) for d in grid.dimensions]
    for key in product(*options):
        cells = grid.cells({d.name: name for d, name in zip(grid.dimensions, key, strict=True)})
        if cells > most and any(_sums_to(grid, p, key) for p in places) and expected / cells >= SIGNAL * deviation:
            best, most = key, cells
    return best


def _sums_to(grid: Grid, fine: Key, coarse: Key) -> bool:
    levels = zip(grid.dimensions, fine, coarse, strict=True)
    return all(nested(d.level(a).group, d.level(b).group) for d, a, b in levels)


def truncation_warning(release: Release, measurements: tuple[Measurement, ...]) -> UnmeasuredTruncation | None:
    """A warning where rows may be truncated without anyone knowing how many."""
    contribution = release.contribution
    if contribution.why_nothing_is_truncated or any(m.role == "truncated_rows" for m in measurements):
        return None
    return UnmeasuredTruncation(rows=contribution.rows)
