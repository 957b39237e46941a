"""Figures for named organisations: who sees and gets what, marked with whom, on the record, and at what cost to whom."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pytest
from conftest import make_clinic

from dp_stats import files, pipeline
from dp_stats.catalogue import read_catalogue, yaml
from dp_stats.editions.marking import unmarked
from dp_stats.errors import AgreementError, PublishedError
from dp_stats.run import open_ledger
from dp_stats.settings import Settings, load_settings

TERMS = {"version": 1, "text": "Do not pass these figures on.\nDelete them after a year."}
COUNTY: dict[str, Any] = {
    "id": "county",
    "name": "The county",
    "basis": "Contract 2024/17",
    "users": ["dana", "dora"],
    "terms": TERMS,
    "starts": date(2024, 1, 1),
    "ends": date(2198, 12, 31),
}
SHIRE = {**COUNTY, "id": "shire", "name": "The shire", "basis": "Contract 2024/18", "users": ["eli"]}
WEEK = "2024-W02"
MINE, THEIRS = f"for-county/{WEEK}/r1", f"for-shire/{WEEK}/r1"


def declare(catalogue: Path, kind: str, content: dict[str, Any]) -> None:
    (catalogue / kind).mkdir(exist_ok=True)
    (catalogue / kind / f"{content['id']}.yaml").write_text(yaml.write(content))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release for everybody, and one for each of two organisations, published from one dataset."""
    root = tmp_path_factory.mktemp("audiences")
    catalogue = make_clinic(root / "catalogue")
    for organisation in (COUNTY, SHIRE):
        declare(catalogue, "organisations", organisation)
    release = yaml.parse((catalogue / "releases" / "visits.yaml").read_text())
    few = {**release, "tables": release["tables"][:1], "privacy_loss": {"epsilon": 0.5}, "audience": "restricted"}
    for name in ("county", "shire"):
        texts = {
            "summary": f"Visits that the {name} plans with.",
            "publisher": "The clinics",
            "public_benefit": "Buses.",
        }
        declare(
            catalogue,
            "releases",
            {**few, "id": f"for-{name}", "organisations": [name], "texts": texts, "purpose": "To plan buses."},
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DP_STATS_HOME", str(root / "home"))
        patch.setenv("DP_STATS_CATALOGUE", str(catalogue))
        for name in ("visits", "for-county", "for-shire"):
            pipeline.run_edition(f"{name}/{WEEK}")
    return root


@dataclass
class Pages:
    """The pages as a user sees them, and what lies behind."""

    client: Any
    catalogue: Path
    settings: Settings

    def get(self, path: str, user: str) -> Any:
        return self._as(user).get(path, follow_redirects=False)

    def accept(self, user: str, terms: str | None = None, site: str = "same-origin") -> Any:
        shown = files.sha256(TERMS["text"].encode()) if terms is None else terms  # type: ignore[attr-defined]
        headers = {"sec-fetch-site": site}
        return self._as(user).post("/files/accept", data={"terms": shown}, headers=headers, follow_redirects=False)

    def _as(self, user: str) -> Any:
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from airflow.api_fastapi.core_api.security import get_user

        self.client.app.dependency_overrides[get_user] = lambda: SimpleAuthManagerUser(username=user, role="guest")
        return self.client

    def downloads(self) -> list[Any]:
        return open_ledger(self.settings).handed_out()


@pytest.fixture
def pages(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    from fastapi.testclient import TestClient

    from dp_stats.airflow import budget_page

    shutil.copytree(published, tmp_path / "copy")
    monkeypatch.setenv("DP_STATS_HOME", str(tmp_path / "copy" / "home"))
    monkeypatch.setenv("DP_STATS_CATALOGUE", str(tmp_path / "copy" / "catalogue"))
    monkeypatch.setattr(budget_page, "is_staff", lambda user, dataset: user.get_name() == "engineer")
    yield Pages(TestClient(budget_page.app), tmp_path / "copy" / "catalogue", load_settings())
    budget_page.app.dependency_overrides.clear()


PEOPLE = ("dana", "dora", "eli", "viewer", "analyst", "custodian", "engineer")
INSIDERS = ("custodian", "engineer")


def test_who_sees_and_gets_which_files_over_people_organisations_and_paths(pages: Pages) -> None:
    for user in ("dana", "eli"):
        assert pages.accept(user).status_code == 303
    traversing = (
        quote(f"../{THEIRS}", safe=""),
        f"for-county/{WEEK}/..%2f..%2f{THEIRS}",
        f"for-county/%2e%2e/{THEIRS}",
    )
    for user in PEOPLE:
        own = {"dana": MINE, "dora": MINE, "eli": THEIRS}.get(user)
        for path in (MINE, THEIRS, f"visits/{WEEK}/r1", *traversing):
            for file in ("clinic-day.csv", "edition.json", "guarantee.json", "../status.json", "nothing.csv"):
                got = pages.get(f"/files/{path}/{file}", user)
                may = path == own and file in ("clinic-day.csv", "edition.json", "guarantee.json")
                assert (got.status_code == 200) is may, (user, path, file, got.status_code)
                unmarked_too = pages.get(f"/editions/{path}/{file}", user)
                public = path.startswith("visits")
                inside = user in INSIDERS or (public and own is None)
                assert unmarked_too.status_code != 200 or inside, (user, path, file)
        shown = pages.get("/files/", user)
        assert (shown.status_code == 200) is (own is not None)
        assert ("for-county" in shown.text, "for-shire" in shown.text) == (own == MINE, own == THEIRS)
        for page in ("/", "/summary", "/requests/"):
            assert (pages.get(page, user).status_code == 200) is (own is None), (user, page)
    assert {one.organisation for one in pages.downloads() if one.user == "dana"} == {"county"}
    assert {one.edition for one in pages.downloads() if one.user == "eli"} == {f"for-shire/{WEEK}"}


def test_nothing_is_handed_out_before_the_terms_are_accepted_and_new_terms_are_asked_for_anew(pages: Pages) -> None:
    file = f"/files/{MINE}/clinic-day.csv"
    assert TERMS["text"].splitlines()[0] in pages.get("/files/", "dana").text  # type: ignore[attr-defined]
    assert pages.get(file, "dana").status_code == 403
    assert pages.accept("dana", "0" * 64).status_code == 409, "other terms than are shown now"
    assert pages.accept("dana", site="cross-site").status_code == 403
    assert pages.accept("viewer").status_code == 403
    assert pages.get(file, "dana").status_code == 403
    assert not open_ledger(pages.settings).acceptances()
    assert pages.accept("dana").status_code == 303
    (accepted,) = open_ledger(pages.settings).acceptances()
    assert (accepted.user, accepted.version, accepted.terms) == ("dana", 1, files.sha256(TERMS["text"].encode()))  # type: ignore[attr-defined]
    assert pages.get(file, "dora").status_code == 200, "accepted for the organisation"
    assert pages.get(f"/files/{THEIRS}/clinic-day.csv", "eli").status_code == 403, "not for another"
    for terms in ({"version": 2, "text": TERMS["text"]}, {"version": 2, "text": "Other words."}):
        declare(pages.catalogue, "organisations", {**COUNTY, "terms": terms})
        assert pages.get(file, "dana").status_code == 403
    assert pages.accept("dora", files.sha256(b"Other words.")).status_code == 303
    assert pages.get(file, "dana").status_code == 200
    assert open_ledger(pages.settings).problems() == []


def test_no_more_downloads_after_the_contract_ends_or_when_a_person_has_left(pages: Pages) -> None:
    pages.accept("dana")
    file = f"/files/{MINE}/clinic-day.csv"
    declare(pages.catalogue, "organisations", {**COUNTY, "users": ["dora"]})
    assert (pages.get(file, "dana").status_code, pages.get(file, "dora").status_code) == (403, 200)
    before = len(pages.downloads())
    declare(pages.catalogue, "organisations", {**COUNTY, "ends": date(2025, 1, 1)})
    assert pages.get(file, "dora").status_code == 403
    assert "its contract ended on 2025-01-01" in pages.get("/files/", "dora").text
    assert len(pages.downloads()) == before
    spent = [block.spent for block in open_ledger(pages.settings).blocks()]
    with pytest.raises(AgreementError, match=r"none may get it \(county: its contract ended on 2025-01-01\)"):
        pipeline.run_edition("for-county/2024-W03")
    assert [block.spent for block in open_ledger(pages.settings).blocks()] == spent


def test_every_file_says_for_whom_it_is_and_leads_back_to_the_sealed_edition(pages: Pages) -> None:
    pages.accept("dana")
    folder = pages.settings.restricted / MINE
    listed = pages.get("/files/", "dana").text
    names = [p.name for p in folder.iterdir() if f'href="{MINE}/{p.name}"' in listed]
    assert {"clinic-day.csv", "clinic-day.parquet", "workbook.xlsx", "guarantee.json", "SHA256SUMS"} <= set(names)
    for name in names:
        got = pages.get(f"/files/{MINE}/{name}", "dana").content
        sealed, mark = unmarked(name, got)
        assert sealed == (folder / name).read_bytes()
        assert mark.provided_to == "The county, dana"
        assert "Contract 2024/17; terms version 1, accepted by dana on " in mark.provided_under
        (record,) = open_ledger(pages.settings).handed_out(marked=files.sha256(got))
        assert (record.download, record.file, record.sealed) == (mark.download, name, files.sha256(sealed))
        with pytest.raises(PublishedError):
            unmarked(name, (folder / name).read_bytes())
    table = pages.get(f"/files/{MINE}/clinic-day.csv", "dana")
    rows = [*csv.DictReader(io.StringIO(table.text))]
    assert rows
    assert all(row["provided_to"] == "The county, dana" for row in rows)
    with pytest.raises(PublishedError, match="was changed after it was handed out"):
        unmarked("clinic-day.csv", table.content.replace(b",day,", b",dax,", 1))
    parquet = pages.settings.home / "given.parquet"
    parquet.write_bytes(pages.get(f"/files/{MINE}/clinic-day.parquet", "dana").content)
    as_published = duckdb.sql(f"SELECT * FROM '{folder / 'clinic-day.parquet'}'").fetchall()
    assert duckdb.sql(f"SELECT * FROM '{parquet}'").fetchall() == as_published
    assert "dp_stats.download" in str(duckdb.sql(f"SELECT * FROM parquet_kv_metadata('{parquet}')").fetchall())


def test_a_file_that_is_not_as_published_or_was_retracted_is_not_handed_out(pages: Pages) -> None:
    pages.accept("dana")
    folder = pages.settings.restricted / MINE
    with (folder / "clinic-day.csv").open("ab") as table:
        table.write(b"x")
    assert pages.get(f"/files/{MINE}/clinic-day.csv", "dana").status_code == 404
    facts = folder / "edition.json"
    kept = facts.read_text()
    facts.write_text(kept.replace("county", "shire"))
    for user in ("dana", "eli"):
        assert pages.get(f"/files/{MINE}/edition.json", user).status_code in (403, 404)
    facts.write_text(kept)
    assert pages.get(f"/files/{MINE}/edition.json", "dana").status_code == 200
    pipeline.retract(MINE.removesuffix("/r1"), reason="A wrong map.", settings=pages.settings)
    assert pages.get(f"/files/{MINE}/edition.json", "dana").status_code == 404


def test_the_public_reads_of_the_use_and_sees_no_figure_of_it(pages: Pages) -> None:
    public = pages.settings.public_dir
    told = {
        p.relative_to(public).as_posix() for p in public.rglob("*") if p.is_file() and b"for-county" in p.read_bytes()
    }
    assert told == {"register.json", "register.csv", "register.html"}
    (use,) = [u for u in json.loads((public / "register.json").read_text()) if u["release"] == "for-county"]
    assert use["access_type"] == "Restricted to The county (Contract 2024/17); the figures are not on this site."
    assert (use["audience"], use["outputs"], use["custodians"]) == ("restricted", "", "The clinics")
    sums = pages.settings.restricted / MINE / "SHA256SUMS"
    assert use["checksums"] == f"{MINE} {files.file_sha256(sums)}"
    assert use["purpose"] == "To plan buses."
    html = (public / "register.html").read_text()
    assert "Restricted to The county (Contract 2024/17)" in html
    assert "Visits that the county plans with." in html
    assert html.count("will hold it from the next public edition on") == 2, "both were charged after the public edition"
    block = next(b for b in open_ledger(pages.settings).blocks("visits") if b.block == "2024")
    each = {c.release: c.rho for c in open_ledger(pages.settings).charges("visits")}
    assert block.spent == sum(each.values())
    assert each["for-county"] > 0


def test_restricted_files_are_their_owners_alone(pages: Pages) -> None:
    paths = [pages.settings.restricted, *pages.settings.restricted.rglob("*")]
    modes = (
        {path.stat().st_mode & 0o777 for path in paths if path.is_dir()},
        {path.stat().st_mode & 0o777 for path in paths if path.is_file() and path.name != ".lock"},
    )
    assert modes == ({0o700}, {0o600})


@pytest.mark.parametrize(
    ("kind", "name", "changes", "said"),
    [
        (
            "releases",
            "for-county",
            {"organisations": ["nobody"]},
            "there is no organisations/nobody.yaml. There are: county",
        ),
        ("releases", "for-county", {"audience": "public"}, "what is for everybody needs none"),
        ("releases", "for-county", {"purpose": ""}, "say what the organisations need the figures for"),
        ("organisations", "shire", {"users": ["eli", "dana"]}, "'dana' is of 'county', too"),
        ("organisations", "county", {"ends": date(2020, 1, 1)}, "lies before 'starts'"),
    ],
)
def test_what_cannot_be_declared(pages: Pages, kind: str, name: str, changes: dict[str, Any], said: str) -> None:
    path = pages.catalogue / kind / f"{name}.yaml"
    declare(pages.catalogue, kind, {**yaml.parse(path.read_text()), **changes})
    assert said in "\n".join(read_catalogue(pages.catalogue).broken.values())
