"""A request goes on only by what the ledger says: every custodian's own approval of this plan, and nothing less."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

import pytest
from clinic_requests import CUSTODIANS, FORM

from dp_stats import pipeline, requests
from dp_stats.errors import ApprovalError, CatalogueError, PublishedError
from dp_stats.ledger import Ledger
from dp_stats.requests.showing import facts_of, show
from dp_stats.requests.showing import shown as read_shown


@pytest.fixture
def asked(clinic: Any) -> str:
    """A request on records that two custodians hold."""
    clinic.change("datasets/visits.yaml", custodians=CUSTODIANS)
    clinic.settings.home.mkdir()
    made = requests.ask(FORM, requested_by="analyst")
    assert made.path == "approval"
    return made.id


def decide(name: str, who: str, decision: Literal["approved", "refused", "expired"] = "approved") -> None:
    card = requests.card(name)
    requests.decide(name, approver=who, decision=decision, reason="It helps.", shown=facts_of(card))


def charge(clinic: Any, epsilon: str) -> None:
    """Spend something on another analyst's request that the custodians approved."""
    made = requests.ask({**FORM, "epsilon": float(epsilon)}, requested_by="another")
    for custodian in requests.card(made.id).approvers:
        decide(made.id, custodian)
    pipeline.reserve(made.edition)


def charges(clinic: Any) -> int:
    return len(Ledger.open(clinic.settings.ledger_url).charges())


def test_of_several_custodians_all_must_approve(clinic: Any, asked: str) -> None:
    with pytest.raises(ApprovalError, match="no decision of custodian, council"):
        requests.authorise(asked)
    decide(asked, "custodian")
    with pytest.raises(ApprovalError, match="no decision of council"):
        requests.authorise(asked)
    edition = requests.request(asked).edition
    with pytest.raises(ApprovalError):
        pipeline.reserve(edition)
    assert charges(clinic) == 0
    decide(asked, "council")
    assert requests.authorise(asked)
    pipeline.reserve(edition)
    assert charges(clinic) == 1


@pytest.mark.parametrize("decision", ["refused", "expired"])
def test_one_refusal_or_no_answer_ends_it_with_nothing_spent(clinic: Any, asked: str, decision: Any) -> None:
    decide(asked, "custodian")
    decide(asked, "council", decision)
    assert not requests.authorise(asked)
    with pytest.raises(ApprovalError):
        pipeline.reserve(requests.request(asked).edition)
    assert charges(clinic) == 0


def test_nobody_decides_on_her_own_request_or_without_being_a_custodian(clinic: Any, asked: str) -> None:
    with pytest.raises(ApprovalError, match="is no custodian"):
        decide(asked, "engineer")
    with pytest.raises(ApprovalError, match="cannot approve it as well"):
        requests.ask(FORM, requested_by="Council")
    (own,) = {path.stem for path in clinic.settings.requests.glob("*.yaml")} - {asked}
    with pytest.raises(ApprovalError, match="cannot approve it as well"):
        decide(own, "council")


def test_an_approval_counts_only_for_the_plan_that_was_shown(asked: str) -> None:
    shown = replace(facts_of(requests.card(asked)), plan="0" * 64)
    with pytest.raises(ApprovalError, match="another plan was shown"):
        requests.decide(asked, approver="council", decision="approved", reason="Fine.", shown=shown)


def test_a_purpose_that_was_swapped_after_the_card_was_read_is_refused(clinic: Any, asked: str) -> None:
    shown = facts_of(requests.card(asked))
    declared = clinic.settings.requests / f"{asked}.yaml"
    declared.write_text(declared.read_text().replace("how many nurses are needed", "whom to sell the figures to"))
    with pytest.raises(CatalogueError, match="purpose or audience"):
        requests.decide(asked, approver="council", decision="approved", reason="Fine.", shown=shown)
    again = requests.ask({**FORM, "purpose": "To sell the figures to insurers."}, requested_by="analyst")
    with pytest.raises(ApprovalError, match="another plan was shown; another purpose was shown"):
        requests.decide(again.id, approver="council", decision="approved", reason="Fine.", shown=shown)


def test_what_was_shown_is_kept_in_the_ledger_with_the_decision(clinic: Any, asked: str) -> None:
    shown = show(requests.card(asked), "The whole card", approver="council", place="attempt 1")
    requests.decide(asked, approver="council", decision="refused", reason="Too detailed.", shown=shown)
    ledger = Ledger.open(clinic.settings.ledger_url)
    (decision,) = ledger.approvals(shown.plan)
    assert ledger.card(decision.card) == shown
    assert (shown.text, shown.purpose, shown.requested_by) == ("The whole card", FORM["purpose"], "analyst")
    assert ledger.problems() == []


def test_asking_again_changes_no_card_that_waits(clinic: Any, asked: str) -> None:
    first = show(requests.card(asked), "first", approver="council", place="attempt 1")
    charge(clinic, "0.5")
    requests.ask(FORM, requested_by="analyst")
    second = show(requests.card(asked), "second", approver="council", place="attempt 2")
    assert second.left != first.left
    assert read_shown(asked, approver="council", place="attempt 1") == first
    assert show(requests.card(asked), "later", approver="council", place="attempt 1") == first
    with pytest.raises(ApprovalError, match="is not kept any more"):
        read_shown(asked, approver="council", place="attempt 3")


@pytest.mark.parametrize(("above", "way"), [(-1, "approval"), (0, "approval"), (1, "allowed")])
def test_card_and_ledger_agree_on_who_must_approve_up_to_equality(
    clinic: Any, asked: str, above: int, way: str
) -> None:
    allowance = requests.card(asked).plan.rho + Fraction(above, 10**12)
    clinic.change("datasets/visits.yaml", budget={"epsilon": 10, "delta": "1e-6", "no_approval_below": str(allowance)})
    made = requests.ask(FORM, requested_by="analyst")
    assert made.path == way
    if way == "approval":
        with pytest.raises(ApprovalError):
            pipeline.reserve(made.edition)
    else:
        pipeline.reserve(made.edition)
    assert charges(clinic) == (way == "allowed")


@pytest.mark.slow
def test_what_was_asked_for_is_handed_over_from_the_whole_table(clinic: Any) -> None:
    clinic.change("datasets/visits.yaml", budget={"epsilon": 10, "delta": "1e-6", "no_approval_below": 5})
    clinic.settings.home.mkdir()
    made = requests.ask({**FORM, "only": "Lower"}, requested_by="analyst")
    assert made.path == "allowed"
    with pytest.raises(PublishedError, match="is not published"):
        requests.hand_over(made.id)
    pipeline.run_edition(made.edition)
    mine = requests.hand_over(made.id)
    published = (clinic.settings.public_dir / made.edition / "r1/answer.csv").read_text().splitlines()
    assert mine is not None
    assert mine.read_text().splitlines() == [published[0], *(line for line in published[1:] if ",B,Lower," in line)]
    again = requests.ask({**FORM, "free": "never"}, requested_by="analyst")
    assert again.id != made.id, "what is handed over, and whether free figures do, are part of what was asked"
    assert charges(clinic) == 1
    pipeline.run_edition(again.edition)
    assert requests.hand_over(again.id) is None
    assert not (clinic.settings.requests / again.id / "answer.csv").exists()


def test_a_damaged_request_stops_itself_and_no_other(clinic: Any, asked: str) -> None:
    damaged = clinic.settings.requests / "adhoc-000000000000.yaml"
    damaged.write_text("{half a file")
    damaged.with_suffix(".form.json").write_text("{")
    assert requests.card(asked).release.id == asked
    assert requests.ask({**FORM, "epsilon": 0.5}, requested_by="analyst").path == "approval"
    with pytest.raises(CatalogueError):
        requests.card("adhoc-000000000000")
    (clinic.settings.requests / f"{asked}.form.json").write_text("{")
    with pytest.raises(CatalogueError, match="cannot be read"):
        requests.card(asked)


def test_the_card_shows_that_small_requests_add_up(clinic: Any, asked: str) -> None:
    allowance = requests.card(asked).plan.rho * Fraction(5, 2)
    clinic.change("datasets/visits.yaml", budget={"epsilon": 10, "delta": "1e-6", "no_approval_below": str(allowance)})
    for rows, way in ((1, "allowed"), (2, "allowed")):
        made = requests.ask({**FORM, "rows": rows}, requested_by="analyst")
        assert made.path == way
        pipeline.reserve(made.edition)
    late = requests.ask({**FORM, "rows": 4}, requested_by="analyst")
    assert late.path == "approval"
    assert requests.card(late.id).approvers == ("custodian", "council")
    with pytest.raises(ApprovalError):
        pipeline.reserve(late.edition)
    assert requests.ask({**FORM, "rows": 4}, requested_by="another").path == "allowed"
