"""When editions are made: a cron line in the agency's own time, past its holidays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict

WEEKEND = (5, 6)
LONGEST_BREAK = timedelta(days=21)
"""Longer than any run of holidays and weekends in the registry of holidays: what is moved is moved by less."""


def zone_of(name: str) -> ZoneInfo:
    """A time zone of the IANA database.

    Raises:
        ValueError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name}' is no time zone; write one such as Europe/London or UTC") from None


def holidays_of(code: str) -> Callable[[date], bool]:
    """Whether a day is a public holiday of a country (``GB``) or a part of one (``GB-ENG``), after the package holidays.

    Raises:
        ValueError: the registry does not know the country or its part.
    """
    import holidays

    country, _, part = code.partition("-")
    try:
        known = holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError:
        raise ValueError(
            f"'{code}' is not in the registry of holidays; write an ISO 3166 code of a country, such as GB, or of one of "
            "its parts, such as GB-ENG"
        ) from None
    return known.__contains__


def is_once_a_day(cron: str) -> bool:
    """Whether a cron line has one moment a day at most."""
    from croniter import croniter

    minutes, hours = croniter(cron).expanded[:2]
    return len(minutes) == len(hours) == 1 and "*" not in (*minutes, *hours)


class Schedule(BaseModel):
    """The moments at which editions may be made.

    Each is one of the cron line, read on the clocks of ``timezone``, so that half past nine is half past nine all
    year; one that falls on a public holiday of ``holidays`` is moved to the same time on the next working day. Those
    that wait for the same day follow each other by the minute, in order, so that none is lost. With holidays, the cron
    line has one moment a day at most.
    """

    model_config = ConfigDict(frozen=True)

    cron: str
    timezone: str = "UTC"
    holidays: str | None = None

    def first_on(self, day: date) -> datetime:
        """When what is due from a day on is made: the first moment of the cron line on or after it, moved as said, in UTC."""
        midnight = datetime.combine(day, time(), self.zone).astimezone(UTC)
        return _moved(self, next(self._ticks(midnight - timedelta(seconds=1), forwards=True)))

    def after(self, moment: datetime) -> datetime:
        """The first moment strictly after another, in UTC."""
        moved = (_moved(self, tick) for tick in self._ticks(moment - self._reach, forwards=True))
        return next(tick for tick in moved if tick > moment)

    def before(self, moment: datetime) -> datetime:
        """The last moment strictly before another, in UTC."""
        moved = (_moved(self, tick) for tick in self._ticks(moment, forwards=False))
        return next(tick for tick in moved if tick < moment)

    @property
    def zone(self) -> ZoneInfo:
        """Whose clocks it is read on."""
        return ZoneInfo(self.timezone)

    @property
    def _reach(self) -> timedelta:
        """How far a moment of the cron line may be moved."""
        return LONGEST_BREAK if self.holidays else timedelta(0)

    @cached_property
    def _is_holiday(self) -> Callable[[date], bool]:
        return holidays_of(self.holidays) if self.holidays else lambda _: False

    def _ticks(self, moment: datetime, *, forwards: bool) -> Iterator[datetime]:
        """The cron line's own moments after (or before) another, in UTC; one in an hour that is skipped is an hour later."""
        from croniter import croniter

        local = moment.astimezone(self.zone).replace(tzinfo=None)
        cron: Any = croniter(self.cron, local)
        while True:
            tick: datetime = cron.get_next(datetime) if forwards else cron.get_prev(datetime)
            yield tick.replace(tzinfo=self.zone).astimezone(UTC)

    def moved(self, tick: datetime) -> datetime:
        """Where a moment of the cron line goes: past holidays, and behind all that were before it."""
        if not self.holidays:
            return tick
        place = self._past_holidays(tick)
        for earlier, other in enumerate(self._ticks(tick, forwards=False), start=1):
            if other < tick - self._reach:
                return place
            place = max(place, self._past_holidays(other) + earlier * timedelta(minutes=1))
        raise AssertionError("a cron line has no beginning")

    def _past_holidays(self, tick: datetime) -> datetime:
        """The moment itself, or on a holiday the same time on the next working day."""
        local = tick.astimezone(self.zone)
        day = local.date()
        if not self._is_holiday(day):
            return tick
        while day.weekday() in WEEKEND or self._is_holiday(day):
            day += timedelta(days=1)
        return datetime.combine(day, local.time(), self.zone).astimezone(UTC)


@lru_cache(maxsize=1 << 12)
def _moved(schedule: Schedule, tick: datetime) -> datetime:
    """``Schedule.moved``, found once: who asks for one moment after another meets most of its neighbours again."""
    return schedule.moved(tick)
