"""Which edition is due when: from a release's calendar to Airflow's intervals and back."""

from __future__ import annotations

from collections import deque
from datetime import UTC, date, datetime, time, timedelta

from croniter import croniter

from dp_stats.catalogue import Catalogue, Period, Release, parse_period
from dp_stats.catalogue.periods import period_of
from dp_stats.errors import NotDueError


def edition_at(catalogue: Catalogue, release: Release, moment: datetime) -> str:
    """The label of the last period that had ended and settled at ``moment``.

    Raises:
        NotDueError: no period had.
    """
    last = deque(catalogue.periods(release, until=moment.astimezone(UTC).date()), maxlen=1)
    if not last:
        raise NotDueError(
            f"{release.id}: no period has ended and settled yet. The first is due on {first_due(release):%d %B %Y}."
        )
    return last[0].label


def run_date(release: Release, period: Period) -> datetime:
    """The first tick of the schedule at which an edition is due."""
    settled = _midnight(period.end, release.settle_days + 1)
    return croniter(release.schedule or "@daily", settled - timedelta(seconds=1)).get_next(datetime)


def first_interval(release: Release) -> datetime:
    """The start of the interval at whose end the first edition is due, so that catch-up makes no empty run."""
    return _interval_before(release, _period_at(release, release.start))


def last_interval(release: Release) -> datetime | None:
    """The start of the interval at whose end the last edition is due; None while there is no end."""
    return None if release.end is None else _interval_before(release, _period_at(release, release.end))


def first_due(release: Release) -> datetime:
    """The start of the first day on which an edition is due."""
    return _midnight(_period_at(release, release.start).end, release.settle_days + 1)


def _period_at(release: Release, day: date) -> Period:
    if release.period == "range":
        return parse_period(f"{release.start}--{release.end}")
    return period_of(day, release.period)


def _interval_before(release: Release, period: Period) -> datetime:
    return croniter(release.schedule or "@daily", run_date(release, period)).get_prev(datetime)


def _midnight(day: date, later: int) -> datetime:
    return datetime.combine(day + timedelta(days=later), time(), tzinfo=UTC)
