"""A value that nothing bounds from above, such as a mean over what may be nobody: no chart or sentence gives it a limit."""

from __future__ import annotations

import math
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from english import TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.charts import findings, svg
from dp_stats.charts.drawing import Studio
from dp_stats.charts.series import Group, Series
from dp_stats.charts.sheets import Words
from dp_stats.charts.wording import band_words, bars_words
from dp_stats.texts import numbers
from dp_stats.texts.numbers import Change, Figure

STUDIO = Studio(Path(__file__).resolve().parents[2] / "reports", TEXTS, rough=True)
WORDS = Words("A mean", "Over months", "Source", "What it shows")
NOT_A_NUMBER = re.compile(r'="[^"]*\b(nan|inf)\b')

figures = st.builds(
    lambda value, below, above: Figure(value, value - below, math.inf if above is None else value + above),
    st.sampled_from((0.0, 0.001, 17.0, 5e4, 3e9, -4.0)),
    st.sampled_from((0.0, 1.0, 1e5)),
    st.sampled_from((None, None, 0.0, 3.0, 1e6)),
)


def series_of(many: list[Figure]) -> Series:
    months = tuple(date(2024 + i // 12, 1 + i % 12, 1) for i in range(len(many)))
    value, lower, upper = (np.array([getattr(f, of) for f in many]) for of in ("value", "lower", "upper"))
    labels = tuple(month.isoformat() for month in months)
    return Series("All", "all", months, labels, np.ones(len(many), dtype=bool), value, lower, upper, ("",) * len(many))


@settings(max_examples=60, deadline=None)
@given(st.lists(figures, min_size=1, max_size=15))
def test_pages_draw_every_value_inside_the_axis(many: list[Figure]) -> None:
    series = series_of(many)
    groups = tuple(Group(f"G{i}", f"g{i}", figure) for i, figure in enumerate(many))
    drawn = [
        svg.line("l", series, TEXTS, title="t", description="d"),
        svg.dots("d", groups, TEXTS, title="t", description="d"),
        svg.dots("d", groups, TEXTS, title="t", description="d", zero=False),
        svg.spark(series),
        *map(svg.interval_bar, many),
    ]
    for one in drawn:
        assert not NOT_A_NUMBER.search(one), one
    across = [float(x) for one in drawn[1:3] for x in re.findall(r'c?x[12]?="([-\d.]+)%"', one)]
    assert all(0 <= x <= 100 for x in across), across
    down = [float(y) for y in re.findall(r'cy="([-\d.]+)"', drawn[0])]
    assert all(0 <= y <= svg.HEIGHT for y in down), down


@pytest.mark.parametrize("count", [2, 14])
@pytest.mark.parametrize("limits", [(1.0, math.inf), (math.inf, math.inf), (2.0, 3.0)])
def test_pictures_hold_every_value(count: int, limits: tuple[float, float]) -> None:
    """A label far outside the picture is an error of the font renderer."""
    many = [Figure(0.0, 0.0, limits[0])] * (count - 1) + [Figure(5e6, 0.0, max(limits[1], 5e6))]
    series = series_of(many)
    groups = tuple(Group(f"G{i}", f"g{i}", figure) for i, figure in enumerate(many))
    far = Group("Average", "all", Figure(9e7, 0, math.inf))
    upright = [
        STUDIO.headline(series, WORDS, zero=False),
        STUDIO.headline(series, WORDS),
        STUDIO.multiples([series, series], WORDS, zero=False),
    ]
    lying = STUDIO.dots(groups, WORDS, average=far)
    assert all(chart.png and chart.svg for chart in (*upright, lying))
    for low, high in (lying._wide.axes[0].get_xlim(), *(chart._wide.axes[0].get_ylim() for chart in upright)):
        assert low <= 0.0
        assert high >= 5e6


def test_nothing_is_said_to_have_fallen_to_what_has_no_limit() -> None:
    before, after = Figure(50, 40, 60), Figure(3, 0, math.inf)
    assert Change(before, after).direction == "unclear"
    assert Change(after, before).direction == "unclear"
    assert Change(Figure(3, 0, 8), Figure(50, 40, math.inf)).direction == "rose"
    top, other = (Group(n, n, f) for n, f in (("Top", Figure(50, 40, 60)), ("Other", Figure(3, 0, math.inf))))
    low = Group("Low", "Low", Figure(1, 0, 2))
    said = findings.of_groups(TEXTS, (top, other, low), what="Means", when="May")
    assert TEXTS.plural("finding.close_to_top", 1, top="Top") in said


def test_words_say_so() -> None:
    open_end = Figure(3.25, 0.5, math.inf)
    assert TEXTS.between(open_end, decimals=1) == "0.5 or more"
    assert TEXTS.figure(open_end, decimals=1) == "3.2 (95\u00a0% interval 0.5 or more)"
    assert numbers.decimals_for([open_end]) == 1
    assert math.isnan(numbers.typical_margin([open_end]))
    assert TEXTS("chart.open") in band_words(TEXTS, series_of([open_end]))
    assert TEXTS("chart.open") in bars_words(TEXTS, (Group("G", "g", open_end),))
    assert TEXTS("chart.open") not in bars_words(TEXTS, (Group("G", "g", Figure(1, 0, 2)),))
