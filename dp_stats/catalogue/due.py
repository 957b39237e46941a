"""Which periods a release has and when each is due: the one rule for runs, forecasts, reviews and the calendar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import Period, next_period, parse_period
from dp_stats.catalogue.schedule import Schedule, zone_of


def period_at(release: Release, day: date) -> Period:
    """The period of the release that holds ``day``, cut at its first and last day; a range is one, whichever the day."""
    if release.period == "range":
        return parse_period(f"{release.start}--{release.end or release.start}")
    return release.calendar.period_of(day, release.period).within(release.start, release.end)


def last_begun(release: Release, day: date) -> Period:
    """The last period of the release that has begun by a day; its first one where none has."""
    return period_at(release, max(release.start, min(day, release.end or day)))


def last_ended(release: Release, day: date) -> Period:
    """The last period of the release that has ended before a day; its first one where none has."""
    begun = last_begun(release, day)
    return begun if begun.end < day else next(iter(periods_before(release, begun, 1)), begun)


def periods_of(release: Release) -> Iterator[Period]:
    """Every period of the release in order of time, cut at its first and last day; without end where it has none."""
    period = period_at(release, release.start)
    yield period
    while period.kind != "range":
        period = next_period(period)
        if release.end is not None and period.start > release.end:
            return
        yield period.within(release.start, release.end)


def periods_before(release: Release, period: Period, count: int) -> tuple[Period, ...]:
    """Up to ``count`` periods of the release before one of its periods, the nearest first."""
    found: list[Period] = []
    while len(found) < count and period.start > release.start and period.kind != "range":
        period = period_at(release, period.start - timedelta(days=1))
        found.append(period)
    return tuple(found)


def has_next(release: Release, period: Period) -> bool:
    """Whether a period of the release follows on one of its periods."""
    return period.kind != "range" and (release.end is None or next_period(period).start <= release.end)


def open_since(release: Release, period: Period) -> date:
    """The first day of the periods to which an edition later than that of ``period`` may still add late rows.

    The day after ``period`` where none is left open: no edition follows, or late rows are not counted (any more).
    """
    if release.late is None or not has_next(release, period):
        return period.end + timedelta(days=1)
    first = period
    for _ in range(release.late.periods - 1):  # also of periods before the release had its name
        first = release.calendar.before(first)
    return first.start


def due_day(period: Period, *, settle_days: int) -> date:
    """The first day on which an edition may be made: its period has ended and late reports have settled."""
    return period.end + timedelta(days=settle_days + 1)


def day_at(release: Release, moment: datetime) -> date:
    """The day that the release's clocks show at a moment."""
    return moment.astimezone(zone_of(release.timezone)).date()


def due_at(period: Period, *, schedule: Schedule, settle_days: int) -> datetime:
    """The first moment of a schedule on or after the day on which the edition is due, in UTC."""
    return schedule.first_on(due_day(period, settle_days=settle_days))
