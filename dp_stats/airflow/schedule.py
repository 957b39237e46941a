"""Which edition is due when: from a release's calendar to Airflow's intervals and back."""

from __future__ import annotations

from datetime import date, datetime

from dp_stats import written
from dp_stats.catalogue import Catalogue, Period, Release
from dp_stats.catalogue.due import day_at, due_at, due_day, period_at
from dp_stats.catalogue.schedule import Schedule
from dp_stats.errors import NotDueError


def edition_at(catalogue: Catalogue, release: Release, moment: datetime) -> str:
    """The label of the last period that had ended and settled at ``moment``, and does not wait for a holiday to pass.

    Raises:
        NotDueError: no period had.
    """
    settled = reversed(list(catalogue.periods(release, until=day_at(release, moment))))
    last = next((p for p in settled if not release.holidays or run_date(release, p) <= moment), None)
    if last is None:
        raise NotDueError(
            f"{release.id}: no period has ended and settled yet. The first is due on {written.day(first_due(release))}."
        )
    return last.label


def run_date(release: Release, period: Period) -> datetime:
    """The first tick of the schedule at which an edition is due."""
    return due_at(period, schedule=_timetable(release), settle_days=release.settle_days)


def first_interval(release: Release) -> datetime:
    """The start of the interval at whose end the first edition is due, so that catch-up makes no empty run."""
    return _interval_before(release, period_at(release, release.start))


def last_interval(release: Release) -> datetime | None:
    """The start of the interval at whose end the last edition is due; None while there is no end."""
    return None if release.end is None else _interval_before(release, period_at(release, release.end))


def first_due(release: Release) -> date:
    """The first day on which an edition is due."""
    return due_day(period_at(release, release.start), settle_days=release.settle_days)


def _interval_before(release: Release, period: Period) -> datetime:
    return _timetable(release).before(run_date(release, period))


def _timetable(release: Release) -> Schedule:
    return release.timetable or Schedule(cron="@daily", timezone=release.timezone)
