"""What one person may do is the worst over all calendars: compared with every period of four hundred years, and at random."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.periods import BlockKind, Period, PeriodKind, block_of, parse_period, period_of
from dp_stats.plan import make_plan, sensitivity
from dp_stats.plan.calendars import grids_of, own_level
from dp_stats.plan.make import CANONICAL
from tests.plan_examples import catalogue, dataset, release

LEVELS = ("day", "week", "4-week", "month", "year")
KINDS: tuple[PeriodKind, ...] = ("day", "week", "month", "year")
CYCLE = date(2001, 1, 1), date(2400, 12, 31)
"""Four hundred years: after them the Gregorian calendar repeats, weekdays included."""


def part(day: date, start: date, level: str) -> tuple[int, ...]:
    """Which part of a period that begins at ``start`` a day belongs to, worked out without the grid's own code."""
    if level == "week":
        return day.isocalendar()[:2]
    if level == "4-week":
        return ((day - start).days // 28,)
    return {"day": (day.toordinal(),), "month": (day.year, day.month), "year": (day.year,)}[level]


def groups(period: Period, leaf: str, level: str) -> list[int]:
    """How many leaves each group of a level has; a leaf belongs where its first day does."""
    first: dict[tuple[int, ...], date] = {}
    for day in period.days:
        first.setdefault(part(day, period.start, leaf), day)
    sizes: dict[tuple[int, ...], int] = defaultdict(int)
    for day in first.values():
        sizes[part(day, period.start, level)] += 1
    return list(sizes.values())


def leaves_of(kind: PeriodKind, leaf: str, level: str) -> str:
    """The leaves under a level: days wherever its borders can fall inside the finest declared groups."""
    cut = {("week", "4-week"), ("week", "month"), ("4-week", "month")}
    by_year = leaf in ("week", "4-week") and level == "year" and kind in ("day", "week")
    return "day" if (leaf, level) in cut or by_year else leaf


def periods(kind: PeriodKind) -> Iterator[Period]:
    day, last = CYCLE
    while day <= last:
        period = period_of(day, kind)
        yield period
        day = period.end + timedelta(days=1)


def declared(kind: PeriodKind, levels: tuple[str, ...], statistics: list[dict[str, Any]], **fields: Any) -> Any:
    """A release of clinics' visits per ``kind`` with a table for the last of some levels of time."""
    tables = {"t": ({"date": levels[-1]}, [s["id"] for s in statistics])}
    made = release(
        tables,
        period=kind,
        start="2001-01-01",
        dimensions=[{"name": "date", "column": "day", "levels": list(levels)}],
        statistics=statistics,
        **fields,
    )
    return made


@lru_cache
def grids(kind: PeriodKind, levels: tuple[str, ...]) -> Any:
    made = declared(kind, levels, [{"id": "visits", "kind": "count"}])
    return grids_of(made, catalogue(made).grid(made, period_of(CYCLE[0], kind)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("leaf", "level"), [*combinations(LEVELS, 2), *((one, one) for one in LEVELS)])
def test_the_most_groups_and_leaves_of_any_period_are_those_of_four_hundred_years(
    kind: PeriodKind, leaf: str, level: str
) -> None:
    known = grids(kind, (leaf, level) if leaf != level else (leaf,))
    every = set()
    seen: set[object] = set()
    for period in periods(kind) if kind != "day" else [period_of(CYCLE[0], kind)]:
        cuts = tuple(i for i, day in enumerate(period.days) if day.day == 1 or day.weekday() == 0)
        mark = (len(period.days), cuts, period.start.weekday(), period.start.day, period.start.month == 12)
        if mark not in seen:
            seen.add(mark)
            sizes = groups(period, leaves_of(kind, leaf, level), level)
            every.add((len(sizes), max(sizes)))
    at = [{lv.name: lv for d in grid.dimensions for lv in d.levels}.get(level) for grid in known]
    found = {(len(lv.codes), int(lv.sizes.max())) for lv in at if lv is not None}
    assert found == every


COUNT = {"id": "visits", "kind": "count"}
PERSONS = {"id": "people", "kind": "persons"}


def moved(statistic: str, level: str, days: list[date], kind: PeriodKind, leaf: str) -> tuple[int, int]:
    """L1 and L2² of one person's rows in one measured table, over all editions their days fall in."""
    cells: Counter[tuple[object, ...]] = Counter()
    for day in days:
        period = period_of(day, kind)
        first = next(d for d in period.days if part(d, period.start, leaf) == part(day, period.start, leaf))
        cells[period.label, *part(first, period.start, level)] += 1
    sizes = [1 if statistic == "people" else number for number in cells.values()]
    return sum(sizes), sum(size * size for size in sizes)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_person_moves_a_table_further_whatever_the_calendar(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    chosen = data.draw(st.sets(st.sampled_from(LEVELS), min_size=1, max_size=3))
    levels = tuple(level for level in LEVELS if level in chosen)
    block: BlockKind = data.draw(st.sampled_from(["day", "week", "month", "year", "lifetime"]))
    what = data.draw(st.sampled_from([COUNT, PERSONS]))
    k, one_per_cell, series = data.draw(st.integers(1, 40)), data.draw(st.booleans()), data.draw(st.booleans())
    around = data.draw(
        st.dates(date(1901, 1, 1), date(2399, 1, 1)) | st.sampled_from([date(y, 12, 31) for y in range(2015, 2033)])
    )
    made = declared(kind, levels, [what], contribution={"rows": k, "one_per_cell": one_per_cell}, series=series)
    known = grids_of(made, catalogue(made).grid(made, parse_period(CANONICAL[kind])))
    # The rows of one person in one block: over all its editions if they share the charge, else within this one.
    pool = [around + timedelta(days=i) for i in range(-70, 71)] if series else list(period_of(around, kind).days)
    pool = [day for day in pool if block_of(day, block) == block_of(around, block)]
    days = data.draw(st.lists(st.sampled_from(pool), max_size=k) | st.just(pool))
    if one_per_cell:
        leaf = {(period_of(d, kind).label, part(d, period_of(d, kind).start, levels[0])): d for d in days}
        days = list(leaf.values())
    for level in levels:
        if kind == level:  # one cell that holds everything; what "all" is measured as
            continue
        found = sensitivity.of(
            made.statistics[0],
            "statistic",
            contribution=made.contribution,
            cap=1,
            grids=known,
            levels={"date": level},
            joint=series and not sensitivity.one_edition_per_block(kind, block),
        )
        l1, l2_squared = moved(what["id"], level, days[:k], kind, levels[0])
        assert l1 <= found.l1
        assert l2_squared <= found.l2_squared


@pytest.mark.parametrize(
    ("kind", "levels", "what", "block", "one_per_cell", "at", "worst"),
    [
        ("week", ("day", "month"), PERSONS, "week", False, "month", (2, 2)),  # a week across the end of a month
        ("month", ("day", "week"), PERSONS, "month", False, "week", (6, 6)),  # six weeks in a month
    ],
)
def test_the_worst_calendar_is_what_is_paid_for(
    kind: PeriodKind, levels: tuple[str, ...], what: dict[str, Any], block: str, one_per_cell: bool, at: str, worst: Any
) -> None:
    contribution = {"rows": 6, "one_per_cell": one_per_cell, "why_nothing_is_truncated": "a test"}
    made = declared(kind, levels, [what], contribution=contribution, privacy_loss={"rho": "1"})
    data = dataset(privacy_unit={"column": "patient", "per": block})
    for label in {"week": ("2021-W01", "2021-W13"), "month": ("2021-03", "2021-05")}[kind]:
        plan = make_plan(catalogue(made, data), made, parse_period(label))
        grid = catalogue(made, data).grid(made, parse_period(label))
        assert worst in {(m.l1, m.l2_squared) for m in plan.measurements if grid.complete(m.levels)["date"] == at}


def test_a_month_holds_six_leaves_where_leaves_are_weeks() -> None:
    made = declared("month", ("week", "month"), [COUNT], contribution={"rows": 6, "one_per_cell": True})
    for label in ("2021-03", "2021-05"):  # with five weeks, with six
        found = sensitivity.of(
            made.statistics[0],
            "statistic",
            contribution=made.contribution,
            cap=1,
            grids=grids_of(made, catalogue(made).grid(made, parse_period(label))),
            levels={},
            joint=False,
        )
        assert (found.l1, found.l2_squared) == (6, 36)


def test_every_measured_level_of_an_edition_is_one_of_its_own_calendar() -> None:
    canonical, *others = grids("week", ("day", "week", "month"))
    for grid in others:
        for level in canonical["date"].levels:
            assert own_level(canonical["date"], grid["date"], level.name) in {lv.name for lv in grid["date"].levels}
