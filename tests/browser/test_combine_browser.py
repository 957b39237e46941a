"""Sums that readers make in their own browser are those that Python makes, and the page that shows them is for everyone."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dp_stats
from dp_stats.errors import NotDerivableError
from dp_stats.estimate.answer import answer
from dp_stats.estimate.difference import difference
from dp_stats.settings import shipped
from tests.browser.test_site_browser import opened
from tests.chromium import CHROMIUM, TAGS
from tests.combined_examples import CASES, WEEKS, comparison, measured, over_a_change, question, write_release
from tests.conftest import publish_clinic
from tests.serving import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

QUESTIONS = 40
FIELDS = ("value", "unrounded", "lower", "upper", "standard_error")
ASK = """([statistic, where, start, end]) => {
  try { return dpStats.answer(files, statistic, where, start, end); }
  catch (error) { if (error instanceof dpStats.NotDerivable) return null; throw error; }
}"""
COMPARE = """([statistic, of, less, start, end]) => {
  try { return dpStats.difference(files, statistic, of, less, start, end); }
  catch (error) { if (error instanceof dpStats.NotDerivable) return null; throw error; }
}"""


@pytest.mark.parametrize("case", [*CASES, "boundaries"])
def test_the_browser_works_out_what_python_does(browser: Any, case: str, tmp_path: Path) -> None:
    changed = case == "boundaries"
    stored = over_a_change() if changed else [measured(case, week)[0] for week in WEEKS]
    case, more = ("plain", ("M", "S1", "M", "S2")) if changed else (case, ())
    write_release(tmp_path, stored)
    files = [json.loads((tmp_path / "test" / week / "r1" / "combine.json").read_text()) for week in WEEKS]
    page = browser.new_page()
    page.add_script_tag(
        content=(shipped("reports") / "assets" / "combine.js").read_text() + "window.dpStats = dpStats;"
    )
    page.evaluate("given => { window.files = given }", files)
    rng, told, differed = np.random.default_rng(5), 0, 0
    for _ in range(QUESTIONS):
        one = question(rng, case, more=more)
        asked = [one["statistic"], one["where"], str(one["start"]), str(one["end"])]
        found = page.evaluate(ASK, asked)
        try:
            own = answer(stored, one["statistic"], where=one["where"], start=one["start"], end=one["end"])
        except NotDerivableError:
            assert found is None, one
        else:
            told += 1
            assert [found[name] for name in FIELDS] == pytest.approx(
                [getattr(own, name) for name in FIELDS], rel=1e-8
            ), one
            assert found["editions"] == list(own.editions)
        compared = comparison(rng, case)
        sides = [compared["statistic"], compared["of"], compared["less"], str(compared["start"]), str(compared["end"])]
        found = page.evaluate(COMPARE, sides)
        try:
            rest = {name: value for name, value in compared.items() if name != "statistic"}
            own = difference(stored, compared["statistic"], **rest)
        except NotDerivableError:
            assert found is None, compared
            continue
        differed += 1
        assert [found[name] for name in FIELDS] == pytest.approx([getattr(own, name) for name in FIELDS], rel=1e-8), (
            compared
        )
    page.close()
    assert min(told, differed) > QUESTIONS / (5 if changed else 3)  # a part of what merged cannot be told


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = publish_clinic(tmp_path_factory.mktemp("clinic"), "visits/2024-W02", "visits/2024-W03")
    yield folder / "home" / "public"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def address(public: Path) -> Iterator[str]:
    with served(public) as found:
        yield found


LINK = "visits/combine.html#statistic=visits&from=2024-01-08&to=2024-01-21&in.clinic=north&in.clinic=B"


def test_a_link_to_a_result_shows_what_python_says(browser: Any, address: str, public: Path) -> None:
    own = dp_stats.combine(
        public / "visits", "visits", where={"clinic": ("north", "B")}, start="2024-01-08", end="2024-01-21"
    )
    asked: list[str] = []
    with opened(browser, f"{address}/{LINK}") as page:
        page.on("request", lambda request: asked.append(request.url))
        page.locator("#result").wait_for()
        assert (page.locator("#value").inner_text().split() or [""])[0] == f"{round(own.value):,}"
        assert page.locator("#interval").inner_text() == f"{round(own.lower):,} to {round(own.upper):,}"
        assert page.locator("#permalink").get_attribute("href") == page.url
        assert f"{round(own.value):,}" in page.locator("#citation").inner_text()
        assert page.locator("#result tbody tr").count() == 2
        assert not [t for t in page.locator("#result td").all_inner_texts() if t.startswith(("-0 ", "−0 "))]
        assert page.locator("svg.combined circle").count() == 2
    assert [url for url in asked if not url.startswith((address, "blob:"))] == []


COMPARED = (
    "visits/compare.html#statistic=visits&from=2024-01-08&to=2024-01-21&by=clinic&against=B&code=A&code=B&code=north"
)


def test_a_link_compares_as_python_does_and_gives_the_files(browser: Any, address: str, public: Path) -> None:
    asked: list[str] = []
    with opened(browser, f"{address}/{COMPARED}") as page:
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_text("8 to 21 January 2024: the result is below").wait_for()
        cells = page.locator("#result table").first.locator("tbody tr")
        told = {row[0]: row[1:] for row in (one.inner_text().split("\t") for one in cells.all())}
        names = page.locator("svg.compared .name").all_inner_texts()
        assert len(told) == len(names) == 3
        assert page.locator("#permalink").get_attribute("href") == page.url
        small = re.search(r'src="([^"]+)" width="640" height="(\d+)"', page.locator("#embed").inner_text())
        assert small
        assert "embed.html#statistic=visits" in small[1]
        with opened(browser, html.unescape(small[1]), width=640) as frame:
            frame.locator("#framed p").first.wait_for()
            assert frame.evaluate("document.body.scrollHeight") <= int(small[2]), "the frame has room for all of it"
        found = dp_stats.difference(
            public / "visits", "visits", of={"clinic": "A"}, less={"clinic": "B"}, start="2024-01-08", end="2024-01-21"
        )
        (own,) = [row for row in told.values() if row[2] == f"{round(found.value):,}".replace("-", "\N{MINUS SIGN}")][
            :1
        ]
        ends = [f"{round(end):,}".replace("-", "\N{MINUS SIGN}") for end in (found.lower, found.upper)]
        assert own[3] == f"{ends[0]} to {ends[1]}"
        kept = {}
        for name in ("Data as CSV", "Chart as SVG", "Chart as PNG"):
            with page.expect_download() as download:
                page.get_by_text(name).click()
            kept[name] = download.value.path().read_bytes()
        rows = kept["Data as CSV"].decode().splitlines()
        assert len(rows) == 1 + 3 * 3 + 2, "of each the whole, its two editions, and two differences"
        assert kept["Chart as SVG"].startswith(b"<svg")
        assert b"var(" not in kept["Chart as SVG"]
        assert kept["Chart as PNG"].startswith(b"\x89PNG")
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []


@pytest.mark.parametrize("name", ["combine", "compare", "embed"])
def test_a_page_is_light_before_its_data(public: Path, name: str) -> None:
    page = public / "visits" / f"{name}.html"
    text = page.read_text()
    parts = {page, *(page.parent / place for place in re.findall(r'(?:src|href)="([^"]+\.(?:js|css|svg))"', text))}
    assert sum(part.stat().st_size for part in parts) < 100_000
    for script in (shipped("reports") / "assets").glob("*.js"):
        assert all(line.count("`") % 2 == 0 for line in script.read_text().splitlines()), (
            "a template over several lines"
        )


def test_the_keyboard_alone_works_it_out(browser: Any, address: str) -> None:
    with opened(browser, f"{address}/visits/combine.html", width=360) as page:
        page.locator("#ask").wait_for()
        page.locator("#statistic").focus()
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.type === 'checkbox'"):
                break
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        page.locator("#result").wait_for()
        assert "in.clinic=" in page.url
        assert (page.locator("#said").text_content() or "").strip().endswith(").")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
@pytest.mark.parametrize(
    ("place", "there"),
    [
        (LINK, "#result"),
        (COMPARED, "#result"),
        (COMPARED.replace("compare", "embed", 1), "svg.compared"),
        ("data.html", "pre"),
        ("visits/index.html", "h1"),
    ],
)
def test_axe_finds_nothing_wrong(browser: Any, address: str, place: str, there: str, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, f"{address}/{place}", width=width, color_scheme=scheme) as page:
        page.locator(there).first.wait_for()
        found = Axe().run(page, options={"runOnly": TAGS, "preload": False}).response["violations"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == []


def test_what_cannot_be_told_is_said_in_words(browser: Any, address: str) -> None:
    cut = "visits/combine.html#statistic=visits&from=2024-02-20&to=2024-02-21"
    with opened(browser, f"{address}/{cut}") as page:
        page.get_by_text("No edition of these days has it.").wait_for()
        assert page.locator("#result").is_hidden()


def test_without_scripts_the_page_says_where_the_same_is(browser: Any, address: str) -> None:
    with opened(browser, f"{address}/visits/compare.html", java_script_enabled=False) as page:
        assert "dp_stats.difference" in page.locator("main").inner_text()
        assert page.locator("noscript a").count() == 1
    with opened(browser, f"{address}/visits/combine.html", java_script_enabled=False) as page:
        assert "combine.json" in page.locator("main").inner_text()
        assert page.locator("#ask").is_hidden()
