"""A break is drawn: the line ends there, a dashed line stands between, and what is said compares nothing across it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from dp_stats.charts import findings, svg
from dp_stats.charts.drawing import Studio
from dp_stats.charts.series import Series
from dp_stats.charts.sheets import Words
from dp_stats.charts.wording import band_words
from dp_stats.settings import load_settings
from dp_stats.texts.words import Texts


def weeks(status: dict[int, str], count: int = 16) -> Series:
    days = tuple(date(2024, 1, 1) + timedelta(weeks=n) for n in range(count))
    value = np.linspace(900, 100, count)
    marks = tuple(status.get(n, "") for n in range(count))
    return Series(
        "Upper", "A", days, tuple(map(str, days)), np.ones(count, dtype=bool), value, value - 9, value + 9, marks
    )


TEXTS = Texts.of(load_settings())


def drawn(series: Series) -> str:
    return svg.line("s", series, TEXTS, title="t", description="d")


def test_the_line_ends_at_a_break_and_a_dashed_line_says_why() -> None:
    whole, broken = weeks({}), weeks({7: "u b"})
    assert [len(run) for run in whole.runs] == [16]
    assert [len(run) for run in broken.runs] == [7, 9]
    assert 'class="break"' not in drawn(whole)
    assert drawn(broken).count('class="break"') == 1
    assert TEXTS("chart.break") in drawn(broken)
    assert TEXTS("chart.break") in band_words(TEXTS, broken)
    assert TEXTS("chart.break") not in band_words(TEXTS, whole)


def test_nothing_is_compared_across_a_break() -> None:
    broken = weeks({7: "b"})
    assert broken.comparable.tolist() == list(range(7, 16))
    assert broken.peak == 7
    said = findings.of_series(TEXTS, broken, what="Visits")
    assert broken.labels[7] in said
    assert broken.labels[0] not in said
    assert TEXTS("finding.break", when=broken.labels[7]) in said
    assert TEXTS("finding.parts") not in said
    assert TEXTS("finding.break", when=broken.labels[7]) not in findings.of_series(TEXTS, weeks({}), what="Visits")


def test_where_nothing_was_before_there_is_nothing_to_break() -> None:
    new = replace(weeks({7: "b"}), value=np.where(np.arange(16) < 7, np.nan, 5.0))
    assert new.breaks.tolist() == []
    assert 'class="break"' not in drawn(new)


def test_pictures_show_it_too() -> None:
    studio = Studio(load_settings().reports, TEXTS)
    words = Words(title="t", subtitle="s", source="c", alt="a")
    dashed = [studio.headline(weeks(status), words).svg.count("stroke-dasharray") for status in ({}, {7: "b"})]
    assert dashed[1] == dashed[0] + 1
