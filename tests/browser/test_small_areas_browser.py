"""Areas without a page of their own: the page that finds them shows of each what was published, by keyboard, on a phone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from english import TEXTS
from invented_editions import AREAS, BANDS, CASES, DATASET, SEXES, Sample, invent

from dp_stats.catalogue import load_catalogue
from dp_stats.outlets.index import refresh_index
from dp_stats.site import build
from tests.browser.test_site_browser import opened, picture
from tests.chromium import CHROMIUM, TAGS
from tests.public_files import link_faults, shared_faults
from tests.serving import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

BASE = "https://statistics.example.org"
FIND = "cases-by-area/find.html"
AREA = "A2"
"""The Vale of Ynys Môn, with an accent and quotes in its name."""


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three weeks over the turn of a year, of a release that declares how its areas are shown."""
    folder, public = tmp_path_factory.mktemp("catalogue"), tmp_path_factory.mktemp("public")
    declared = CASES.replace("levels: [ltla, region, uk]}", "levels: [ltla, region, uk], pages: {ltla: together}}")
    declared = declared.replace("start: 2021-02-08", "start: 2020-12-21").replace(
        "headline: area-day",
        "  - {id: area, title: Weekly cases by area, levels: {area: ltla, date: week}, statistics: [cases, rate]}\n"
        "  - {id: region, title: Weekly cases by region, levels: {area: region, date: week}, statistics: [cases, rate]}\n"
        "headline: area",
    )
    texts = {"areas.csv": AREAS, "bands.csv": BANDS, "sexes.csv": SEXES}
    texts = {f"codes/{name}": text for name, text in texts.items()}
    texts |= {"datasets/cases.yaml": DATASET, "releases/cases-by-area.yaml": declared}
    for path, text in texts.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    catalogue = load_catalogue(folder)
    release = catalogue.release("cases-by-area")
    for number, week in enumerate(("2020-W52", "2020-W53", "2021-W01")):
        period = catalogue.period(release, week)
        sample = Sample(catalogue, release, period, invent(catalogue, release, period, seed=number))
        sample.publish(public, published=datetime(2021, 2, 1 + number, 9, 30, tzinfo=UTC))
    refresh_index(public, base_url=BASE, texts=TEXTS, isolate=False)
    build(public, base_url=BASE, language="en", further=("cy",), isolate=False)
    return public


@pytest.fixture(scope="module")
def address(public: Path) -> Iterator[str]:
    with served(public) as found:
        yield found


def rows_of(public: Path, table: str, **wanted: str) -> list[dict[str, str]]:
    """Published rows of the area in a table of every edition, in order of time."""
    found = []
    for path in sorted(public.glob(f"cases-by-area/2*/r1/{table}.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += [r for r in csv.DictReader(file) if wanted.items() <= r.items() and r["geography_code"] == AREA]
    return found


def shown(row: dict[str, str]) -> list[str]:
    """A row as the page says it: estimate and interval, without decimals."""
    value, lower, upper = (f"{float(row[name]):,.0f}" for name in ("value", "lower_95", "upper_95"))
    return [value, f"{lower} to {upper}"]


def cells(page: Any, caption: str) -> list[list[str]]:
    """The cells of the table whose caption begins so, from the second column on."""
    rows = page.locator(f'#area table:has(caption:text("{caption}")) tbody tr').all()
    return [row.locator("td").all_inner_texts()[:2] for row in rows]


def whole(rows: list[list[str]]) -> list[list[str]]:
    """Numbers without their decimals, as rounding of them is tested elsewhere."""
    return [[" ".join(word.partition(".")[0] for word in cell.split()) for cell in row] for row in rows]


def test_an_area_is_found_by_keyboard_and_shows_what_was_published(browser: Any, public: Path, address: str) -> None:
    with opened(browser, f"{address}/{FIND}", width=390) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_selector("form#find:not([hidden])")
        page.keyboard.type("ynys mon")
        page.wait_for_selector("#found li")
        page.keyboard.press("Enter")
        page.wait_for_selector("#area:not([hidden]) table")
        assert page.evaluate("document.activeElement.id") == "area-name"
        assert page.url.endswith(f"#area={AREA}")
        assert page.inner_text("#area-name") == 'The "Vale" of Ynys Môn'
        weeks = rows_of(public, "area", metric="cases")
        found = cells(page, "Confirmed cases")
        assert len(found) == 3
        for cell, row in zip(found, reversed(weeks), strict=True):
            places = len(cell[1].split(" ")[0].partition(".")[2])
            numbers = [f"{float(row[name]):,.{places}f}" for name in ("value", "lower_95", "upper_95")]
            assert cell == [numbers[0], f"{numbers[1]} to {numbers[2]}"]
        assert page.inner_text('#area .big[data-metric="cases"]').split()[0].partition(".")[0] == shown(weeks[-1])[0]
        ages = [r for r in rows_of(public, "area-week-age", metric="cases") if r["period"] == "2021-W01"]
        assert [name for name in page.locator("#area tbody th").all_inner_texts() if "40" in name or "39" in name] == [
            row["age"] for row in ages if row["age_code"] != "unknown"
        ]
        assert page.locator("#area").get_by_role("link", name="South West").get_attribute("href") == "areas/R1.html"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert all(url.startswith(address) for url in asked)
        assert not any(f"/{number:03d}.json" in url for url in asked for number in range(1, 9)), "one file of each kind"


def test_the_download_has_every_published_row_of_the_area(browser: Any, public: Path, address: str) -> None:
    with opened(browser, f"{address}/{FIND}#area={AREA}") as page:
        with page.expect_download() as given:
            page.click("#area a[download][href^=blob]")
        content = Path(given.value.path()).read_text(encoding="utf-8")
    columns = ("value", "lower_95", "upper_95", "status", "value_unbiased")
    days = ("date", "period", "period_start", "period_end", "period_type")

    def key(row: dict[str, str], table: str) -> tuple[object, ...]:
        numbers = [float(row[name]) if row[name] and name != "status" else row[name] for name in columns]
        return (table, row["metric"], row["geography"], row.get("age_code") or "", *(row[d] for d in days), *numbers)

    given_rows = {key(row, row["table"]) for row in csv.DictReader(io.StringIO(content))}
    tables = ("area", "area-day", "area-week-age")
    assert given_rows == {key(row, table) for table in tables for row in rows_of(public, table)}


@pytest.mark.parametrize(("tree", "width"), [("", 360), ("", 1280), ("cy/", 1280)])
def test_axe_finds_nothing_wrong_and_nothing_fails(
    browser: Any, address: str, tree: str, width: int, tmp_path: Path
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, f"{address}/{tree}{FIND}#area={AREA}", width=width) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.wait_for_selector("#area:not([hidden]) table")
        found = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
        assert found.violations_count == 0, found.generate_report()
        assert not errors
        if not tree:
            picture(page, f"small-area-{'phone' if width == 360 else 'desktop'}", width, tmp_path)


def test_an_unknown_area_is_said_and_the_next_is_shown(browser: Any, address: str) -> None:
    with opened(browser, f"{address}/{FIND}#area=A99") as page:
        page.locator("#told", has_text="A99").wait_for()
        assert page.locator("#area").is_hidden()
        page.evaluate("location.hash = '#area=A4'")
        page.wait_for_selector("#area:not([hidden]) table")
        assert page.inner_text("#area-name") == "Barnet"
        assert "not available" in page.inner_text("#area")


def test_without_scripts_the_page_names_the_files(browser: Any, address: str) -> None:
    with opened(browser, f"{address}/{FIND}", java_script_enabled=False) as page:
        links = page.locator("noscript a[download]").all()
        assert {link.inner_text() for link in links} == {"area.csv", "area-day.csv", "area-week-age.csv"}
        assert all(page.request.get(f"{address}/cases-by-area/{link.get_attribute('href')}").ok for link in links)


def test_no_file_stands_for_one_small_area_and_all_links_lead_somewhere(public: Path) -> None:
    assert not [path for path in public.rglob("*") if path.stem in ("A1", "A2", "A3", "A4")]
    assert list(public.glob("cases-by-area/areas/R1.html"))
    assert [*link_faults(public), *shared_faults(public)] == []
