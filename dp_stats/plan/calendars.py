"""Every calendar that an edition can have: what one person may do is the worst over all of them, not over one.

Periods of a kind are not alike: a week may cross the end of a month or a year, a month may touch four, five or six
weeks, a year has 52 or 53. How the days of a period fall into groups depends on nothing but its length and on which of
its days are Mondays, first days of a month and first days of a year. For a year that is settled by the weekday of its
1 January and by whether it is a leap year: 14 calendars, which also settle those of its months and weeks; a week that
crosses the end of a year is settled by the weekday of 31 December alone. The 28 years from 2001 to 2028 hold all 14 (leap years
by turns of four, over whole weeks: 10,227 days), so they hold the calendars of all days, weeks,
months and years of the Gregorian calendar.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from dp_stats.catalogue.grid import Dimension, Grid, date_dimension
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import Period, PeriodKind, period_of

CYCLE = date(2001, 1, 1), date(2028, 12, 31)
"""Whole weeks, months and years in which every calendar of a week, a month or a year occurs."""


def grids_of(release: Release, grid: Grid) -> tuple[Grid, ...]:
    """The grids of all editions that a release may have, up to names; ``grid`` first.

    A release of one range of days has one edition, that of ``grid``.
    """
    dated = [d for d in grid.dimensions if d.kind == "date"]
    if release.period == "range" or not dated:
        return (grid,)
    declared = {spec.name: spec.levels or ("day",) for spec in release.dimensions}
    calendars = _calendars(release.period, tuple((d.name, d.column, declared[d.name]) for d in dated))
    replaced = ({d.name: d for d in calendar} for calendar in calendars)
    others = (Grid(tuple(own.get(d.name, d) for d in grid.dimensions)) for own in replaced)
    return (grid, *others)


def own_level(canonical: Dimension, own: Dimension, name: str) -> str:
    """What a level of the canonical calendar is called in an edition's own, where levels of one group may fall together."""
    return own.top.name if name not in {level.name for level in own.levels} or name == canonical.top.name else name


@lru_cache(maxsize=64)
def _calendars(
    kind: PeriodKind, declared: tuple[tuple[str, str, tuple[str, ...]], ...]
) -> tuple[tuple[Dimension, ...], ...]:
    """The date dimensions of every period of a kind, each shape of them once."""
    shapes: dict[object, tuple[Dimension, ...]] = {}
    for period in _periods(kind):
        days = period.days
        shape = tuple(
            (i, day.weekday() == 0, day.day == 1, day.timetuple().tm_yday == 1)
            for i, day in enumerate(days)
            if _cuts(day)
        )
        if (len(days), shape) not in shapes:
            made = tuple(date_dimension(name, column, period, levels) for name, column, levels in declared)
            shapes[len(days), shape] = made
    return tuple(shapes.values())


def _cuts(day: date) -> bool:
    """Whether a week, a month or a year begins with this day."""
    return day.weekday() == 0 or day.day == 1


def _periods(kind: PeriodKind) -> Iterator[Period]:
    first, last = CYCLE
    if kind == "day":
        yield period_of(first, kind)  # all days are alike
        return
    while first <= last:
        period = period_of(first, kind)
        yield period
        first = period.end + timedelta(days=1)
