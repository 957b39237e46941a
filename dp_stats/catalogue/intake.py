"""Limits that a delivery of rows must keep before anything is charged: built in, and movable for each dataset."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from dp_stats.catalogue.calendar import WEEKDAYS, Weekday
from dp_stats.catalogue.declared import Model


class Delivery(Model):
    """When the delivery of a table is taken for faulty, so that a scheduled edition stops before it costs anything.

    That an edition stops tells something about the rows, exactly and at no charge. So the limits are coarse, made for
    faults of delivery that thousands of rows show, and far from what one person changes: keep them so. No limit holds
    for an ad hoc request: whoever asks chooses the period. How many rows met which limit is told to staff alone, in the
    intake report (`dp-stats intake EDITION`).
    """

    unreadable: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Largest share of a column's filled-in fields that may be written otherwise than declared. A column in "
        "which nothing reads stops the edition, too; 1 turns both off.",
        examples=[0.05],
    )
    unknown: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Largest share of a column's filled-in fields that may stand in no code list, where they are counted as "
        "'unknown'.",
        examples=[0.2],
    )
    judged_from: int = Field(
        20, ge=1, description="Rows from which on shares are judged; in fewer, one person is a share.", examples=[100]
    )
    shrink: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Least share of the rows of the last delivery that was taken; fewer look cut off. 0 turns it off.",
        examples=[0.9],
    )
    manifest: str | None = Field(
        None,
        description='A JSON file that is delivered with the rows and says how many there are: `{"rows": 1200}`. Fewer '
        "rows stop the edition. Paths are read as those of a source.",
        examples=["${DP_STATS_HOME}/source/visits.json"],
    )


class Intake(Delivery):
    """The limits of a delivery, and of what is dated in a period."""

    empty_period: bool = Field(
        False, description="Whether a period may have no row that counts; true for what is rare.", examples=[True]
    )
    days_without_rows: int | None = Field(
        0,
        ge=0,
        description="Most open days of a period that may have no row; null to allow any number.",
        examples=[1],
    )
    busy: int = Field(
        50,
        ge=10,
        description="Rows per open day, on average, from which on days without rows are judged: where there are fewer, a "
        "day may be empty by chance.",
        examples=[200],
    )
    trickle: float = Field(
        0.02,
        ge=0,
        lt=0.5,
        description="Share of an open day's average up to which a day counts as one without rows: where a day's file is "
        "missing, late reports in later files still date a few rows to it.",
        examples=[0],
    )
    closed_weekdays: tuple[Weekday, ...] = Field(
        (), description="Days of the week on which nothing is recorded.", examples=[["saturday", "sunday"]]
    )
    closed_days: tuple[date, ...] = Field(
        (), description="Holidays and other days on which nothing is recorded.", examples=[["2024-12-25"]]
    )

    def open_days(self, days: tuple[date, ...]) -> tuple[date, ...]:
        """The days on which rows are expected."""
        closed = {WEEKDAYS.index(name) for name in self.closed_weekdays}
        return tuple(day for day in days if day.weekday() not in closed and day not in self.closed_days)
