"""Which days a table across editions is about: the periods of its rows, their windows, and what these follow from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from dp_stats.catalogue.across import COMPARING, AcrossStatistic, AcrossTable
from dp_stats.catalogue.calendar import TIME_LEVELS
from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import PartKind, Period, parse_period
from dp_stats.errors import CatalogueError


def began(release: Release, days: Iterable[date]) -> Release:
    """A release as from the first day of its series: where it had other names before, the first of ``days`` published then.

    Args:
        days: first days of earlier editions.
    """
    first = min([release.start, *days]) if release.formerly else release.start
    return release.model_copy(update={"start": first}) if first < release.start else release


def source_of(release: Release, one: AcrossStatistic) -> str:
    """The measured statistic that it is computed from: ``of``, or what that is a rate or daily figure of."""
    return next((d.of for d in release.derived if d.id == one.of and d.kind in ("rate", "daily")), one.of)


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
                (one.since >= release.start or release.formerly)
                and release.calendar.period_of(one.since, part).start == one.since
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


def rows_of(table: AcrossTable, release: Release, end: date) -> tuple[Period, ...]:
    """The periods that an edition shows whose last day is ``end``, the newest last: whole ones since the release began.

    Where none has ended yet it is the one that holds that day, of which nothing can be said.
    """
    period = release.calendar.period_of(end, table.period)
    if period.end > end:
        period = release.calendar.before(period)
    found: list[Period] = []
    while len(found) < table.last and period.start >= release.start:
        found.append(period)
        period = release.calendar.before(period)
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
        period = release.calendar.before(period)
    return period
