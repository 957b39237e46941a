"""Rules of privacy that only a whole run can show: one statement everywhere, public keys, private folders, closed doors."""

from __future__ import annotations

import csv
import html
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from dp_stats import pipeline
from dp_stats.errors import ApprovalError, DpStatsError, LedgerError, OptOutError, RegisterError
from dp_stats.ledger import Ledger
from dp_stats.run import open_run
from dp_stats.settings import load_settings

STEPS = ("pull", "check", "reserve", "measure", "estimate", "publish")


def statements(clinic: Any) -> dict[str, dict[str, Any]]:
    """What the ledger, the metadata and the page each say about the privacy of the first edition."""
    folder = clinic.settings.public_dir / clinic.first / "r1"
    edition = json.loads((folder / "edition.json").read_text())["guarantee"]
    record = json.loads((folder / "guarantee.json").read_text())
    loss = record["deployment"]["privacy_loss"]
    made = record["deployment"]["implementation"]
    ledger = Ledger.open(clinic.settings.ledger_url, read_only=True)
    reserved = next(e.payload for e in ledger.entries() if e.event == "reserved")
    page = (clinic.settings.public_dir / "visits" / "methods.html").read_text()
    text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))
    shown = re.search(r"Privacy loss ε = ([\d.]+); ρ = ([\d.]+)", text)
    assert shown
    return {
        "ledger": {"ρ": Fraction(reserved["rho"]), "blocks": reserved["blocks"], "plan": reserved["plan"]},
        "edition": {
            "ρ": Fraction(edition["rho"]),
            "blocks": edition["blocks"],
            "ε": edition["epsilon"],
            "δ": float(Fraction(edition["delta"])),
            "unit": edition["unit_description"],
            "neighbours": edition["neighbouring"],
            "rows": edition["contribution_rows"],
            "not protected": edition["not_protected"],
            "libraries": edition["libraries"],
            "post-processing": edition["post_processing"],
        },
        "record": {
            "ρ": Fraction(loss["privacy_parameters"]["rho_exact"]),
            "blocks": loss["blocks"],
            "ε": loss["privacy_parameters"]["epsilon"],
            "δ": loss["privacy_parameters"]["delta"],
            "unit": loss["privacy_unit_details"],
            "neighbours": record["deployment"]["dp_variant"]["adjacency"],
            "not protected": record["deployment"]["dp_variant"]["unprotected_quantities"],
            "plan": record["administrative"]["plan_sha256"],
            "libraries": made["libraries"],
            "post-processing": made["post_processing"],
        },
        "page": {
            "ε": float(shown[1]),
            "ρ": Fraction(shown[2]),
            **{
                name: edition[field]
                for name, field in (("unit", "unit_description"), ("neighbours", "neighbouring"))
                if edition[field] in text
            },
            "not protected": [line for line in edition["not_protected"] if line in text],
            "post-processing": [line for line in edition["post_processing"] if line in text],
        },
    }


def differences(said: dict[str, dict[str, Any]]) -> list[str]:
    """Facts that two places tell differently, or that the page leaves out; ρ is compared in the digits people see."""
    found = []
    for place, facts in said.items():
        for name, value in said["edition"].items():
            if name in facts:
                equal = facts[name] == value
                if isinstance(value, Fraction):
                    equal = abs(facts[name] - value) < value / 1000
                elif isinstance(value, float):  # the record rounds up, so that it never says too little
                    equal = math.isclose(facts[name], value, rel_tol=1e-9)
                found += [] if equal else [f"{place}: {name}"]
            elif place == "page" and name in ("unit", "neighbours"):
                found.append(f"page: {name}")
    return found + (["plan"] if said["ledger"]["plan"] != said["record"]["plan"] else [])


@pytest.mark.slow
def test_ledger_metadata_and_page_state_the_same_guarantee_and_a_changed_one_is_noticed(clinic: Any) -> None:
    pipeline.run_edition(clinic.first)
    assert differences(statements(clinic)) == []
    assert statements(clinic)["ledger"]["ρ"] >= statements(clinic)["edition"]["ρ"]  # rounded up, never down
    page = clinic.settings.public_dir / "visits" / "methods.html"
    page.write_text(page.read_text().replace("in any one year", "in their whole life"))
    record = clinic.settings.public_dir / clinic.first / "r1" / "guarantee.json"
    record.chmod(0o644)
    record.write_text(re.sub(r'"epsilon": [\d.]+', '"epsilon": 0.5', record.read_text()))
    assert {"page: unit", "page: neighbours", "record: ε"} <= set(differences(statements(clinic)))


def keys(clinic: Any, settings: Any) -> dict[str, list[tuple[str, ...]]]:
    """The keys of every published table: all columns but numbers and marks."""
    found = {}
    for path in sorted((settings.public_dir / clinic.first / "r1").glob("*.csv")):
        with path.open() as file:
            found[path.name] = [tuple(row[c] for c in ("metric", "date", "period")) for row in csv.DictReader(file)]
    return found


@pytest.mark.slow
def test_published_keys_are_the_public_grid_whoever_is_in_the_data(clinic: Any) -> None:
    """Ten rows in one cell, or rows everywhere: the same keys, all of the grid's cells."""
    pipeline.run_edition(clinic.first)
    full = keys(clinic, clinic.settings)
    grid = open_run(clinic.first).grid
    assert {name: len(rows) for name, rows in full.items()} == {
        f"{t.id}.csv": grid.cells(grid.complete(t.levels)) for t in open_run(clinic.first).release.tables
    }
    lines = ["Patient,Day,Clinic,Cost,Telephone", *(f"q{i},2024-01-08,north,1,5" for i in range(10))]
    (clinic.folder / "visits.csv").write_text("\n".join(lines) + "\n")
    elsewhere = load_settings(
        {"DP_STATS_HOME": str(clinic.folder.parent / "other"), "DP_STATS_CATALOGUE": str(clinic.folder)}
    )
    pipeline.run_edition(clinic.first, settings=elsewhere)
    assert keys(clinic, elsewhere) == full


def lost_opt_outs(clinic: Any) -> None:
    (clinic.folder / "opt-outs.csv").unlink()


def lost_ledger(clinic: Any) -> None:
    (clinic.settings.home / "ledger.db").write_bytes(b"not a database at all, but long enough to be looked at" * 20)


@pytest.mark.parametrize(
    ("after", "lose", "then", "error"),
    [
        ((), lost_opt_outs, "pull", OptOutError),
        (("pull",), lost_opt_outs, "pull", OptOutError),
        (("pull", "check"), lost_ledger, "reserve", LedgerError),
        (("pull", "check", "reserve"), lost_ledger, "measure", LedgerError),
    ],
)
def test_what_is_lost_at_any_moment_stops_the_run_before_a_draw(
    clinic: Any,
    monkeypatch: pytest.MonkeyPatch,
    after: tuple[str, ...],
    lose: Any,
    then: str,
    error: type[DpStatsError],
) -> None:
    monkeypatch.setattr("dp_stats.secure.measure.draw", lambda *_: pytest.fail("noise was drawn"))
    for step in after:
        getattr(pipeline, step)(clinic.first)
    lose(clinic)
    with pytest.raises(error):
        getattr(pipeline, then)(clinic.first)


def test_a_lost_register_refuses_the_next_edition_and_draws_nothing(
    clinic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in STEPS[:4]:
        getattr(pipeline, step)(clinic.first)
    for path in (clinic.settings.secure / "register").rglob("*.parquet"):
        path.unlink()
    monkeypatch.setattr("dp_stats.secure.measure.draw", lambda *_: pytest.fail("noise was drawn"))
    for step in STEPS[:3]:
        getattr(pipeline, step)(clinic.second)
    with pytest.raises(RegisterError, match="Restore the secure store"):
        pipeline.measure(clinic.second)


def test_an_approval_that_expires_between_reserving_and_measuring_stops_the_draw(
    clinic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dp_stats.secure.measure.draw", lambda *_: pytest.fail("noise was drawn"))
    pipeline.pull(clinic.first)
    run = open_run(clinic.first)
    ledger = run.ledger()
    quote = ledger.quote(run.plan, dataset=run.dataset, category="adhoc", requested_by="analyst")
    soon = datetime.now(UTC) + timedelta(hours=1)
    shown = {b.block: b.remaining for b in quote.before}
    ledger.approve(run.plan.hash, "custodian", "approved", "useful", soon, shown)
    reservation = ledger.reserve(
        run.planned(),
        dataset=run.dataset,
        category="adhoc",
        requested_by="analyst",
        reason="study",
        required_approvers=["custodian"],
    )
    later = Ledger.open(clinic.settings.ledger_url, clock=lambda: soon + timedelta(minutes=1))
    from dp_stats.secure.measure import measure

    with pytest.raises(ApprovalError):
        measure(
            run.planned(),
            snapshot=run.staging / "snapshot.parquet",
            ledger=later,
            reservation=reservation,
            settings=run.settings,
        )
    assert ledger.measurements(clinic.first) is None


def open_paths(folder: Path) -> list[str]:
    """Folders and files below the secure store that others than the owner may look into."""
    return [str(p.relative_to(folder)) for p in (folder, *folder.rglob("*")) if p.stat().st_mode & 0o077]


def test_rows_are_private_while_they_are_staged_and_hold_the_declared_columns_alone(clinic: Any) -> None:
    import pyarrow.parquet as pq

    pipeline.pull(clinic.first)
    assert open_paths(clinic.settings.secure) == []
    staged = open_run(clinic.first).staging
    assert pq.read_schema(staged / "snapshot.parquet").names == ["patient", "day", "clinic", "cost"]
    assert not any(b"020 7946 0958" in path.read_bytes() for path in staged.rglob("*.parquet"))
    (staged / "snapshot.parquet").chmod(0o644)
    assert open_paths(clinic.settings.secure) != []


@pytest.mark.parametrize("step", STEPS)
def test_whichever_step_fails_no_rows_stay_behind(clinic: Any, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    real: Callable[..., Any] = getattr(pipeline, step)

    def runs_and_fails(*arguments: Any, **options: Any) -> None:
        if step == "pull":
            real(*arguments, **options)
        fail()

    monkeypatch.setattr(pipeline, step, runs_and_fails)
    with pytest.raises(RuntimeError):
        pipeline.run_edition(clinic.first)
    assert not list((clinic.settings.secure / "staging").rglob("*.parquet"))


def test_without_cleaning_up_rows_would_stay(clinic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above has power."""
    monkeypatch.setattr(pipeline, "clean_up", lambda *_, **__: None)
    monkeypatch.setattr(pipeline, "check", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pipeline.run_edition(clinic.first)
    assert list((clinic.settings.secure / "staging").rglob("*.parquet"))


def test_what_the_steps_return_is_names_hashes_and_states(clinic: Any) -> None:
    """Nothing that is counted in rows: the only whole numbers are declared ones, and warnings of the suite."""
    said = [getattr(pipeline, step)(clinic.first) for step in STEPS]
    numbers = {name for each in said for name, value in each.items() if isinstance(value, (int, float))}
    assert numbers <= {"revision", "tables", "warnings"}
    assert all(
        set(e) <= {"edition", "revision", "snapshot", "warnings", "plan", "charged", "tables", "path", "sha256"}
        for e in said
    )


def test_a_value_outside_the_lists_is_judged_row_by_row(clinic: Any) -> None:
    """Canonical rows of one person do not depend on who else is there."""
    import pyarrow.parquet as pq

    def canonical_rows(lines: list[str]) -> list[Any]:
        (clinic.folder / "visits.csv").write_text("\n".join(["Patient,Day,Clinic,Cost,Telephone", *lines]) + "\n")
        pipeline.pull(clinic.first)
        table = pq.read_table(open_run(clinic.first).staging / "snapshot.parquet")
        return sorted(str(row) for row in table.to_pylist() if row["patient"] == "me")

    mine = [
        "me,2024-01-08,North,1,5",
        "me,2024-01-09,nowhere,NaN,5",
        "me,09/01/2024,north,1,5",
        ",2024-01-09,north,1,5",
    ]
    others = [f"you{i},2024-01-0{8 + i % 2},{'nowhere' if i % 3 else 'NORTH'},1e300,5" for i in range(50)]
    alone = canonical_rows(mine)
    assert canonical_rows(others + mine) == alone
    assert len(alone) == 2
