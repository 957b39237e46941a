"""A release's schedule as Airflow's: cron on the agency's clocks, moved past its holidays."""

from __future__ import annotations

from typing import Any

from airflow.timetables.base import Timetable
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import DateTime, instance

from dp_stats.catalogue import Release
from dp_stats.catalogue.schedule import Schedule


class WorkingDaysTimetable(CronDataIntervalTimetable):
    """Airflow's cron timetable, but a moment on a public holiday is moved to the next working day."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(schedule.cron, timezone=schedule.timezone)
        self._schedule = schedule
        if schedule.holidays:
            self.description = f"{super().description}, past the public holidays of {schedule.holidays}"

    def _get_next(self, current: DateTime) -> DateTime:
        return instance(self._schedule.after(current))

    def _get_prev(self, current: DateTime) -> DateTime:
        return instance(self._schedule.before(current))

    def serialize(self) -> dict[str, Any]:
        """What Airflow keeps of it."""
        return self._schedule.model_dump(mode="json")

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """From what Airflow kept."""
        return cls(Schedule.model_validate(data))


def timetable_of(release: Release) -> Timetable:
    """The timetable of a scheduled release: ours where it has holidays, else Airflow's own.

    Raises:
        ValueError: it has no schedule.
    """
    schedule = release.timetable
    if schedule is None:
        raise ValueError(f"{release.id} has no schedule")
    if schedule.holidays:
        return WorkingDaysTimetable(schedule)
    return CronDataIntervalTimetable(schedule.cron, timezone=schedule.timezone)
