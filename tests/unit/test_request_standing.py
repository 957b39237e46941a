"""Who asked sees how it stands: whom it waits for, why it ended and in whose words, and where the answer is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest
from clinic_requests import CUSTODIANS, FORM

from dp_stats import pipeline, requests
from dp_stats.catalogue import yaml
from dp_stats.errors import ApprovalError, BudgetError, CatalogueError
from dp_stats.ledger import Ledger
from dp_stats.operations.faults import unreadable_requests
from dp_stats.requests import standing
from dp_stats.requests.showing import facts_of
from dp_stats.requests.standing import Standing, keep_stopped, not_counted, requests_of
from dp_stats.run import open_run


@pytest.fixture
def asked(clinic: Any) -> str:
    clinic.change("datasets/visits.yaml", custodians=CUSTODIANS)
    clinic.settings.home.mkdir()
    return requests.ask(FORM, requested_by="analyst", run="ask-visits/manual__1").id


def stands(clinic: Any, user: str = "analyst") -> list[Standing]:
    return requests_of(user, ledger=Ledger.open(clinic.settings.ledger_url), settings=clinic.settings)


def decide(name: str, approver: str, decision: Literal["approved", "refused", "expired"], reason: str) -> None:
    requests.decide(name, approver=approver, decision=decision, reason=reason, shown=facts_of(requests.card(name)))


def test_a_request_waits_for_each_custodian_who_has_not_decided_and_then_goes_on(clinic: Any, asked: str) -> None:
    (now,) = stands(clinic)
    assert (now.state, now.waits_for, now.asked.run) == ("waiting", ("custodian", "council"), "ask-visits/manual__1")
    assert now.asked.purpose == FORM["purpose"]
    decide(asked, "custodian", "approved", "Useful.")
    (now,) = stands(clinic)
    assert (now.state, now.waits_for) == ("waiting", ("council",))
    assert [(made.by, made.reason) for made in now.approved] == [("custodian", "Useful.")]
    decide(asked, "council", "approved", "Useful.")
    assert [(s.state, s.waits_for) for s in stands(clinic)] == [("going", ())]
    assert stands(clinic, "another") == []
    assert [s.asked.id for s in stands(clinic, " Analyst")] == [asked]


def test_a_card_shows_what_was_decided_on_the_same_person_or_purpose_and_nothing_else(clinic: Any, asked: str) -> None:
    from dp_stats.airflow.cards import card_markdown
    from dp_stats.settings import load_settings
    from dp_stats.texts.words import Texts

    assert not requests.card(asked).history
    decide(asked, "council", "refused", "Too detailed | for 2024.")
    decide(asked, "custodian", "approved", "Useful.")
    other, nobody = "To see how many beds are needed.", "To count the chairs of all clinics."
    own = requests.ask({**FORM, "purpose": other}, requested_by="analyst").id
    same = requests.ask(FORM, requested_by="another").id
    neither = requests.ask({**FORM, "purpose": nobody}, requested_by="another").id
    told = {
        name: [(made.approver, made.decision) for made, _ in requests.card(name).history]
        for name in (own, same, neither)
    }
    both = [("custodian", "approved"), ("council", "refused")]
    assert told == {own: both, same: both, neither: []}
    text = card_markdown(requests.card(own), Texts.of(load_settings()))
    assert "Too detailed \\| for 2024\\." in text
    assert "Decided before" in text


@pytest.mark.parametrize("decision", ["refused", "expired"])
def test_the_reason_of_a_refusal_is_shown_until_the_same_is_asked_again(clinic: Any, asked: str, decision: Any) -> None:
    decide(asked, "custodian", "approved", "Useful.")
    decide(asked, "council", decision, "Too detailed for 2024.")
    (ended,) = stands(clinic)
    assert (ended.state, ended.by, ended.why) == (decision, "council", "Too detailed for 2024.")
    assert [made.by for made in ended.approved] == ["custodian"]
    requests.ask(FORM, requested_by="analyst", run="ask-visits/manual__2")
    assert [(s.state, s.waits_for, s.asked.run, s.approved) for s in stands(clinic)] == [
        ("waiting", ("custodian", "council"), "ask-visits/manual__2", ())
    ]


def test_what_stopped_a_run_is_shown_in_its_words_until_the_same_is_asked_again(clinic: Any, asked: str) -> None:
    with pytest.raises(ApprovalError) as stopped:
        requests.authorise(asked)
    keep_stopped(asked, str(stopped.value), settings=clinic.settings)
    (ended,) = stands(clinic)
    assert (ended.state, ended.why) == ("stopped", str(stopped.value))
    requests.ask(FORM, requested_by="analyst")
    assert [s.state for s in stands(clinic)] == ["waiting"]
    keep_stopped("adhoc-unknown", "words", settings=clinic.settings)
    assert not (clinic.settings.requests / "adhoc-unknown").exists()


def test_whose_answer_did_not_count_reads_why_for_a_month_or_until_the_same_is_asked_again(
    clinic: Any, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(user: str) -> list[tuple[str, str]]:
        return [(one.id, why) for one, why in not_counted(user, settings=clinic.settings)]

    keep_stopped(asked, "The card promised more.", answered_by="custodian", settings=clinic.settings)
    assert (told(" Custodian"), told("council"), told("")) == ([(asked, "The card promised more.")], [], [])
    with monkeypatch.context() as later:
        later.setattr(standing, "TOLD", timedelta(days=-1))
        assert told("custodian") == []
    requests.ask(FORM, requested_by="analyst")
    assert told("custodian") == []
    keep_stopped(asked, "A fault.", settings=clinic.settings)
    assert told("") == told("custodian") == [], "nobody had answered"


def test_a_withdrawn_request_is_decided_by_nobody_until_it_is_asked_again(clinic: Any, asked: str) -> None:
    with pytest.raises(ApprovalError, match="Only who asked"):
        requests.withdraw(asked, by="council")
    assert requests.withdraw(asked, by=" Analyst") == "ask-visits/manual__1"
    assert [s.state for s in stands(clinic)] == ["withdrawn"]
    with pytest.raises(ApprovalError, match="has withdrawn the request"):
        decide(asked, "custodian", "approved", "Useful.")
    with pytest.raises(ApprovalError, match="has withdrawn the request"):
        requests.authorise(asked)
    with pytest.raises(ApprovalError, match="does not wait for anybody"):
        requests.withdraw(asked, by="analyst")
    requests.ask(FORM, requested_by="analyst", run="ask-visits/manual__2")
    decide(asked, "custodian", "approved", "Useful.")
    decide(asked, "council", "approved", "Useful.")
    with pytest.raises(ApprovalError, match="does not wait for anybody"):
        requests.withdraw(asked, by="analyst")
    assert requests.authorise(asked)


@pytest.mark.parametrize(
    ("field", "value"),
    [("purpose", "To sell the figures to insurers."), ("audience", "restricted"), ("requested_by", "eve")],
)
def test_no_step_takes_a_request_whose_declaration_was_changed_though_nobody_has_to_approve_it(
    clinic: Any, field: str, value: str
) -> None:
    clinic.change("datasets/visits.yaml", budget={"epsilon": 10, "delta": "1e-6", "no_approval_below": 5})
    clinic.settings.home.mkdir()
    made = requests.ask(FORM, requested_by="analyst")
    assert made.path == "allowed"
    assert open_run(made.edition).release.purpose == FORM["purpose"]
    path = clinic.settings.requests / f"{made.id}.yaml"
    path.write_text(yaml.write({**yaml.parse(path.read_text()), field: value}))
    with pytest.raises(CatalogueError, match=r"not (what was asked|the form that was filled in) under this id"):
        open_run(made.edition)
    assert [alert.subject for alert in unreadable_requests(settings=clinic.settings)] == [
        f"The request {made.id} cannot be read"
    ]


@pytest.mark.slow
def test_an_answer_is_there_once_it_is_published_and_the_newest_request_comes_first(clinic: Any) -> None:
    clinic.change("datasets/visits.yaml", budget={"epsilon": 10, "delta": "1e-6", "no_approval_below": 5})
    clinic.settings.home.mkdir()
    first = requests.ask(FORM, requested_by="analyst")
    assert [s.state for s in stands(clinic)] == ["going"]
    pipeline.run_edition(first.edition)
    second = requests.ask({**FORM, "epsilon": 0.5, "free": "never"}, requested_by="analyst")
    assert [(s.asked.id, s.state) for s in stands(clinic)] == [(second.id, "going"), (first.id, "published")]


def test_a_request_that_the_budget_cannot_pay_for_is_listed_with_the_reason(clinic: Any) -> None:
    clinic.change("datasets/visits.yaml", budget={"epsilon": 0.1, "delta": "1e-6"})
    clinic.settings.home.mkdir()
    with pytest.raises(BudgetError) as stopped:
        requests.ask(FORM, requested_by="analyst")
    (kept,) = stands(clinic)
    keep_stopped(kept.asked.id, str(stopped.value), settings=clinic.settings)
    assert [(s.state, s.why) for s in stands(clinic)] == [("stopped", str(stopped.value))]


def test_a_damaged_note_of_a_request_hides_itself_and_no_other(clinic: Any, asked: str) -> None:
    for name, text in (("adhoc-1", "{"), ("adhoc-2", "[]"), ("adhoc-3", '{"id": "x"}')):
        (clinic.settings.requests / name).mkdir()
        (clinic.settings.requests / name / "asked.json").write_text(text)
    assert [s.asked.id for s in stands(clinic)] == [asked]
    assert requests_of("analyst", ledger=None, settings=clinic.settings)[0].state == "waiting"
