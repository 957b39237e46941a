"""Publishing to CKAN, against a small fake of its documented action API that runs here.

The fake knows ``package_show``, ``package_create``, ``package_patch`` and ``resource_patch`` with CKAN's documented
rules for names, tags, unique extras, authorisation and errors. It is no CKAN.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
from english import TEXTS
from werkzeug.serving import make_server

from dp_stats import pipeline
from dp_stats.errors import PublishedError
from dp_stats.outlets.ckan import package_of, publish_to_ckan

KEY = "secret-key"
BASE = "https://statistics.example.org"


class FakeCkan:
    """The few actions that publishing uses; ``packages`` and ``uploads`` are what a reader would find."""

    def __init__(self) -> None:
        self.packages: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.app = flask.Flask("fake-ckan")
        self.app.add_url_rule("/api/action/<name>", view_func=self.call, methods=["POST"])

    def call(self, name: str) -> Any:
        self.calls.append(name)
        multipart = bool(flask.request.files)
        data = dict(flask.request.form) if multipart else flask.request.get_json()
        if name != "package_show" and flask.request.headers.get("Authorization") != KEY:
            return self.error(403, "Authorization Error", message="Access denied")
        if name == "resource_patch":
            return self.resource_patch(data)
        found = self.find(data["id"]) if "id" in data else None
        if name in ("package_show", "package_patch") and found is None:
            return self.error(404, "Not Found Error", message="Not found")
        if name == "package_show":
            return self.answer(found)
        if name == "package_create" and self.find(data["name"]):
            return self.error(409, "Validation Error", name=["That URL is already in use."])
        faults = self.faults(data)
        if faults:
            return self.error(409, "Validation Error", **faults)
        package = {**(found or {"id": str(uuid.uuid4())}), **{k: v for k, v in data.items() if k != "id"}}
        known = {r["id"] for r in (found or {}).get("resources", [])}
        for resource in package["resources"]:
            if "id" in resource and resource["id"] not in known:
                return self.error(409, "Validation Error", resources=["unknown resource"])
            resource.setdefault("id", str(uuid.uuid4()))
        self.packages[package["name"]] = package
        return self.answer(package)

    def resource_patch(self, data: dict[str, Any]) -> Any:
        for package in self.packages.values():
            for resource in package["resources"]:
                if resource["id"] == data["id"]:
                    upload = flask.request.files["upload"]
                    self.uploads[str(upload.filename)] = upload.read()
                    resource["url_type"] = "upload"
                    return self.answer(resource)
        return self.error(404, "Not Found Error", message="Not found")

    def faults(self, data: dict[str, Any]) -> dict[str, list[str]]:
        faults: dict[str, list[str]] = {}
        if not re.fullmatch(r"[a-z0-9_-]{2,100}", data["name"]):
            faults["name"] = ["Must be purely lowercase alphanumeric (ascii) characters and these symbols: -_"]
        if not all(re.fullmatch(r"[\w .-]{2,100}", tag["name"]) for tag in data["tags"]):
            faults["tags"] = ["Tag must be alphanumeric characters or symbols: -_."]
        keys = [extra["key"] for extra in data["extras"]]
        if len(keys) != len(set(keys)):
            faults["extras"] = ["Duplicate key"]
        if not data["owner_org"]:
            faults["owner_org"] = ["An organization must be provided"]
        return faults

    def find(self, name: str) -> dict[str, Any] | None:
        return next((p for p in self.packages.values() if name in (p["id"], p["name"])), None)

    @staticmethod
    def answer(result: Any) -> Any:
        return flask.jsonify({"success": True, "result": result})

    @staticmethod
    def error(status: int, kind: str, **details: Any) -> Any:
        return flask.jsonify({"success": False, "error": {"__type": kind, **details}}), status


@pytest.fixture
def ckan() -> Iterator[tuple[FakeCkan, str]]:
    fake = FakeCkan()
    server = make_server("127.0.0.1", 0, fake.app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield fake, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def publish(edition: Any, address: str, **options: Any) -> str:
    return publish_to_ckan(
        edition, address=address, api_key=KEY, organisation="agency", base_url=BASE, texts=TEXTS, **options
    )


def test_a_release_becomes_a_dataset_with_a_resource_per_file(ckan: Any, sample: Any, tmp_path: Any) -> None:
    fake, address = ckan
    published = sample.publish(tmp_path)
    publish(published.edition, address)
    package = fake.packages["cases-by-area"]
    assert package["license_id"] == "uk-ogl"
    assert package["owner_org"] == "agency"
    assert {tag["name"] for tag in package["tags"]} == {"infection", "differential privacy"}
    assert [r["url"] for r in package["resources"]] == [
        f"{BASE}/cases-by-area/2021-W07/r1/{table}{ending}"
        for table in ("area-day", "area-week-age")
        for ending in (".csv", ".parquet")
    ]


def test_the_next_edition_updates_the_same_dataset_in_one_call(
    ckan: Any, make_sample: Callable[..., Any], tmp_path: Any
) -> None:
    fake, address = ckan
    first = publish(make_sample().publish(tmp_path).edition, address)
    before = [r["id"] for r in fake.packages["cases-by-area"]["resources"]]
    fake.calls.clear()
    assert publish(make_sample(period="2021-W08").publish(tmp_path).edition, address) == first
    assert fake.calls == ["package_show", "package_patch"]
    resources = fake.packages["cases-by-area"]["resources"]
    assert [r["id"] for r in resources] == before
    assert all("/2021-W08/" in r["url"] for r in resources)


def test_files_can_be_stored_in_ckan(ckan: Any, sample: Any, tmp_path: Any) -> None:
    fake, address = ckan
    published = sample.publish(tmp_path)
    publish(published.edition, address, upload_from=published.folder)
    assert set(fake.uploads) == {"area-day.csv", "area-day.parquet", "area-week-age.csv", "area-week-age.parquet"}
    assert fake.uploads["area-day.csv"] == (published.folder / "area-day.csv").read_bytes()


def test_odd_keywords_become_allowed_tags(sample: Any, tmp_path: Any) -> None:
    edition = sample.publish(tmp_path).edition
    release = edition.release.model_copy(update={"keywords": ("A&E (adults)", "§", "COVID-19")})
    tags = package_of(
        edition.model_copy(update={"release": release}), organisation="agency", base_url=BASE, texts=TEXTS
    )["tags"]
    assert [t["name"] for t in tags] == ["A E adults", "COVID-19", "differential privacy"]


def test_a_wrong_key_and_an_unreachable_portal_are_clear_errors(ckan: Any, sample: Any, tmp_path: Any) -> None:
    _, address = ckan
    edition = sample.publish(tmp_path).edition
    with pytest.raises(PublishedError, match="NotAuthorized"):
        publish_to_ckan(edition, address=address, api_key="wrong", organisation="agency", base_url=BASE, texts=TEXTS)
    with pytest.raises(PublishedError, match="Check the address"):
        publish(edition, "http://127.0.0.1:1")


@pytest.mark.slow
def test_a_published_edition_is_registered_where_the_settings_say(
    ckan: Any, clinic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, address = ckan
    monkeypatch.setenv("DP_STATS_CKAN_URL", address)
    monkeypatch.setenv("DP_STATS_CKAN_ORGANISATION", "agency")
    with pytest.raises(PublishedError, match="set CKAN_API_KEY"):
        pipeline.run_edition(clinic.first)
    monkeypatch.setenv("CKAN_API_KEY", KEY)
    pipeline.run_edition(clinic.first)
    assert fake.packages["visits"]["title"] == "Visits by clinic"
