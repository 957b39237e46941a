"""Beside each chart is a file of the numbers that it shows."""

from __future__ import annotations

import csv
import io
import math
from datetime import date, timedelta

import numpy as np

from dp_stats.charts.chart_data import csv_of
from dp_stats.charts.series import Group, Series
from dp_stats.texts.numbers import Figure


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_a_series_has_a_row_for_each_moment_and_groups_one_each() -> None:
    days = tuple(date(2021, 1, 4) + timedelta(weeks=i) for i in range(3))
    value = np.array([5.0, math.nan, 7])
    series = Series(
        "Leeds, city", "E1", days, ("a", "b", "c"), np.ones(3, bool), value, value - 1, value + 1, ("", "x", "u")
    )
    found = rows(csv_of([series]))
    assert [(r["date"], r["value"], r["lower_95"], r["status"]) for r in found] == [
        ("2021-01-04", "5", "4", ""),
        ("2021-01-11", "", "", "x"),
        ("2021-01-18", "7", "6", "u"),
    ]
    assert {r["name"] for r in found} == {"Leeds, city"}
    (open_end,) = rows(csv_of([Group("A", "Upper", Figure(3.5, 1, math.inf, "u"))]))
    assert open_end == {"code": "A", "name": "Upper", "value": "3.5", "lower_95": "1", "upper_95": "", "status": "u"}
