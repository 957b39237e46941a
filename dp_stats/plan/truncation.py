"""How what the contribution bound truncates is measured: where, and with what share of the budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Contribution, Release
from dp_stats.catalogue.partitions import refines
from dp_stats.plan.algebra import Key, key_of
from dp_stats.plan.mechanism import Mechanism, noise_variance
from dp_stats.plan.model import Measurement, Role
from dp_stats.plan.spaces import chain
from dp_stats.plan.targets import Target, mean_share, prior_totals, targets
from dp_stats.plan.warnings import UnmeasuredTruncation

GUESSED_SHARE = 0.05
"""Share of rows that is truncated where nobody has declared how often people repeat."""

SPREAD = 0.8
"""How far areas are taken to differ in how often people repeat, where no measurement shows it: a standard deviation,
relative to the share of truncated rows."""

SHARES = tuple(Fraction(n, 1000) for n in (5, 10, 20, 35, 50, 80, 120, 180, 250, 350, 450))
"""Shares of the budget that may go to truncated rows."""

LEAST_SHARE = 0.005
"""A smaller expected share of truncated rows is taken to be this large."""

LARGEST_UNDECLARED = Fraction(18, 100)
"""The largest of them where nobody has declared how often people repeat."""

UNGUESSED_SHARE = Fraction(4, 100)
"""The share where no size is guessed, so that errors cannot be compared."""

PERSONS = Fraction(1, 8)
"""Budget for the number of persons with truncated rows, compared with that for the rows."""

STRATEGY_GAIN = 3.0
"""How much more accurate planned tables are than tables noised on their own, roughly."""


@dataclass(frozen=True)
class TruncationShare:
    """One measurement of what is truncated: its place and its share of the total budget."""

    role: Role
    statistic: str
    levels: Key
    share: Fraction


def truncation_cap(release: Release) -> int:
    """The largest number of one person's truncated rows that is counted: as declared, else twice what the declared
    repeats say the most repeated person has, else four times the bound."""
    contribution = release.contribution
    if contribution.truncated_rows is not None:
        return contribution.truncated_rows
    if contribution.repeats:
        return max(2 * (max(contribution.repeats) - contribution.rows), 1)
    return 4 * contribution.rows


def measures_truncation(release: Release) -> bool:
    """Whether truncated rows can exist, matter to a published count or sum, and are to be measured."""
    contribution = release.contribution
    return (
        contribution.measure_truncation
        and not contribution.why_nothing_is_truncated
        and any(s.kind != "persons" for s in release.statistics)
    )


def choose_truncation(grid: Grid, release: Release, mechanism: Mechanism, total: Fraction) -> list[TruncationShare]:
    """Where truncated rows and persons are measured, and with what share of the budget, by total expected error."""
    if not measures_truncation(release):
        return []
    published = targets(grid, release)
    statistic = next(
        (s.id for s in release.statistics if s.kind == "count" and any(t.statistic == s.id for t in published)), None
    )
    if statistic is None:
        return []  # truncated rows are compared with kept rows, which only a published count tells
    level, share = _best(grid, release, published, statistic, mechanism, total)
    rows = share / (1 + PERSONS)
    return [
        TruncationShare("truncated_rows", statistic, level, rows),
        TruncationShare("truncated_persons", statistic, key_of(grid, {}), share - rows),
    ]


def _best(
    grid: Grid, release: Release, published: list[Target], statistic: str, mechanism: Mechanism, total: Fraction
) -> tuple[Key, Fraction]:
    """The level and share with the smallest total expected error of everything published, in the geometric mean.

    A value's error is the noise of its own table, the noise of the correction, and how much its cells may differ from
    the coarse cell whose factor they get.
    """
    whole = key_of(grid, {})
    expected = prior_totals(grid, release).get(statistic)
    sized = [t for t in published if t.statistic == statistic and t.prior_mean is not None]
    places = [t.levels for t in published if t.statistic == statistic and not t.windowed]
    if not expected or not sized or not places:  # sums over windows alone have no level of their own
        return whole, UNGUESSED_SHARE
    truncated = max(truncated_share(release.contribution), LEAST_SHARE) * expected
    tables = len({(t.statistic, t.levels) for t in published})
    rows = release.contribution.rows
    found: list[tuple[float, Key, Fraction]] = []
    for share in SHARES:
        if share > LARGEST_UNDECLARED and not release.contribution.repeats:
            break
        own = _deviation(rows, mechanism, total * (1 - share) / tables) ** 2 / STRATEGY_GAIN**2
        noise = _deviation(truncation_cap(release), mechanism, total * share / (1 + PERSONS)) ** 2
        for key in _levels(grid, places):
            cells = grid.cells({d.name: name for d, name in zip(grid.dimensions, key, strict=True)})
            error = sum(t.weight * math.log(own + _correction(grid, t, cells, truncated, noise)) for t in sized)
            found.append((error, key, share))
    _, level, share = min(found, key=lambda one: (round(one[0], 9), one[2], one[1]))
    return level, share


def _correction(grid: Grid, target: Target, cells: int, truncated: float, noise: float) -> float:
    """Variance that correcting adds to a value of mean size.

    ``noise`` is that of a coarse cell; estimation draws coarse cells to each other where it is large (empirical Bayes).
    """
    part = mean_share(grid, target.queries)
    differ = (SPREAD * truncated * part) ** 2
    if cells * part >= 1:
        return noise * cells * part
    inside = (SPREAD * truncated / cells) ** 2
    drawn = inside * noise / (inside + noise) if cells > 1 else noise
    return (drawn + noise / cells) * (cells * part) ** 2 + (differ if cells * part < 0.999 else 0.0)


def _levels(grid: Grid, places: list[Key]) -> list[Key]:
    """Levels, whole in time, that are sums of what is published at one of ``places``: truncated rows are compared
    with kept rows."""
    options = [(d.top.name,) if d.kind == "date" else chain(d, ()) for d in grid.dimensions]
    return [key for key in product(*options) if any(_sums_to(grid, p, key) for p in places)]


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


def _sums_to(grid: Grid, fine: Key, coarse: Key) -> bool:
    levels = zip(grid.dimensions, fine, coarse, strict=True)
    return all(refines(d.level(a).group, d.level(b).group) for d, a, b in levels)


def truncation_warning(release: Release, measurements: tuple[Measurement, ...]) -> UnmeasuredTruncation | None:
    """A warning where rows may be truncated without anyone knowing how many."""
    contribution = release.contribution
    if contribution.why_nothing_is_truncated or any(m.role == "truncated_rows" for m in measurements):
        return None
    return UnmeasuredTruncation(rows=contribution.rows)
