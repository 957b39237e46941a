"""A release's periods follow each other without gaps, and one rule says on which day each is due."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice, pairwise
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from dp_stats.catalogue.due import (
    due_at,
    due_day,
    last_begun,
    last_ended,
    open_since,
    period_at,
    periods_before,
    periods_of,
)
from dp_stats.catalogue.load import is_due
from dp_stats.catalogue.schedule import Schedule
from tests.plan_examples import BASIC, release

DAYS = st.dates(date(1999, 1, 1), date(2040, 12, 31))


@given(
    start=DAYS, length=st.integers(0, 800), settle=st.integers(0, 40), kind=st.sampled_from(["day", "week", "month"])
)
def test_periods_cover_every_day_of_a_release_and_are_due_once_settled(
    start: date, length: int, settle: int, kind: Literal["day", "week", "month"]
) -> None:
    end = start + timedelta(days=length)
    one = release(BASIC, period=kind, start=start, end=end, settle_days=settle)
    found = list(periods_of(one))
    assert found[0].start <= start <= found[0].end
    assert found[-1].start <= end <= found[-1].end
    assert all(later.start - earlier.end == timedelta(days=1) for earlier, later in pairwise(found))
    first = due_day(found[0], settle_days=settle)
    assert first - found[0].end == timedelta(days=settle + 1)
    assert is_due(one, found[0], first)
    assert not is_due(one, found[0], first - timedelta(days=1))
    assert due_at(found[0], schedule=Schedule(cron="@daily"), settle_days=settle).date() == first


@given(
    start=DAYS,
    length=st.integers(0, 800),
    after=st.integers(-400, 1200),
    kind=st.sampled_from(["day", "week", "month", "range"]),
)
def test_the_last_period_that_has_begun_or_ended_is_the_last_of_all_that_have(
    start: date, length: int, after: int, kind: Literal["day", "week", "month", "range"]
) -> None:
    one = release(BASIC, period=kind, start=start, end=start + timedelta(days=length))
    day, every = start + timedelta(days=after), list(periods_of(one))
    assert last_begun(one, day) == ([p for p in every if p.start <= day] or every)[-1 if day >= start else 0]
    assert last_ended(one, day) == ([p for p in every if p.end < day] or every[:1])[-1]


def test_a_release_without_end_has_periods_without_end_and_a_range_has_one() -> None:
    assert len(list(islice(periods_of(release(BASIC)), 500))) == 500
    whole = release(BASIC, period="range", start="2021-01-04", end="2021-05-01")
    assert [p.label for p in periods_of(whole)] == ["2021-01-04--2021-05-01"]


@given(
    start=DAYS,
    length=st.integers(0, 120),
    ends=st.booleans(),
    late=st.integers(1, 5),
    kind=st.sampled_from(["day", "week", "month"]),
    data=st.data(),
)
def test_a_period_is_open_exactly_while_a_later_edition_may_add_to_it(
    start: date, length: int, ends: bool, late: int, kind: Literal["day", "week", "month"], data: st.DataObject
) -> None:
    last = start + timedelta(days=length)
    one = release(BASIC, period=kind, start=start, end=last if ends else None, late={"periods": late})
    at = period_at(one, start + timedelta(days=data.draw(st.integers(0, length))))
    since = open_since(one, at)
    periods = list(islice(periods_of(one), 200))
    later = [p for p in periods if at.start < p.start][: late + 1]
    added = {p.label for after in later for p in periods_before(one, after, late)}
    for period in (p for p in periods if p.start <= at.start):
        assert (period.end >= since) == (period.label in added)


def test_nothing_is_open_where_late_rows_are_not_counted() -> None:
    one = release(BASIC, late=None)
    first = next(periods_of(one))
    assert open_since(one, first) == first.end + timedelta(days=1)


def test_a_new_name_leaves_open_what_its_calendar_would_reach() -> None:
    long = release(BASIC, period="week", start=date(2024, 1, 1), late={"periods": 3})
    named = long.model_copy(update={"start": date(2024, 3, 4)})
    week = period_at(named, date(2024, 3, 4))
    assert open_since(named, week) == open_since(long, week) == date(2024, 2, 19)
