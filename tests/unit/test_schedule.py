"""A schedule keeps the agency's clocks all year, and waits for holidays to pass without losing an edition."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dp_stats.catalogue.due import due_at, due_day, periods_of
from dp_stats.catalogue.schedule import LONGEST_BREAK, Schedule
from tests.plan_examples import BASIC, release

ZONES = ["UTC", "Europe/London", "America/New_York", "Pacific/Auckland", "Asia/Kolkata"]
PLACES = [None, "GB-ENG", "GB-SCT", "NZ", "DE", "AZ"]
DAYS = st.dates(date(2019, 1, 1), date(2032, 1, 1))
moments = st.builds(lambda day, clock: datetime.combine(day, clock, UTC), DAYS, st.times())
schedules = st.builds(
    lambda hour, minute, days, zone, place: Schedule(cron=f"{minute} {hour} * * {days}", timezone=zone, holidays=place),
    st.integers(4, 23),  # no clock is put forward or back over these hours
    st.sampled_from([0, 1, 30, 59]),
    st.sampled_from(["*", "1", "4", "1-5", "0,3", "6"]),
    st.sampled_from(ZONES),
    st.sampled_from(PLACES),
)


@settings(max_examples=150, deadline=None)
@given(schedule=schedules, moment=moments)
def test_moments_follow_each_other_without_a_gap_and_on_working_days(schedule: Schedule, moment: datetime) -> None:
    following = schedule.after(moment)
    assert following > moment
    assert schedule.before(following) <= moment
    assert schedule.after(schedule.before(moment)) >= moment
    local = following.astimezone(schedule.zone)
    minute, hour = (int(part) for part in schedule.cron.split()[:2])
    waited = datetime.combine(local.date(), local.time()) - datetime.combine(local.date(), time(hour, minute))
    if schedule.holidays is None:
        assert waited == timedelta(0)
    else:
        country, _, part = schedule.holidays.partition("-")
        assert local.date() not in holidays.country_holidays(country, subdiv=part or None)
        assert waited <= timedelta(minutes=LONGEST_BREAK.days)
        own = Schedule(cron=schedule.cron, timezone=schedule.timezone).first_on(local.date())
        assert local.weekday() < 5 or own.astimezone(schedule.zone).date() == local.date(), "moved to a weekend"


@settings(max_examples=60, deadline=None)
@given(
    schedule=schedules,
    start=DAYS,
    settle=st.integers(0, 9),
    kind=st.sampled_from(["day", "week", "month"]),
)
def test_no_two_editions_of_a_daily_schedule_are_made_at_one_moment_and_none_too_soon(
    schedule: Schedule, start: date, settle: int, kind: str
) -> None:
    periods = list(islice(periods_of(release(BASIC, period=kind, start=start, settle_days=settle)), 12))
    dues = [due_at(period, schedule=schedule, settle_days=settle) for period in periods]
    assert dues == sorted(dues)
    for period, due in zip(periods, dues, strict=True):
        assert due.astimezone(schedule.zone).date() >= due_day(period, settle_days=settle)
        assert schedule.after(due - timedelta(seconds=1)) == due
    if schedule.cron.endswith("*"):
        assert len(set(dues)) == len(dues)


def test_half_past_nine_is_half_past_nine_all_year_and_christmas_is_waited_for() -> None:
    schedule = Schedule(cron="30 9 * * *", timezone="Europe/London", holidays="GB-ENG")
    found, moment = [], datetime(2024, 12, 24, 12, tzinfo=UTC)
    for _ in range(4):
        moment = schedule.after(moment)
        found.append(moment.astimezone(ZoneInfo("Europe/London")).isoformat(timespec="minutes"))
    assert found == [
        "2024-12-27T09:30+00:00",
        "2024-12-27T09:31+00:00",
        "2024-12-27T09:32+00:00",
        "2024-12-28T09:30+00:00",
    ]
    assert schedule.after(datetime(2024, 7, 1, tzinfo=UTC)) == datetime(2024, 7, 1, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"timezone": "Europe/Londn"}, "no time zone"),
        ({"schedule": "30 9 * * 1", "holidays": "GB-XX"}, "registry of holidays"),
        ({"schedule": "30 9 * * 1", "holidays": "England"}, "registry of holidays"),
        ({"schedule": "*/5 9 * * 1", "holidays": "GB"}, "one moment a day"),
        ({"schedule": None, "holidays": "GB"}, "one moment a day"),
    ],
)
def test_what_is_misspelt_is_named(declared: dict[str, str | None], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        type(release(BASIC)).model_validate({**release(BASIC).model_dump(mode="json"), **declared})
