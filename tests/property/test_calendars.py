"""Any calendar divides time without gaps or overlaps, names the days it covers, and keeps a release's first and last day."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.calendar import ISO, TIME_LEVELS, WEEKDAYS, Calendar
from dp_stats.catalogue.due import periods_of
from dp_stats.catalogue.periods import PartKind, PeriodKind, next_period, parse_period
from dp_stats.errors import CatalogueError
from dp_stats.plan import make_plan, make_sealed
from dp_stats.plan.sealed import unseal
from dp_stats.secure.calendar import day_index
from dp_stats.settings import shipped
from dp_stats.texts.words import Texts
from tests.plan_examples import catalogue, release
from tests.public_files import span_of

KINDS: tuple[PeriodKind, ...] = ("day", "week", "month", "quarter", "year", "financial-year")
TEXTS = Texts.load(shipped("reports"))

DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31)) | st.sampled_from(
    [date(year, month, day) for year in (2000, 2020, 2021, 2024) for month, day in ((1, 1), (2, 28), (3, 1), (12, 31))]
)
CALENDARS = st.builds(
    Calendar,
    week_starts=st.sampled_from(WEEKDAYS),
    financial_year_starts=st.dates(date(2001, 1, 2), date(2001, 12, 31)).map(lambda day: day.isoformat()[5:])
    | st.sampled_from(["04-01", "04-06", "07-01", "10-01"]),
)


def declared(kind: PeriodKind, calendar: Calendar, *, levels: tuple[str, ...] = ("day",), **fields: Any) -> Any:
    """A release of visits per ``kind``, by levels of time."""
    return release(
        {"t": ({"date": levels[-1]}, ["visits"])},
        period=kind,
        calendar=calendar,
        dimensions=[{"name": "date", "column": "day", "levels": list(levels)}],
        **fields,
    )


@settings(deadline=None)
@given(day=DAYS, kind=st.sampled_from(TIME_LEVELS), calendar=CALENDARS)
def test_each_day_lies_in_one_period_of_a_kind_which_its_label_names(
    day: date, kind: PartKind, calendar: Calendar
) -> None:
    period = calendar.period_of(day, kind)
    assert period.start <= day <= period.end
    assert period.whole
    assert parse_period(period.label) == period
    assert set(period.label) <= set("0123456789-PQWY"), "a label is a part of a path"
    if kind == "4-week":  # counted from any day
        return
    assert {calendar.period_of(one, kind) for one in (period.start, period.end)} == {period}
    following = next_period(period)
    assert following == calendar.period_of(period.end + timedelta(days=1), kind)
    assert following.start - period.end == timedelta(days=1)
    if kind == "week":
        assert WEEKDAYS[period.start.weekday()] == calendar.week_starts
    if kind == "financial-year":
        assert period.start.isoformat()[5:] == calendar.financial_year_starts
        assert 365 <= len(period.days) <= 366


@given(day=DAYS, kind=st.sampled_from(KINDS), level=st.sampled_from(TIME_LEVELS), calendar=CALENDARS, data=st.data())
def test_the_parts_of_a_period_tile_it_and_the_cut_ones_bear_their_days(
    day: date, kind: PeriodKind, level: PartKind, calendar: Calendar, data: st.DataObject
) -> None:
    whole = calendar.period_of(day, kind)
    first = data.draw(st.dates(whole.start, whole.end))
    period = whole.within(first, data.draw(st.none() | st.dates(first, whole.end)))
    assert period.whole == (period.days == whole.days)
    parts = calendar.parts(period, level)
    assert [one for part in parts for one in part.days] == list(period.days)
    assert len({part.code for part in parts}) == len(parts)
    for part in parts:
        assert span_of(part.code) == (part.start, part.end)
        named = parse_period(part.code)
        assert (named.kind == level) == part.whole == (part.days == parse_period(part.label).days)
        said = {TEXTS.period(part.code, kind=level), TEXTS.when(part.code, kind=level)}
        assert all(("(part of a" in words or "(part of four" in words) is not part.whole for words in said)


@settings(deadline=None)
@given(calendar=CALENDARS, fine=st.sampled_from(TIME_LEVELS), coarse=st.sampled_from(TIME_LEVELS), day=DAYS)
def test_what_lies_inside_another_kind_is_never_split_by_it(
    calendar: Calendar, fine: PartKind, coarse: PartKind, day: date
) -> None:
    if calendar.inside(fine, coarse):
        one = calendar.period_of(day, fine)
        assert fine == coarse or calendar.period_of(one.start, coarse) == calendar.period_of(one.end, coarse)


@settings(deadline=None)
@given(
    day=DAYS, kind=st.sampled_from(KINDS), calendar=CALENDARS, data=st.data(),
    levels=st.lists(st.sampled_from(TIME_LEVELS), min_size=1, max_size=3, unique=True),
)  # fmt: skip
def test_an_edition_has_every_day_of_its_release_once_at_every_level_and_no_other(
    day: date, kind: PeriodKind, calendar: Calendar, levels: list[str], data: st.DataObject
) -> None:
    last = data.draw(st.none() | st.dates(day, day + timedelta(days=900)))
    made = declared(kind, calendar, levels=tuple(levels), start=day, end=last)
    editions = list(islice(periods_of(made), 4)) if last is None else list(periods_of(made))
    assert editions[0].start == day
    assert last is None or editions[-1].end == last
    assert all(later.start - earlier.end == timedelta(days=1) for earlier, later in pairwise(editions))
    assert all(edition.whole for edition in editions[1:-1])
    known = catalogue(made)
    for edition in (*editions[:1], *editions[-1:]):
        assert known.period(made, edition.label) == edition
        dates = known.grid(made, edition)["date"]
        leaf_of_day = day_index(dates, edition)
        for level in dates.levels:
            spans = [span_of(code) for code in level.codes]
            covered = [date.fromordinal(n) for a, b in spans for n in range(a.toordinal(), b.toordinal() + 1)]
            assert sorted(covered) == list(edition.days)
            groups = level.group[leaf_of_day]
            assert all(
                spans[group][0] <= one <= spans[group][1] for one, group in zip(edition.days, groups, strict=True)
            )


@settings(max_examples=25, deadline=None)
@given(day=DAYS, kind=st.sampled_from(KINDS), calendar=CALENDARS, cut=st.integers(0, 40))
def test_only_blocks_of_days_that_are_covered_are_charged_and_the_cut_is_sealed(
    day: date, kind: PeriodKind, calendar: Calendar, cut: int
) -> None:
    made = declared(kind, calendar, start=day, end=day + timedelta(days=cut))
    known = catalogue(made)
    period = next(periods_of(made))
    sealed = make_sealed(known, made, period)
    assert set(sealed.plan.blocks) == {str(one.year) for one in period.days}
    again = unseal(sealed.hash, sealed.aside, sealed.parts)
    assert again.period == period
    assert again.release.calendar == made.calendar
    assert again.period.whole == period.whole
    whole = make_sealed(known, made, parse_period(period.label))
    assert (whole.hash == sealed.hash) == period.whole


def series_hash(kind: PeriodKind, calendar: Calendar, *levels: str) -> str:
    made = declared(kind, calendar, levels=levels)
    return make_plan(catalogue(made), made, calendar.period_of(date(2024, 3, 7), kind)).series_hash


@pytest.mark.parametrize("level", ["month", "quarter", "year", "financial-year"])
@pytest.mark.parametrize("kind", ["week", "month", "quarter"])
@pytest.mark.parametrize("calendar", [ISO, Calendar(week_starts="wednesday", financial_year_starts="04-06")])
def test_every_edition_can_be_planned_wherever_its_levels_fall(
    kind: PeriodKind, level: PartKind, calendar: Calendar
) -> None:
    made = declared(kind, calendar, levels=("day", level), start=date(2024, 1, 1))
    known = catalogue(made)
    borders = [calendar.period_of(date(2024, month, day), kind) for month, day in ((1, 1), (4, 1), (4, 6), (5, 15))]
    costs = {make_plan(known, made, period.within(made.start, None)).series_hash for period in borders}
    assert len(costs) == 1


def test_when_weeks_and_financial_years_begin_is_part_of_a_series_where_they_are_used() -> None:
    sunday, tax = Calendar(week_starts="sunday"), Calendar(financial_year_starts="04-06")
    assert series_hash("week", sunday, "day") != series_hash("week", ISO, "day")
    assert series_hash("month", sunday, "day", "week") != series_hash("month", ISO, "day", "week")
    assert series_hash("month", sunday, "day") == series_hash("month", ISO, "day")
    assert series_hash("financial-year", tax, "day") != series_hash("financial-year", ISO, "day")
    assert series_hash("week", tax, "day") == series_hash("week", ISO, "day")


def test_a_week_across_the_end_of_a_year_is_named_once_and_not_by_its_parts() -> None:
    weekly = declared("week", ISO, start=date(2020, 12, 1), end=date(2021, 1, 31))
    assert Counter(p.label for p in periods_of(weekly))["2020-W53"] == 1
    yearly = declared("year", ISO, levels=("week", "year"), start=date(2020, 1, 1), end=date(2021, 12, 31))
    known = catalogue(yearly)
    codes = Counter(c for p in periods_of(yearly) for c in known.grid(yearly, p)["date"].level("week").codes)
    assert max(codes.values()) == 1
    assert {"2020-12-28--2020-12-31", "2021-01-01--2021-01-03"} <= set(codes)
    assert "2020-W53" not in codes


@pytest.mark.parametrize(
    ("label", "kind", "calendar"),
    [
        ("2024-W10", "week", Calendar(week_starts="sunday")),
        ("2024-03-04-P1W", "week", Calendar(week_starts="sunday")),
        ("2024-04-06-P1Y", "financial-year", ISO),
        ("2024", "financial-year", ISO),
        ("2024-03-03-P1W", "week", ISO),
    ],
)
def test_a_period_of_another_calendar_is_refused_with_one_of_its_own(
    label: str, kind: PeriodKind, calendar: Calendar
) -> None:
    made = declared(kind, calendar, start=date(2024, 1, 1))
    with pytest.raises(CatalogueError, match=r"is not a period|write a period such as 20"):
        catalogue(made).period(made, label)


@pytest.mark.parametrize("first", ["02-29", "13-01", "4-6", "01-01", "W01-1", "april", "0401"])
def test_a_financial_year_begins_on_a_day_that_every_year_has(first: str) -> None:
    with pytest.raises(ValueError, match=r"such as 04-01|is a 'year'"):
        Calendar(financial_year_starts=first)
