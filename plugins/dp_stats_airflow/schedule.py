"""Which edition is due when: from a release's calendar to Airflow's intervals and back."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, time, timedelta

from croniter import croniter

from dp_stats.catalogue import Catalogue, Release, parse_period
from dp_stats.catalogue.periods import period_of
from dp_stats.errors import NotDueError


def edition_at(catalogue: Catalogue, release: Release, moment: datetime) -> str:
    """The label of the last period that had ended and settled at ``moment``.

    Raises:
        NotDueError: no period had.
    """
    last = deque(catalogue.periods(release, until=moment.astimezone(UTC).date()), maxlen=1)
    if not last:
        raise NotDueError(f"{release.id}: no period has ended and settled yet. The first is due on {first_due(release):%d %B %Y}.")
    return last[0].label


def first_due(release: Release) -> datetime:
    """The start of the first day on which an edition is due."""
    if release.period == "range":
        end = release.end or release.start
    else:
        end = period_of(release.start, release.period).end
    return _midnight(end, release.settle_days + 1)


def first_interval(release: Release) -> datetime:
    """The start of the interval at whose end the first edition is due, so that catch-up makes no empty run."""
    schedule = release.schedule or "@daily"
    tick = croniter(schedule, first_due(release) - timedelta(seconds=1)).get_next(datetime)
    return croniter(schedule, tick).get_prev(datetime)


def last_interval(release: Release) -> datetime | None:
    """The start of the interval at whose end the last edition is due; None while there is no end."""
    if release.end is None:
        return None
    period = parse_period(f"{release.start}--{release.end}") if release.period == "range" else period_of(release.end, release.period)
    schedule = release.schedule or "@daily"
    tick = croniter(schedule, _midnight(period.end, release.settle_days + 1) - timedelta(seconds=1)).get_next(datetime)
    return croniter(schedule, tick).get_prev(datetime)


def _midnight(day, days: int) -> datetime:
    return datetime.combine(day + timedelta(days=days), time(), tzinfo=UTC)
