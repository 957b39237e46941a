"""Rows that arrive late are added to the periods before as free revisions: published, final in time, and made again."""

from __future__ import annotations

import csv
import shutil
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dp_stats import pipeline, publishing, revising
from dp_stats.catalogue import read_catalogue, yaml
from dp_stats.editions.edition import Edition
from dp_stats.editions.revisions import corrections, status_of
from dp_stats.editions.verify import verify_public
from dp_stats.errors import CatalogueError, LedgerError, NotDueError
from dp_stats.ledger import Ledger
from dp_stats.requests.answers import answer_question
from dp_stats.settings import Settings
from dp_stats.transparency.verifying import verify
from tests.conftest import copied, make_clinic

WEEKS = tuple(f"2024-W0{n}" for n in (1, 2, 3, 4))
PERIODS = 2


def edit(catalogue: Path, **fields: object) -> None:
    """Set fields of the release."""
    path = catalogue / "releases" / "visits.yaml"
    path.write_text(yaml.write({**yaml.parse(path.read_text()), **fields}))


def deliver(catalogue: Path, until: date) -> dict[str, int]:
    """Write the rows that have arrived by a day: each fifth comes eight days late. How many there are of each week."""
    there: dict[str, int] = {}
    with (catalogue / "visits.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Patient", "Day", "Clinic", "Cost", "Telephone"])
        for number in range(3500):
            day = date(2024, 1, 1) + timedelta(days=number % 35)
            arrives = day + timedelta(days=8 if number // 35 % 5 == 0 else 0)
            if arrives <= until:
                rows.writerow([f"p{number + 100}", day.isoformat(), ("north", "south", "east")[number % 3], "1", "-"])
                week = f"2024-W{day.isocalendar().week:02d}"
                there[week] = there.get(week, 0) + 1
    return there


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four weeks, each published on the Thursday after it; late rows count for two weeks."""
    root = tmp_path_factory.mktemp("late")
    (root / "home").mkdir()
    catalogue = make_clinic(root / "catalogue")
    bound = {"rows": 1, "why_nothing_is_truncated": "Each patient comes once."}
    edit(catalogue, late={"periods": PERIODS, "share": 0.2}, privacy_loss={"epsilon": 1.2}, contribution=bound)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DP_STATS_HOME", str(root / "home"))
        patch.setenv("DP_STATS_CATALOGUE", str(catalogue))
        for n, week in enumerate(WEEKS):
            deliver(catalogue, date(2024, 1, 11) + timedelta(weeks=n))
            pipeline.run_edition(f"visits/{week}")
    return root


@pytest.fixture
def settings(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return copied(original, tmp_path, monkeypatch)


def total(settings: Settings, path: str) -> float:
    """The week's total in a published revision."""
    return sum(pq.read_table(settings.public_dir / path / "clinic-week.parquet")["value"].to_pylist())


def test_the_weeks_before_are_published_again_until_their_window_closes(settings: Settings) -> None:
    for week, revisions, kinds in (
        (WEEKS[0], [1, 2, 3], ["provisional", "provisional", "final"]),
        (WEEKS[1], [1, 2, 3], ["provisional", "provisional", "final"]),
        (WEEKS[2], [1, 2], ["provisional", "provisional"]),
        (WEEKS[3], [1], ["provisional"]),
    ):
        folders = [settings.public_dir / "visits" / week / f"r{n}" for n in revisions]
        found = [Edition.load(folder).revision for folder in folders]
        assert [r.status for r in found] == kinds
        assert [r.kind for r in found] == ["first", *["late"] * (len(revisions) - 1)]
        assert not any(r.remeasured for r in found)
        assert status_of(settings.public_dir, f"visits/{week}").current == revisions[-1]
        assert not (settings.public_dir / "visits" / week / f"r{len(revisions) + 1}").exists()
    last = Edition.load(settings.public_dir / "visits" / WEEKS[0] / "r3").revision
    assert last.adds == ("visits/2024-W02", "visits/2024-W03")
    assert last.supersedes == 2
    assert "8 to 14 January 2024" in last.reason


def test_a_provisional_edition_says_that_figures_will_rise_and_by_when_they_are_final(settings: Settings) -> None:
    said = "expected to rise as late reports come"
    final = "final with the edition of 15 to 21 January 2024, due on 25 January 2024"
    for number, provisional in ((1, True), (2, True), (3, False)):
        folder = settings.public_dir / "visits" / WEEKS[0] / f"r{number}"
        texts = [(folder / name).read_text() for name in ("edition.json", "datapackage.json", "readers-kit.md")]
        assert all((said in " ".join(text.split()), final in text) == (provisional,) * 2 for text in texts)
    page = (settings.public_dir / "visits" / WEEKS[3] / "index.html").read_text()
    assert said in page
    assert said not in (settings.public_dir / "visits" / WEEKS[0] / "index.html").read_text()


def test_a_name_that_is_corrected_in_between_ends_no_window_and_stays_corrected(settings: Settings) -> None:
    codes = settings.catalogue / "codes" / "clinics.csv"
    codes.write_text(codes.read_text().replace("North", "Northern"))
    pipeline.revise(f"visits/{WEEKS[2]}", kind="format", reason="A name was misspelt.")
    week = settings.public_dir / "visits" / WEEKS[2]
    named = Edition.load(week / "r3").revision
    assert (named.kind, named.status, named.adds) == ("format", "provisional", (f"visits/{WEEKS[3]}",))
    assert total(settings, f"visits/{WEEKS[2]}/r3") == total(settings, f"visits/{WEEKS[2]}/r2")
    deliver(settings.catalogue, date(2024, 2, 8))
    pipeline.run_edition("visits/2024-W05")
    last = Edition.load(week / "r4")
    assert (last.revision.kind, last.revision.status, last.revision.supersedes) == ("late", "final", 3)
    assert "Northern" in (week / "r4" / "clinic-week.csv").read_text()
    assert pipeline.propose(f"visits/{WEEKS[2]}", kind="late", reason="").state == "published"
    assert len(Ledger.open(settings.ledger_url, create=False).charges()) == 1
    verify(str(settings.public_dir))


def test_the_rows_that_arrived_late_are_in_the_figures(settings: Settings) -> None:
    whole = 700
    first, second, last = (total(settings, f"visits/{WEEKS[0]}/r{n}") for n in (1, 2, 3))
    assert first < 0.93 * whole  # rows of a fifth of the week came after Thursday
    assert abs(last - whole) < 0.05 * whole
    assert abs(second - whole) < 0.05 * whole
    marks = pq.read_table(settings.public_dir / "visits" / WEEKS[0] / "r2" / "clinic-week.parquet")[
        "status"
    ].to_pylist()
    assert any("r" in mark.split() for mark in marks)
    assert all("p" in mark.split() for mark in marks)


def test_late_rows_cost_nothing(settings: Settings) -> None:
    ledger = Ledger.open(settings.ledger_url, create=False)
    assert len({charge.key for charge in ledger.charges()}) == 1
    assert len(ledger.charges()) == 1
    ledger.verify()
    log = corrections(settings.public_dir)
    assert sorted(one.edition for one in log) == [f"visits/{WEEKS[n]}" for n in (0, 0, 1, 1, 2)]
    assert {one.kind for one in log} == {"late"}
    assert not any(one.costs_budget for one in log)


def test_the_public_can_check_every_revision(settings: Settings) -> None:
    assert not verify_public(settings.public_dir)
    verify(str(settings.public_dir))


def test_every_revision_is_made_again_byte_for_byte(settings: Settings) -> None:
    before = {p: p.read_bytes() for p in (settings.public_dir / "visits").rglob("r*/*") if p.is_file()}
    shutil.rmtree(settings.public_dir / "visits")
    states = {one.path: one.state for one in publishing.rebuild(settings)}
    assert set(states.values()) == {"made again"}
    assert before == {p: p.read_bytes() for p in (settings.public_dir / "visits").rglob("r*/*") if p.is_file()}


def test_publishing_again_makes_no_further_revision(settings: Settings) -> None:
    done = pipeline.publish(f"visits/{WEEKS[2]}")
    assert done["revised"] == [f"visits/{WEEKS[0]}/r3", f"visits/{WEEKS[1]}/r3"]
    assert not (settings.public_dir / "visits" / WEEKS[0] / "r4").exists()


def test_answers_add_late_rows(settings: Settings) -> None:
    found = answer_question(
        "visits", "visits", where={}, start=date(2024, 1, 1), end=date(2024, 1, 7), settings=settings
    )
    table = pq.read_table(settings.public_dir / "visits" / WEEKS[0] / "r3" / "clinic-week.parquet")
    assert found.unrounded == pytest.approx(sum(table["value_unbiased"].to_pylist()), abs=1)


def test_a_correction_takes_the_next_number_and_closes_the_window(settings: Settings, original: Path) -> None:
    catalogue = settings.catalogue
    deliver(catalogue, date(2024, 2, 8))
    with pytest.raises(LedgerError, match="published already"):
        pipeline.run_edition(f"visits/{WEEKS[2]}", revision=2, reason="A clinic sent its visits twice.")
    pipeline.run_edition(f"visits/{WEEKS[2]}", revision=3, reason="A clinic sent its visits twice.")
    pipeline.run_edition("visits/2024-W05")
    assert not (settings.public_dir / "visits" / WEEKS[2] / "r4").exists()
    assert (settings.public_dir / "visits" / WEEKS[3] / "r2").exists()


def test_a_retracted_edition_is_not_revised(settings: Settings) -> None:
    pipeline.retract(f"visits/{WEEKS[3]}", reason="Test rows.")
    deliver(settings.catalogue, date(2024, 2, 8))
    pipeline.run_edition("visits/2024-W05")
    assert not (settings.public_dir / "visits" / WEEKS[3] / "r2").exists()


def standing(settings: Settings, edition: str) -> tuple[int | None, str]:
    """The revision in use of an edition, and its status."""
    now = status_of(settings.public_dir, edition)
    return now.current, now.revision(now.current).status if now.current else ""


def final_though_nothing_was_added(settings: Settings, edition: str, number: int) -> None:
    """It became final as a revision that costs nothing and changes no value, and says so."""
    assert standing(settings, edition) == (number, "final")
    there = Edition.load(settings.public_dir / edition / f"r{number}")
    assert (there.revision.kind, there.revision.remeasured) == ("late", False)
    assert "no more late records" in there.revision.reason.lower()
    assert total(settings, there.path) == total(settings, f"{edition}/r{there.revision.supersedes}")
    assert status_of(settings.public_dir, edition).revision(number).changed == 0


def all_is_whole(settings: Settings, *, charges: int = 1) -> None:
    """What was published costs nothing more, can be checked, and is made again byte for byte."""
    ledger = Ledger.open(settings.ledger_url, create=False)
    ledger.verify()
    assert len(ledger.charges()) == charges
    verify(str(settings.public_dir))
    before = {p: p.read_bytes() for p in settings.public_dir.glob("*/*/r*/*") if p.is_file()}
    for folder in {p.parent for p in before}:
        shutil.rmtree(folder)
    assert {one.state for one in publishing.rebuild(settings)} == {"made again"}
    assert before == {p: p.read_bytes() for p in settings.public_dir.glob("*/*/r*/*") if p.is_file()}


def test_windows_close_by_the_day_that_is_told_though_a_clinic_was_added(settings: Settings) -> None:
    codes = settings.catalogue / "codes" / "clinics.csv"
    codes.write_text(f"{codes.read_text().rstrip()}\nnewone,New,south,South,500\n")
    deliver(settings.catalogue, date(2024, 2, 8))
    pipeline.run_edition("visits/2024-W05")
    assert standing(settings, f"visits/{WEEKS[3]}") == (1, "provisional")  # it may be closed by the next alone
    final_though_nothing_was_added(settings, f"visits/{WEEKS[2]}", 3)
    done = pipeline.publish("visits/2024-W05")
    assert "revised" not in done
    assert standing(settings, f"visits/{WEEKS[2]}") == (3, "final")
    all_is_whole(settings)


def test_windows_close_under_the_former_name_too(settings: Settings) -> None:
    was = settings.catalogue / "releases" / "visits.yaml"
    declared = {**yaml.parse(was.read_text()), "id": "calls", "formerly": ["visits"], "start": date(2024, 1, 29)}
    was.unlink()
    (settings.catalogue / "releases" / "calls.yaml").write_text(yaml.write(declared))
    deliver(settings.catalogue, date(2024, 2, 8))
    done = pipeline.run_edition("calls/2024-W05")
    assert done["revised"] == [f"visits/{WEEKS[2]}/r3"]
    final_though_nothing_was_added(settings, f"visits/{WEEKS[2]}", 3)
    assert standing(settings, f"visits/{WEEKS[3]}") == (1, "provisional")
    all_is_whole(settings)


def test_what_stands_after_a_retraction_becomes_final_too(settings: Settings) -> None:
    pipeline.retract(f"visits/{WEEKS[2]}", revision=2, reason="Late rows were test rows.")
    assert standing(settings, f"visits/{WEEKS[2]}") == (1, "provisional")
    deliver(settings.catalogue, date(2024, 2, 8))
    pipeline.run_edition("visits/2024-W05")
    assert standing(settings, f"visits/{WEEKS[2]}") == (3, "final")
    there = Edition.load(settings.public_dir / "visits" / WEEKS[2] / "r3")
    assert (there.revision.supersedes, there.revision.adds) == (1, ())
    assert total(settings, there.path) == total(settings, f"visits/{WEEKS[2]}/r1")
    all_is_whole(settings)


def test_windows_close_at_once_where_late_rows_are_counted_no_more(settings: Settings) -> None:
    edit(settings.catalogue, late=None)
    pipeline.run_edition("visits/2024-W05", new_series=True)
    assert standing(settings, f"visits/{WEEKS[2]}") == (3, "final")
    assert standing(settings, f"visits/{WEEKS[3]}") == (2, "final")
    assert standing(settings, "visits/2024-W05") == (1, "final")


def test_the_last_edition_of_a_release_closes_every_window(settings: Settings) -> None:
    edit(settings.catalogue, end=date(2024, 2, 4))
    deliver(settings.catalogue, date(2024, 2, 8))
    pipeline.run_edition("visits/2024-W05")
    assert [standing(settings, f"visits/{week}")[1] for week in (*WEEKS, "2024-W05")] == ["final"] * 5


def test_one_that_was_left_open_is_closed_by_hand(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(revising, "left_open", lambda *_, **__: [])
        pipeline.retract(f"visits/{WEEKS[2]}", revision=2, reason="Late rows were test rows.")
        deliver(settings.catalogue, date(2024, 2, 8))
        pipeline.run_edition("visits/2024-W05")
    proposed = pipeline.propose(f"visits/{WEEKS[2]}", kind="late", reason="")
    assert (proposed.revision, proposed.state, proposed.adding) == (3, "new", ())
    pipeline.revise(f"visits/{WEEKS[2]}", kind="late")
    assert standing(settings, f"visits/{WEEKS[2]}") == (3, "final")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"series": False}, "series"),
        ({"statistics": [{"id": "visits", "kind": "persons"}]}, "persons"),
        ({"contribution": {"rows": 3, "one_per_cell": True}}, "one_per_cell"),
        ({"period": "range", "end": date(2024, 2, 1)}, "range"),
        (
            {"statistics": [{"id": "visits", "kind": "sum", "column": "cost", "lower": 0, "upper": 9}]},
            "kind 'count'",
        ),
    ],
)
def test_what_cannot_count_late_rows_is_refused_by_check(
    settings: Settings, fields: dict[str, object], said: str
) -> None:
    edit(settings.catalogue, **fields)
    with pytest.raises(CatalogueError, match=said):
        read_catalogue(settings.catalogue).release("visits")


def test_a_period_that_has_not_settled_is_not_due(settings: Settings) -> None:
    with pytest.raises(NotDueError):
        pipeline.pull("visits/2099-W01")
