"""The public site in a real browser: accessible, usable by keyboard, zoomed, without scripts, and on its own.

``SITE_SCREENSHOTS=docs/images`` keeps the pictures that are taken of each kind of page.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from site_editions import single_edition, year_of_weeks

from dp_stats.catalogue import Catalogue, read_catalogue
from dp_stats.outlets.places import refresh_places
from dp_stats.site import build
from tests.chromium import CHROMIUM, TAGS
from tests.serving import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

RELEASE = "covid-cases-by-area"
WEEKS = 52
PAGES = {
    "front": "index.html",
    "release": f"{RELEASE}/index.html",
    "edition": f"{RELEASE}/2021-W20/index.html",
    "superseded": f"{RELEASE}/2021-W32/r1.html",
    "areas": f"{RELEASE}/areas/index.html",
    "area": f"{RELEASE}/areas/E08000035.html",
    "region": f"{RELEASE}/areas/E12000003.html",
    "editions": f"{RELEASE}/editions.html",
    "find": f"{RELEASE}/find.html",
    "map": f"{RELEASE}/map.html",
    "methods": f"{RELEASE}/methods.html",
    "other-shape": "hospital-days/index.html",
    "methodology": "methodology.html",
    "glossary": "glossary.html",
    "corrections": "corrections.html",
    "register": "register.html",
    "budget": "budget.html",
    "calendar": "calendar.html",
    "accessibility": "accessibility.html",
    "missing": "404.html",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    public = tmp_path_factory.mktemp("public")
    year_of_weeks(public, weeks=WEEKS)
    single_edition(public)
    refresh_places(public, with_lists(tmp_path_factory.mktemp("catalogue")))
    build(public, base_url="https://statistics.example.org")
    with served(public) as found:
        yield found


def with_lists(folder: Path) -> Catalogue:
    """A catalogue whose release is that of the site, with a small list of postcodes, and a square as the boundary of each area."""
    shutil.copytree(Path(__file__).parents[2] / "dags" / "catalogue", folder, dirs_exist_ok=True)
    (folder / "postcodes").mkdir()
    (folder / "postcodes" / "few.yaml").write_text("{id: few, title: A few postcodes, codes: lad19, file: few.csv}")
    rows = ["LS1 1AA,E08000035", "ls1-4dy,E08000035", "M1 1AE,E08000003"]
    (folder / "postcodes" / "few.csv").write_text("\n".join(["postcode,code", *rows, ""]))
    (folder / "maps").mkdir()
    (folder / "maps" / "squares.yaml").write_text("{id: squares, title: Squares, codes: lad19, file: squares.json}")
    with (folder / "codes" / "lad19.csv").open(encoding="utf-8", newline="") as lines:
        placed = [row for row in csv.DictReader(lines) if row["longitude"]]
    content = {"type": "FeatureCollection", "features": [square_of(row) for row in placed]}
    (folder / "maps" / "squares.json").write_text(json.dumps(content))
    return read_catalogue(folder)


def square_of(row: dict[str, str]) -> dict[str, Any]:
    """A tenth of a degree around the middle of an area."""
    x, y, half = float(row["longitude"]), float(row["latitude"]), 0.05
    ring = [
        (x - half, y - half),
        (x + half, y - half),
        (x + half, y + half),
        (x - half, y + half),
        (x - half, y - half),
    ]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"code": row["code"]}, "geometry": geometry}


@contextlib.contextmanager
def opened(browser: Any, url: str, *, width: int = 1280, **options: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_wrong(browser: Any, address: str, name: str, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, f"{address}/{PAGES[name]}", width=width, color_scheme=scheme) as page:
        found = Axe().run(page, options={"runOnly": TAGS, "preload": False}).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == []


def test_axe_would_notice_a_picture_without_words(browser: Any, address: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, f"{address}/{PAGES['release']}") as page:
        page.evaluate("document.querySelector('figure img').removeAttribute('alt')")
        found = Axe().run(page, options={"runOnly": TAGS, "preload": False}).response["violations"]
    assert "image-alt" in {v["id"] for v in found}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_nothing_of_anyone_else_and_has_no_errors(browser: Any, address: str, name: str) -> None:
    asked: list[str] = []
    errors: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}/{PAGES[name]}")
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    page.wait_for_load_state("networkidle")
    broken = page.evaluate(
        "[...document.images].filter(image => !image.complete || !image.naturalWidth).map(image => image.src)"
    )
    context.close()
    assert [url for url in asked if not url.startswith(address)] == []
    assert errors == []
    assert broken == []


@pytest.mark.parametrize(
    ("name", "zoom"), [(n, z) for n in ("front", "release", "area", "areas", "methods") for z in (2, 4)]
)
def test_zoomed_in_nothing_falls_off_the_screen(browser: Any, address: str, name: str, zoom: int) -> None:
    # Zoom makes the page as narrow as the screen divided by the zoom, which is what reflow is measured by (WCAG 1.4.10).
    with opened(browser, f"{address}/{PAGES[name]}", width=1280 // zoom) as page:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        outside = page.evaluate(
            "[...document.querySelectorAll('main p, main h1, main h2, main h3, main li')]"
            ".filter(e => !e.closest('.scroll, .visually-hidden'))"
            ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.textContent.slice(0, 60))"
        )
        assert outside == []


def test_a_keyboard_alone_reaches_content_search_and_areas(browser: Any, address: str) -> None:
    with opened(browser, f"{address}/{PAGES['front']}") as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.name") == "q"
        page.keyboard.type("leeds")
        page.keyboard.press("Enter")
        page.wait_for_url("**/find.html#q=leeds")
        page.get_by_text("1 area found.").wait_for()
        assert page.locator("#found a").all_inner_texts() == ["Leeds"]
        assert page.evaluate("document.activeElement.id") == "q"
        page.keyboard.press("Enter")
        page.wait_for_url("**/areas/E08000035.html")
        assert page.locator("h1").text_content() == "Leeds"


def test_a_postcode_leads_to_its_area_and_the_server_learns_its_beginning_alone(browser: Any, address: str) -> None:
    with opened(browser, f"{address}/{PAGES['release']}", width=360) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.locator("#q").fill("LS1 4DY")
        page.keyboard.press("Enter")
        page.get_by_text("1 area found.").wait_for()
        assert page.locator("#found a").all_inner_texts() == ["Leeds"]
        assert [url.partition("#")[0] for url in asked if "LS1" in url.partition("#")[0]] == [
            f"{address}/assets/postcodes/few/LS1.json"
        ]
        assert not any("4DY" in url.partition("#")[0] for url in asked)
        page.locator("#q").fill("LS1 9ZZ")
        page.keyboard.press("Enter")
        page.get_by_text("This postcode is in no area").wait_for()


def test_an_area_is_found_by_a_name_it_had_its_region_and_where_one_is(browser: Any, address: str) -> None:
    def told(route: Any) -> None:
        found = route.fetch()
        content = found.json()
        content["former"]["E07000999"] = ["Elmet"]  # merged into one that was itself renamed
        content["replaced"] = {"E07000999": ["E07000998"], "E07000998": ["E08000035"]}
        route.fulfill(response=found, json=content)

    leeds = {"latitude": 53.8, "longitude": -1.54}
    with opened(browser, "about:blank", geolocation=leeds, permissions=["geolocation"]) as page:
        page.route("**/places.json", told)
        page.goto(f"{address}/{PAGES['find']}")
        page.locator("#q").fill("elmet")
        assert page.locator("#found li").all_inner_texts() == [
            "Leeds\nLocal authority \u00b7 part of Yorkshire and The Humber \u00b7 formerly or also Elmet"
        ]
        page.locator("#q").fill("humber")
        assert page.locator("#found li").first.inner_text().startswith("Yorkshire and The Humber")
        assert page.locator("#found li").count() > 15, "and the areas in it"
        page.locator("#near").click()
        page.get_by_text("whose middle is nearest").wait_for()
        assert page.locator("#found a").first.inner_text() == "Leeds"


def test_every_stop_of_the_keyboard_can_be_seen(browser: Any, address: str) -> None:
    with opened(browser, f"{address}/{PAGES['release']}") as page:
        for _ in range(40):
            page.keyboard.press("Tab")
            style = page.evaluate(
                "(e => e === document.body ? ['solid', '1px'] : [getComputedStyle(e).outlineStyle, "
                "getComputedStyle(e).outlineWidth])"
                "(document.activeElement)"
            )
            assert style[0] != "none"
            assert float(style[1].removesuffix("px")) >= 1


def test_a_table_sorts_by_its_headers_and_says_so(browser: Any, address: str) -> None:
    with opened(browser, f"{address}/{PAGES['areas']}") as page:
        head = page.locator("thead th").nth(1)
        head.locator("button").press("Enter")
        assert head.get_attribute("aria-sort") == "descending"
        cells = page.locator("tbody td:nth-child(2)").all_text_contents()
        values = [float(c.replace(",", "")) for c in cells]
        assert values == sorted(values, reverse=True)
        head.locator("button").press("Enter")
        assert head.get_attribute("aria-sort") == "ascending"


def test_a_maps_tile_tells_its_value_and_leads_to_its_area(browser: Any, address: str) -> None:
    with opened(browser, f"{address}/{PAGES['release']}") as page:
        tile = page.locator("svg.tiles use").nth(5)
        tile.scroll_into_view_if_needed()
        tile.hover()
        words = page.locator(".tip").text_content() or ""
        assert " to " in words
        tile.click()
        page.wait_for_url("**/areas/index.html?q=*")
        assert page.locator("tbody tr:visible").count() >= 1


@pytest.mark.parametrize(("name", "tile"), [("release", "use"), ("map", "path[data-at]")])
def test_the_keyboard_reaches_every_tile_tells_its_value_and_opens_it(
    browser: Any, address: str, name: str, tile: str
) -> None:
    with opened(browser, f"{address}/{PAGES[name]}", width=360) as page:
        tiles = page.locator(f"svg.tiles[data-areas] {tile}")
        assert page.locator("svg.tiles[data-areas] [tabindex='0']").count() == 1, "one stop for the whole map"
        page.locator("svg.tiles[data-areas] [tabindex='0']").focus()
        seen = {page.locator(".tip").inner_text()}
        told = "[document.querySelector('.tip').textContent, document.activeElement.getAttribute('aria-label')]"
        for _ in range(tiles.count() - 1):
            page.keyboard.press("ArrowRight")
            shown, labelled = page.evaluate(told)
            assert shown == labelled
            seen.add(shown)
        assert len(seen) == tiles.count() == 381
        page.keyboard.press("ArrowUp")
        before = page.locator(".tip").inner_text()
        page.keyboard.press("ArrowDown")
        assert before != page.locator(".tip").inner_text()
        name = page.locator(".tip").inner_text().rpartition(":")[0]
        page.keyboard.press("Enter")
        page.wait_for_url("**/areas/index.html?q=*")
        assert page.locator("input#q").input_value() == name


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_everything_can_be_read(browser: Any, address: str, name: str) -> None:
    with opened(browser, f"{address}/{PAGES[name]}", java_script_enabled=False) as page:
        assert (page.locator("h1").text_content() or "").strip()
        if name == "areas":
            assert page.locator("tbody tr:visible").count() == 381
        if name in ("release", "map"):
            assert page.locator("svg.tiles [data-at] title, svg.tiles use title").count() == 381


def test_reduced_motion_is_respected(browser: Any, address: str) -> None:
    for wanted, expected in (("reduce", "auto"), ("no-preference", "smooth")):
        with opened(browser, f"{address}/{PAGES['release']}", reduced_motion=wanted) as page:
            assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == expected


def test_on_paper_there_is_no_navigation(browser: Any, address: str) -> None:
    with opened(browser, f"{address}/{PAGES['release']}") as page:
        page.emulate_media(media="print")
        assert not page.locator("header nav").is_visible()
        assert not page.locator("nav.contents").is_visible()
        assert page.locator("h1").is_visible()


@pytest.mark.parametrize("name", ["area", "region"])
def test_an_area_is_one_sheet_on_paper(browser: Any, address: str, name: str) -> None:
    with opened(browser, f"{address}/{PAGES[name]}") as page:
        pdf = page.pdf(format="A4")
        page.set_viewport_size({"width": 710, "height": 1000})  # what is left of A4 between its margins
        page.emulate_media(media="print")
        ends = (
            "[...document.querySelectorAll('figure svg text')].map(e => e.getBoundingClientRect()).filter(r => r.width)"
        )
        assert page.evaluate(f"{ends}.every(r => r.left > -2 && r.right < innerWidth + 2)")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


def picture(page: Any, name: str, width: int, otherwise: Path) -> None:
    """Keep a picture of a page's beginning where the documentation has it, if that is asked for."""
    path = Path(os.environ.get("SITE_SCREENSHOTS", otherwise)) / f"site-{name}.png"
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    page.evaluate("Promise.all([...document.images].map(image => image.decode()))")
    height = min(page.evaluate("document.documentElement.scrollHeight"), 2400)
    page.screenshot(path=path, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height}, scale="css")
    image = Image.open(path).convert("RGB").quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    image.save(path, "PNG", optimize=True)
    assert path.stat().st_size < 200_000


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["front", "release", "edition", "area", "areas", "methods", "budget"])
def test_a_picture_of_each_kind_of_page(browser: Any, address: str, name: str, width: int, tmp_path: Path) -> None:
    with opened(browser, f"{address}/{PAGES[name]}", width=width) as page:
        picture(page, f"{name}-{'phone' if width == 360 else 'desktop'}", width, tmp_path)


WAYS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "tablet": ("release", 768, {}),
    "dark": ("release", 1280, {"color_scheme": "dark"}),
    "zoomed": ("release", 640, {"device_scale_factor": 2}),
    "print": ("area", 710, {}),
    "keyboard": ("map", 1280, {}),
}
"""How people read a page, and a page read so."""


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_of_each_way_of_reading(browser: Any, address: str, way: str, tmp_path: Path) -> None:
    name, width, options = WAYS[way]
    with opened(browser, f"{address}/{PAGES[name]}", width=width, **options) as page:
        if way == "print":
            page.emulate_media(media="print")
        if way == "keyboard":
            page.locator("svg.tiles [tabindex='0']").focus()
            for _ in range(150):
                page.keyboard.press("ArrowRight")
            assert page.locator(".tip").is_visible()
        picture(page, f"{name}-{way}", width, tmp_path)


@pytest.fixture(scope="module")
def welsh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The small release in two languages."""
    public = tmp_path_factory.mktemp("welsh")
    single_edition(public)
    build(public, base_url="https://statistics.example.org", further=["cy"])
    with served(public) as found:
        yield found


@pytest.mark.parametrize(
    "path", ["cy/index.html", "cy/hospital-days/index.html", "cy/hospital-days/methods.html", "cy/accessibility.html"]
)
def test_welsh_pages_are_as_accessible_and_lead_to_english_ones(browser: Any, welsh: str, path: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, f"{welsh}/{path}", width=360) as page:
        found = Axe().run(page, options={"runOnly": TAGS, "preload": False}).response["violations"]
        assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("navigation", name="Iaith").get_by_role("link", name="English").click()
        assert page.url == f"{welsh}/{path.removeprefix('cy/')}"
        assert page.evaluate("document.documentElement.lang") == "en"
        page.get_by_role("link", name="Cymraeg").click()
        assert page.url == f"{welsh}/{path}"
