"""Tables across editions: sums, means, changes and growth over the borders of editions, declared on a release.

They are computed from the stored measurements of the editions published so far, and so cost nothing.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from dp_stats.catalogue.calendar import TIME_LEVELS
from dp_stats.catalogue.declared import Model, Name, Slug
from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.periods import PartKind, Period, parse_period
from dp_stats.errors import CatalogueError

if TYPE_CHECKING:
    from dp_stats.catalogue.releases import Release

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
        description="The count or sum that it is computed from, or a rate of one; not of distinct persons.",
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


def check_across(release: Release) -> None:
    """Hold the tables across editions against the release that declares them.

    Raises:
        ValueError: naming the table and the field.
    """
    taken = {t.id for t in release.tables}
    known = {s.id for s in release.statistics} | {d.id for d in release.derived}
    seen: dict[str, AcrossStatistic] = {}
    for table in release.across:
        where = f"across.{table.id}"
        if table.id in taken:
            raise ValueError(f"{where}: another table has this id")
        taken.add(table.id)
        if release.period == "range":
            raise ValueError(f"{where}: a release of one range has no other editions")
        for name in table.levels:
            if name not in {d.name for d in release.dimensions}:
                raise ValueError(f"{where}.levels: there is no dimension '{name}'")
        for one in table.statistics:
            if one.id in known or seen.setdefault(one.id, one) != one:
                raise ValueError(f"{where}.{one.id}: another statistic has this id")
            _check_source(release, one, f"{where}.{one.id}")
        if len({one.id for one in table.statistics}) < len(table.statistics):
            raise ValueError(f"{where}: two statistics have the same id")


def _check_source(release: Release, one: AcrossStatistic, where: str) -> None:
    """What it is computed from must add up over time, and be above zero where it divides.

    Raises:
        ValueError: it does not.
    """
    measured = source_of(release, one)
    statistic = next((s for s in release.statistics if s.id == measured), None)
    if statistic is None:
        raise ValueError(f"{where}.of: '{one.of}' is neither a measured statistic nor a rate of one")
    if statistic.kind == "persons":
        raise ValueError(
            f"{where}.of: distinct persons of several periods cannot be added or compared; use a count of rows"
        )
    if one.kind in DIVIDING and statistic.lower is not None and statistic.lower < 0:
        raise ValueError(f"{where}: a {one.kind} needs amounts that cannot be below zero")


def source_of(release: Release, one: AcrossStatistic) -> str:
    """The measured statistic that it is computed from: ``of``, or what that is a rate of."""
    return next((d.of for d in release.derived if d.id == one.of and d.kind == "rate"), one.of)


def check_levels_across(release: Release, grid: Grid, where: str) -> None:
    """Every table across editions must follow from a table that every edition publishes: finer in each dimension, and with
    parts of time that its periods are made of.

    Raises:
        CatalogueError: naming the file, the table and the field.
    """
    time = next((d.name for d in grid.dimensions if d.kind == "date"), None)
    for table in release.across:
        at = f"{where}: across.{table.id}"
        for name, level in table.levels.items():
            known = [lv.name for lv in grid[name].levels]
            if name == time:
                raise CatalogueError(f"{at}.levels: time is what 'period' says. Leave '{name}' out.")
            if level not in known:
                raise CatalogueError(f"{at}.levels.{name}: there is no level '{level}'. It has {', '.join(known)}.")
        for one in table.statistics:
            fine = _parts_of_time(release, grid, table, source_of(release, one))
            if not any(release.calendar.inside(part, table.period) for part in fine):
                raise CatalogueError(
                    f"{at}.{one.id}: no table of the release publishes '{one.of}' at these levels by {table.period} or by parts "
                    f"that a {table.period} is made of. Add such a table, for example by day."
                )
            if one.since is not None and not any(
                one.since >= release.start and release.calendar.period_of(one.since, part).start == one.since
                for part in fine
            ):
                raise CatalogueError(
                    f"{at}.{one.id}.since: must be a day on which something published begins, from {release.start} on."
                )


def _parts_of_time(release: Release, grid: Grid, table: AcrossTable, measured: str) -> set[PartKind]:
    """The parts of time that tables publish a measured statistic by, at levels at least as fine as those of ``table``."""
    found: set[PartKind] = set()
    derived = {d.id: d.of for d in release.derived}
    wanted = grid.complete(table.levels)
    for one in release.tables:
        if measured not in {derived.get(name, name) for name in one.statistics}:
            continue
        have = grid.complete(one.levels)
        finer = all(_depth(d, have[d.name]) <= _depth(d, wanted[d.name]) for d in grid.dimensions if d.kind != "date")
        if finer and release.period != "range":
            part = next((have[d.name] for d in grid.dimensions if d.kind == "date"), release.period)
            found.add(next((level for level in TIME_LEVELS if level == part), release.period))
    return found


def _depth(dimension: Dimension, level: str) -> int:
    return [known.name for known in dimension.levels].index(level)


# Which days


def rows_of(table: AcrossTable, release: Release, end: date) -> tuple[Period, ...]:
    """The periods that an edition shows whose last day is ``end``, the newest last: whole ones since the release began.

    Where none has ended yet it is the one that holds that day, of which nothing can be said.
    """
    period = release.calendar.period_of(end, table.period)
    if period.end > end:
        period = _before(release, period)
    found: list[Period] = []
    while len(found) < table.last and period.start >= release.start:
        found.append(period)
        period = _before(release, period)
    return tuple(reversed(found)) or (release.calendar.period_of(end, table.period),)


def windows(
    one: AcrossStatistic, release: Release, row: Period
) -> tuple[tuple[date, date], tuple[date, date] | None] | None:
    """First and last day of a row's window, and of the earlier one that it is set against; None: there is no such one.

    A week 53 and a 29 February have no like a year before.
    """
    if one.kind == "cumulative":
        return (one.since or release.start, row.end), None
    own = (_back(release, row, one.periods - 1).start, row.end)
    if one.kind not in COMPARING:
        return own, None
    before = year_before(release, row) if one.against == "year" else _back(release, row, one.lag or one.periods)
    return None if before is None else (own, (_back(release, before, one.periods - 1).start, before.end))


def year_before(release: Release, period: Period) -> Period | None:
    """The same period a year before: the ISO week of the same number, the same month; weeks of another calendar 52 before."""
    if period.kind == "week" and release.calendar.week_start:
        return release.calendar.period_of(period.start - timedelta(days=364), "week")
    if period.kind == "week":
        year, week, _ = period.start.isocalendar()
        label = f"{year - 1}-W{week:02d}"
        return parse_period(label) if week <= date(year - 1, 12, 28).isocalendar().week else None
    try:
        return release.calendar.period_of(period.start.replace(year=period.start.year - 1), period.kind)
    except ValueError:
        return None


def _back(release: Release, period: Period, count: int) -> Period:
    for _ in range(count):
        period = _before(release, period)
    return period


def _before(release: Release, period: Period) -> Period:
    return release.calendar.period_of(period.start - timedelta(days=1), period.kind)
