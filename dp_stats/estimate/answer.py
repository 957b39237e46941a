"""Answers for free: any statistic that follows from what has been measured already, at no cost to anybody's privacy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Derived, Release
from dp_stats.catalogue.partitions import first_leaves
from dp_stats.catalogue.periods import Period, parse_period
from dp_stats.catalogue.populations import population_of
from dp_stats.errors import NotDerivableError
from dp_stats.estimate.covering import cover
from dp_stats.estimate.intervals import around, normal_quantile, ratio_interval, whole_numbers
from dp_stats.estimate.noise_law import NoiseLaw, normal_law
from dp_stats.estimate.persons import Persons
from dp_stats.estimate.quantity import Quantity
from dp_stats.estimate.tables import fit_all
from dp_stats.plan.algebra import Query
from dp_stats.plan.model import Plan
from dp_stats.plan.noisy import NoisyMeasurements

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    """One edition whose noisy measurements are stored, with its own declaration: its cells, statistics and lists.

    ``catalogue`` holds the edition's code lists, where populations are found, for rates.
    """

    plan: Plan
    grid: Grid
    release: Release
    noisy: NoisyMeasurements
    catalogue: Catalogue | None = None


@dataclass(frozen=True)
class Answer:
    """One number with its 95 % interval.

    Attributes:
        statistic: what was asked for.
        value: best value; a count is a whole number and not negative.
        unrounded, standard_error: the unbiased value and its standard error.
        lower, upper: 95 % interval.
        editions: the editions it is computed from, in order of time.
    """

    statistic: str
    value: float
    unrounded: float
    lower: float
    upper: float
    standard_error: float
    editions: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """What one edition says about its part of the period."""

    edition: str
    start: date
    stop: date
    value: float
    variance: float
    law: NoiseLaw


def answer(
    editions: Sequence[Measured],
    statistic: str,
    *,
    where: Mapping[str, Sequence[str]] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> Answer:
    """The best estimate of a statistic over a set of cells.

    Args:
        editions: stored editions of releases that publish the statistic; where several cover the same days,
            those with the smallest error are used.
        statistic: a measured statistic, or a derived rate or mean.
        where: dimension → codes, at any of its levels; a dimension left out is summed over.
        start: first day (default: that of the first edition).
        end: last day (default: that of the last edition).

    Raises:
        NotDerivableError: saying why what has been measured does not tell.
    """
    conditions = {name: tuple(codes) for name, codes in (where or {}).items()}
    asked = [e for e in editions if _declares(e.release, statistic)]
    if not asked:
        _refuse(f"no edition of a release with the statistic '{statistic}' has been measured")
    first = start or min(parse_period(e.plan.period).start for e in asked)
    last = end or max(parse_period(e.plan.period).end for e in asked)
    if last < first:
        _refuse(f"the last day, {last}, is before the first, {first}")
    derived = next((d for d in asked[0].release.derived if d.id == statistic), None)
    if derived is None:
        return _sum(asked, statistic, conditions, first, last)
    if derived.kind == "rate":
        return _rate(asked, derived, conditions, first, last)
    if derived.kind == "mean":
        return _mean(asked, derived, conditions, first, last)
    _refuse(f"a {derived.kind} is no sum of cells; ask for '{derived.of}'")


def _sum(
    asked: Sequence[Measured], statistic: str, where: Mapping[str, Sequence[str]], first: date, last: date
) -> Answer:
    parts = cover(
        [(parse_period(e.plan.period), e) for e in asked],
        first,
        last,
        part=lambda edition, begin, stop: _part(edition, statistic, where, begin, stop),
        variance=lambda part: part.variance,
    )
    same_meaning([e for e in asked if e.plan.edition in {p.edition for p in parts}], statistic)
    value, error = sum(p.value for p in parts), float(np.sqrt(sum(p.variance for p in parts)))
    declared = next(s for s in asked[0].release.statistics if s.id == statistic)
    signed = declared.kind == "sum" and (declared.lower or 0) < 0
    law = parts[0].law if len(parts) == 1 else normal_law()
    lowest = -np.inf if signed else 0.0
    lower, upper = law.interval(np.array(value), np.array(error), low=lowest)
    best = value
    if declared.kind != "sum":
        lower, upper = whole_numbers(lower, upper)
        best = float(np.rint(value))
    best = max(best, lowest)
    lower, upper = around(np.array(best), lower, upper)
    return Answer(statistic, best, value, float(lower), float(upper), error, tuple(p.edition for p in parts))


def same_meaning(editions: Sequence[Measured], statistic: str) -> None:
    """Figures of several editions add up only if each measured the same thing.

    Raises:
        NotDerivableError: an edition counts something else under this name, or clips it otherwise.
    """
    found = [next(s for s in e.release.statistics if s.id == statistic) for e in editions]
    if len({(s.kind, s.column, s.lower, s.upper) for s in found}) > 1:
        _refuse(f"'{statistic}' means different things in {' and '.join(e.plan.edition for e in editions)}")


def _rate(
    asked: Sequence[Measured],
    derived: Derived,
    where: Mapping[str, Sequence[str]],
    first: date,
    last: date,
) -> Answer:
    catalogue = asked[0].catalogue
    count = _sum(asked, derived.of, where, first, last)
    people = _people(asked[0], derived, where, catalogue) if catalogue is not None else float("nan")
    if not people > 0:
        _refuse(f"no public population '{derived.population}' is known for these cells; ask for '{derived.of}'")
    scale = derived.per / people
    return Answer(
        derived.id,
        count.value * scale,
        count.unrounded * scale,
        count.lower * scale,
        count.upper * scale,
        count.standard_error * scale,
        count.editions,
    )


def _people(edition: Measured, derived: Derived, where: Mapping[str, Sequence[str]], catalogue: Catalogue) -> float:
    levels = {d.name: d.top.name for d in edition.grid.dimensions}
    for dimension in edition.grid.dimensions:
        codes = catalogue.code_list_of(edition.release, dimension.name)
        if dimension.name in where or (codes is not None and derived.population in codes.header):
            levels[dimension.name] = dimension.leaf.name
    people = population_of(edition.grid, edition.release, catalogue, levels, derived.population)
    for axis, dimension in enumerate(edition.grid.dimensions):
        if people.shape[axis] > 1 or levels[dimension.name] != dimension.top.name:
            chosen = _leaves(dimension, where.get(dimension.name))
            if people.shape[axis] == len(chosen):
                people = np.compress(chosen > 0, people, axis=axis)
    return float(people.sum())


def _mean(
    asked: Sequence[Measured], derived: Derived, where: Mapping[str, Sequence[str]], first: date, last: date
) -> Answer:
    assert derived.over is not None
    top, bottom = (_sum(asked, name, where, first, last) for name in (derived.of, derived.over))
    column = next(s for s in asked[0].release.statistics if s.id == derived.of)
    low, high = float(column.lower or 0), float(column.upper or np.inf)
    lower, upper, error = ratio_interval(
        np.array(top.unrounded),
        np.array(bottom.unrounded),
        np.array(top.standard_error**2),
        np.array(bottom.standard_error**2),
        0.0,
        normal_quantile(),
        low=low,
        high=high,
    )
    if bottom.unrounded <= 0:
        _refuse("there are too few rows in these cells for a mean")
    unrounded = top.unrounded / bottom.unrounded
    best = float(np.clip(unrounded, low, high))
    lower, upper = around(np.array(best), lower, upper)
    return Answer(derived.id, best, unrounded, float(lower), float(upper), float(error), top.editions)


def _part(edition: Measured, statistic: str, where: Mapping[str, Sequence[str]], begin: date, stop: date) -> _Part:
    declared = next(s for s in edition.release.statistics if s.id == statistic)
    weights = _conditions(edition.grid, where, parse_period(edition.plan.period), begin, stop)
    if declared.kind == "persons":
        own = [m for m in edition.plan.measurements if m.statistic == statistic and m.role == "statistic"]
        return _distinct(Persons(declared, edition.grid, own, edition.noisy.values), edition, weights, begin, stop)
    quantity = _fit(edition)[statistic]
    queries: dict[str, Query] = {}
    for dimension in edition.grid.dimensions:
        queries[dimension.name] = _on_fit(quantity, dimension, weights[dimension.name])[None, :]
    variance = float(quantity.variance(queries).item())
    if not np.isfinite(variance):
        _refuse(f"{edition.plan.edition} did not measure '{statistic}' for this combination of {_list(where)}")
    value = float(quantity.value(queries).item())
    return _Part(edition.plan.edition, begin, stop, value, variance, quantity.law(queries))


@lru_cache(maxsize=64)
def _fit(edition: Measured) -> dict[str, Quantity]:
    """The fit of an edition, kept because a table of answers asks it once per cell."""
    return fit_all(edition.plan, grid=edition.grid, release=edition.release, noisy=edition.noisy)


def _distinct(persons: Persons, edition: Measured, weights: Mapping[str, Floats], begin: date, stop: date) -> _Part:
    """Persons are known only for cells that were measured as they are, in an edition that covers the period alone."""
    for measurement in (m for m in edition.plan.measurements if m.statistic == persons.statistic.id):
        place = []
        for dimension in edition.grid.dimensions:
            level = dimension.level(measurement.levels[dimension.name])
            matches = [
                g for g in range(len(level.codes)) if np.array_equal(level.group == g, weights[dimension.name] > 0)
            ]
            place += matches[:1]
        if len(place) == len(edition.grid.dimensions):
            value = float(persons.value(measurement.levels)[tuple(place)])
            return _Part(
                edition.plan.edition, begin, stop, value, measurement.variance, persons.law(measurement.levels)
            )
    _refuse(f"distinct persons ('{persons.statistic.id}') of several cells or periods cannot be added")


def _conditions(
    grid: Grid, where: Mapping[str, Sequence[str]], period: Period, begin: date, stop: date
) -> dict[str, Floats]:
    for name in where:
        if name not in [d.name for d in grid.dimensions]:
            _refuse(f"there is no dimension '{name}'; there are {', '.join(d.name for d in grid.dimensions)}")
    weights = {}
    for dimension in grid.dimensions:
        weights[dimension.name] = _leaves(dimension, where.get(dimension.name))
        if dimension.kind == "date":
            weights[dimension.name] = weights[dimension.name] * _between(dimension, period, begin, stop)
    return weights


def _leaves(dimension: Dimension, codes: Sequence[str] | None) -> Floats:
    """1 for every leaf that one of ``codes`` (of any level) holds; all leaves without codes."""
    if codes is None:
        return np.ones(len(dimension))
    chosen = np.zeros(len(dimension))
    for code in codes:
        level = next((level for level in dimension.levels if code in level.codes), None)
        if level is None:
            _refuse(f"'{code}' is no code of '{dimension.name}' at any of its levels")
        chosen[level.group == level.codes.index(code)] = 1.0
    return chosen


def _between(dimension: Dimension, period: Period, begin: date, stop: date) -> Floats:
    """1 for every leaf that lies in the days asked for; a leaf is cut at the ends of the edition's period."""
    chosen = np.zeros(len(dimension))
    last = stop - timedelta(days=1)
    for i, code in enumerate(dimension.leaf.codes):
        start, end = days_of(code)
        start, end = max(start, period.start), min(end, period.end)
        if start >= begin and end <= last:
            chosen[i] = 1.0
        elif start <= last and end >= begin:
            _refuse(f"days were summed to '{dimension.leaf.name}' {code}, which the period asked for cuts")
    return chosen


def days_of(code: str) -> tuple[date, date]:
    """The first and last day of a code of a calendar level."""
    if code.endswith("-P4W"):
        start = date.fromisoformat(code.removesuffix("-P4W"))
        return start, start + timedelta(days=27)
    period = parse_period(code)
    return period.start, period.end


def _on_fit(quantity: Quantity, dimension: Dimension, weights: Floats) -> Floats:
    """Weights on the leaves that were measured, which may be coarser than the grid's."""
    level = dimension.level(quantity.grid[dimension.name].leaf.name)
    first = first_leaves(level.group)
    if not np.array_equal(weights[first][level.group], weights):
        _refuse(f"'{dimension.name}' was measured by {level.name} at the finest")
    return weights[first]


def _declares(release: Release, statistic: str) -> bool:
    return statistic in {s.id for s in release.statistics} | {d.id for d in release.derived}


def _list(where: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(where) or "dimensions"


def _refuse(reason: str) -> NoReturn:
    raise NotDerivableError(f"Not derivable: {reason}. A new release would have to measure it.")
