"""The calendar of a release: when its weeks and financial years begin, and which levels of time lie in which."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from pydantic import Field, field_validator

from dp_stats.catalogue.declared import Model
from dp_stats.catalogue.periods import MonthDay, PartKind, Period, period_of

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

TIME_LEVELS: tuple[PartKind, ...] = ("day", "week", "4-week", "month", "quarter", "year", "financial-year")
"""Levels that a date can be published at, finest first."""


class Calendar(Model):
    """When weeks and financial years begin. All else is the Gregorian calendar's: quarters are those of the year."""

    week_starts: Weekday = Field(
        "monday",
        description="Day that weeks begin with. From Monday they are ISO 8601's (`2021-W07`), else they are named by "
        "their first day (`2021-02-14-P1W`).",
        examples=["sunday"],
    )
    financial_year_starts: str = Field(
        "04-01",
        description="First day of a financial year, as month and day. `2025-04-01-P1Y` is the year 2025/26.",
        examples=["04-06"],
    )

    @field_validator("financial_year_starts")
    @classmethod
    def _of_every_year(cls, value: str) -> str:
        try:
            first = date.fromisoformat(f"2001-{value}")  # a year without 29 February
        except ValueError:
            first = None
        if first is None or first.isoformat()[5:] != value:
            raise ValueError("write a month and a day that every year has, such as 04-01")
        if value == "01-01":
            raise ValueError("a year that begins on 1 January is a 'year'; use that as period and level")
        return value

    @classmethod
    def of(cls, period: Period) -> Calendar:
        """A calendar in which there is such a period."""
        if period.kind == "week":
            return cls(week_starts=WEEKDAYS[period.start.weekday()], financial_year_starts="04-01")
        if period.kind == "financial-year":
            return cls(week_starts="monday", financial_year_starts=period.start.isoformat()[5:])
        return ISO

    @property
    def week_start(self) -> int:
        """The weekday that weeks begin with; Monday is 0."""
        return WEEKDAYS.index(self.week_starts)

    @property
    def year_start(self) -> MonthDay:
        """The first day of a financial year."""
        month, day = self.financial_year_starts.split("-")
        return int(month), int(day)

    def period_of(self, day: date, kind: PartKind) -> Period:
        """The whole period of ``kind`` that holds ``day``; four weeks are those that begin with it."""
        return period_of(day, kind, week_starts=self.week_start, year_starts=self.year_start)

    def before(self, period: Period) -> Period:
        """The whole period of the same kind that ends the day before."""
        return self.period_of(period.start - timedelta(days=1), period.kind)

    def parts(self, period: Period, level: PartKind) -> list[Period]:
        """The parts that a level divides a period into, in order: they tile it, and those at its ends may be cut.

        ``4-week`` parts are counted from the first day.
        """
        parts: list[Period] = []
        start = period.start
        while start <= period.end:
            parts.append(self.period_of(start, level).within(period.start, period.end))
            start = parts[-1].end + timedelta(days=1)
        return parts

    def inside(self, fine: PartKind, coarse: PartKind) -> bool:
        """Whether every period of one kind lies in a single one of another."""
        month, day = self.year_start
        around: dict[PartKind, set[PartKind]] = {
            "day": set(TIME_LEVELS),
            "month": {"quarter", "year"},
            "quarter": {"year"},
        }
        if coarse == "financial-year" and fine in ("month", "quarter"):
            return day == 1 and (fine == "month" or month % 3 == 1)
        return fine == coarse or coarse in around.get(fine, ())

    def splits(self, finest: PartKind, coarse: PartKind, kind: PartKind) -> bool:
        """Whether borders of a level can fall inside a group of ``finest``, in some edition of a kind of period.

        Weeks and months split each other in an edition of a month, too, although it has one month only: series have
        measured days there, and go on.
        """
        if self.inside(finest, coarse):
            return False
        return coarse in ("week", "4-week", "month") or not self.inside(kind, coarse)

    def differing(self, used: set[str]) -> dict[str, str]:
        """What is declared otherwise than by default, of kinds of periods that are used; in canonical form."""
        deciding = {"week": "week_starts", "financial-year": "financial_year_starts"}
        declared, default = self.model_dump(), ISO.model_dump()
        return {f: declared[f] for kind, f in deciding.items() if kind in used and declared[f] != default[f]}


ISO = Calendar(week_starts="monday", financial_year_starts="04-01")
"""The calendar where nothing is declared: ISO weeks, and financial years from 1 April."""
