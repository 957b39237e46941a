"""Sentences about charts never claim more than the intervals allow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from dp_stats.charts import findings
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


def test_a_clear_rise_is_said_with_both_intervals_and_the_peak() -> None:
    said = findings.of_series(TEXTS, series([100, 900, 500], 50), what="Cases in Leeds").replace("\xa0", " ")
    assert said == (
        "Cases in Leeds rose from 100 (95 % interval 50 to 150) in the week of 4 January 2021 to 500 (95 % interval "
        "450 to 550) in the week of 18 January 2021. The highest estimate was 900 (95 % interval 850 to 950) in the "
        "week of 11 January 2021."
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
