"""Periods and blocks of time: their labels, their days, and which of them a day belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from dp_stats.errors import CatalogueError
from dp_stats.written import day

PeriodKind = Literal["day", "week", "month", "year", "range"]
BlockKind = Literal["lifetime", "year", "month", "week", "day"]


@dataclass(frozen=True, order=True)
class Period:
    """A closed interval of days with its public label.

    Labels are ISO 8601: ``2021-02-15``, ``2021-W07``, ``2021-02``, ``2021``; a range of days that is
    none of these is ``2020-08-31--2021-08-29``.
    """

    start: date
    end: date
    label: str
    kind: PeriodKind

    @classmethod
    def of(cls, start: str, end: str, label: str, kind: PeriodKind) -> Period:
        """A period as it was kept, its days in ISO 8601."""
        return cls(date.fromisoformat(start), date.fromisoformat(end), label, kind)

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of the period, in order."""
        return tuple(self.start + timedelta(days=i) for i in range((self.end - self.start).days + 1))

    @property
    def text(self) -> str:
        """The period as a reader would say it, e.g. ``15 to 21 February 2021``."""
        if self.kind == "year":
            return self.label
        if self.kind == "month":
            return f"{self.start:%B %Y}"
        if self.start == self.end:
            return day(self.start)
        if (self.start.year, self.start.month) == (self.end.year, self.end.month):
            return f"{self.start.day} to {day(self.end)}"
        if self.start.year == self.end.year:
            return f"{self.start.day} {self.start:%B} to {day(self.end)}"
        return f"{day(self.start)} to {day(self.end)}"


def period_of(day: date, kind: PeriodKind) -> Period:
    """The period of ``kind`` that holds ``day``; weeks are ISO weeks (Monday to Sunday)."""
    if kind == "day":
        return Period(day, day, day.isoformat(), kind)
    if kind == "week":
        year, week, weekday = day.isocalendar()
        start = day - timedelta(days=weekday - 1)
        return Period(start, start + timedelta(days=6), f"{year}-W{week:02d}", kind)
    if kind == "month":
        start = day.replace(day=1)
        end = (start + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        return Period(start, end, f"{day:%Y-%m}", kind)
    if kind == "year":
        return Period(date(day.year, 1, 1), date(day.year, 12, 31), f"{day.year:04d}", kind)
    raise CatalogueError("A range has no calendar; write it as 2020-08-31--2021-08-29.")


_FIRST_YEAR, _LAST_YEAR = 1800, 2299
"""Years that anybody publishes about; far from the ends of the calendar, where days before and after do not exist."""

_FORMS: tuple[tuple[PeriodKind, re.Pattern[str]], ...] = (
    ("day", re.compile(r"\d{4}-\d{2}-\d{2}")),
    ("week", re.compile(r"(\d{4})-W(\d{2})")),
    ("month", re.compile(r"\d{4}-\d{2}")),
    ("year", re.compile(r"\d{4}")),
    ("range", re.compile(r"(\d{4}-\d{2}-\d{2})--(\d{4}-\d{2}-\d{2})")),
)


def parse_period(label: str) -> Period:
    """Read a period's label.

    Raises:
        CatalogueError: the label is none of the known forms, or no such day exists.
    """
    for kind, form in _FORMS:
        match = form.fullmatch(label)
        if not match:
            continue
        try:
            if kind == "range":
                start, end = (date.fromisoformat(part) for part in match.groups())
                if end < start:
                    break
                if not _FIRST_YEAR <= start.year <= end.year <= _LAST_YEAR:
                    break
                return Period(start, end, label, kind)
            if not _FIRST_YEAR <= int(label[:4]) <= _LAST_YEAR:
                break
            if kind == "week":
                year, week = (int(part) for part in match.groups())
                return period_of(date.fromisocalendar(year, week, 1), kind)
            return period_of(date.fromisoformat((label + "-01-01")[:10]), kind)
        except ValueError:
            break
    raise CatalogueError(
        f"'{label}' is not a period. Write a day (2021-02-15), an ISO week (2021-W07), a month (2021-02), "
        f"a year (2021) or a range of days (2020-08-31--2021-08-29), from {_FIRST_YEAR} to {_LAST_YEAR}."
    )


def block_of(day: date, kind: BlockKind) -> str:
    """The label of the budget block that a row dated ``day`` falls in."""
    return "lifetime" if kind == "lifetime" else period_of(day, kind).label


def blocks_of(period: Period, kind: BlockKind) -> tuple[str, ...]:
    """Every block that some day of ``period`` falls in, in order of time."""
    return tuple(dict.fromkeys(block_of(day, kind) for day in period.days))
