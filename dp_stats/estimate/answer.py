"""Answers for free: any statistic that follows from what has been measured already, at no cost to anybody's privacy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import numpy as np

from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Derived, Release
from dp_stats.catalogue.populations import population_of
from dp_stats.errors import NotDerivableError
from dp_stats.estimate.answer_breaks import Break, breaks_of
from dp_stats.estimate.boundaries import codes_in
from dp_stats.estimate.cells_asked import Floats, conditions, leaves, on_fit, refuse
from dp_stats.estimate.covering import cover
from dp_stats.estimate.intervals import around, ratio_interval
from dp_stats.estimate.measured_edition import Measured
from dp_stats.estimate.parts import Part, Total, total
from dp_stats.estimate.persons import Persons
from dp_stats.estimate.quantity import Quantity
from dp_stats.estimate.tables import fit_all
from dp_stats.estimate.windows import variance_of_sums
from dp_stats.plan.algebra import Query
from dp_stats.plan.expected import NORMAL_95


@dataclass(frozen=True)
class Answer:
    """One number with its 95 % interval.

    Attributes:
        statistic: what was asked for.
        value: best value; a count is a whole number and not negative.
        unrounded, standard_error: the unbiased value and its standard error.
        lower, upper: 95 % interval.
        editions: the editions it is computed from, in order of time.
        breaks: where these changed the boundaries of what was asked for.
    """

    statistic: str
    value: float
    unrounded: float
    lower: float
    upper: float
    standard_error: float
    editions: tuple[str, ...]
    breaks: tuple[Break, ...] = ()

    def __post_init__(self) -> None:
        for name in ("value", "lower", "upper"):
            object.__setattr__(self, name, getattr(self, name) + 0.0)  # nothing is 0, not -0


def answer(
    editions: Sequence[Measured],
    statistic: str,
    *,
    where: Mapping[str, Sequence[str]] | None = None,
    start: date | None = None,
    end: date | None = None,
    derived: Derived | None = None,
) -> Answer:
    """The best estimate of a statistic over a set of cells.

    Args:
        editions: stored editions of releases that publish the statistic; where several cover the same days,
            those with the smallest error are used.
        statistic: a measured statistic, or a derived rate or mean.
        where: dimension → codes, at any of its levels; a dimension left out is summed over.
        start: first day (default: that of the first edition).
        end: last day (default: that of the last edition).
        derived: the statistic as later editions declare it, where these do not: it follows from what they have measured.

    Raises:
        NotDerivableError: saying why what has been measured does not tell.
    """
    conditions = {name: tuple(codes) for name, codes in (where or {}).items()}
    asked, derived = asked_for(editions, statistic, derived)
    if not asked:
        refuse(f"no edition of a release with the statistic '{statistic}' has been measured")
    first = start or min(e.period.start for e in asked)
    last = end or max(e.period.end for e in asked)
    if last < first:
        refuse(f"the last day, {last}, is before the first, {first}")
    if derived is None:
        return _sum(asked, statistic, conditions, first, last)
    if derived.kind == "rate":
        return _rate(asked, derived, conditions, first, last)
    if derived.kind == "mean":
        return _mean(asked, derived, conditions, first, last)
    refuse(f"a {derived.kind} is no sum of cells; ask for '{derived.of}'")


def asked_for(
    editions: Sequence[Measured], statistic: str, lent: Derived | None
) -> tuple[list[Measured], Derived | None]:
    """The editions to ask, and the statistic if it is a derived one: then all that measure what it follows from."""
    asked = [e for e in editions if _declares(e.release, statistic)]
    derived = next((d for d in asked[0].release.derived if d.id == statistic), None) if asked else lent
    if derived is None or derived.kind not in ("rate", "mean"):
        return asked, derived
    needed = {derived.of, derived.over} - {None}
    return [e for e in editions if needed <= {s.id for s in e.release.statistics}], derived


def _sum(
    asked: Sequence[Measured], statistic: str, where: Mapping[str, Sequence[str]], first: date, last: date
) -> Answer:
    parts = cover(
        [(e.period, e) for e in asked],
        first,
        last,
        part=lambda edition, begin, stop: _part(
            edition, statistic, where_in(edition, where, within(asked, first, last)), begin, stop
        ),
        variance=lambda part: float(part.variance),
    )
    same_meaning([e for e in asked if e.plan.edition in {p.edition for p in parts}], statistic)
    declared = next(s for s in asked[0].release.statistics if s.id == statistic)
    (found,) = answers_of(statistic, total(parts, declared), parts)
    found = replace(found, breaks=breaks_of(used(asked, parts), where, within(asked, first, last)))
    if declared.kind != "persons":
        return found
    return _beside_rows(found, [e for e in asked if e.plan.edition in found.editions], where, first, last)


def _beside_rows(
    persons: Answer, asked: Sequence[Measured], where: Mapping[str, Sequence[str]], first: date, last: date
) -> Answer:
    """Distinct persons, no more than the rows of the same cells, as ``persons_beside_rows`` has it in published tables."""
    for count in (s.id for s in asked[0].release.statistics if s.kind == "count"):
        try:
            rows = _sum(asked, count, where, first, last)
        except NotDerivableError:  # it is not published, or not so finely
            continue
        value = min(max(persons.value, min(rows.value, 1.0)), rows.value)
        lower, upper = min(persons.lower, rows.lower), min(persons.upper, rows.upper)
        return replace(persons, value=value, lower=min(lower, value), upper=max(upper, value))
    return persons


def used(editions: Sequence[Measured], parts: Sequence[Part]) -> list[Measured]:
    """The editions that parts come from, in order of time."""
    by_name = {e.plan.edition: e for e in editions}
    return [by_name[part.edition] for part in parts]


def within(editions: Sequence[Measured], first: date, last: date) -> list[Measured]:
    """The editions with a day from ``first`` to ``last``."""
    return [e for e in editions if e.period.start <= last and e.period.end >= first]


def where_in(
    edition: Measured, where: Mapping[str, Sequence[str]], among: Sequence[Measured]
) -> dict[str, tuple[str, ...]]:
    """The codes of an edition that hold what is asked for, on the boundaries of the last edition of ``among``.

    Raises:
        NotDerivableError: they hold something else, too.
    """
    known = {d.name for d in edition.grid.dimensions}
    own = {
        name: codes_of(edition, name, codes, among) if name in known else [tuple(codes)]
        for name, codes in where.items()
    }
    return {name: tuple(dict.fromkeys(code for group in found for code in group)) for name, found in own.items()}


def codes_of(
    edition: Measured, dimension: str, codes: Sequence[str], among: Sequence[Measured]
) -> list[tuple[str, ...]]:
    """The same for each of several codes of a dimension that the edition has."""
    having = [e for e in among if dimension in {d.name for d in e.grid.dimensions}]
    listed = {id(e): e.listed(dimension) for e in (*having, edition)}
    own, others = listed[id(edition)], [listed[id(e)] for e in having]
    return [codes_in(code, own, others) for code in codes]


def answers_of(statistic: str, summed: Total, parts: Sequence[Part]) -> list[Answer]:
    """An answer for each cell of a total."""
    names = tuple(part.edition for part in parts)
    arrays = (summed.best, summed.unrounded, summed.lower, summed.upper, summed.error)
    return [
        Answer(statistic, best, unrounded, lower, upper, error, names)
        for best, unrounded, lower, upper, error in zip(*(a.ravel().tolist() for a in arrays), strict=True)
    ]


def same_meaning(editions: Sequence[Measured], statistic: str) -> None:
    """Figures of several editions add up only if each measured the same thing.

    Raises:
        NotDerivableError: an edition counts something else under this name, or clips it otherwise.
    """
    found = [next(s for s in e.release.statistics if s.id == statistic) for e in editions]
    if len({(s.kind, s.column, s.lower, s.upper) for s in found}) > 1:
        refuse(f"'{statistic}' means different things in {' and '.join(e.plan.edition for e in editions)}")


def _rate(
    asked: Sequence[Measured],
    derived: Derived,
    where: Mapping[str, Sequence[str]],
    first: date,
    last: date,
) -> Answer:
    count = _sum(asked, derived.of, where, first, last)
    people = people_of(asked, derived, where, first, last)
    scale = derived.per / people
    return Answer(
        derived.id,
        count.value * scale,
        count.unrounded * scale,
        count.lower * scale,
        count.upper * scale,
        count.standard_error * scale,
        count.editions,
        count.breaks,
    )


def people_of(
    asked: Sequence[Measured], derived: Derived, where: Mapping[str, Sequence[str]], first: date, last: date
) -> float:
    """The public population of cells, on the boundaries of the last edition where codes are in force for a time.

    Raises:
        NotDerivableError: none is known.
    """
    last_lists = max(within(asked, first, last), key=lambda e: e.period.start, default=asked[0])
    dated = any(
        last_lists.listed(name).replaced for name in where if name in {d.name for d in last_lists.grid.dimensions}
    )
    teller = last_lists if dated else asked[0]
    people = _people(teller, derived, where, teller.catalogue) if teller.catalogue is not None else float("nan")
    if not people > 0:
        refuse(f"no public population '{derived.population}' is known for these cells; ask for '{derived.of}'")
    return people


def _people(edition: Measured, derived: Derived, where: Mapping[str, Sequence[str]], catalogue: Catalogue) -> float:
    levels = {d.name: d.top.name for d in edition.grid.dimensions}
    for dimension in edition.grid.dimensions:
        codes = catalogue.code_list_of(edition.release, dimension.name)
        if dimension.name in where or (codes is not None and derived.population in codes.header):
            levels[dimension.name] = dimension.leaf.name
    people = population_of(edition.grid, edition.release, catalogue, levels, derived.population)
    for axis, dimension in enumerate(edition.grid.dimensions):
        if people.shape[axis] > 1 or levels[dimension.name] != dimension.top.name:
            chosen = leaves(dimension, where.get(dimension.name))
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
        NORMAL_95,
        low=low,
        high=high,
    )
    if bottom.unrounded <= 0:
        refuse("there are too few rows in these cells for a mean")
    unrounded = top.unrounded / bottom.unrounded
    best = float(np.clip(unrounded, low, high))
    lower, upper = around(np.array(best), lower, upper)
    return Answer(derived.id, best, unrounded, float(lower), float(upper), float(error), top.editions, top.breaks)


def _part(edition: Measured, statistic: str, where: Mapping[str, Sequence[str]], begin: date, stop: date) -> Part:
    declared = next(s for s in edition.release.statistics if s.id == statistic)
    weights = conditions(edition.grid, where, edition.period, begin, stop)
    if declared.kind == "persons":
        own = [m for m in edition.plan.measurements if m.statistic == statistic and m.role == "statistic"]
        return _distinct(Persons(declared, edition.grid, own, edition.noisy.values), edition, weights, begin, stop)
    quantity = quantity_of(edition, statistic)
    queries: dict[str, Query] = {}
    for dimension in edition.grid.dimensions:
        queries[dimension.name] = on_fit(quantity, dimension, weights[dimension.name][None, :])
    variance, doubt = (part.reshape(()) for part in variance_of_sums(quantity, queries))
    if not np.isfinite(variance):
        refuse(f"{edition.plan.edition} did not measure '{statistic}' for this combination of {_list(where)}")
    value = quantity.value(queries).reshape(())
    return Part(edition.plan.edition, begin, stop, value, variance, quantity.law(queries), doubt)


def quantity_of(edition: Measured, statistic: str) -> Quantity:
    """What an edition has measured of an additive statistic.

    Raises:
        NotDerivableError: nothing, as it publishes nothing that needs it.
    """
    found = fit_of(edition).get(statistic)
    if found is None:
        refuse(f"{edition.plan.edition} shows '{statistic}' in no table, and did not measure it")
    return found


@lru_cache(maxsize=64)
def fit_of(edition: Measured) -> dict[str, Quantity]:
    """The fit of an edition, kept because a table of answers asks it once per cell."""
    return fit_all(edition.plan, grid=edition.grid, release=edition.release, noisy=edition.noisy, late=edition.late)


def _distinct(persons: Persons, edition: Measured, weights: Mapping[str, Floats], begin: date, stop: date) -> Part:
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
            value, variance = persons.value(measurement.levels)[tuple(place)], np.asarray(measurement.variance)
            law = persons.law(measurement.levels)
            return Part(edition.plan.edition, begin, stop, np.asarray(value), variance, law)
    refuse(f"distinct persons ('{persons.statistic.id}') of several cells or periods cannot be added")


def _declares(release: Release, statistic: str) -> bool:
    return statistic in {s.id for s in release.statistics} | {d.id for d in release.derived}


def _list(where: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(where) or "dimensions"
