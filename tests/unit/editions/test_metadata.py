"""Metadata that other programs read, checked with the programs that read it."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import csvw
import frictionless
import pytest
from english import TEXTS
from jsonschema import Draft202012Validator

from dp_stats.editions import registry_record
from dp_stats.editions.metadata import schema_org
from dp_stats.editions.privacy_record import FORM, rounded_up
from dp_stats.errors import PublishedError


@pytest.fixture(scope="module")
def made(make_sample: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample().publish(tmp_path_factory.mktemp("made")).folder


@pytest.fixture
def published(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "r1"))


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def validate_package(folder: Path) -> frictionless.Report:
    return frictionless.Package(str(folder / "datapackage.json")).validate()


def test_the_data_package_and_all_its_tables_are_valid(published: Path) -> None:
    report = validate_package(published)
    assert report.valid, report.flatten(["type", "message"])
    assert [task.stats["rows"] for task in report.tasks] == [28, 24]


def test_the_data_package_finds_an_altered_table(published: Path) -> None:
    path = published / "area-day.csv"
    path.write_bytes(path.read_bytes().replace(b"A1", b"A9", 1))
    assert {e[0] for e in validate_package(published).flatten(["type"])} >= {"hash-count"}


def test_the_data_package_says_whose_it_is(published: Path) -> None:
    package = read(published / "datapackage.json")
    assert package["$schema"] == "https://datapackage.org/profiles/2.0/datapackage.json"
    assert package["name"] == "cases-by-area-2021-w07"
    assert package["version"] == "1.0.0"
    assert package["licenses"][0]["name"] == "OGL-UK-3.0"
    assert [c["title"] for c in package["contributors"]] == ["Example Health Agency", "Example Health Agency"]
    table = package["resources"][0]
    assert table["schema"]["primaryKey"] == ["metric", "geography_type", "geography_code", "age_code", "date", "period"]
    assert table["bytes"] == (published / "area-day.csv").stat().st_size


def test_a_release_without_areas_has_a_valid_package_too(costs: Any, tmp_path: Path) -> None:
    report = validate_package(costs.publish(tmp_path).folder)
    assert report.valid, report.flatten(["type", "message"])


@pytest.mark.parametrize("table", ["area-day", "area-week-age"])
def test_csv_on_the_web_metadata_reads_every_row_with_its_types(published: Path, table: str) -> None:
    described = csvw.CSVW(str(published / f"{table}.csv-metadata.json"), validate=True)
    assert described.is_valid, described.warnings
    [found] = described.tables
    rows = list(found)
    assert len(rows) in (28, 24)
    assert rows[0]["geography"] == "Bristol, City of"
    assert rows[0]["date"].isoformat().startswith("2021-02-15")


def test_the_privacy_record_fits_its_schema_and_says_the_guarantee(published: Path) -> None:
    record = read(published / "guarantee.json")
    Draft202012Validator.check_schema(FORM.schema)
    FORM.check(record)
    loss = record["deployment"]["privacy_loss"]
    assert loss["privacy_unit"] == "person-year"
    assert loss["privacy_parameters"] == {
        "rho": 0.5,
        "rho_exact": "1/2",
        "epsilon": 5.1,
        "delta": 1e-6,
        "pure_epsilon": 1.0,
        "pure_epsilon_exact": "1",
    }
    assert record["deployment"]["implementation"]["contribution_bound"]["rows"] == 2
    assert record["deployment"]["implementation"]["libraries"]["opendp"].startswith("0.16")
    assert record["administrative"]["charges"] == ["series-1@2021"]


def test_every_part_of_the_privacy_record_is_needed(published: Path) -> None:
    record = read(published / "guarantee.json")
    for part in ("basic", "dp_variant", "privacy_loss", "deployment_model", "implementation"):
        for field in record["deployment"][part]:
            broken = copy.deepcopy(record)
            del broken["deployment"][part][field]
            with pytest.raises(PublishedError, match=part):
                FORM.check(broken)


def test_privacy_json_is_a_record_of_the_deployments_registry_and_says_the_same_as_the_exact_one(
    published: Path,
) -> None:
    record, exact = read(published / "privacy.json"), read(published / "guarantee.json")
    Draft202012Validator.check_schema(registry_record.FORM.schema)
    registry_record.FORM.check(record)
    loss, known = record["deployment"]["privacy_loss"], exact["deployment"]["privacy_loss"]
    assert loss["privacy_parameters"] == {"epsilon": 1.0, "rho": 0.5}
    assert known["privacy_unit_details"] in loss["privacy_unit_details"]
    mechanisms = record["deployment"]["implementation"]["mechanisms"]
    assert all(f"`{m['table']}`" in mechanisms for m in exact["deployment"]["implementation"]["mechanisms"])
    assert record["deployment"]["administrative"]["registry_authors"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("status",), "Published"),
        (("tier",), 0),
        (("administrative",), {}),
        (("deployment", "basic", "data_curators"), [{"data_curator_name": "A"}]),
        (("deployment", "basic", "publication_date"), "1/1/2026"),
        (("deployment", "basic", "data_product_sector"), "Health"),
        (("deployment", "deployment_model", "release_type"), "One-time release"),
        (("deployment", "administrative"), {"notes": "nobody wrote it"}),
    ],
)
def test_what_the_registry_would_refuse_is_refused(published: Path, place: tuple[str, ...], value: object) -> None:
    record = read(published / "privacy.json")
    inner = record
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    with pytest.raises(PublishedError, match="registry"):
        registry_record.FORM.check(record)


@pytest.mark.parametrize(
    "loss", ["1/3", "576460752303423429/576460752303423488", "1", "123456789123/1000000", "1/1000000007"]
)
def test_a_privacy_loss_is_never_shown_smaller_than_it_is(loss: str) -> None:
    shown = rounded_up(Fraction(loss))
    assert Fraction(shown) >= Fraction(loss)
    assert shown == pytest.approx(float(Fraction(loss)), rel=2e-8)


def test_schema_org_describes_the_dataset_and_its_downloads(sample: Any, tmp_path: Path) -> None:
    edition = sample.publish(tmp_path).edition
    described = schema_org(
        edition, TEXTS, base_url="https://statistics.example.org", superseded_by="cases-by-area/2021-W07/r2"
    )
    assert described == json.loads(json.dumps(described))
    needed = {
        "name", "description", "creator", "identifier", "license", "dateCreated", "temporalCoverage",
        "spatialCoverage", "variableMeasured", "distribution", "supersededBy",
    }  # fmt: skip
    assert needed <= described.keys()
    assert 50 <= len(described["description"]) <= 5000
    assert described["temporalCoverage"] == "2021-02-15/2021-02-21"
    downloads = [d["contentUrl"] for d in described["distribution"]]
    assert downloads[0] == "https://statistics.example.org/cases-by-area/2021-W07/r1/area-day.csv"
