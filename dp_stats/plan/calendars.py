"""Every calendar that an edition can have: what one person may do is the worst over all of them, not over one.

Periods of a kind are not alike: a week may cross the end of a month or a year, a month may touch four, five or six
weeks, a year has 52 or 53. How the days of a period fall into groups depends on nothing but its length and on which of
its days a group of each declared level begins with. For a year, wherever it begins, that is settled by the weekday of
its first day and by whether 29 February lies in it: 14 calendars, which also settle those of its quarters, months and
weeks; a week that crosses the end of a year is settled by the weekday of its last day alone. The 28 years from 2001 to
2028 hold all of them (leap years by turns of four, over whole weeks: 10,227 days), so the periods that begin in them
have the calendars of all periods of the Gregorian calendar.

A period that is cut at the first or last day of its release has some of the days of a whole one: every group of it lies
in one group of the whole one, or (four weeks, which are counted anew) has no more days and no more groups beside it. So
the worst whole period is worse than all that are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from itertools import combinations

from dp_stats.catalogue.calendar import TIME_LEVELS, Calendar
from dp_stats.catalogue.grid import Dimension, Grid, date_dimension
from dp_stats.catalogue.load import time_levels
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import PartKind, Period, PeriodKind, next_period
from dp_stats.errors import CatalogueError
from dp_stats.plan.model import Measurement

CYCLE = date(2001, 1, 1), date(2028, 12, 31)
"""Whole weeks, months and years in which every calendar of a period of any kind begins."""

_LONGEST: dict[PeriodKind, date] = {
    "day": date(2021, 1, 1),
    "month": date(2021, 3, 1),
    "quarter": date(2021, 7, 1),
    "year": date(2024, 2, 29),
    "financial-year": date(2024, 2, 29),
}
"""A day of the longest period there is of a kind."""


def canonical_period(release: Release) -> Period:
    """The period that stands for all editions of a release: where levels differ if they ever do; a range is its own.

    It is the longest of its kind. A week crosses the ends of a month and of a year, so months and years are levels of
    their own in it. Where there are financial years, it is the period in which most levels differ.
    """
    levels = {level for spec in release.dimensions for level in spec.levels}
    if "financial-year" in levels and release.period != "financial-year":
        return _most_different(release.period, release.calendar, tuple(x for x in TIME_LEVELS if x in levels))
    if release.period == "week":
        new_year = next(
            day for day in (date(2025, 1, 1), date(2026, 1, 1)) if day.weekday() != release.calendar.week_start
        )
        return release.calendar.period_of(new_year, "week")
    return release.calendar.period_of(_LONGEST[release.period], release.period)


@lru_cache(maxsize=64)
def _most_different(kind: PeriodKind, calendar: Calendar, levels: tuple[PartKind, ...]) -> Period:
    def differences(period: Period) -> tuple[int, int]:
        """How many different partitions its levels and the whole are, and how many pairs of them cross: neither is finer."""
        found = {frozenset({period.start})}
        found |= {frozenset(part.start for part in calendar.parts(period, level)) for level in levels}
        return len(found), sum(not (one <= other or other <= one) for one, other in combinations(found, 2))

    return max(_periods(kind, calendar), key=lambda period: (*differences(period), period.end - period.start))


def require_one_strategy(release: Release) -> None:
    """Refuse levels of time that one strategy cannot serve: one never has two groups in the period that stands for all.

    Raises:
        CatalogueError: naming both levels and what to do.
    """
    if release.period == "range":
        return
    declared = {level for spec in release.dimensions for level in spec.levels}
    levels = tuple(level for level in TIME_LEVELS if level in declared)
    canonical = canonical_period(release)
    told = {level for level in levels if len(release.calendar.parts(canonical, level)) > 1}
    for level in levels:
        if level not in told and _is_ever_told(release.period, release.calendar, level):
            others = " and ".join(f"'{other}'" for other in levels if other in told and other != "day")
            raise CatalogueError(
                f"release '{release.id}': the level '{level}' cannot be published beside {others}: no {release.period} "
                "crosses the borders of both, and all editions are measured alike. Leave one out, or choose a longer period."
            )


@lru_cache(maxsize=64)
def _is_ever_told(kind: PeriodKind, calendar: Calendar, level: PartKind) -> bool:
    """Whether some period of a kind has two groups of a level."""
    return any(len(calendar.parts(period, level)) > 1 for period in _periods(kind, calendar))


def grids_of(release: Release, grid: Grid) -> tuple[Grid, ...]:
    """The grids of all editions that a release may have, up to names; ``grid`` first.

    A release of one range of days has one edition, that of ``grid``.
    """
    dated = [d for d in grid.dimensions if d.kind == "date"]
    if release.period == "range" or not dated:
        return (grid,)
    declared = {spec.name: spec for spec in release.dimensions}
    calendars = _calendars(
        release.period, release.calendar, tuple((d.name, d.column, time_levels(declared[d.name])) for d in dated)
    )
    replaced = ({d.name: d for d in calendar} for calendar in calendars)
    others = (Grid(tuple(own.get(d.name, d) for d in grid.dimensions)) for own in replaced)
    return (grid, *others)


def own_level(canonical: Dimension, own: Dimension, name: str) -> str:
    """What a level of the canonical grid is called in an edition's own, where levels of one group may fall together."""
    return own.top.name if name not in {level.name for level in own.levels} or name == canonical.top.name else name


def on_calendar(chosen: Iterable[Measurement], canonical: Grid, grid: Grid) -> tuple[Measurement, ...]:
    """The same measurements on the calendar of one period; noise and sensitivities stay those of the series.

    Two levels can be the same in a short period: the first, finer one is measured.
    """
    placed: dict[tuple[str, str, tuple[str, ...]], Measurement] = {}
    for m in chosen:
        levels = {d.name: own_level(canonical[d.name], d, m.levels[d.name]) for d in grid.dimensions}
        mark = (m.role, m.statistic, tuple(levels.values()))
        if mark not in placed:
            placed[mark] = m.model_copy(update={"levels": levels, "shape": grid.shape(levels)})
    return tuple(placed.values())


@lru_cache(maxsize=64)
def _calendars(
    kind: PeriodKind, calendar: Calendar, declared: tuple[tuple[str, str, tuple[PartKind, ...]], ...]
) -> tuple[tuple[Dimension, ...], ...]:
    """The date dimensions of every period of a kind, each shape of them once."""
    counted = ("day", "4-week")  # by nothing but the number of days
    levels = [
        level for level in dict.fromkeys(level for _, _, own in declared for level in own) if level not in counted
    ]
    shapes: dict[object, tuple[Dimension, ...]] = {}
    for period in _periods(kind, calendar):
        firsts = tuple(tuple(part.start - period.start for part in calendar.parts(period, level)) for level in levels)
        shape = (period.end - period.start, firsts)
        if shape not in shapes:
            shapes[shape] = tuple(date_dimension(name, column, period, own, calendar) for name, column, own in declared)
    return tuple(shapes.values())


def _periods(kind: PeriodKind, calendar: Calendar) -> Iterator[Period]:
    first, last = CYCLE
    period = calendar.period_of(first, kind)
    while period.start <= last:
        yield period
        if kind == "day":
            return  # all days are alike
        period = next_period(period)
