"""A decision counts for what its card showed: this plan, cost, purpose, and a floor under what is left after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from ledger_examples import Clock, dataset, plan, reserve
from sqlalchemy import delete

from dp_stats.errors import ApprovalError, LedgerError
from dp_stats.ledger import Ledger, Reservation, schema
from dp_stats.ledger.cards import ShownCard, objections
from dp_stats.ledger.records import Quote

BOTH = ("custodian", "council")
WANTED = plan(variant="For research", blocks=("2020", "2021"))


def quote(ledger: Ledger) -> Quote:
    return ledger.quote(WANTED, dataset=dataset(), category="adhoc", requested_by="analyst")


def card(ledger: Ledger, **changed: Any) -> ShownCard:
    """The card of ``WANTED``, which promises all that would be left."""
    seen = quote(ledger)
    left = {state.block: state.remaining for state in seen.before}
    shown = ShownCard(
        plan=WANTED.hash,
        edition=WANTED.edition,
        revision=1,
        requested_by="analyst",
        purpose="For research",
        audience="public",
        rho=seen.rho,
        left=left,
        floors=dict(seen.remaining_after),
        text="Weekly cases for ‘research’",
    )
    return replace(shown, **changed)


def decide(ledger: Ledger, shown: ShownCard | Mapping[str, Fraction | str], *, plan_hash: str = WANTED.hash) -> None:
    for custodian in BOTH:
        ledger.approve(plan_hash, custodian, "approved", "seen", Clock().now + timedelta(days=1), shown)


def permit(ledger: Ledger, **changed: Any) -> None:
    given = {"dataset": dataset(), "category": "adhoc", "requested_by": "analyst", "purpose": "For research"} | changed
    ledger.permit(WANTED, **given)


def ask(ledger: Ledger, **changed: Any) -> Reservation:
    return reserve(ledger, WANTED, **({"category": "adhoc", "requested_by": "analyst"} | changed))


def test_a_card_is_kept_as_it_was_shown_and_found_by_the_hash_of_the_decision(ledger: Ledger) -> None:
    shown = card(ledger)
    decide(ledger, shown)
    (kept,) = {approval.card for approval in ledger.approvals(WANTED.hash)}
    assert kept == shown.hash
    assert ledger.card(kept) == shown
    assert ledger.approvals(WANTED.hash)[0].shown == {"2020": Fraction("0.02"), "2021": Fraction("0.02")}
    ledger.verify()


@pytest.mark.parametrize(
    "changed",
    [
        {"plan": "another"},
        {"edition": "weekly/2021-W08"},
        {"revision": 2},
        {"requested_by": "somebody else"},
        {"purpose": "To sell"},
        {"audience": "restricted"},
        {"rho": Fraction(1, 3)},
        {"left": {"2021": Fraction(1, 7)}},
        {"floors": {"2021": Fraction(1, 7)}},
        {"text": "other words"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_every_fact_of_a_card_is_in_its_hash_and_read_again(ledger: Ledger, changed: dict[str, Any]) -> None:
    shown, other = card(ledger), card(ledger, **changed)
    assert other.hash != shown.hash
    assert ShownCard.read(other.content) == other


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"null", b'{"left": {}, "floors": {}}', b'{"left": 1, "floors": {}}', b"\xff"],
)
def test_what_is_no_card_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(LedgerError, match=r"^What a custodian was shown cannot be read\. Show the card again\.$"):
        ShownCard.read(content)


def test_a_card_that_is_not_there_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="missing or was altered"):
        ledger.card("0" * 64)


def test_a_card_that_was_decided_on_and_is_lost_is_named(ledger: Ledger) -> None:
    shown = card(ledger)
    decide(ledger, shown)
    assert ledger.problems() == []
    with ledger._database.write() as connection:
        for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.execute(delete(schema.parts).where(schema.parts.c.hash == shown.hash))
    assert ledger.problems() == [f"part {shown.hash[:12]} of what is kept of an edition is missing"]


def test_a_decision_counts_for_the_plan_of_its_card_only(ledger: Ledger) -> None:
    with pytest.raises(ApprovalError, match="counts for the plan whose card was shown"):
        decide(ledger, card(ledger), plan_hash=plan().hash)


def test_what_was_shown_may_be_measured(ledger: Ledger) -> None:
    decide(ledger, card(ledger))
    permit(ledger)
    assert not ledger.charges(), "permitting writes nothing"
    assert ask(ledger).state == "reserved"
    permit(ledger)


@pytest.mark.parametrize(
    ("changed", "objection"),
    [
        ({"revision": 2}, "another plan was shown"),
        ({"purpose": "To sell"}, "another purpose was shown"),
        ({"rho": Fraction("0.0049")}, "another cost was shown"),
        ({"floors": {"2020": Fraction(0)}}, "block 2021 was not shown"),
    ],
)
def test_a_card_of_something_else_does_not_count(ledger: Ledger, changed: dict[str, Any], objection: str) -> None:
    decide(ledger, card(ledger, **changed))
    for way in (permit, ask):
        with pytest.raises(ApprovalError) as caught:
            way(ledger)
        for custodian in BOTH:
            assert f"{objection}, so the approval of {custodian} does not count" in str(caught.value)
    assert not ledger.charges()


def test_an_approval_holds_as_long_as_what_it_promised_is_left(ledger: Ledger) -> None:
    """Others may be charged meanwhile, down to the floor; one grain below it, the card promised more."""
    floors = {block: rho - Fraction("0.002") for block, rho in quote(ledger).remaining_after.items()}
    decide(ledger, card(ledger, floors=floors))
    reserve(ledger, plan("2021-W30", rho="0.002", release="other"))
    permit(ledger)
    reserve(ledger, plan("2021-W31", rho="0.001", release="another"))
    with pytest.raises(
        ApprovalError, match=r"promised that at least .+ of block 2021 is left after it, and .+ would be"
    ):
        permit(ledger)
    with pytest.raises(ApprovalError, match="block 2021") as caught:
        ask(ledger)
    assert "block 2020" not in str(caught.value)


def test_every_objection_is_told(ledger: Ledger) -> None:
    other = card(ledger, plan="another", purpose="To sell", rho=Fraction(1), floors={})
    told = list(objections(other, plan=WANTED.hash, revision=1, purpose="For research", quote=quote(ledger)))
    assert told == [
        "another plan was shown",
        "another purpose was shown",
        "another cost was shown",
        "block 2020 was not shown",
        "block 2021 was not shown",
    ]
    assert list(objections(other, plan="another", revision=1)) == [], "what was compared before is not asked again"


def test_a_floor_is_told_in_the_unit_of_its_block(ledger: Ledger) -> None:
    """At the δ of the block, as every budget is shown."""
    dear = {block: Fraction("0.02") for block in ("2020", "2021")}
    (first, _) = objections(card(ledger, floors=dear), plan=WANTED.hash, revision=1, quote=quote(ledger))
    assert first == (
        "the card promised that at least ρ 0.02 (ε 0.8999 at δ 1e-06) of block 2020 is left after it, "
        "and ρ 0.015 (ε 0.7717 at δ 1e-06) would be"
    )


def test_what_was_decided_on_the_same_person_or_purpose_is_shown_newest_first(ledger: Ledger) -> None:
    until = Clock().now + timedelta(days=1)
    asked = [
        ("2021-W10", "analyst", "For research"),
        ("2021-W11", " Analyst", "To sell"),
        ("2021-W12", "other", "for RESEARCH "),
        ("2021-W13", "other", "To sell"),
    ]
    for week, who, why in asked:
        wanted = plan(week, variant=why, blocks=("2021",))
        shown = replace(card(ledger), plan=wanted.hash, edition=wanted.edition, requested_by=who, purpose=why)
        ledger.approve(wanted.hash, "custodian", "refused", f"on {week}", None, shown)
    ledger.approve(
        WANTED.hash, "council", "approved", "without a card", until, {"2020": Fraction(1), "2021": Fraction(1)}
    )

    def weeks(who: str, why: str) -> list[str]:
        found = ledger.history(requested_by=who, purpose=why)
        assert all(approval.card == shown.hash and approval.plan_hash == shown.plan for approval, shown in found)
        return [approval.reason for approval, _ in found]

    assert weeks("analyst", "For research") == ["on 2021-W12", "on 2021-W11", "on 2021-W10"]
    assert weeks("OTHER", "nothing else") == ["on 2021-W13", "on 2021-W12"]
    assert weeks("nobody", "to sell") == ["on 2021-W13", "on 2021-W11"]
    assert weeks("nobody", "nothing else") == []


def test_a_card_of_another_plan_is_not_recorded(ledger: Ledger) -> None:
    before = ledger.head()
    with pytest.raises(ApprovalError):
        ledger.approve("0" * 64, "custodian", "refused", "seen", None, card(ledger))
    assert ledger.head() == before
