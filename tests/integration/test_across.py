"""Tables across editions as they are published: with late rows, over missing editions, made again, and at no cost."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dp_stats import pipeline, publishing
from dp_stats.catalogue import yaml
from dp_stats.editions.edition import Edition
from dp_stats.editions.verify import verify_public
from dp_stats.ledger import Ledger
from dp_stats.requests.answers import answer_question
from dp_stats.run import open_run
from dp_stats.settings import Settings, load_settings
from tests.conftest import copied, make_clinic
from tests.integration.test_late_revisions import deliver, edit

WEEKS = tuple(f"2024-W0{n}" for n in (1, 2, 3, 4))
ACROSS: tuple[dict[str, Any], ...] = (
    {
        "id": "clinic-weeks",
        "title": "Visits over weeks",
        "levels": {"clinic": "clinic"},
        "period": "week",
        "last": 3,
        "statistics": [
            {"id": "two-weeks", "kind": "total", "of": "visits", "periods": 2, "title": "Visits in two weeks"},
            {"id": "change", "kind": "difference", "of": "visits"},
            {"id": "ratio", "kind": "ratio", "of": "visits"},
            {"id": "growth", "kind": "growth", "of": "visits"},
            {"id": "doubling", "kind": "doubling-time", "of": "visits"},
            {"id": "so-far", "kind": "cumulative", "of": "visits"},
            {"id": "rate-so-far", "kind": "cumulative", "of": "rate"},
            {"id": "last-year", "kind": "difference", "of": "visits", "against": "year"},
        ],
    },
    {
        "id": "months",
        "title": "Visits by month",
        "period": "month",
        "statistics": [{"id": "month", "kind": "total", "of": "visits"}],
    },
)


def run_weeks(root: Path, *, left_out: str = "") -> None:
    """Four weeks with late rows, each published on the Thursday after it, but for one that may be left out."""
    (root / "home").mkdir(parents=True)
    catalogue = make_clinic(root / "catalogue")
    bound = {"rows": 1, "why_nothing_is_truncated": "Each patient comes once."}
    edit(
        catalogue,
        late={"periods": 2, "share": 0.2},
        privacy_loss={"epsilon": 1.2},
        contribution=bound,
        across=list(ACROSS),
        derived=[{"id": "rate", "kind": "rate", "of": "visits"}],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DP_STATS_HOME", str(root / "home"))
        patch.setenv("DP_STATS_CATALOGUE", str(catalogue))
        for n, week in enumerate(WEEKS):
            deliver(catalogue, date(2024, 1, 11) + timedelta(weeks=n))
            if week != left_out:
                pipeline.run_edition(f"visits/{week}")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("across")
    run_weeks(root)
    return root


@pytest.fixture
def settings(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return copied(original, tmp_path, monkeypatch)


def rows_of(settings: Settings, path: str, table: str, metric: str) -> list[dict[str, Any]]:
    """The rows of one statistic in a published revision."""
    found: pa.Table = pq.read_table(settings.public_dir / "visits" / path / f"{table}.parquet")
    return [row for row in found.to_pylist() if row["metric"] == metric]


def test_each_edition_shows_the_newest_periods_with_intervals(settings: Settings) -> None:
    found = rows_of(settings, f"{WEEKS[3]}/r1", "clinic-weeks", "two-weeks")
    assert [row["period"] for row in found if row["clinic_code"] == "north"] == list(WEEKS[1:])
    assert all(row["lower_95"] <= row["value"] <= row["upper_95"] for row in found)
    first = Edition.load(settings.public_dir / "visits" / WEEKS[0] / "r1")
    assert [m.reason for m in first.table("months").across.missing] == ["ended"]
    assert rows_of(settings, f"{WEEKS[0]}/r1", "months", "month")[0]["status"] == "x"
    years = [m for m in first.table("clinic-weeks").across.missing if m.statistic == "last-year"]
    assert [m.reason for m in years] == ["before"]


def test_rows_that_may_get_late_records_are_provisional_and_their_changes_early(settings: Settings) -> None:
    path = f"{WEEKS[3]}/r1"
    edition = Edition.load(settings.public_dir / "visits" / path)
    facts = edition.table("clinic-weeks").across
    assert facts is not None
    assert facts.open_from == date(2024, 1, 15), "the next edition adds to the newest and to the one before"
    assert edition.marks[-1] == "early"
    for metric in ("two-weeks", "so-far", "change", "ratio", "growth", "doubling"):
        for row in rows_of(settings, path, "clinic-weeks", metric):
            marks, is_open = row["status"].split(), row["period"] in WEEKS[2:]
            if "x" not in marks:
                assert ("p" in marks) == is_open, (metric, row["period"])
                assert ("early" in marks) == (is_open and metric not in ("two-weeks", "so-far")), (metric, row)
    said = (settings.public_dir / "visits" / path / "datapackage.json").read_text()
    assert "early: " in said
    closed = Edition.load(settings.public_dir / "visits" / WEEKS[0] / "r3")
    assert "early" not in closed.marks
    (leaf,) = (settings.public_dir / "api").rglob("metrics/change/clinic-weeks.json")
    assert any("early" in status for status in json.loads(leaf.read_text())["data"]["status"])


def test_they_go_on_over_a_new_name(settings: Settings) -> None:
    was = settings.catalogue / "releases" / "visits.yaml"
    across: list[dict[str, Any]] = [
        ACROSS[0],
        {
            "id": "since-second-week",
            "title": "Visits since the second week",
            "period": "week",
            "statistics": [{"id": "since", "kind": "cumulative", "of": "visits", "since": date(2024, 1, 8)}],
        },
    ]
    renamed = {"id": "calls", "formerly": ["visits"], "start": date(2024, 1, 29), "across": across}
    was.with_name("calls.yaml").write_text(yaml.write({**yaml.parse(was.read_text()), **renamed}))
    was.unlink()
    deliver(settings.catalogue, date(2024, 2, 8))
    pipeline.run_edition("calls/2024-W05")
    there = Edition.load(settings.public_dir / "calls" / "2024-W05" / "r1")
    assert [one.edition for one in there.sources] == [f"visits/{week}" for week in WEEKS]
    assert there.sources[1].adds == ("visits/2024-W03", "visits/2024-W04")
    facts = there.table("clinic-weeks").across
    assert facts is not None
    assert facts.periods == ("2024-W03", "2024-W04", "2024-W05")
    assert {m.statistic for m in facts.missing} <= {"last-year", "doubling", "growth", "ratio"}
    assert "1 January 2024" in there.statistic("so-far").description
    rows = pq.read_table(settings.public_dir / there.path / "clinic-weeks.parquet").to_pylist()
    for first, metric in ((date(2024, 1, 1), "so-far"), (date(2024, 1, 22), "two-weeks")):
        (row,) = [r for r in rows if (r["metric"], r["clinic_code"], r["period"]) == (metric, "east", "2024-W05")]
        found = answer_question(
            "calls", "visits", where={"clinic": ["east"]}, start=first, end=date(2024, 2, 4), settings=settings
        )
        assert row["value"] == found.value
    (row,) = [
        r
        for r in pq.read_table(settings.public_dir / there.path / "since-second-week.parquet").to_pylist()
        if r["period"] == "2024-W05"
    ]
    found = answer_question(
        "calls", "visits", where={}, start=date(2024, 1, 8), end=date(2024, 2, 4), settings=settings
    )
    assert row["value"] == found.value
    before = {p: p.read_bytes() for p in (settings.public_dir / "calls").rglob("r*/*") if p.is_file()}
    shutil.rmtree(settings.public_dir / there.path)
    assert "refused" not in {one.state for one in publishing.rebuild(settings)}
    assert before == {p: p.read_bytes() for p in (settings.public_dir / "calls").rglob("r*/*") if p.is_file()}


def test_a_derived_statistic_that_is_added_alone_costs_nothing_and_is_told_of_the_editions_before(
    settings: Settings,
) -> None:
    before = {p: p.read_bytes() for p in (settings.public_dir / "visits").rglob("r*/*") if p.is_file()}
    added = {"id": "per-ten", "kind": "rate", "of": "visits", "per": 10, "title": "Visits by ten inhabitants"}
    release = settings.catalogue / "releases" / "visits.yaml"
    tables = yaml.parse(release.read_text())["tables"]
    shown = [{**t, "statistics": [*t["statistics"], "per-ten"]} if t["id"] == "clinic-week" else t for t in tables]
    edit(settings.catalogue, derived=[{"id": "rate", "kind": "rate", "of": "visits"}, added], tables=shown)
    deliver(settings.catalogue, date(2024, 2, 8))
    assert open_run("visits/2024-W05", settings=settings).charged_again() == ()
    pipeline.run_edition("visits/2024-W05")
    assert len(Ledger.open(settings.ledger_url, create=False).charges()) == 1
    assert {r["clinic_code"] for r in rows_of(settings, "2024-W05/r1", "clinic-week", "per-ten")} >= {"east"}
    assert all(p.read_bytes() == content for p, content in before.items()), "files of earlier editions stay"

    def answered(statistic: str) -> Any:
        first, last = date(2024, 1, 1), date(2024, 1, 14)
        return answer_question(
            "visits", statistic, where={"clinic": ["east"]}, start=first, end=last, settings=settings
        )

    visits, rate = answered("visits"), answered("per-ten")
    assert rate.value == pytest.approx(visits.value * 10 / 3000, rel=0.01)
    assert rate.lower <= rate.value <= rate.upper


def test_they_say_what_an_answer_says(settings: Settings) -> None:
    row = next(
        r
        for r in rows_of(settings, f"{WEEKS[3]}/r1", "clinic-weeks", "so-far")
        if (r["clinic_code"], r["period"]) == ("east", WEEKS[3])
    )
    found = answer_question(
        "visits", "visits", where={"clinic": ["east"]}, start=date(2024, 1, 1), end=date(2024, 1, 28), settings=settings
    )
    assert row["value"] == found.value
    rate = next(
        r
        for r in rows_of(settings, f"{WEEKS[3]}/r1", "clinic-weeks", "rate-so-far")
        if (r["clinic_code"], r["period"]) == ("east", WEEKS[3])
    )
    assert rate["value"] == pytest.approx(row["value"] * 100_000 / 3000, rel=0.01)


def test_late_rows_and_revisions_are_followed(settings: Settings) -> None:
    first, last = (Edition.load(settings.public_dir / "visits" / WEEKS[2] / f"r{n}") for n in (1, 2))
    assert [s.edition for s in first.sources] == [f"visits/{week}" for week in WEEKS[:2]]
    assert first.sources[0].adds == ("visits/2024-W02", "visits/2024-W03")
    assert last.sources[1].adds == ("visits/2024-W03", "visits/2024-W04")
    before, after = (
        [r["value"] for r in rows_of(settings, f"{WEEKS[2]}/r{n}", "clinic-weeks", "so-far")] for n in (1, 2)
    )
    assert sum(after) > sum(before)


def test_nothing_is_charged_and_every_file_is_made_again(settings: Settings) -> None:
    ledger = Ledger.open(settings.ledger_url, create=False)
    assert len(ledger.charges()) == 1
    assert not verify_public(settings.public_dir)
    before = {p: p.read_bytes() for p in (settings.public_dir / "visits").rglob("r*/*") if p.is_file()}
    shutil.rmtree(settings.public_dir / "visits")
    assert {one.state for one in publishing.rebuild(settings)} == {"made again"}
    assert before == {p: p.read_bytes() for p in (settings.public_dir / "visits").rglob("r*/*") if p.is_file()}


def test_a_correction_of_an_earlier_edition_enters_the_newest_at_no_cost(settings: Settings) -> None:
    done = pipeline.run_edition(f"visits/{WEEKS[1]}", revision=4, reason="A clinic had sent a week twice.")
    assert done["revised"] == [f"visits/{WEEKS[3]}/r2"]
    newest = Edition.load(settings.public_dir / "visits" / WEEKS[3] / "r2")
    assert (newest.revision.kind, newest.revision.remeasured) == ("sources", False)
    assert {s.edition: (s.revision, s.adds) for s in newest.sources}[f"visits/{WEEKS[1]}"] == (4, ())
    ledger = Ledger.open(settings.ledger_url, create=False)
    assert {charge.edition for charge in ledger.charges()} == {f"visits/{WEEKS[0]}", f"visits/{WEEKS[1]}"}
    assert not pipeline.publish(f"visits/{WEEKS[1]}", revision=4).get("revised")
    shutil.rmtree(settings.public_dir / "visits" / WEEKS[3])
    assert {one.state for one in publishing.rebuild(settings, edition=f"visits/{WEEKS[3]}")} == {"made again"}


def test_pages_and_the_api_show_them(settings: Settings) -> None:
    pipeline.refresh_site(settings)
    page = (settings.public_dir / "visits" / "index.html").read_text()
    assert "Visits over weeks" in page
    assert "begins before the first day that is published" in page
    leaf = next((settings.public_dir / "api").rglob("metrics/change/clinic-weeks.json"))
    assert '"count": 15' in leaf.read_text()


def test_a_missing_edition_is_no_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_weeks(tmp_path / "gap", left_out=WEEKS[1])
    monkeypatch.setenv("DP_STATS_HOME", str(tmp_path / "gap" / "home"))
    monkeypatch.setenv("DP_STATS_CATALOGUE", str(tmp_path / "gap" / "catalogue"))
    settings = load_settings()
    newest = Edition.load(settings.public_dir / "visits" / WEEKS[3] / "r1")
    missing = {(m.statistic, m.period): m for m in newest.table("clinic-weeks").across.missing}
    for statistic, period in (("two-weeks", WEEKS[2]), ("change", WEEKS[2]), ("so-far", WEEKS[3])):
        assert missing[statistic, period].reason == "edition"
        assert missing[statistic, period].editions == (WEEKS[1],)
        for row in rows_of(settings, f"{WEEKS[3]}/r1", "clinic-weeks", statistic):
            if row["period"] == period:
                assert (row["value"], row["status"]) == (None, "x")
    assert ("two-weeks", WEEKS[3]) not in missing
