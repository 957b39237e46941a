"""What one person may do is the worst over all calendars: compared with every period of four hundred years, and at random."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from functools import lru_cache
from itertools import combinations
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.calendar import ISO, TIME_LEVELS, WEEKDAYS, Calendar
from dp_stats.catalogue.periods import BlockKind, PartKind, Period, PeriodKind, block_of, parse_period
from dp_stats.errors import CatalogueError
from dp_stats.plan import make_plan, sensitivity
from dp_stats.plan.calendars import canonical_period, grids_of, own_level
from tests.plan_examples import catalogue, dataset, release

LEVELS: tuple[PartKind, ...] = ("day", "week", "4-week", "month", "year")
KINDS: tuple[PeriodKind, ...] = ("day", "week", "month", "year")
EVERY_KIND: tuple[PeriodKind, ...] = (*KINDS, "quarter", "financial-year")
CYCLE = date(2001, 1, 1), date(2400, 12, 31)
"""Four hundred years: after them the Gregorian calendar repeats, weekdays included."""

TAX = Calendar(week_starts="sunday", financial_year_starts="04-06")
"""Weeks from Sunday, and years that begin within a month."""


def calendars() -> st.SearchStrategy[Calendar]:
    """Any first day of the week, and any day but 1 January and 29 February as the first of a financial year."""
    firsts = st.dates(date(2001, 1, 2), date(2001, 12, 31)).map(lambda day: f"{day:%m-%d}")
    return st.builds(
        Calendar,
        week_starts=st.sampled_from(WEEKDAYS),
        financial_year_starts=firsts | st.sampled_from(["04-01", "07-01", "10-01"]),
    )


def part(day: date, start: date, level: str, calendar: Calendar = ISO) -> tuple[int, ...]:
    """Which part of a period that begins at ``start`` a day belongs to, worked out without the calendar's own code."""
    if level == "week":
        return ((day.toordinal() - 1 - WEEKDAYS.index(calendar.week_starts)) // 7,)  # the first of all days is a Monday
    if level == "4-week":
        return ((day - start).days // 28,)
    if level == "financial-year":
        return (day.year - (f"{day:%m-%d}" < calendar.financial_year_starts),)
    quarter = (day.year, (day.month - 1) // 3)
    return {"day": (day.toordinal(),), "month": (day.year, day.month), "quarter": quarter, "year": (day.year,)}[level]


def groups(period: Period, leaf: str, level: str, calendar: Calendar) -> list[int]:
    """How many leaves each group of a level has; a leaf belongs where its first day does."""
    first: dict[tuple[int, ...], date] = {}
    for day in period.days:
        first.setdefault(part(day, period.start, leaf, calendar), day)
    sizes: dict[tuple[int, ...], int] = defaultdict(int)
    for day in first.values():
        sizes[part(day, period.start, level, calendar)] += 1
    return list(sizes.values())


@lru_cache
def distinct_periods(kind: PeriodKind, calendar: Calendar) -> tuple[Period, ...]:
    """The periods of four hundred years, each calendar of them once."""
    found: dict[object, Period] = {}
    day, last = CYCLE
    while day <= last:
        period = calendar.period_of(day, kind)
        # where a year or a quarter begins is settled by where months do and by which month is the first
        cuts = tuple(i for i, d in enumerate(period.days) if d.day in (1, 6) or d.weekday() == calendar.week_start)
        found.setdefault((len(period.days), cuts, period.start.day, period.start.month), period)
        day = period.end + timedelta(days=1)
    return tuple(found.values())


def declared(kind: PeriodKind, levels: tuple[str, ...], statistics: list[dict[str, Any]], **fields: Any) -> Any:
    """A release of clinics' visits per ``kind`` with a table for the last of some levels of time."""
    tables = {"t": ({"date": levels[-1]}, [s["id"] for s in statistics])}
    made = release(
        tables,
        period=kind,
        dimensions=[{"name": "date", "column": "day", "levels": list(levels)}],
        statistics=statistics,
        **{"start": "2001-01-01", **fields},
    )
    return made


def all_grids(made: Any) -> Any:
    """The grids that a release is planned for, the one that stands for all of them first."""
    return grids_of(made, catalogue(made).grid(made, canonical_period(made)))


@lru_cache
def grids(kind: PeriodKind, levels: tuple[str, ...], calendar: Calendar = ISO) -> Any:
    return all_grids(declared(kind, levels, [{"id": "visits", "kind": "count"}], calendar=calendar))


PAIRS = [
    *((kind, *pair, ISO) for kind in KINDS for pair in [*combinations(LEVELS, 2), *((one, one) for one in LEVELS)]),
    *((kind, "week", level, TAX) for kind in ("week", "quarter") for level in ("month", "quarter", "financial-year")),
    *(("financial-year", leaf, level, TAX) for leaf, level in combinations(TIME_LEVELS, 2) if level != "4-week"),
]


@pytest.mark.parametrize(("kind", "leaf", "level", "calendar"), PAIRS)
def test_the_most_groups_and_leaves_of_any_period_are_those_of_four_hundred_years(
    kind: PeriodKind, leaf: PartKind, level: PartKind, calendar: Calendar
) -> None:
    known = grids(kind, (leaf, level) if leaf != level else (leaf,), calendar)
    finest = known[0]["date"].leaf.name
    sizes = [groups(period, finest, level, calendar) for period in distinct_periods(kind, calendar)]
    every = {(len(one), max(one)) for one in sizes}
    at = [{lv.name: lv for d in grid.dimensions for lv in d.levels}.get(level) for grid in known]
    found = {(len(lv.codes), int(lv.sizes.max())) for lv in at if lv is not None}
    assert found == every


COUNT = {"id": "visits", "kind": "count"}
PERSONS = {"id": "people", "kind": "persons"}


def moved(statistic: str, level: str, days: list[date], made: Any, leaf: str) -> tuple[int, int]:
    """L1 and L2² of one person's rows in one measured table, over all editions their days fall in."""
    cells: Counter[tuple[object, ...]] = Counter()
    for day in days:
        period = made.calendar.period_of(day, made.period).within(made.start, made.end)
        at = part(day, period.start, leaf, made.calendar)
        first = next(d for d in period.days if part(d, period.start, leaf, made.calendar) == at)
        cells[period.label, *part(first, period.start, level, made.calendar)] += 1
    sizes = [1 if statistic == "people" else number for number in cells.values()]
    return sum(sizes), sum(size * size for size in sizes)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_person_moves_a_table_further_whatever_the_calendar(data: st.DataObject) -> None:
    kind, calendar = data.draw(st.sampled_from(EVERY_KIND)), data.draw(calendars())
    chosen = data.draw(st.sets(st.sampled_from(TIME_LEVELS), min_size=1, max_size=3))
    levels = tuple(level for level in TIME_LEVELS if level in chosen)
    block: BlockKind = data.draw(st.sampled_from(["day", "week", "month", "year", "lifetime"]))
    what = data.draw(st.sampled_from([COUNT, PERSONS]))
    k, one_per_cell, series = data.draw(st.integers(1, 40)), data.draw(st.booleans()), data.draw(st.booleans())
    around = data.draw(
        st.dates(date(1901, 1, 1), date(2399, 1, 1)) | st.sampled_from([date(y, 12, 31) for y in range(2015, 2033)])
    )
    # The release may begin or end within a period, so that editions are cut.
    first, last = (around + timedelta(days=sign * data.draw(st.integers(0, 400))) for sign in (-1, 1))
    made = declared(
        kind,
        levels,
        [what],
        contribution={"rows": k, "one_per_cell": one_per_cell},
        series=series,
        calendar=calendar,
        start=first,
        end=last,
    )
    known = all_grids(made)
    # The rows of one person in one block: over all its editions if they share the charge, else within this one.
    own = calendar.period_of(around, kind)
    pool = [around + timedelta(days=i) for i in range(-70, 71)] if series else list(own.days)
    pool = [day for day in pool if block_of(day, block) == block_of(around, block) and first <= day <= last]
    days = data.draw(st.lists(st.sampled_from(pool), max_size=k) | st.just(pool))
    leaf = known[0]["date"].leaf.name
    if one_per_cell:
        cuts = {day: calendar.period_of(day, kind).within(first, last) for day in days}
        days = list({(cuts[d].label, part(d, cuts[d].start, leaf, calendar)): d for d in days}.values())
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
            joint=series and not sensitivity.one_edition_per_block(kind, block, calendar),
        )
        l1, l2_squared = moved(what["id"], level, days[:k], made, leaf)
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


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(("week", "month", "quarter")),
    levels=st.sets(st.sampled_from(("week", "month", "quarter", "year", "financial-year")), min_size=1),
    calendar=calendars(),
    days=st.lists(st.dates(date(2001, 1, 1), date(2028, 12, 31)), min_size=2, max_size=3),
)
@example(
    kind="week", levels={"year", "financial-year"}, calendar=ISO, days=[date(2024, 2, 1), date(2025, 1, 1)]
)  # no week crosses both
@example(  # a month of which no day lies in a whole week that begins in another month's financial year
    kind="month",
    levels={"week", "financial-year"},
    calendar=Calendar(week_starts="sunday", financial_year_starts="12-02"),
    days=[date(2001, 1, 1), date(2002, 1, 1)],
)
def test_every_period_of_a_release_can_be_planned_or_none(
    kind: PeriodKind, levels: set[PartKind], calendar: Calendar, days: list[date]
) -> None:
    ordered = tuple(level for level in TIME_LEVELS if level in levels)
    made = release(
        {level: ({"date": level}, ["visits"]) for level in ordered},
        period=kind,
        calendar=calendar,
        start="2001-01-01",
        dimensions=[{"name": "date", "column": "day", "levels": list(ordered)}],
    )
    borders = [date(day.year, *map(int, calendar.financial_year_starts.split("-"))) for day in days]
    outcomes = set()
    for day in {*days, *borders, *(date(day.year, 1, 1) for day in days)}:
        try:
            make_plan(catalogue(made), made, calendar.period_of(day, kind).within(date(2001, 1, 1), date.max))
            outcomes.add("planned")
        except CatalogueError:
            outcomes.add("refused")
    assert len(outcomes) == 1
