"""The whole series of a table in one file, all areas of one period, and the description of the API."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from english import TEXTS
from frictionless import Package
from invented_editions import publish_weeks_and_costs

from dp_stats.editions import retract
from dp_stats.editions.formats import csv_bytes
from dp_stats.outlets import history, openapi
from dp_stats.outlets.forms import Leaf
from dp_stats.outlets.index import refresh_index
from dp_stats.texts.words import Texts

BASE = "https://statistics.example.org"
REPORTS = Path(__file__).parents[3] / "reports"


@pytest.fixture(scope="module")
def made(make_sample: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_weeks_and_costs(make_sample, tmp_path_factory.mktemp("made"), (7, 8, 9), BASE)


@pytest.fixture
def public(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "public"))


def refresh(public: Path) -> None:
    refresh_index(public, base_url=BASE, texts=TEXTS, isolate=False)


def stacked(public: Path, *editions: str, table: str = "area-day") -> pa.Table:
    return pa.concat_tables([pq.read_table(public / e / f"{table}.parquet") for e in editions])


def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_whole_series_is_every_edition_s_rows_in_order(public: Path) -> None:
    folder = public / "cases-by-area" / "history"
    wanted = stacked(public, *(f"cases-by-area/2021-W0{n}/r1" for n in (7, 8, 9)))
    assert pq.read_table(folder / "area-day.parquet").equals(wanted)
    assert (folder / "area-day.csv").read_bytes() == csv_bytes(wanted)
    index = read(folder / "index.json")
    assert [e["path"] for e in index["editions"]] == [f"cases-by-area/2021-W0{n}/r1" for n in (7, 8, 9)]
    told = next(t for t in index["tables"] if t["id"] == "area-day")
    assert (told["rows"], told["editions"]) == (len(wanted), 3)
    assert [f["bytes"] for f in told["files"]] == [
        (folder / f"area-day.{ending}").stat().st_size for ending in ("csv", "parquet")
    ]


def test_the_series_is_valid_by_its_description(public: Path) -> None:
    report = Package(str(public / "cases-by-area" / "history" / "datapackage.json")).validate()
    assert report.valid, report.flatten(["rowNumber", "fieldName", "message"])


def test_grown_or_made_at_once_it_is_the_same_to_the_byte(public: Path, make_sample: Callable[..., Any]) -> None:
    make_sample(period="2021-W10", seed=10).publish(public, published=datetime(2021, 3, 18, 9, 30, tzinfo=UTC))
    refresh(public)
    grown = content(public / "cases-by-area" / "history")
    shutil.rmtree(public / "cases-by-area" / "history")
    refresh(public)
    assert content(public / "cases-by-area" / "history") == grown
    assert refresh_index(public, base_url=BASE, texts=TEXTS).written == 0


def test_a_revision_takes_the_place_of_what_it_revises(public: Path, make_sample: Callable[..., Any]) -> None:
    make_sample(period="2021-W08", seed=80).publish(
        public, revision=2, reason="Late reports", published=datetime(2021, 3, 2, 9, 30, tzinfo=UTC)
    )
    refresh(public)
    editions = ["cases-by-area/2021-W07/r1", "cases-by-area/2021-W08/r2", "cases-by-area/2021-W09/r1"]
    found = pq.read_table(public / "cases-by-area" / "history" / "area-day.parquet")
    assert found.equals(stacked(public, *editions))
    assert set(found["revision"].to_pylist()) == {1, 2}


def test_a_retracted_edition_leaves_the_series_and_the_last_one_takes_it_along(public: Path) -> None:
    when = datetime(2021, 3, 3, 9, 30, tzinfo=UTC)
    retract(public, "cases-by-area/2021-W09", revision=1, reason="Wrong opt-out list", when=when)
    refresh(public)
    found = pq.read_table(public / "cases-by-area" / "history" / "area-day.parquet")
    assert set(found["edition"].to_pylist()) == {"cases-by-area/2021-W07", "cases-by-area/2021-W08"}
    topic = public / "api/themes/health/sub_themes/infectious-disease/topics/cases-by-area"
    slices = topic / "geography_types/ltla/metrics/cases/area-day"
    assert {p.name for p in slices.iterdir()} == {"2021-W07.json", "2021-W08.json", "index.json"}
    for week in (7, 8):
        retract(public, f"cases-by-area/2021-W0{week}", revision=1, reason="Wrong opt-out list", when=when)
    refresh(public)
    assert not (public / "cases-by-area" / "history").exists()
    assert not topic.exists(), "nothing retracted is left in the API"


def test_an_altered_file_is_made_again(public: Path) -> None:
    path = public / "cases-by-area" / "history" / "area-day.csv"
    before = path.read_bytes()
    path.write_bytes(before[:-40])
    refresh(public)
    assert path.read_bytes() == before


def test_earlier_editions_with_other_columns_are_stacked_by_name() -> None:
    old = pa.table({"metric": ["a"], "value": pa.array([1.5])})
    new = pa.table({"metric": ["a", "b"], "period_type": ["day", "day"], "value": pa.array([2, None], pa.int64())})
    found = history._stacked([old, new])
    assert found.to_pylist() == [
        {"metric": "a", "period_type": None, "value": 1.5},
        {"metric": "a", "period_type": "day", "value": 2.0},
        {"metric": "b", "period_type": "day", "value": None},
    ]


def test_a_slice_has_all_areas_of_one_period(public: Path) -> None:
    kind = public / "api/themes/health/sub_themes/infectious-disease/topics/cases-by-area/geography_types/ltla"
    listed = read(kind / "metrics/cases/area-day/index.json")["periods"]
    assert [p["name"] for p in listed] == ["2021-W09", "2021-W08", "2021-W07"]
    found = read(public / listed[0]["link"].removeprefix(f"{BASE}/"))
    rows = pc.read_csv(public / "cases-by-area/2021-W09/r1/area-day.csv").to_pylist()
    wanted = [(r["geography_code"], r["date"].isoformat(), r["value"]) for r in rows if r["metric"] == "cases"]
    assert list(zip(*(found["data"][n] for n in ("geography_code", "date", "value")), strict=True)) == wanted
    assert found["count"] == len(wanted)


def test_a_slice_follows_a_revision(public: Path, make_sample: Callable[..., Any]) -> None:
    path = public / (
        "api/themes/health/sub_themes/infectious-disease/topics/cases-by-area/geography_types/ltla/metrics/cases/area-day/2021-W08.json"
    )
    assert read(path)["edition"] == "cases-by-area/2021-W08/r1"
    make_sample(period="2021-W08", seed=80).publish(
        public, revision=2, reason="Late reports", published=datetime(2021, 3, 2, 9, 30, tzinfo=UTC)
    )
    refresh(public)
    assert read(path)["edition"] == "cases-by-area/2021-W08/r2"


def test_every_file_of_the_api_is_described_and_every_description_is_of_a_file(public: Path) -> None:
    described = read(public / "api" / "openapi.json")
    seen: set[str] = set()
    for path in sorted((public / "api").rglob("*.json")):
        address = "/" + path.relative_to(public).as_posix()
        if address == "/api/openapi.json":
            continue
        fitting = [
            template
            for template in described["paths"]
            if re.fullmatch(re.sub(r"\{\w+\}", r"[^/]+", template.replace(".", r"\.")), address)
        ]
        exact = [t for t in fitting if t.endswith("index.json")] or fitting
        assert len(exact) == 1, address
        seen.add(exact[0])
        answer = described["paths"][exact[0]]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(read(path), {"components": described["components"], **answer})
    assert {t for t in described["paths"] if t.startswith("/api/")} == seen
    for template, operation in described["paths"].items():
        named = [p["name"] for p in operation["get"]["parameters"]]
        assert sorted(named) == sorted(re.findall(r"\{(\w+)\}", template))


def test_every_field_is_described_in_the_language_of_the_site_or_not_at_all() -> None:
    texts = [Texts.load(REPORTS, language) for language in ("en", "cy")]
    english, welsh = (json.loads(openapi.document(base_url="", texts=one))["components"]["schemas"] for one in texts)
    assert set(english["Leaf"]["properties"]) == set(Leaf.model_fields)
    assert all("description" in field for form in english.values() for field in form["properties"].values())
    told = {name for name, field in welsh["Leaf"]["properties"].items() if "description" in field}
    assert told == {"complete"}
