"""Which periods a release has and when each is due: the one rule for runs, forecasts, reviews and the calendar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import Period, next_period, parse_period


def period_at(release: Release, day: date) -> Period:
    """The period of the release that holds ``day``, cut at its first and last day; a range is one, whichever the day."""
    if release.period == "range":
        return parse_period(f"{release.start}--{release.end or release.start}")
    return release.calendar.period_of(day, release.period).within(release.start, release.end)


def periods_of(release: Release) -> Iterator[Period]:
    """Every period of the release in order of time, cut at its first and last day; without end where it has none."""
    period = period_at(release, release.start)
    yield period
    while period.kind != "range":
        period = next_period(period)
        if release.end is not None and period.start > release.end:
            return
        yield period.within(release.start, release.end)


def due_day(period: Period, *, settle_days: int) -> date:
    """The first day on which an edition may be made: its period has ended and late reports have settled."""
    return period.end + timedelta(days=settle_days + 1)


def due_at(period: Period, *, schedule: str, settle_days: int) -> datetime:
    """The first moment of a cron schedule (UTC) on or after the day on which the edition is due."""
    from croniter import croniter

    settled = midnight(due_day(period, settle_days=settle_days))
    found: datetime = croniter(schedule, settled - timedelta(seconds=1)).get_next(datetime)
    return found


def midnight(day: date) -> datetime:
    """The start of a day in UTC."""
    return datetime.combine(day, time(), tzinfo=UTC)
