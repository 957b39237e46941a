"""Tables across editions: sums, means, changes and growth over the borders of editions, declared on a release.

They are computed from the stored measurements of the editions published so far, and so cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from dp_stats.catalogue.declared import Model, Name, Slug

AcrossKind = Literal["total", "mean", "difference", "ratio", "growth", "doubling-time", "cumulative"]
RowKind = Literal["day", "week", "month", "quarter", "year", "financial-year"]

COMPARING: tuple[AcrossKind, ...] = ("difference", "ratio", "growth", "doubling-time")
"""Kinds that set two windows of time against each other."""
DIVIDING: tuple[AcrossKind, ...] = ("ratio", "growth", "doubling-time")
"""Kinds in which an amount is divided by another, which must be above zero."""


class AcrossStatistic(Model):
    """A statistic over a window of time that may reach over the borders of editions.

    The window of a row is its own period and those before it, ``periods`` in all.

    ``total``: the sum over the window. ``mean``: that sum divided by the number of periods. ``difference``: the total less
    that of an earlier window. ``ratio``: the total divided by that of an earlier window. ``growth``: by how many per cent a
    day it grew since the earlier window (100 × the difference of the logarithms of the daily means, by days between).
    ``doubling-time``: days in which it doubles at that rate, or below zero halves; only where growth is clear.
    ``cumulative``: the sum of every day since ``since``.
    """

    id: Slug = Field(description="Name in files and on the command line.", examples=["cases-4-weeks"])
    kind: AcrossKind = Field(description="How it is computed; see above.", examples=["total"])
    of: Slug = Field(
        description="The count or sum that it is computed from, or a rate or daily figure of one; not of distinct persons.",
        examples=["cases"],
    )
    periods: int = Field(
        1, ge=1, le=400, description="Length of the window in periods of the table; more than one rolls.", examples=[4]
    )
    against: Literal["previous", "year"] = Field(
        "previous",
        description="For a difference, ratio or growth: the earlier window is the one just before, or the one that ends with the "
        "same period a year before.",
        examples=["year"],
    )
    lag: int | None = Field(
        None,
        ge=1,
        le=400,
        description="With `previous`: how many periods earlier that window ends (default: `periods`, so that they touch; fewer: "
        "they overlap).",
        examples=[1],
    )
    since: date | None = Field(
        None,
        description="For a cumulative sum: its first day (default: the first day that the release publishes).",
        examples=["2024-01-01"],
    )
    title: str = Field("", description="What readers call it.", examples=["Cases in the last four weeks"])
    unit: str = Field("", description="Unit in words.", examples=["cases"])

    @model_validator(mode="after")
    def _fits(self) -> AcrossStatistic:
        if self.kind not in COMPARING and (self.against != "previous" or self.lag is not None):
            raise ValueError(f"a {self.kind} has no 'against' or 'lag'; they are for {', '.join(COMPARING)}")
        if self.against == "year" and self.lag is not None:
            raise ValueError("write either 'lag' or 'against: year'")
        if self.against == "year" and self.kind in ("growth", "doubling-time"):
            raise ValueError(f"a {self.kind} is against the window before; use a ratio against the year before")
        if self.kind != "cumulative" and self.since is not None:
            raise ValueError("'since' is for a cumulative sum")
        if self.kind == "cumulative" and self.periods != 1:
            raise ValueError("a cumulative sum runs from 'since'; it has no 'periods'")
        return self


class AcrossTable(Model):
    """A published table whose rows may reach over the borders of editions: each row is a period that has ended."""

    id: Slug = Field(description="Name of its files.", examples=["area-months"])
    title: Name = Field(description="What readers call it.", examples=["Cases by area and month"])
    levels: dict[Slug, str] = Field(
        {},
        description="Dimension → level, other than of time; a dimension that is not named is summed over.",
        examples=[{"area": "ltla"}],
    )
    period: RowKind = Field(description="What a row covers.", examples=["month"])
    last: int = Field(
        13, ge=1, le=400, description="Each edition shows so many periods, the newest that have ended.", examples=[13]
    )
    statistics: tuple[AcrossStatistic, ...] = Field(min_length=1, description="What it shows.")


DAYS_OF_ROW: Mapping[RowKind, int] = {"day": 1, "week": 7}
"""Days of a row, where all have as many."""


@dataclass(frozen=True)
class Known:
    """What a release declares beside its tables across editions: ids of ``tables``, ``dimensions`` and ``derived`` statistics,
    measured statistic → its ``kinds``, rate or daily figure → the measured statistic that it is one of (``rates``; ``daily``:
    those per day), and sums that may be negative (``signed``)."""

    tables: set[str]
    dimensions: set[str]
    derived: set[str]
    kinds: Mapping[str, str]
    rates: Mapping[str, str]
    daily: set[str]
    signed: set[str]


def check_across(across: Sequence[AcrossTable], known: Known) -> None:
    """Hold tables across editions against the release that declares them.

    Raises:
        ValueError: naming the table and the field.
    """
    taken = set(known.tables)
    seen: dict[str, AcrossStatistic] = {}
    for table in across:
        where = f"across.{table.id}"
        if table.id in taken:
            raise ValueError(f"{where}: another table has this id")
        taken.add(table.id)
        for name in table.levels:
            if name not in known.dimensions:
                raise ValueError(f"{where}.levels: there is no dimension '{name}'")
        for one in table.statistics:
            if one.id in known.derived | {*known.kinds} or seen.setdefault(one.id, one) != one:
                raise ValueError(f"{where}.{one.id}: another statistic has this id")
            _check_source(one, known, f"{where}.{one.id}")
            _check_daily(table, one, known, f"{where}.{one.id}")
        if len({one.id for one in table.statistics}) < len(table.statistics):
            raise ValueError(f"{where}: two statistics have the same id")


def _check_source(one: AcrossStatistic, known: Known, where: str) -> None:
    """What it is computed from must add up over time, and not be below zero where it divides.

    Raises:
        ValueError: it does not.
    """
    measured = known.rates.get(one.of, one.of)
    if measured not in known.kinds:
        raise ValueError(f"{where}.of: '{one.of}' is neither a measured statistic nor a rate or daily figure of one")
    if known.kinds[measured] == "persons":
        raise ValueError(
            f"{where}.of: distinct persons of several periods cannot be added or compared; use a count of rows"
        )
    if one.kind in DIVIDING and measured in known.signed:
        raise ValueError(f"{where}: a {one.kind} needs amounts that cannot be below zero")


def _check_daily(table: AcrossTable, one: AcrossStatistic, known: Known, where: str) -> None:
    """A figure per day is a mean: it has no total, and compares where all rows have as many days.

    Raises:
        ValueError: it has, or they do not.
    """
    if one.of not in known.daily:
        return
    if one.kind in ("total", "cumulative"):
        raise ValueError(f"{where}: figures per day do not add up; write 'kind: mean', or take the sum itself")
    if table.period not in DAYS_OF_ROW:
        raise ValueError(f"{where}: figures per day are compared by day or week, which all have as many days")
