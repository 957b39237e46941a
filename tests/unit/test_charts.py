"""Charts are equal for equal input, small, honest, accessible, and self-contained."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from site_editions import covid_edition, covid_numbers, write

from dp_stats.catalogue.periods import parse_period
from dp_stats.charts import hexagons, svg
from dp_stats.charts.drawing import Chart, Studio
from dp_stats.charts.edition_chart import edition_chart
from dp_stats.charts.series import Group, Series
from dp_stats.charts.sheets import Words
from dp_stats.charts.tilemap import Layout
from dp_stats.texts.numbers import Figure
from dp_stats.texts.words import Texts

REPORTS = Path(__file__).resolve().parents[2] / "reports"
TEXTS = Texts.load(REPORTS)
STUDIO = Studio(REPORTS, TEXTS)
WORDS = Words("Cases in Leeds", "Estimates per week.", "Source: a made-up one.", "Cases rose & fell <again>.")


def series(count: int, *, name: str = "Leeds", seed: int = 1, margin: float = 40) -> Series:
    value = 500 + 400 * np.sin(np.arange(count) / 6) + np.random.default_rng(seed).normal(0, 10, count)
    dates = tuple(date(2020, 8, 31) + timedelta(weeks=i) for i in range(count))
    labels = tuple(f"in week {i}" for i in range(count))
    return Series(name, name, dates, labels, np.ones(count, bool), value, value - margin, value + margin, ("",) * count)


def groups(count: int) -> tuple[Group, ...]:
    return tuple(
        Group(str(i), f"Area number {i}", Figure(100 - i, 90 - i, 110 - i, "u" if i == 3 else "")) for i in range(count)
    )


DRAWINGS = {
    "long": lambda: STUDIO.headline(series(52), WORDS),
    "short": lambda: STUDIO.headline(series(6), WORDS),
    "days": lambda: STUDIO.headline(series(400), WORDS),
    "multiples": lambda: STUDIO.multiples([series(52, name=f"Region {i}", seed=i) for i in range(12)], WORDS),
    "dots": lambda: STUDIO.dots(groups(25), WORDS, average=Group("x", "United Kingdom", Figure(50, 45, 55))),
    "means": lambda: STUDIO.headline(series(20), WORDS, zero=False),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Chart]:
    return {name: draw() for name, draw in DRAWINGS.items()}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_chart_is_small_accessible_and_needs_nothing_from_elsewhere(drawn: dict[str, Chart], name: str) -> None:
    for text in (drawn[name].svg, drawn[name].narrow):
        root = ElementTree.fromstring(text)
        assert len(text.encode()) < 60_000
        assert root.get("role") == "img"
        assert root.find("{http://www.w3.org/2000/svg}title").text == WORDS.title
        assert root.find("{http://www.w3.org/2000/svg}desc").text == WORDS.alt
        assert "style=" not in text
        assert "<style" not in text
        assert not re.search(r'href="(?!#)', text)
        assert "http" not in text.replace("http://www.w3.org/", "")


def test_equal_input_gives_equal_bytes(drawn: dict[str, Chart]) -> None:
    for name in ("long", "dots"):
        again = DRAWINGS[name]()
        assert hashlib.sha256(again.png).digest() == hashlib.sha256(drawn[name].png).digest()
        assert (again.svg, again.narrow) == (drawn[name].svg, drawn[name].narrow)


def test_text_is_text_and_large_enough_on_a_phone(drawn: dict[str, Chart]) -> None:
    for name in DRAWINGS:
        width = float(ElementTree.fromstring(drawn[name].narrow).get("width"))
        sizes = [float(s) for s in re.findall(r'font-size="([\d.]+)px"', drawn[name].narrow)]
        assert sizes
        assert min(sizes) * 328 / width >= 9.5, "328 pixels is what a page of 360 leaves"


def test_an_amount_starts_at_zero_and_an_average_need_not(drawn: dict[str, Chart]) -> None:
    assert ">0</text>" in drawn["long"].svg
    high = Series(
        "m",
        "m",
        series(3).dates,
        series(3).labels,
        np.ones(3, bool),
        np.array([500.0, 505, 510]),
        np.array([499.0, 504, 509]),
        np.array([501.0, 506, 511]),
        ("",) * 3,
    )
    assert ">0</text>" not in STUDIO.headline(high, WORDS, zero=False).svg
    assert ">0</text>" in STUDIO.headline(high, WORDS).svg


def test_a_picture_for_reuse_is_large_and_light(drawn: dict[str, Chart]) -> None:
    image = Image.open(BytesIO(drawn["long"].png))
    assert image.width >= 1200
    assert len(drawn["long"].png) < 120_000


def test_a_line_in_a_page_tells_every_value_and_escapes_names() -> None:
    drawing = svg.line("x", series(52, name="<Leeds>"), TEXTS, title="<b>", description="a & b")
    ElementTree.fromstring(drawing)
    assert drawing.count("<rect") == 52
    assert "<b>" not in drawing


def test_a_peak_is_marked_only_where_it_can_be_told_apart() -> None:
    value = np.array([100.0, 937, 120, 130, 930, 110, 100, 90])
    for margin, marked in ((20, True), (600, False)):  # one of two; one of all
        one = replace(series(8), value=value, lower=value - margin, upper=value + margin)
        assert (">937</text>" in svg.line("x", one, TEXTS, title="t", description="d")) == marked
        assert ("937" in re.sub("<desc.*?</desc>|<path.*?/>", "", STUDIO.headline(one, WORDS).svg)) == marked


def test_a_line_survives_gaps_single_values_and_nothing_at_all() -> None:
    gap = series(20)
    value = gap.value.copy()
    value[3:6] = np.nan
    holed = replace(gap, value=value)
    for one in (holed, series(1), series(2)):
        ElementTree.fromstring(svg.line("x", one, TEXTS, title="t", description="d"))
    nothing = replace(gap, value=gap.value * np.nan)
    assert svg.line("x", nothing, TEXTS, title="t", description="d") == ""


def test_a_tile_says_its_value_with_its_interval_and_low_reliability_has_a_mark() -> None:
    tiles = Layout({str(i): (i % 5, i // 5) for i in range(10)})
    drawing = hexagons.tiles("m", tiles, groups(10), [93.0, 96.0], TEXTS, title="Cases", description="What it shows")
    ElementTree.fromstring(drawing)
    assert "<title>Area number 0: 100 (90 to 110)</title>" in drawing
    assert 'class="k2"' in drawing
    assert 'class="unsure"' in drawing


def test_dots_keep_long_names_clear_of_the_axis() -> None:
    short = svg.dots("d", groups(2), TEXTS, title="t", description="d")
    long = svg.dots(
        "d",
        tuple(Group(g.code, "Yorkshire and The Humber", g.figure) for g in groups(2)),
        TEXTS,
        title="t",
        description="d",
    )
    assert int(re.search(r'height="(\d+)"', long).group(1)) > int(re.search(r'height="(\d+)"', short).group(1))


def test_lines_break_where_an_edition_is_missing() -> None:
    whole = series(20)
    keep = [i for i in range(20) if not 8 <= i <= 12]
    value = whole.value[keep].copy()
    value[2] = np.nan
    dates = tuple(whole.dates[i] for i in keep)
    broken = Series("Leeds", "Leeds", dates, ("",) * 15, np.ones(15, bool), value, value - 40, value + 40, ("",) * 15)
    assert [run.tolist() for run in broken.runs] == [[0, 1], list(range(3, 8)), list(range(8, 15))]
    assert [len(run) for run in whole.runs] == [20]
    drawn = svg.line("s", broken, TEXTS, title="Cases", description="Cases.")
    stroke = re.search(r'class="stroke" d="([^"]*)"', drawn)
    assert stroke is not None
    assert stroke.group(1).count("M") == 3
    assert "nan" not in drawn


def test_months_of_unequal_length_are_no_gap() -> None:
    dates = tuple(date(2020 + m // 12, m % 12 + 1, 1) for m in range(24))
    value = np.arange(24.0)
    assert len(Series("x", "x", dates, ("",) * 24, np.ones(24, bool), value, value, value, ("",) * 24).runs) == 1


def test_a_part_of_a_period_is_a_hollow_dot_that_no_line_reaches() -> None:
    for count in (6, 20):
        cut = replace(series(count), whole=np.arange(count) > 0)
        assert [run[0] for run in cut.runs] == [0, 1]
        drawn = svg.line("s", cut, TEXTS, title="Cases", description="Cases.")
        assert drawn.count('class="part"') == 1
        assert "white" in STUDIO.headline(cut, WORDS).svg or "#ffffff" in STUDIO.headline(cut, WORDS).svg
        assert 'class="part"' not in svg.line("s", series(count), TEXTS, title="Cases", description="Cases.")


def test_the_peak_is_that_of_a_whole_period_where_there_is_one() -> None:
    high = series(6)
    value = high.value.copy()
    value[0] = 10_000
    cut = replace(high, value=value, whole=np.arange(6) > 0)
    assert cut.peak > 0
    assert replace(cut, whole=np.zeros(6, bool)).peak == 0


def test_a_rough_picture_is_drawn_like_the_real_one_and_smaller() -> None:
    real, rough = (Studio(REPORTS, TEXTS, rough=rough).headline(series(20), WORDS).png for rough in (False, True))
    shapes = [Image.open(BytesIO(picture)).size for picture in (real, rough)]
    assert shapes[1][0] * 3 < shapes[0][0]
    assert shapes[0][0] / shapes[0][1] == pytest.approx(shapes[1][0] / shapes[1][1], rel=0.01)
    for studio in (STUDIO, Studio(REPORTS, TEXTS, rough=True)):
        unfit = replace(series(20), value=np.full(20, "x"))
        with pytest.raises((TypeError, ValueError)):
            _ = studio.headline(unfit, WORDS).png


def test_small_charts_of_values_on_both_sides_of_nothing_have_a_scale() -> None:
    drawn = STUDIO.multiples([replace(series(4), value=np.array([-40.0, 60, 90, 110]), lower=np.full(4, -115.0),
                                      upper=np.full(4, 190.0))] * 2, WORDS, zero=False)  # fmt: skip
    labels = re.findall(r">([−-]?\d+)</text>", drawn.svg)
    assert len({*labels}) > 1, labels


def test_the_picture_of_a_table_of_areas_and_ages_tells_the_areas_or_each_of_both(tmp_path: Path) -> None:
    planned = covid_edition(parse_period("2021-W07"), limit=4)
    edition = write(planned, tmp_path, covid_numbers(planned))

    def drawn(headline: str, *tables: str) -> str:
        release = edition.release.model_copy(update={"headline": headline})
        told = tuple(t for t in edition.tables if not tables or t.id in tables)
        made = edition.model_copy(update={"release": release, "tables": told})
        return edition_chart(made, tmp_path / edition.path, studio=STUDIO).svg

    assert drawn("area-age") == drawn("area"), "not those of the first age under the name of all"
    both = drawn("area-age", "area-age")
    assert "by local authority, age" in both
    assert re.search(r"Hartlepool, \d+ to \d+", both)
