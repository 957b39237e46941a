"""What speaks of all editions: catalogue, feeds, calendar, register and API, checked with the tools that read them."""

from __future__ import annotations

import csv
import html
import io
import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import feedparser
import pyarrow.parquet as pq
import pytest
import rdflib
from english import TEXTS
from icalendar import Calendar
from invented_editions import publish_weeks_and_costs

from dp_stats.catalogue.periods import parse_period
from dp_stats.catalogue.schedule import Schedule
from dp_stats.charts.reading import releases as releases_below
from dp_stats.editions import retract
from dp_stats.outlets.api import slug
from dp_stats.outlets.dcat import short_title
from dp_stats.outlets.feeds import Scheduled, calendar, due_at, icalendar
from dp_stats.outlets.index import refresh_index
from dp_stats.site import build

SHAPES = Path(__file__).parents[2] / "shapes" / "dcat-ap-3.0.1.ttl"
BASE = "https://statistics.example.org"


@pytest.fixture(scope="module")
def made(make_sample: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_weeks_and_costs(make_sample, tmp_path_factory.mktemp("made"), (7, 8), BASE)


@pytest.fixture
def public(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "public"))


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_nothing_is_written_again_when_nothing_has_changed(public: Path) -> None:
    assert refresh_index(public, base_url=BASE, texts=TEXTS).written == 0


def test_the_catalogue_is_linked_data_with_a_dataset_per_release(public: Path) -> None:
    graph = rdflib.Graph().parse(public / "catalog.jsonld", format="json-ld")
    dcat, dct = rdflib.Namespace("http://www.w3.org/ns/dcat#"), rdflib.DCTERMS
    datasets = set(graph.subjects(rdflib.RDF.type, dcat.Dataset))
    releases, periods = (
        {"cases-by-area", "costs-by-sex"},
        {"cases-by-area/2021-W07", "cases-by-area/2021-W08", "costs-by-sex/2021"},
    )
    assert {str(graph.value(d, dct.identifier)) for d in datasets} == releases | periods
    assert datasets == set(graph.objects(None, dcat.dataset)), "every edition is in the catalogue"
    for series in graph.subjects(rdflib.RDF.type, dcat.DatasetSeries):
        assert set(graph.subjects(dcat.inSeries, series)) <= datasets
    first, second = (rdflib.URIRef(f"{BASE}/cases-by-area/2021-W0{week}/#dataset") for week in (7, 8))
    assert graph.value(second, dcat.prev) == first
    addresses = {str(o) for o in graph.objects(None, dcat.downloadURL)}
    assert f"{BASE}/cases-by-area/2021-W08/r1/area-day.csv" in addresses
    assert all(a.startswith(f"{BASE}/") for a in addresses)
    assert all(len(str(graph.value(d, dct.title))) <= 65 for d in datasets)
    for distribution in graph.subjects(rdflib.RDF.type, dcat.Distribution):
        path = str(graph.value(distribution, dcat.downloadURL)).removeprefix(f"{BASE}/")
        assert int(graph.value(distribution, dcat.byteSize)) == (public / path).stat().st_size


def test_the_catalogue_keeps_to_the_shapes_of_dcat_ap(public: Path) -> None:
    from pyshacl import validate

    shapes = rdflib.Graph().parse(SHAPES, format="turtle")
    graph = rdflib.Graph().parse(public / "catalog.jsonld", format="json-ld")
    conforms, _, told = validate(graph, shacl_graph=shapes, inference="none")
    assert conforms, told
    (catalogue,) = graph.subjects(rdflib.RDF.type, rdflib.URIRef("http://www.w3.org/ns/dcat#Catalog"))
    graph.remove((catalogue, rdflib.DCTERMS.publisher, None))
    assert not validate(graph, shacl_graph=shapes, inference="none")[0], "a catalogue of nobody is found"


def test_the_catalogue_leads_to_the_api_and_its_description(public: Path) -> None:
    graph = rdflib.Graph().parse(public / "catalog.jsonld", format="json-ld")
    dcat = rdflib.Namespace("http://www.w3.org/ns/dcat#")
    (service,) = graph.subjects(rdflib.RDF.type, dcat.DataService)
    assert set(graph.objects(service, dcat.servesDataset)) == {
        rdflib.URIRef(f"{BASE}/{release}/#dataset") for release in ("cases-by-area", "costs-by-sex")
    }
    assert (None, dcat.service, service) in graph
    for kind in (dcat.endpointURL, dcat.endpointDescription):
        assert (public / str(graph.value(service, kind)).removeprefix(f"{BASE}/")).is_file()


def test_titles_in_the_catalogue_are_cut_between_words() -> None:
    assert short_title("Short") == "Short"
    short = short_title("Confirmed cases of several notifiable infectious diseases by local authority and week")
    assert short == "Confirmed cases of several notifiable infectious diseases by…"
    assert len(short) <= 65


def test_the_feed_lists_editions_newest_first(public: Path) -> None:
    parsed = feedparser.parse((public / "feed.atom").read_bytes())
    assert not parsed.bozo
    assert parsed.version == "atom10"
    assert [e.title for e in parsed.entries] == [
        "New: Cases by area, 22 to 28 February 2021",
        "New: Cases by area, 15 to 21 February 2021",
        "New: Costs by sex, 2021",
    ]
    assert parsed.entries[0].link == f"{BASE}/cases-by-area/2021-W08/index.html"
    assert len({e.id for e in parsed.entries}) == 3
    assert len(feedparser.parse((public / "costs-by-sex/feed.atom").read_bytes()).entries) == 1


def test_revisions_and_retractions_reach_feed_log_and_catalogue(public: Path, make_sample: Callable[..., Any]) -> None:
    make_sample(period="2021-W08", seed=80).publish(
        public, revision=2, reason="Late reports", published=datetime(2021, 3, 2, 9, 30, tzinfo=UTC)
    )
    when = datetime(2021, 3, 3, 9, 30, tzinfo=UTC)
    retract(public, "cases-by-area/2021-W07", revision=1, reason="Wrong opt-out list", when=when)
    refresh_index(public, base_url=BASE, texts=TEXTS)
    entries = feedparser.parse((public / "feed.atom").read_bytes()).entries
    assert [e.title.partition(":")[0] for e in entries] == ["Withdrawn", "Revised", "New", "New", "New"]
    assert entries[0].summary == "Wrong opt-out list"
    assert entries[1].summary.startswith("Measured again: Late reports Values changed: ")
    log = read(public / "corrections.json")
    assert [(c["kind"], c["costs_budget"]) for c in log] == [("retraction", False), ("correction", True)]
    assert log[1]["superseded"] == "cases-by-area/2021-W08/r1"
    assert "2021-W08/r2/" in (public / "catalog.jsonld").read_text()


def test_the_calendar_shows_twelve_months_of_weekly_editions(public: Path) -> None:
    planned = read(public / "calendar.json")
    assert planned[0]["period"] == "2021-W09"
    assert planned[0]["when"] == "2021-03-11T09:30:00+00:00"
    assert 50 <= len(planned) <= 53
    assert {p["release"] for p in planned} == {"cases-by-area"}


def test_a_release_that_has_ended_is_not_expected_again() -> None:
    release = Scheduled(
        release="r",
        title="R",
        kind="week",
        timetable=Schedule(cron="30 9 * * 4"),
        settle_days=3,
        last="2021-W07",
        end=date(2021, 3, 4),
    )
    planned = calendar([release], since=datetime(2021, 2, 22, tzinfo=UTC), texts=TEXTS)
    assert [p.period for p in planned] == ["2021-W08", "2021-W09"], "the last week is cut at the release's end"


def test_an_edition_is_due_at_the_first_scheduled_moment_after_it_has_settled() -> None:
    week = parse_period("2021-W07")  # ends on Sunday 21 February
    thursday = "30 9 * * 4"
    assert due_at(week, schedule=Schedule(cron=thursday), settle_days=3) == datetime(2021, 2, 25, 9, 30, tzinfo=UTC)
    assert due_at(week, schedule=Schedule(cron=thursday), settle_days=4) == datetime(2021, 3, 4, 9, 30, tzinfo=UTC)


def test_a_declared_release_without_editions_is_in_the_calendar(public: Path, catalogue: Any) -> None:
    release = catalogue.release("cases-by-area").model_copy(update={"id": "new", "title": "New, and; odd"})
    refresh_index(public, base_url=BASE, texts=TEXTS, releases=[release])
    planned = [p for p in read(public / "calendar.json") if p["release"] == "new"]
    assert planned[0]["period"] == "2021-W07"
    said = (public / "calendar.ics").read_text(encoding="utf-8").replace("\r\n ", "")
    assert f"URL:{BASE}/cases-by-area/index.html" in said
    assert said.count(f"URL:{BASE}/calendar.html") == len(planned), "it has no page yet"
    assert f"{BASE}/new/" not in said
    build(public, base_url=BASE)
    page = html.unescape((public / "calendar.html").read_text(encoding="utf-8"))
    assert ">New, and; odd</th>" in page
    assert 'href="cases-by-area/index.html">' in page


def test_the_calendar_can_be_subscribed_to(public: Path, catalogue: Any) -> None:
    release = catalogue.release("cases-by-area").model_copy(
        update={"id": "new", "title": "Name; with, odd signs " + "é" * 40}
    )
    refresh_index(public, base_url=BASE, texts=TEXTS, releases=[release])
    text = (public / "calendar.ics").read_bytes()
    lines = text.split(b"\r\n")
    assert lines[0] == b"BEGIN:VCALENDAR"
    assert lines[-2:] == [b"END:VCALENDAR", b""]
    assert all(len(line) <= 75 for line in lines)
    unfolded = text.decode().replace("\r\n ", "")
    assert "SUMMARY:Name\\; with\\, odd signs " + "é" * 40 + ": 15 to 21 February 2021" in unfolded
    assert unfolded.count("BEGIN:VEVENT") == len(read(public / "calendar.json"))


def test_the_register_says_who_uses_what_for_what_as_json_and_csv(public: Path) -> None:
    uses = read(public / "register.json")
    lines = list(csv.DictReader(io.StringIO((public / "register.csv").read_text(encoding="utf-8"), newline="")))
    assert [u["release"] for u in uses] == [line["release"] for line in lines] == ["cases-by-area", "costs-by-sex"]
    first = uses[0]
    assert first["lead_organisation"] == "Example Health Agency"
    assert first["legal_basis"] == "Health Protection Act"
    assert first["opt_outs_applied"] is True
    assert lines[0]["opt_outs_applied"] == "yes"
    assert first["approvals"] == "ada approved the plan on 4 January 2021."
    assert first["rho_remaining"] == "2021: 0.75"
    assert first["latest_published"] == "2021-02-19T09:30:00Z"


def test_the_api_can_be_walked_from_its_root_to_a_value(public: Path) -> None:
    def follow(link: str) -> Any:
        return read(public / link.removeprefix(f"{BASE}/"))

    place = read(public / "api" / "index.json")
    seen = []
    for step, choice in (
        ("themes", "health"),
        ("sub_themes", "infectious-disease"),
        ("topics", "cases-by-area"),
        ("geography_types", "ltla"),
        ("geographies", "A2"),
        ("metrics", "cases"),
        ("tables", "area-day"),
    ):
        found = next(item for item in place[step] if item["name"] == choice)
        seen.append(found.get("title"))
        place = follow(found["link"])
    assert seen[:4] == ["Health", "Infectious disease", "Cases by area", None]
    assert seen[4:] == ['The "Vale" of Ynys Môn', "Confirmed cases", "Daily cases by area"]
    assert place["geography"] == 'The "Vale" of Ynys Môn'
    assert place["count"] == 14
    assert place["complete"] is True
    assert place["data"]["date"][0] == "2021-02-15"
    assert place["data"]["date"][-1] == "2021-02-28"


def test_the_api_holds_the_published_values(public: Path) -> None:
    leaf = read(
        public / "api/themes/health/sub_themes/infectious-disease/topics/cases-by-area/geography_types/ltla"
        "/geographies/A3/metrics/rate/area-week-age.json"
    )
    expected: dict[str, list[Any]] = {"value": [], "status": [], "age_code": []}
    for week in ("2021-W07", "2021-W08"):
        rows = pq.read_table(public / f"cases-by-area/{week}/r1/area-week-age.parquet").to_pylist()
        for row in rows:
            if row["metric"] == "rate" and row["geography_code"] == "A3":
                for name, values in expected.items():
                    values.append(row[name])
    assert {name: leaf["data"][name] for name in expected} == expected


def test_the_api_of_a_release_without_areas_has_one_place(public: Path) -> None:
    leaf = read(
        public / "api/themes/economy/sub_themes/economy/topics/costs-by-sex/geography_types/all/geographies/all"
        "/metrics/mean-cost/by-sex.json"
    )
    assert leaf["data"]["sex_code"] == ["F", "M"]
    assert leaf["data"]["value"][1] is None


def test_a_leaf_of_the_api_goes_back_a_bounded_time_and_says_so(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dp_stats.outlets.api.MOST_ROWS", 7)
    refresh_index(public, base_url=BASE, texts=TEXTS)
    leaf = read(
        public / "api/themes/health/sub_themes/infectious-disease/topics/cases-by-area/geography_types/ltla"
        "/geographies/A2/metrics/cases/area-day.json"
    )
    assert leaf["editions"] == ["cases-by-area/2021-W08/r1"]
    assert leaf["complete"] is False


def test_restricted_editions_are_in_none_of_them(public: Path, sample: Any) -> None:
    sample.release = sample.release.model_copy(update={"id": "secret-plan", "audience": "restricted"})
    sample.catalogue = sample.catalogue.with_release(sample.release)
    sample.publish(public)
    refresh_index(public, base_url=BASE, texts=TEXTS)
    for path in public.rglob("*"):
        if path.is_file() and "secret-plan" not in path.relative_to(public).parts:
            assert b"secret-plan" not in path.read_bytes(), path


def test_segments_of_a_path_are_plain() -> None:
    assert slug("Infectious disease") == "infectious-disease"
    assert slug("E06000001") == "E06000001"
    assert slug("../Ynys Môn/") == "ynys-mon"
    assert slug("§") == "x"


def test_a_calendar_without_events_is_valid_and_one_with_events_is_as_before() -> None:
    empty = icalendar([], stamp=datetime(2021, 1, 1, tzinfo=UTC), base_url=BASE, texts=TEXTS)
    lines = empty.decode().split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-2:] == ["END:VCALENDAR", ""]
    read_back = Calendar.from_ical(empty)
    assert [c.name for c in read_back.subcomponents] == ["VTIMEZONE"], "RFC 5545, 3.6: at least one component"
    needed = {"TZID:Etc/UTC", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0000", "TZOFFSETTO:+0000"}
    assert needed <= set(lines)


def test_a_period_under_two_names_of_a_release_stands_once_and_under_the_name_of_today(
    public: Path, make_sample: Callable[..., Any]
) -> None:
    for week in (8, 9):
        renamed = make_sample(period=f"2021-W{week:02d}", seed=100 + week)
        new_name = {"id": "cases-everywhere", "formerly": ("cases-by-area",)}
        renamed.release = renamed.release.model_copy(update=new_name)
        renamed.catalogue = renamed.catalogue.with_release(renamed.release)
        renamed.publish(public, published=datetime(2021, 3, week, 9, 30, tzinfo=UTC))
    refresh_index(public, base_url=BASE, texts=TEXTS)
    once = ["cases-by-area/2021-W07/r1", "cases-everywhere/2021-W08/r1", "cases-everywhere/2021-W09/r1"]
    topics = public / "api/themes/health/sub_themes/infectious-disease/topics"
    leaf = "geography_types/ltla/geographies/A2/metrics/cases/area-week-age.json"
    assert read(topics / "cases-everywhere" / leaf)["editions"] == once
    assert [e["path"] for e in read(public / "cases-everywhere/history/index.json")["editions"]] == once
    (view,) = (v for v in releases_below(public, TEXTS)[0] if v.id == "cases-everywhere")
    assert [r.edition.path for r in view.history] == once, "and so do pages"
    own = [f"cases-by-area/2021-W0{week}/r1" for week in (7, 8)]
    assert read(topics / "cases-by-area" / leaf)["editions"] == own, "the old name's leaves stay"
