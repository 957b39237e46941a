"""Records of two custodians, from the question to the register: both must approve, each table on its own terms."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from conftest import Clinic
from linked_clinic import AGREEMENT, QUESTION, add_linked_visits

from dp_stats import pipeline, requests
from dp_stats.airflow.cards import card_markdown
from dp_stats.catalogue import load_catalogue
from dp_stats.editions import privacy_record
from dp_stats.errors import AgreementError, ApprovalError, CatalogueError, OptOutError
from dp_stats.operations.agreements import review_agreements
from dp_stats.requests.showing import facts_of
from dp_stats.run import open_ledger
from dp_stats.texts.words import Texts
from dp_stats.transparency.verifying import verify

FORM: dict[str, Any] = {"dataset": "linked-visits", **QUESTION}


@pytest.fixture
def linked(clinic: Clinic) -> Clinic:
    add_linked_visits(clinic.folder)
    return clinic


def asked(**changes: Any) -> requests.Request:
    return requests.ask({**FORM, **changes}, requested_by="analyst")


def decide(name: str, approver: str, decision: Literal["approved", "refused"]) -> None:
    shown = facts_of(requests.card(name))
    requests.decide(name, approver=approver, decision=decision, reason="as agreed", shown=shown)


def spent(linked: Clinic) -> list[Any]:
    return [b for b in open_ledger(linked.settings).blocks() if b.spent or b.reserved]


def test_both_custodians_approve_and_the_public_reads_whose_records_were_used_on_what_basis(linked: Clinic) -> None:
    assert review_agreements(load_catalogue(linked.folder), [], date(2024, 2, 1)) == []
    made = asked()
    assert made.path == "approval"
    text = card_markdown(requests.card(made.id), Texts.of(linked.settings))
    for said in (
        "Every one of these must approve:** custodian, partner",
        "| homes | The council | Council Act | 2198-12-31 |",
        "**Visits and homes** (version 1",
        "clinic-records: lifetime",
    ):
        assert said in text
    decide(made.id, "custodian", "approved")
    with pytest.raises(ApprovalError, match="no decision of partner"):
        requests.authorise(made.id)
    with pytest.raises(ApprovalError, match="partner has not decided"):
        pipeline.run_edition(made.edition)
    assert not spent(linked)
    decide(made.id, "partner", "approved")
    assert requests.authorise(made.id)
    pipeline.run_edition(made.edition)

    held = {b.dataset: b.spent for b in spent(linked)}
    assert held["linked-visits"] == held["clinic-records"] > 0
    folder = linked.settings.public_dir / made.edition / "r1"
    edition = json.loads((folder / "edition.json").read_text())
    assert [r["legal_basis"] for r in edition["dataset"]["records"]] == ["Council Act", "Clinics Act"]
    assert edition["dataset"]["agreement"]["purpose"] == "Plan buses to the clinics"
    assert {a["approver"] for a in edition["approvals"]} == {"custodian", "partner"}
    assert [d["dataset"] for d in edition["draws"]] == ["clinic-records"]
    record = json.loads((folder / "guarantee.json").read_text())
    privacy_record.FORM.check(record)
    assert record["administrative"]["agreement"]["sha256"] == edition["dataset"]["agreement"]["sha256"]
    assert record["administrative"]["also_charged"][0]["dataset"] == "clinic-records"
    register = (linked.settings.public_dir / "register.html").read_text()
    for said in (
        "homes (The council): Council Act; visits (The clinics): Clinics Act",
        "Visits and homes, version 1, agreed by The clinics and The council.",
        "Plan buses to the clinics",
        "the declared list of The council and The clinics were removed from every table",
        "also costs the budget of the dataset clinic-records",
        "Of the dataset clinic-records, lifetime: ε = ",
    ):
        assert said in register
    (use,) = json.loads((linked.settings.public_dir / "register.json").read_text())
    assert "of 20 spent" in use["also_charged"]
    shown = (linked.settings.public_dir / "budget.html").read_text()
    assert "clinic-records" in shown, "though it publishes nothing itself"
    told = json.loads((linked.settings.public_dir / "budget.json").read_text())
    assert {(one["dataset"], one["block"], one["rho_spent"]) for one in told} == {
        (name, block, str(held[name])) for name, block in (("linked-visits", "2024"), ("clinic-records", "lifetime"))
    }
    open_ledger(linked.settings).verify()
    checked = verify(str(linked.settings.public_dir))
    assert set(checked.spent) == {("linked-visits", "2024"), ("clinic-records", "lifetime")}
    assert not checked.unnamed, "the edition shows that what the clinics' records paid was for it"


def test_a_refusal_of_one_custodian_stops_it_with_nothing_spent(linked: Clinic) -> None:
    made = asked()
    decide(made.id, "custodian", "approved")
    decide(made.id, "partner", "refused")
    assert not requests.authorise(made.id)
    with pytest.raises(ApprovalError, match="partner has refused it"):
        pipeline.run_edition(made.edition)
    assert not spent(linked)


def test_an_agreement_that_ends_after_all_have_approved_stops_it_with_nothing_spent(linked: Clinic) -> None:
    made = asked()
    for approver in ("custodian", "partner"):
        decide(made.id, approver, "approved")
    tables = {**AGREEMENT["tables"], "homes": {**AGREEMENT["tables"]["homes"], "until": date(2025, 1, 1)}}
    linked.change("agreements/visits-and-homes.yaml", version=2, tables=tables)
    for step in (lambda: requests.authorise(made.id), lambda: pipeline.run_edition(made.edition), asked):
        with pytest.raises(AgreementError, match="The council shared the table 'homes' until 2025-01-01"):
            step()
    assert not spent(linked)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"agreed_purpose": "study"}, "'study' is not agreed for every table"),
        ({"agreed_purpose": None}, "say for which purpose it is made; agreed are buses"),
        ({"statistic": "persons"}, "a persons is not agreed"),
        ({"audience": "restricted"}, "'restricted' is not agreed"),
        ({"period": "2024-01-08--2024-01-20"}, "editions per range are not agreed"),
        ({"by": ["day/day"]}, "figures by 'day' at the level 'day' are not agreed"),
    ],
)
def test_what_is_not_agreed_cannot_be_asked(linked: Clinic, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CatalogueError, match=said):
        asked(**changes)


def test_an_identifier_that_fits_no_pattern_in_one_table_stops_it_before_anything_is_spent(linked: Clinic) -> None:
    made = asked()
    for approver in ("custodian", "partner"):
        decide(made.id, approver, "approved")
    (linked.folder / "council-opt-outs.csv").write_text("who\nnobody at all\n")
    with pytest.raises(OptOutError):
        pipeline.run_edition(made.edition)
    assert not spent(linked)
    assert not [*Path(linked.settings.secure).rglob("*.parquet")]
