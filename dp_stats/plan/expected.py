"""Expected errors of everything a release publishes: exact for sums, by the delta method for ratios, and with what
shrinkage and the correction of the contribution bound will roughly do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dp_stats.catalogue.edges import edges_of
from dp_stats.catalogue.grid import Grid, days_of_cells
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Derived, Release, Table
from dp_stats.catalogue.populations import likely_population
from dp_stats.plan.adjusted import correction_variance, most_missing
from dp_stats.plan.algebra import Key, Structure, key_of
from dp_stats.plan.model import ExpectedError, Measurement
from dp_stats.plan.ratios import mean_deviation, mean_room, quantile_deviation, quantile_room, share_deviation
from dp_stats.plan.scenarios import UNLIKE, Scenario, scenarios_of
from dp_stats.plan.sensitivity import everybody_counts
from dp_stats.plan.settled import published_variance
from dp_stats.plan.symmetry import Floats
from dp_stats.plan.targets import Target, derived_of, mean_share, measured_for, prior_totals, statistic_of, target_of

NORMAL_95 = 1.959963984540054
"""Standard errors in half a 95 % interval of a normal value."""


HARDLY_ANY_NOISE = 0.02
"""A variance of whole noise below which nearly all draws are zero."""


@dataclass(frozen=True)
class Accuracy:
    """What a plan's measurements say about any sum of cells.

    Attributes:
        structures: additive statistic → its measured levels and precisions, in real units.
        own: (statistic, level) → variance, for distinct persons, whose tables do not add up.
        truncated_rows, truncated_persons: the measurements of what is truncated, if there are any.
    """

    grid: Grid
    structures: Mapping[str, Structure]
    own: Mapping[tuple[str, Key], float]
    truncated_rows: Measurement | None = None
    truncated_persons: Measurement | None = None
    _known: dict[tuple[object, ...], Floats] = field(default_factory=dict, repr=False)

    def variance(self, target: Target) -> Floats:
        """Variance of each value of a linear target, in real units squared; read-only, as it is computed once."""
        if target.statistic in self.structures:
            asked = [(name, q if isinstance(q, str) else (q.shape, q.tobytes())) for name, q in target.queries.items()]
            key = (target.statistic, *asked)
            if key not in self._known:
                self._known[key] = self.structures[target.statistic].query_variance(target.queries)
                self._known[key].setflags(write=False)
            return self._known[key]
        shape = self.grid.shape(dict(zip(target.queries, target.levels, strict=True)))
        return np.full(shape, self.own[(target.statistic, target.levels)])

    def whole(self, statistic: str, share: float) -> float:
        """What is left of squared errors where whole numbers take out a share of those of noise that hardly ever is not zero."""
        least = 1 / max(self.structures[statistic].precision.values()) if statistic in self.structures else 1.0
        return 1 - share * max(1 - least / HARDLY_ANY_NOISE, 0.0)


def accuracy(grid: Grid, release: Release, measurements: tuple[Measurement, ...]) -> Accuracy:
    """The accuracy that measurements give."""
    precisions: dict[str, dict[Key, float]] = {}
    own = {}
    for m in measurements:
        if m.role != "statistic":
            continue
        variance = m.variance * float(m.unit) ** 2
        key = key_of(grid, m.levels)
        if statistic_of(release, m.statistic).kind == "persons":
            own[(m.statistic, key)] = variance
        else:
            known = precisions.setdefault(m.statistic, {})
            known[key] = known.get(key, 0.0) + 1 / variance
    rows, persons = (
        next((m for m in measurements if m.role == role), None) for role in ("truncated_rows", "truncated_persons")
    )
    return Accuracy(grid, {s: Structure(grid, p) for s, p in precisions.items()}, own, rows, persons)


def expected_errors(catalogue: Catalogue, grid: Grid, release: Release, given: Accuracy) -> tuple[ExpectedError, ...]:
    """One entry for each statistic of each table; a ratio whose size nobody has guessed is left out."""
    totals = prior_totals(grid, release)
    found = []
    for table in release.tables:
        for name in table.statistics:
            derived = derived_of(release, name)
            target = target_of(grid, release, table, measured_for(release, name)[0], derived, totals)
            asked = _Asked(catalogue, grid, release, table, derived, target, given, totals)
            spreads = [_spread(asked, scenario) for scenario in scenarios_of(catalogue, grid, release, target.levels)]
            known = [spread for spread in spreads if spread is not None]
            if known:
                found.append(_summary(table.id, name, known))
    return tuple(found)


@dataclass(frozen=True)
class _Asked:
    """A published statistic, and what is known of it before; ``target`` is what it is computed from."""

    catalogue: Catalogue
    grid: Grid
    release: Release
    table: Table
    derived: Derived | None
    target: Target
    given: Accuracy
    totals: Mapping[str, float]


def _summary(table: str, statistic: str, spreads: Sequence[tuple[Floats, float | None]]) -> ExpectedError:
    """Of deviations and means as they are likely, and as they may be."""
    (deviation, mean), *_ = spreads
    known = [one[np.isfinite(one)] for one, _ in spreads]
    margins = [NORMAL_95 * float(np.median(one)) for one in known]
    # cells may be unlike by the plan alone, as regions of two and of fifty areas are
    together = [NORMAL_95 * float(np.sqrt(np.mean(one**2))) for one in known]
    return ExpectedError(
        table=table,
        statistic=statistic,
        cells=deviation.size,
        prior_mean=mean,
        margin_95=margins[0],
        lowest=min(margins + together),
        highest=max(margins + together),
        worst=NORMAL_95 * float(known[0].max()),
        relative=margins[0] / mean if mean else None,
    )


def _spread(asked: _Asked, scenario: Scenario) -> tuple[Floats, float | None] | None:
    """Standard deviation of each value and the mean value."""
    derived, target, given, release, grid = asked.derived, asked.target, asked.given, asked.release, asked.grid
    mean = target.prior_mean
    if derived is None or derived.kind in ("rolling", "cumulative", "rate", "daily"):
        variance = published_variance(grid, release, target, given.variance, scenario)
        if statistic_of(release, target.statistic).kind == "count":
            variance = variance * given.whole(target.statistic, scenario.whole)
        variance = variance + correction_variance(grid, release, target, given.truncated_rows, given.truncated_persons)
        variance = _beside_rows(asked, variance, scenario)
        deviation = _with_room(np.sqrt(variance), _room_of_persons(asked, scenario), np.inf)
        if derived is not None and derived.kind == "daily":
            return _of_days(asked, deviation)
        return _of_rate(asked, deviation) if derived and derived.kind == "rate" else (deviation, mean)
    if mean is None:
        return None
    if derived.kind == "mean" and derived.over:
        over = target_of(grid, release, asked.table, derived.over, derived, asked.totals)
        if over.prior_mean is None:
            return None
        ratio = mean / over.prior_mean
        statistic = statistic_of(release, target.statistic)
        bounds = (float(statistic.lower or 0), float(statistic.upper or 0))
        rows = over.prior_mean * scenario.middle
        room = mean_room(ratio, _missing(asked, over, rows, scenario), rows, bounds)
        deviation = mean_deviation(given.variance(target), given.variance(over), ratio, rows, bounds, scenario.mean)
        return _with_room(deviation, room, (bounds[1] - bounds[0]) / 2), ratio
    assert derived.across is not None
    across = grid[derived.across]
    typical = replace(target, prior_mean=mean * scenario.middle)
    published = published_variance(grid, release, typical, given.variance, scenario)
    if derived.kind == "share":
        groups = grid.shape(dict(zip(target.queries, target.levels, strict=True)))[grid.dimensions.index(across)]
        whole = given.variance(replace(target, queries={**target.queries, across.name: across.top.name}))
        return share_deviation(given.variance(target), whole, published, mean * scenario.middle, groups), 100 / groups
    edges = edges_of(grid, release, asked.catalogue, across.name)
    assert derived.q is not None
    size = mean * scenario.middle
    of_all = replace(target, queries={**target.queries, across.name: across.top.name}, prior_mean=mean * len(across))
    room = quantile_room(_missing(asked, of_all, size * len(across), scenario), edges, size)
    gain = 1.0
    if scenario.hopeful:  # shares of bins are alike in all cells, so that each has those of its region
        gain = min(float(np.mean(published)) / max(float(np.mean(given.variance(target))), 1e-300), 1.0)
    deviation = quantile_deviation(
        target, given.variance, across, edges, derived.q, size, gain=gain, most=scenario.quantile
    )
    return _with_room(deviation, room, (edges[-1] - edges[0]) / 2), None


def _missing(asked: _Asked, count: Target, rows: float, scenario: Scenario) -> float:
    """The most of so many rows that intervals of what is not corrected have room for, as they are truncated. None in the best
    case, in which missing rows are like the kept ones."""
    given, release = asked.given, asked.release
    if given.truncated_rows is None or scenario.hopeful or statistic_of(release, count.statistic).kind != "count":
        return 0.0
    typical = replace(count, prior_mean=rows)
    return min(most_missing(asked.grid, release, typical, given.truncated_rows, given.truncated_persons), rows)


def _room_of_persons(asked: _Asked, scenario: Scenario) -> float:
    """How much wider on each side the interval of distinct persons is for missing rows, as its upper end is that of all of them:
    by half of them, or, where each is of somebody else, a value may be too low by as many. None of what is corrected, nor of the
    one cell of everything, from which the bound leaves nobody out (``estimate.left_out.nobody_left_out``)."""
    given, release, target = asked.given, asked.release, asked.target
    if given.truncated_rows is None or statistic_of(release, target.statistic).kind != "persons":
        return 0.0
    count = replace(target, statistic=given.truncated_rows.statistic)
    rows = asked.totals.get(count.statistic)
    rows = target.prior_mean if rows is None else rows * mean_share(asked.grid, target.queries)
    everybody = everybody_counts(release, asked.catalogue.datasets[release.dataset].privacy_unit.per)
    top = all(name == d.top.name for name, d in zip(target.levels, asked.grid.dimensions, strict=True))
    if rows is None or (everybody and top) or not np.isfinite(given.variance(count)).all():
        return 0.0  # nobody knows how many rows a cell has
    return _missing(asked, count, rows, scenario) * (1.0 if scenario is UNLIKE else 0.5)


def _beside_rows(asked: _Asked, variance: Floats, scenario: Scenario) -> Floats:
    """The squared error of distinct persons beside rows in the best case, in which each row is of somebody else: the smaller of
    both numbers is published then (``estimate.persons_beside_rows``), whose squared error is the mean of theirs."""
    given, release, target = asked.given, asked.release, asked.target
    rows = next((s.id for s in release.statistics if s.kind == "count" and s.id in given.structures), None)
    if rows is None or not scenario.hopeful or statistic_of(release, target.statistic).kind != "persons":
        return variance
    count = replace(target, statistic=rows)
    doubt = correction_variance(asked.grid, release, count, given.truncated_rows, given.truncated_persons)
    return np.minimum(variance, (variance + given.variance(count) + doubt) / 2)


def _with_room(deviation: Floats, room: float, most: float) -> Floats:
    """A deviation whose margin has room for missing rows on each side, where there are some; no more than can be."""
    return np.maximum(np.minimum(deviation + room / NORMAL_95, most / NORMAL_95), deviation) if room else deviation


def _of_days(asked: _Asked, deviation: Floats) -> tuple[Floats, float | None]:
    """Of a figure per day, from the standard deviation of its sum."""
    time = next(d.name for d in asked.grid.dimensions if d.kind == "date")
    days = days_of_cells(asked.grid, time, asked.grid.complete(asked.table.levels)[time])
    mean = asked.target.prior_mean
    return deviation / days, None if mean is None else mean / float(days.mean())


def _of_rate(asked: _Asked, deviation: Floats) -> tuple[Floats, float | None] | None:
    """Of a rate, from the standard deviation of its count."""
    assert asked.derived is not None
    levels = asked.grid.complete(asked.table.levels)
    people = likely_population(asked.grid, asked.release, asked.catalogue, levels, asked.derived.population)
    if people is None or not people.any():  # where nobody lives there is no rate
        return None
    with np.errstate(divide="ignore"):
        scale = asked.derived.per / people
    mean = asked.target.prior_mean
    typical = mean * asked.derived.per / float(people.mean()) if mean is not None else None
    return deviation * scale, typical
