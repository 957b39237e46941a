"""Which edition is due when: from a release's calendar to Airflow's intervals and back."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

from croniter import croniter

from dp_stats import written
from dp_stats.catalogue import Catalogue, Period, Release
from dp_stats.catalogue.due import due_at, due_day, midnight, period_at
from dp_stats.errors import NotDueError


def edition_at(catalogue: Catalogue, release: Release, moment: datetime) -> str:
    """The label of the last period that had ended and settled at ``moment``.

    Raises:
        NotDueError: no period had.
    """
    last = deque(catalogue.periods(release, until=moment.astimezone(UTC).date()), maxlen=1)
    if not last:
        raise NotDueError(
            f"{release.id}: no period has ended and settled yet. The first is due on {written.day(first_due(release))}."
        )
    return last[0].label


def run_date(release: Release, period: Period) -> datetime:
    """The first tick of the schedule at which an edition is due."""
    return due_at(period, schedule=release.schedule or "@daily", settle_days=release.settle_days)


def first_interval(release: Release) -> datetime:
    """The start of the interval at whose end the first edition is due, so that catch-up makes no empty run."""
    return _interval_before(release, period_at(release, release.start))


def last_interval(release: Release) -> datetime | None:
    """The start of the interval at whose end the last edition is due; None while there is no end."""
    return None if release.end is None else _interval_before(release, period_at(release, release.end))


def first_due(release: Release) -> datetime:
    """The start of the first day on which an edition is due."""
    return midnight(due_day(period_at(release, release.start), settle_days=release.settle_days))


def _interval_before(release: Release, period: Period) -> datetime:
    return croniter(release.schedule or "@daily", run_date(release, period)).get_prev(datetime)
