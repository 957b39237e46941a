"""Sentences about charts never claim more than the intervals allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from site_editions import covid_edition

from dp_stats.catalogue.periods import PartKind, period_of
from dp_stats.charts import findings
from dp_stats.charts.reading import ReleaseView, Revision
from dp_stats.charts.series import Group, Series
from dp_stats.errors import CatalogueError
from dp_stats.texts.numbers import Figure
from dp_stats.texts.words import Texts, markdown

REPORTS = Path(__file__).resolve().parents[2] / "reports"
TEXTS = Texts.load(REPORTS)


def series(values: list[float], margin: float, *, cut: Sequence[int] = ()) -> Series:
    dates = tuple(date(2021, 1, 4) + timedelta(weeks=i) for i in range(len(values)))
    value = np.array(values)
    labels = tuple(TEXTS.when(f"2021-W{i + 1:02d}") for i in range(len(values)))
    whole = np.array([i not in cut for i in range(len(values))])
    return Series("Leeds", "E1", dates, labels, whole, value, value - margin, value + margin, ("",) * len(values))


def test_a_clear_rise_is_said_with_all_intervals_and_the_peak() -> None:
    said = findings.of_series(TEXTS, series([100, 900, 500], 50), what="Cases in Leeds").replace("\xa0", " ")
    assert said == (
        "Cases in Leeds rose from 100 (50 to 150) in the week of 4 January 2021 to 500 (450 to 550) in the week of 18 January "
        "2021: by 400 (300 to 500). In brackets are 95 % intervals. It was highest in the week of 11 January 2021, at 831 or more "
        "(estimate 900)."
    )
    apart = replace(series([100, 900, 500], 50), origin=(0, 1, 2))
    assert "by 400 (330 to 470)" in findings.of_series(TEXTS, apart, what="Cases"), "editions have noise of their own"


def test_an_edition_of_a_day_is_compared_with_that_of_a_week_before() -> None:
    def revision(day: date, kind: PartKind = "day") -> Revision:
        return Revision(covid_edition(period_of(day, kind), limit=2), Path(), "final")

    days = [revision(date(2021, 3, 1) + timedelta(days=i)) for i in range(9) if i != 1]
    view = ReleaseView("covid", tuple(days), TEXTS)
    monday, tuesday = days[-2], days[-1]
    assert view.before(monday) is days[0]
    assert view.before(tuesday) is None, "the Tuesday before was not published"
    assert view.before(days[0]) is None
    weeks = [revision(date(2021, 3, 1) + timedelta(weeks=i), "week") for i in range(3)]
    assert ReleaseView("covid", tuple(weeks), TEXTS).before(weeks[2]) is weeks[1]


def test_a_peak_or_trough_is_said_only_where_it_stands_out() -> None:
    level = [100.0, 101, 99, 102, 98, 100, 101, 99]
    flat = findings.of_series(TEXTS, series(level, 50), what="Cases")
    assert "highest" not in flat
    assert "lowest" not in flat
    two = findings.of_series(TEXTS, series([100, 100, 900, 905, 100, 100, 100, 100], 50), what="Cases")
    assert "1 other cannot be told apart" in two
    low = findings.of_series(TEXTS, series([900, 900, 100, 905], 50), what="Cases")
    assert "It was lowest in the week of 18 January 2021, at 174 or less (estimate 100)." in low
    rising = findings.of_series(TEXTS, series([100, 500, 900], 50), what="Cases")
    assert "highest" not in rising, "a series that ends highest has no peak"


def test_a_monday_is_never_compared_with_a_sunday() -> None:
    week = [900.0, 500, 500, 500, 500, 200, 100]
    days = tuple(date(2021, 1, 4) + timedelta(days=i) for i in range(14))
    value = np.array(week * 2)
    labels = tuple(TEXTS.when(str(day)) for day in days)
    daily = Series(
        "Leeds", "E1", days, labels, np.ones(14, dtype=bool), value, value - 9, value + 9, ("",) * 14, (), True
    )
    said = findings.of_series(TEXTS, daily, what="Cases")
    assert "no clear change: 100 (91 to 109) on 10 January 2021 and 100 (91 to 109) on 17 January 2021" in said
    assert TEXTS("finding.weekday") in said
    assert daily.latest_change is not None
    assert daily.latest_change.difference == 0
    assert daily.last(7).latest_change is None, "no week before, no change"
    assert "fell" not in findings.of_series(TEXTS, daily.last(7), what="Cases")
    assert "fell" in findings.of_series(TEXTS, replace(daily, by_day=False), what="Cases"), (
        "as it would without the rule"
    )


def test_a_part_of_a_week_is_never_compared_with_a_whole_one() -> None:
    said = findings.of_series(TEXTS, series([9, 500, 510, 8], 50, cut=(0, 3)), what="Cases")
    assert "no clear change" in said
    assert "Periods that are covered only in part are not compared." in said
    several = [series([9, 500, 510, 8], 50, cut=(0, 3)), series([9, 100, 500, 8], 5, cut=(0, 3))]
    assert "of 2, 1 rose, 0 fell and 1 showed no clear change between the first value (in the week of 11" in (
        findings.of_multiples(TEXTS, several, what="Cases")
    )


def test_of_parts_alone_only_the_last_is_said() -> None:
    said = findings.of_series(TEXTS, series([9, 900], 5, cut=(0, 1)), what="Cases")
    assert said.startswith("Cases in the week of 11 January 2021: 900")


def test_overlapping_intervals_are_no_clear_change() -> None:
    said = findings.of_series(TEXTS, series([100, 130], 50), what="Cases")
    assert "no clear change" in said
    assert "rose" not in said


def test_values_that_are_missing_are_not_talked_about() -> None:
    assert "no values" in findings.of_series(TEXTS, series([float("nan")] * 2, 1), what="Cases")
    assert "rose" in findings.of_series(TEXTS, series([float("nan"), 10, 90], 5), what="Cases")


def test_the_highest_group_is_only_named_where_it_stands_out() -> None:
    close = [Group("a", "Alpha", Figure(10, 5, 15)), Group("b", "Beta", Figure(12, 7, 17))]
    apart = [Group("a", "Alpha", Figure(10, 5, 15)), Group("b", "Beta", Figure(90, 80, 99))]
    assert "no clear difference" in findings.of_groups(TEXTS, close, what="Cases", when="in 2021")
    assert "ranged from" in findings.of_groups(TEXTS, apart, what="Cases", when="in 2021")


def test_of_many_groups_it_is_counted_which_stand_clear_of_the_middle() -> None:
    groups = [Group(str(i), f"Place {i}", Figure(100, 80, 120)) for i in range(20)]
    groups += [Group("h", "High", Figure(900, 880, 920)), Group("l", "Low", Figure(10, 0, 30))]
    said = findings.of_groups(TEXTS, groups, what="Cases", when="in 2021").replace("\xa0", " ")
    assert said == (
        "Cases in 2021, of 22: 1 clearly above the middle one, 1 clearly below, 20 not to be told from it. "
        "Estimates range from 10 (95 % interval 0 to 30) in Low to 900 (95 % interval 880 to 920) in High."
    )
    several = [*groups, *(Group(f"h{i}", f"High {i}", Figure(890 - i, 870, 910)) for i in range(5))]
    said = findings.of_groups(TEXTS, several, what="Cases", when="in 2021")
    assert "Estimates range from 10 to 900; which are truly the highest" in said
    assert "High" not in said, "one of many that may be the highest is not named"
    same = findings.of_groups(TEXTS, groups[:20], what="Cases", when="in 2021")
    assert ": 0 clearly above" in same
    assert "Place 7" not in same, "what cannot be told apart is not ranked"


def test_what_no_list_knows_is_never_the_lowest_area() -> None:
    areas = [Group(name, name, Figure(value, value - 5, value + 5)) for name, value in (("A", 100), ("B", 50))]
    every = [*areas, Group("unknown", "Unknown", Figure(0, 0, 4), listed=False)]
    said = findings.of_groups(TEXTS, every, what="Cases", when="now")
    assert said == findings.of_groups(TEXTS, areas, what="Cases", when="now")
    assert "45 to 55) in B" in said


def test_small_multiples_are_counted() -> None:
    said = findings.of_multiples(TEXTS, [series([100, 500], 5), series([100, 101], 5)], what="Cases")
    assert "of 2, 1 rose, 0 fell and 1 showed no clear change" in said


def test_periods_are_said_as_a_sentence_needs_them() -> None:
    assert TEXTS.when("2021-W07") == "in the week of 15 February 2021"
    assert TEXTS.when("2021-03-05") == "on 5 March 2021"
    assert TEXTS.when("2021-03") == "in March 2021"
    assert TEXTS.when("2021") == "in 2021"
    assert TEXTS.when("2020-08-31--2021-08-29") == "from 31 August 2020 to 29 August 2021"
    assert TEXTS.place("United Kingdom") == "the United Kingdom"


def test_a_missing_text_names_its_key() -> None:
    with pytest.raises(CatalogueError, match=r"no text 'finding\.nonsense'"):
        TEXTS("finding.nonsense")


def test_html_in_a_text_is_shown_and_not_passed_through() -> None:
    assert "<script>" not in markdown("Hello <script>alert(1)</script>")
