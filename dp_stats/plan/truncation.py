"""How what the contribution bound truncates is measured: where, and with what share of the budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from dp_stats.catalogue.grid import Grid, LevelNames
from dp_stats.catalogue.models import Contribution, Release
from dp_stats.catalogue.partitions import refines
from dp_stats.plan.algebra import Key, Query, key_of
from dp_stats.plan.mechanism import Mechanism, noise_variance
from dp_stats.plan.model import Measurement, Role
from dp_stats.plan.spaces import chain
from dp_stats.plan.targets import Target, mean_share, prior_totals, targets
from dp_stats.plan.warnings import UndeclaredRepeats, UnmeasuredTruncation

GUESSED_SHARE = 0.05
"""Share of rows that is truncated where nobody has declared how often people repeat."""

SPREAD = 0.8
"""How far areas are taken to differ in how often people repeat, where no measurement shows it: a standard deviation,
relative to the share of truncated rows."""

LEAST_SPREAD = 0.3
"""Groups inside a coarse cell are taken to differ at least this much in their share of truncated rows (a standard
deviation, relative to the share), however alike the coarse cells are."""

UNKNOWN_SPREAD = 0.8
"""The same of areas where truncated rows were measured only coarser than areas, or in fewer than four coarse cells:
that cannot show how much areas differ."""

SHARES = tuple(Fraction(n, 1000) for n in (5, 10, 20, 35, 50, 80, 120, 180, 250, 350, 450, 550, 650, 750, 850))
"""Shares of the budget that may go to truncated rows."""

LEAST_SHARE = 0.005
"""A smaller expected share of truncated rows is taken to be this large."""

HARDLY_ANY = 0.0005
"""The same share where hardly anyone repeats: where nothing is declared, errors are foreseen for both, with half the say
for this one."""

PERSONS = tuple(Fraction(n, 8) for n in (1, 2, 3, 4, 5, 6))
"""Parts of that budget that may go to the number of persons with truncated rows. It moves by one with a person, so its
noise is small; but it says how many rows are truncated only where few persons are."""

CLUSTER = 1.5
"""Truncated rows of a person who has any, where nobody has declared how often people repeat."""

TOLD_APART = 2.0
"""Coarse cells are worth measuring where the variance of noise is at most so many times that of what they differ by,"""

KNOWN_WELL = 20.0
"""and their kept rows, which truncated ones are divided by, are this many times the noise of a table."""

HARDLY_NOISE = 1e-12
"""A variance of noise is taken to be no less: under a huge privacy loss it is nothing, which has no logarithm."""

AS_A_RULE, AT_MOST = 0.85, 0.95
"""How near to the cap the mean number of truncated rows of a person who has any is taken to be, for the value and for the doubt
about it. Nearer still, a little noise would make the rows beyond the cap anything."""

STRATEGY_GAIN = 3.0
"""How much more accurate planned tables are than tables noised on their own, roughly, where there are many."""


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
    level, share, persons = _best(grid, release, published, statistic, mechanism, total)
    return [
        TruncationShare("truncated_rows", statistic, level, share * (1 - persons)),
        TruncationShare("truncated_persons", statistic, key_of(grid, {}), share * persons),
    ]


def _best(
    grid: Grid, release: Release, published: list[Target], statistic: str, mechanism: Mechanism, total: Fraction
) -> tuple[Key, Fraction, Fraction]:
    """The level, the share and the part of it for persons with the smallest total expected error of everything
    published, in the geometric mean. Where no size is guessed, noise alone is compared.

    A value's error is the noise of its own table, the noise of the correction, and how much its cells may differ from
    the coarse cell whose factor they get.
    """
    names = [d.name for d in grid.dimensions]
    expected = prior_totals(grid, release).get(statistic)
    mine = [t for t in published if t.statistic == statistic and (not expected or t.prior_mean is not None)]
    places = [t.levels for t in published if t.statistic == statistic and not t.windowed]
    levels = [(key, grid.cells(dict(zip(names, key, strict=True)))) for key in _levels(grid, places)]
    tables = len({(t.statistic, t.levels) for t in published})
    contribution, cap = release.contribution, truncation_cap(release)
    rows, cluster, gain = contribution.rows, cluster_guess(contribution, cap), min(STRATEGY_GAIN, math.sqrt(tables))
    known = [(t.weight, mean_share(grid, t.queries)) for t in mine]
    plausible = _plausible(contribution, expected)
    most = max(truncated for _, truncated in plausible)
    found: list[tuple[float, Fraction, Key, Fraction]] = []
    for share, part in product(SHARES, PERSONS):
        own = _deviation(rows, mechanism, total * (1 - share) / tables) ** 2 / gain**2
        noise = _deviation(cap, mechanism, total * share * (1 - part)) ** 2
        persons = _deviation(1, mechanism, total * share * part) ** 2
        for key, cells in levels:
            known_well = (expected or 0.0) / cells > KNOWN_WELL * math.sqrt(own)
            if cells > 1 and not (known_well and noise <= TOLD_APART * inside_of(most, cells)):
                continue  # cells would differ by noise alone
            error = 0.0
            for say, truncated in plausible:
                whole = whole_variance(cells * noise, persons, cluster, truncated / cluster.mean)
                error += say * sum(
                    weight * math.log(own + added_variance(of_all, cells, truncated, noise, whole))
                    for weight, of_all in known
                )
            found.append((error, share, key, part))
    _, share, level, part = min(found, key=lambda one: (round(one[0], 9), *one[1:]))
    return level, share, part


def _plausible(contribution: Contribution, expected: float | None) -> tuple[tuple[float, float], ...]:
    """How many rows may be truncated, each with its say: one guess where repeats are declared, else many and hardly any."""
    if not expected:
        return ((1.0, 0.0),)
    if contribution.repeats:
        return ((1.0, max(truncated_share(contribution), LEAST_SHARE) * expected),)
    return (1.0, GUESSED_SHARE * expected), (0.5, HARDLY_ANY * expected)


@dataclass(frozen=True)
class Cluster:
    """Truncated rows of a person who has any, as a public guess: their mean, and how far it may be off."""

    mean: float
    deviation: float


def cluster_guess(contribution: Contribution, cap: int) -> Cluster:
    """From the declared repeats, which may be off by half; else low, and anything up to ``cap`` is plausible."""
    beyond = {
        min(r - contribution.rows, cap): p for r, p in (contribution.repeats or {}).items() if r > contribution.rows
    }
    some = sum(beyond.values())
    if some > 0:
        mean = sum(r * p for r, p in beyond.items()) / some
        return Cluster(mean, mean / 2)
    return Cluster(min(CLUSTER, float(cap)), (cap - 1) / 2)


def together(contribution: Contribution) -> float:
    """Truncated rows that fall in a cell by one chance: those of the person of a truncated row (Σ n² / Σ n over persons), as
    repeats are declared."""
    beyond = {r - contribution.rows: p for r, p in (contribution.repeats or {}).items() if r > contribution.rows}
    rows = sum(n * p for n, p in beyond.items())
    return sum(n**2 * p for n, p in beyond.items()) / rows if rows > 0 else 2 * CLUSTER - 1


def by_persons(variance: float, cluster: Cluster, persons: float) -> float:
    """Variance of the number of truncated rows as it follows from the number of persons who have any.

    Args:
        variance: of the noisy number of persons. persons: roughly how many there are.
    """
    return (cluster.mean**2 + cluster.deviation**2) * variance + (cluster.deviation * persons) ** 2


def whole_variance(rows: float, persons: float, cluster: Cluster, truncated: float) -> float:
    """Variance of all truncated rows, from their own noisy number and from that of persons, each by its precision.

    Args:
        rows, persons: noise variances of the two. truncated: roughly how many persons have truncated rows.
    """
    return 1 / (1 / rows + 1 / by_persons(persons, cluster, truncated))


def rows_beyond_cap(cluster: float, cap: int, *, nearest: float = AS_A_RULE) -> float:
    """Truncated rows that are not counted, as a share of those that are, where people have very many.

    A person's truncated rows are counted up to ``cap``. Where their mean is near it, many have more: rows beyond are
    put at what a geometric law with that mean would have. The doubt about them is taken to be as large as they are, or
    as would be with a mean one standard deviation higher.
    """
    if cap <= 1 or cluster <= 1.0:
        return 0.0
    counted = min(cluster, nearest * cap)

    def mean_up_to_cap(stop: float) -> float:
        return (1 - (1 - stop) ** cap) / stop

    low, high = 1e-4, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_up_to_cap(middle) > counted else (low, middle)
    return max(1 / low / counted - 1.0, 0.0)


def beyond_cap(contribution: Contribution, cap: int) -> float:
    """Rows beyond the cap as a share of all truncated rows: as declared, and no fewer than a geometric law of the declared mean
    has, which takes their place in an estimate. Either may be wrong by as much."""
    found = max(_declared_beyond(contribution, cap), rows_beyond_cap(cluster_guess(contribution, cap).mean, cap))
    return found / (1 + found)


def too_many(contribution: Contribution, cap: int) -> float:
    """How many times more truncated rows an estimate finds than were declared, as it puts rows beyond the cap at what a
    geometric law has, however few were declared."""
    geometric = rows_beyond_cap(cluster_guess(contribution, cap).mean, cap)
    return max((1 + geometric) / (1 + _declared_beyond(contribution, cap)), 1.0)


def _declared_beyond(contribution: Contribution, cap: int) -> float:
    """Rows beyond the cap per truncated row that is counted, as declared."""
    k = contribution.rows
    beyond = {r - k: p for r, p in (contribution.repeats or {}).items() if r > k}
    counted = sum(min(n, cap) * p for n, p in beyond.items())
    return sum(max(n - cap, 0) * p for n, p in beyond.items()) / counted if counted > 0 else 0.0


def inside_of(truncated: float, cells: int) -> float:
    """Variance of the truncated rows of coarse cells around their mean."""
    return (SPREAD * truncated / cells) ** 2


def spread_inside(grid: Grid, coarse: LevelNames, queries: Mapping[str, Query]) -> float:
    """How far an interval takes a query's share of truncated rows to differ from that of the coarse cells where it was measured,
    as a standard deviation, relative to the share; 0 where the query is a sum of such cells."""
    finer = any(
        not isinstance(query, str) or len(d.level(query).codes) > len(d.level(coarse[d.name]).codes)
        for d in grid.dimensions
        for query in (queries.get(d.name, d.top.name),)
    )
    place = max((d for d in grid.dimensions if d.kind == "code"), key=len, default=None)
    seen = place is None or coarse[place.name] == place.leaf.name
    return (LEAST_SPREAD if seen and grid.cells(coarse) >= 4 else UNKNOWN_SPREAD) if finer else 0.0


def added_variance(
    part: float, cells: int, truncated: float, noise: float, whole: float, *, spread: float = SPREAD
) -> float:
    """Variance that correcting adds to a value of mean size.

    Args:
        part: the value's share of everything. cells: of the coarse level. truncated: rows, of everything.
        noise: variance of a coarse cell's truncated rows; estimation draws coarse cells to the whole where it is large
            (empirical Bayes). whole: variance of all truncated rows, which cells then share.
        spread: how far finer cells differ from their coarse cell, relative to the share of truncated rows.
    """
    inside = inside_of(truncated, cells)
    lean = noise / (inside + noise) if cells > 1 else 1.0
    drawn = lean * inside if cells > 1 else 0.0
    if cells * part >= 1:
        return drawn * cells * part + (lean * part) ** 2 * whole
    differ = (spread * truncated * part) ** 2 if cells * part < 0.999 else 0.0
    return (drawn + lean**2 * whole / cells**2) * (cells * part) ** 2 + differ


def _levels(grid: Grid, places: list[Key]) -> list[Key]:
    """Levels, whole in time, that are sums of what is published at one of ``places``: truncated rows are compared
    with kept rows. The whole where there is none, as sums over windows alone have no level of their own."""
    options = [(d.top.name,) if d.kind == "date" else chain(d, ()) for d in grid.dimensions]
    return [key for key in product(*options) if any(_sums_to(grid, p, key) for p in places)] or [key_of(grid, {})]


def truncated_share(contribution: Contribution) -> float:
    """Expected share of rows that the bound truncates, from the declared repeats or a guess."""
    repeats = contribution.repeats
    if not repeats:
        return GUESSED_SHARE
    rows = sum(r * p for r, p in repeats.items())
    return sum(max(r - contribution.rows, 0) * p for r, p in repeats.items()) / rows if rows else 0.0


def _deviation(cap: int, mechanism: Mechanism, budget: Fraction) -> float:
    scale = cap / float(budget) if mechanism == "discrete_laplace" else cap / (2 * float(budget)) ** 0.5
    return math.sqrt(max(noise_variance(scale, mechanism), HARDLY_NOISE))


def _sums_to(grid: Grid, fine: Key, coarse: Key) -> bool:
    levels = zip(grid.dimensions, fine, coarse, strict=True)
    return all(refines(d.level(a).group, d.level(b).group) for d, a, b in levels)


def truncation_warning(
    release: Release, measurements: tuple[Measurement, ...]
) -> UnmeasuredTruncation | UndeclaredRepeats | None:
    """A warning where rows may be truncated without anyone knowing how many, or without anyone having said how many one person
    may have: of those beyond the cap no measurement tells anything."""
    contribution = release.contribution
    if contribution.why_nothing_is_truncated:
        return None
    if not any(m.role == "truncated_rows" for m in measurements):
        return UnmeasuredTruncation(rows=contribution.rows)
    if contribution.repeats or contribution.truncated_rows is not None:
        return None
    return UndeclaredRepeats(rows=contribution.rows + truncation_cap(release))
