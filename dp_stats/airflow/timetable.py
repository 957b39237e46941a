"""A release's schedule as Airflow's: cron on the agency's clocks, moved past its holidays, until its last edition.

The end is the timetable's and not the DAG's: Airflow gives a run that is started by hand after a DAG's end no tasks at all, and
calls it a success, but editions are revised when their release has ended, too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import DateTime, instance

from dp_stats.airflow.schedule import last_interval
from dp_stats.catalogue import Release
from dp_stats.catalogue.schedule import Schedule


class WorkingDaysTimetable(CronDataIntervalTimetable):
    """Airflow's cron timetable, but a moment on a public holiday is moved to the next working day.

    Args:
        last: start of the interval at whose end the last run is due; None while there is no end.
    """

    def __init__(self, schedule: Schedule, last: datetime | None = None) -> None:
        super().__init__(schedule.cron, timezone=schedule.timezone)
        self._schedule = schedule
        self._last = None if last is None else instance(last)
        if schedule.holidays:
            self.description = f"{super().description}, past the public holidays of {schedule.holidays}"

    def _get_next(self, current: DateTime) -> DateTime:
        return instance(self._schedule.after(current))

    def _get_prev(self, current: DateTime) -> DateTime:
        return instance(self._schedule.before(current))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next run that the scheduler makes by itself; None after the last edition's."""
        if self._last is not None:
            latest = self._last if restriction.latest is None else min(self._last, restriction.latest)
            restriction = restriction._replace(latest=latest)
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )

    def serialize(self) -> dict[str, Any]:
        """What Airflow keeps of it."""
        last = {} if self._last is None else {"last": self._last.isoformat()}
        return {**self._schedule.model_dump(mode="json"), **last}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """From what Airflow kept."""
        schedule = {name: value for name, value in data.items() if name != "last"}
        last = datetime.fromisoformat(data["last"]) if "last" in data else None
        return cls(Schedule.model_validate(schedule), last)


def timetable_of(release: Release) -> Timetable:
    """The timetable of a scheduled release: ours where it has holidays or an end, else Airflow's own.

    Raises:
        ValueError: it has no schedule.
    """
    schedule = release.timetable
    if schedule is None:
        raise ValueError(f"{release.id} has no schedule")
    if schedule.holidays or release.end is not None:
        return WorkingDaysTimetable(schedule, last_interval(release))
    return CronDataIntervalTimetable(schedule.cron, timezone=schedule.timezone)
