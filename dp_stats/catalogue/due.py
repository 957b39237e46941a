"""Which periods a release has and when each is due: the one rule for runs, forecasts, reviews and the calendar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import Period, parse_period, period_of


def period_at(release: Release, day: date) -> Period:
    """The period of the release that holds ``day``; a range is one period, whichever day is asked for."""
    if release.period == "range":
        return parse_period(f"{release.start}--{release.end or release.start}")
    return period_of(day, release.period)


def periods_of(release: Release) -> Iterator[Period]:
    """Every period of the release in order of time; without end where the release has none."""
    period = period_at(release, release.start)
    yield period
    while period.kind != "range":
        period = next_period(period)
        if release.end is not None and period.start > release.end:
            return
        yield period


def next_period(period: Period) -> Period:
    """The period of the same kind that follows; a range has none and may not be passed."""
    return period_of(period.end + timedelta(days=1), period.kind)


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
