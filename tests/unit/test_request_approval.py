"""Who decides on a request, and when it goes on: every custodian asked, by the latest decision, and nobody on her own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_examples import dataset, plan, sealed

from dp_stats.catalogue.models import Dataset
from dp_stats.errors import ApprovalError
from dp_stats.ledger import Approval
from dp_stats.ledger.records import Quote
from dp_stats.plan.model import ExpectedError
from dp_stats.requests.approval import is_approved, may_decide, path_of
from dp_stats.requests.free_answers import FreeAnswer
from dp_stats.requests.preflight import Card
from dp_stats.requests.questions import Question

PLAN = plan().model_copy(
    update={
        "expected": tuple(
            ExpectedError(
                table="all", statistic=name, cells=1, prior_mean=None, margin_95=margin, worst=99, relative=None
            )
            for name, margin in (("visits", 3.0), ("rate", 5.0))
        )
    }
)
DECISIONS = ("approved", "refused", "expired")


def card(*approvers: str, requested_by: str | None = "Ann", free: float | None = None) -> Card:
    """A request of Ann's that these must approve; ``free`` is the margin of the free answer."""
    return Card(
        release=sealed(plan()).release.model_copy(update={"requested_by": requested_by}),
        dataset=dataset(),
        plan=PLAN,
        quote=Quote(Fraction(1), ("2021",), (), {}, (), False),
        blocks=(),
        unreliable=None,
        free=None if free is None else FreeAnswer("weekly", "Weekly", ("weekly/2021-W07",), free, {}),
        approvers=approvers,
    )


def question(free: Literal["enough", "always", "never"], margin: float | None = None) -> Question:
    goal: dict[str, Any] = {"epsilon": 1} if margin is None else {"margin": margin}
    return Question(dataset="cases", period="2021-W07", purpose="To plan how many are needed.", free=free, **goal)


def decided(approver: str, decision: str) -> Approval:
    return Approval(PLAN.hash, approver, decision, "", None, {}, datetime(2021, 3, 1, tzinfo=UTC))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("free", "answer", "margin", "enough"),
    [
        ("enough", None, None, False),
        ("always", None, None, False),
        ("enough", 5.0, None, True),
        ("enough", 5.1, None, False),
        ("enough", 5.1, 5.1, True),
        ("enough", 5.0, 4.9, False),
        ("always", 5.1, 1.0, True),
        ("never", 0.0, None, False),
        ("never", 0.0, 1.0, False),
    ],
)
def test_a_free_answer_is_enough_only_where_it_is_as_accurate_as_what_was_asked_or_paid_for(
    free: Literal["enough", "always", "never"], answer: float | None, margin: float | None, enough: bool
) -> None:
    asked = question(free, margin)
    assert path_of(card(free=answer), asked) == ("free" if enough else "allowed")
    assert path_of(card("custodian", free=answer), asked) == ("free" if enough else "approval")


def test_where_nothing_is_known_of_what_paying_would_give_a_free_answer_is_enough() -> None:
    unknown = replace(card(free=5.0), plan=PLAN.model_copy(update={"expected": ()}))
    assert path_of(unknown, question("enough")) == "free"
    assert path_of(unknown, question("enough", 4.9)) == "allowed"


@pytest.mark.parametrize("name", ["Ann", "ann", " ANN "])
def test_nobody_decides_on_her_own_request_however_she_writes_her_name(name: str) -> None:
    for made in (card(), card("Ann", "custodian")):
        with pytest.raises(ApprovalError, match=f"{name} asked for weekly/2021-W07 and cannot approve it as well"):
            may_decide(made, name)


def test_only_those_who_must_approve_decide_and_anybody_where_nobody_must() -> None:
    for name in ("custodian", "Council", " council"):
        may_decide(card("custodian", "council"), name)
    with pytest.raises(ApprovalError, match=r"engineer is no custodian of 'cases'\. Ask custodian, council\."):
        may_decide(card("custodian", "council"), "engineer")
    may_decide(card(), "engineer")
    may_decide(card("custodian", requested_by=None), "custodian")


@given(
    st.lists(st.tuples(st.sampled_from(["custodian", "Council ", "engineer"]), st.sampled_from(DECISIONS)), max_size=6),
    st.lists(st.sampled_from(["custodian", "council"]), unique=True),
)
def test_it_goes_on_only_by_the_latest_decision_of_every_custodian(
    history: Sequence[tuple[str, str]], approvers: Sequence[str]
) -> None:
    latest = [
        next((decision for who, decision in reversed(history) if who.strip().lower() == approver), "missing")
        for approver in approvers
    ]
    made, told = card(*approvers), [decided(who, decision) for who, decision in history]
    if {"refused", "expired"} & set(latest):
        assert not is_approved(made, iter(told))
    elif "missing" in latest:
        names = ", ".join(a for a, decision in zip(approvers, latest, strict=True) if decision == "missing")
        with pytest.raises(
            ApprovalError, match=rf"weekly/2021-W07 may not be measured: .* no decision of {names}\. Only"
        ):
            is_approved(made, iter(told))
    else:
        assert is_approved(made, iter(told))


def test_a_deputy_may_decide_on_her_days_and_in_nobody_elses_place_nor_on_what_either_asked() -> None:
    today = datetime.now(UTC).date()
    days = {"first_day": today - timedelta(days=1), "last_day": today + timedelta(days=1)}
    content = dataset().model_dump(mode="json", by_alias=True)
    content["custodians"][0]["deputies"] = [
        {"user": "Deputy", **days},
        {"user": "Late", "first_day": "2020-01-01", "last_day": "2020-01-02"},
    ]
    made = replace(card("custodian", "council"), dataset=Dataset.model_validate(content))
    may_decide(made, "deputy", instead_of="custodian")
    for user, place, words in (
        ("deputy", "council", "no deputy of council today"),
        ("Late", "custodian", "no deputy of custodian today"),
        ("deputy", "", "is no custodian"),
    ):
        with pytest.raises(ApprovalError, match=words):
            may_decide(made, user, instead_of=place)
    for asker, words in (("deputy", "cannot approve it as well"), ("Custodian", "no deputy can approve it")):
        release = made.release.model_copy(update={"requested_by": asker})
        with pytest.raises(ApprovalError, match=words):
            may_decide(replace(made, release=release), "deputy", instead_of="custodian")
    decisions = [replace(decided("deputy", "approved"), instead_of="custodian"), decided("council", "approved")]
    assert is_approved(made, decisions)


@pytest.fixture
def a_day_ahead(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on whose clock it is always tomorrow."""
    monkeypatch.setenv("TZ", "AHEAD-24")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("a_day_ahead")
def test_a_deputys_days_are_those_of_universal_time_wherever_the_machine_stands() -> None:
    today = datetime.now(UTC).date()
    content = dataset().model_dump(mode="json", by_alias=True)
    content["custodians"][0]["deputies"] = [{"user": "deputy", "first_day": today, "last_day": today}]
    made = replace(card("custodian", "council"), dataset=Dataset.model_validate(content))
    may_decide(made, "deputy", instead_of="custodian")
