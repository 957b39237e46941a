"""Periods and blocks of time: their labels, their days, and which of them a day belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from dp_stats.errors import CatalogueError
from dp_stats.written import day

PeriodKind = Literal["day", "week", "month", "quarter", "year", "financial-year", "range"]
"""What one edition may cover."""

PartKind = PeriodKind | Literal["4-week"]
"""What a level of the calendar divides a period into, and what one edition may cover."""

BlockKind = Literal["lifetime", "year", "month", "week", "day"]

LIFETIME: Literal["lifetime"] = "lifetime"
"""The kind of block that holds records of any day, and the label of the one block that it has."""

ISO_WEEK = 0
"""The weekday that ISO weeks begin with: Monday, as ``date.weekday`` counts."""

MonthDay = tuple[int, int]
"""A day that every year has, as month and day of the month."""

FIRST_OF_APRIL: MonthDay = (4, 1)


@dataclass(frozen=True, order=True)
class Period:
    """A closed interval of days with its public label.

    ``start`` and ``end`` are the days covered. The label names the whole period, which a release may cut at its first
    and last day, and an edition at its own (``within``). Labels are ISO 8601: ``2021-02-15``, ``2021-W07``, ``2021-02``,
    ``2021``, and ``2021-Q1`` for a quarter. What ISO 8601 has no name for is named by its first day and its length, as an
    interval with a hyphen for the solidus, which a path cannot hold: ``2021-02-14-P1W`` is a week from a Sunday,
    ``2025-04-01-P1Y`` a financial year, ``2021-01-01-P4W`` four weeks. A range of days that is none of these is
    ``2020-08-31--2021-08-29``.
    """

    start: date
    end: date
    label: str
    kind: PartKind

    @classmethod
    def of(cls, start: str, end: str, label: str, kind: PartKind) -> Period:
        """A period as it was kept, its days in ISO 8601."""
        return cls(date.fromisoformat(start), date.fromisoformat(end), label, kind)

    @property
    def days(self) -> tuple[date, ...]:
        """Every day that is covered, in order."""
        return tuple(self.start + timedelta(days=i) for i in range((self.end - self.start).days + 1))

    @property
    def whole(self) -> bool:
        """Whether every day of what the label names is covered."""
        named = parse_period(self.label)
        return (named.start, named.end) == (self.start, self.end)

    @property
    def code(self) -> str:
        """The label of the days covered: the period's own, or where it is cut the range of its days."""
        return self.label if self.whole else f"{self.start}--{self.end}"

    def within(self, first: date, last: date | None) -> Period:
        """The part of the period from ``first`` to ``last``, which must have a day of it; ``last`` may be open."""
        return replace(self, start=max(self.start, first), end=self.end if last is None else min(self.end, last))

    @property
    def text(self) -> str:
        """The period as a reader would say it: ``15 to 21 February 2021``, ``3 to 6 January 2024 (part of a week)``."""
        if self.whole:
            return _NAMED[self.kind](self.start) if self.kind in _NAMED else _span(self.start, self.end)
        of = "four weeks" if self.kind == "4-week" else f"a {self.kind.replace('-', ' ')}"
        return f"{_span(self.start, self.end)} (part of {of})"


def _span(first: date, last: date) -> str:
    """Days in words; what both ends share is said once."""
    if first == last:
        return day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {day(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%B} to {day(last)}"
    return f"{day(first)} to {day(last)}"


def is_part(code: str, kind: str) -> bool:
    """Whether a code of a level of time names only a part of one of the level's periods: it is the range of its days."""
    return kind != "range" and parse_period(code).kind == "range"


def financial_year(first: date) -> str:
    """What the year that begins with a day is called: ``2025/26``."""
    return f"{first.year}/{(first.year + 1) % 100:02d}"


def quarter_of(first: date) -> int:
    """Which quarter of the calendar year a day lies in, from 1 to 4."""
    return (first.month + 2) // 3


def end_of_quarter(first: date) -> date:
    """The first day of the last month of the quarter that a day lies in."""
    return date(first.year, quarter_of(first) * 3, 1)


_NAMED: dict[PartKind, Callable[[date], str]] = {
    "4-week": lambda first: f"four weeks from {day(first)}",
    "month": lambda first: f"{first:%B %Y}",
    "quarter": lambda first: f"Quarter {quarter_of(first)} ({first:%B} to {end_of_quarter(first):%B}) {first.year}",
    "year": lambda first: str(first.year),
    "financial-year": lambda first: f"Financial year {financial_year(first)}",
}


def period_of(
    day: date, kind: PartKind, *, week_starts: int = ISO_WEEK, year_starts: MonthDay = FIRST_OF_APRIL
) -> Period:
    """The whole period of ``kind`` that holds ``day``; four weeks are those that begin with it.

    Args:
        week_starts: weekday that weeks begin with, Monday 0 as in ISO 8601. year_starts: first day of a financial year.
    """
    if kind == "day":
        return Period(day, day, day.isoformat(), kind)
    if kind == "week":
        start = day - timedelta(days=(day.weekday() - week_starts) % 7)
        year, week, _ = start.isocalendar()
        label = f"{year}-W{week:02d}" if week_starts == ISO_WEEK else f"{start}-P1W"
        return Period(start, start + timedelta(days=6), label, kind)
    if kind == "4-week":
        return Period(day, day + timedelta(days=27), f"{day}-P4W", kind)
    if kind == "month":
        start = day.replace(day=1)
        return Period(start, _before(start + timedelta(days=31)), f"{day:%Y-%m}", kind)
    if kind == "quarter":
        start = date(day.year, quarter_of(day) * 3 - 2, 1)
        return Period(start, _before(start + timedelta(days=93)), f"{day.year}-Q{quarter_of(day)}", kind)
    if kind == "year":
        return Period(date(day.year, 1, 1), date(day.year, 12, 31), f"{day.year:04d}", kind)
    if kind == "financial-year":
        year = day.year - ((day.month, day.day) < year_starts)
        start, following = date(year, *year_starts), date(year + 1, *year_starts)
        return Period(start, following - timedelta(days=1), f"{start}-P1Y", kind)
    raise CatalogueError("A range has no calendar; write it as 2020-08-31--2021-08-29.")


def _before(day: date) -> date:
    """The last day of the month before that of ``day``."""
    return day.replace(day=1) - timedelta(days=1)


_FIRST_YEAR, _LAST_YEAR = 1800, 2299
"""Years that anybody publishes about; far from the ends of the calendar, where days before and after do not exist."""

_DAY = r"\d{4}-\d{2}-\d{2}"
_FORMS: tuple[tuple[PartKind, re.Pattern[str]], ...] = (
    ("day", re.compile(_DAY)),
    ("week", re.compile(r"(\d{4})-W(\d{2})")),
    ("week", re.compile(rf"({_DAY})-P1W")),
    ("4-week", re.compile(rf"({_DAY})-P4W")),
    ("month", re.compile(r"\d{4}-\d{2}")),
    ("quarter", re.compile(r"(\d{4})-Q([1-4])")),
    ("year", re.compile(r"\d{4}")),
    ("financial-year", re.compile(rf"({_DAY})-P1Y")),
    ("range", re.compile(rf"({_DAY})--({_DAY})")),
)


def parse_period(label: str) -> Period:
    """Read a period's label.

    Raises:
        CatalogueError: the label is none of the known forms, or no such day exists.
    """
    for kind, form in _FORMS:
        match = form.fullmatch(label)
        if match and _FIRST_YEAR <= int(label[:4]) <= _LAST_YEAR:
            try:
                period = _read(kind, label, match.groups())
            except ValueError:
                break
            if period.label == label:
                return period
            break
    raise CatalogueError(
        f"'{label}' is not a period. Write a day (2021-02-15), an ISO week (2021-W07), a week by its first day "
        "(2021-02-14-P1W), a month (2021-02), a quarter (2021-Q1), a year (2021), a financial year by its first day "
        f"(2025-04-01-P1Y) or a range of days (2020-08-31--2021-08-29), from {_FIRST_YEAR} to {_LAST_YEAR}."
    )


def _read(kind: PartKind, label: str, parts: tuple[str, ...]) -> Period:
    """The period that a label of some form names; another label of the same period is not that of the form.

    Raises:
        ValueError: there is no such day, or the days lie the wrong way round.
    """
    if kind == "range":
        start, end = (date.fromisoformat(part) for part in parts)
        if end < start or end.year > _LAST_YEAR:
            raise ValueError("not a range")
        return Period(start, end, label, kind)
    if kind == "quarter":
        return period_of(date(int(parts[0]), 3 * int(parts[1]), 1), kind)
    if kind == "week" and len(parts) == 2:
        return period_of(date.fromisocalendar(int(parts[0]), int(parts[1]), 1), kind)
    first = date.fromisoformat((*parts, label + "-01-01")[0][:10])
    if (first.month, first.day) == (2, 29) and kind == "financial-year":
        raise ValueError("not a day of every year")
    return period_of(first, kind, week_starts=first.weekday(), year_starts=(first.month, first.day))


def next_period(period: Period) -> Period:
    """The whole period of the same kind and calendar that follows; a range has none and may not be passed."""
    first = parse_period(period.label).end + timedelta(days=1)
    return period_of(first, period.kind, week_starts=first.weekday(), year_starts=(first.month, first.day))


def block_of(day: date, kind: BlockKind) -> str:
    """The label of the budget block that a row dated ``day`` falls in."""
    return LIFETIME if kind == LIFETIME else period_of(day, kind).label


def blocks_of(period: Period, kind: BlockKind) -> tuple[str, ...]:
    """Every block that some day of ``period`` falls in, in order of time."""
    return tuple(dict.fromkeys(block_of(day, kind) for day in period.days))
