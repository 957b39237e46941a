"""Every custodian asked must have approved this very plan, seeing the budget as it is, and in time."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from ledger_examples import Clock, dataset, plan, reserve

from dp_stats.catalogue.models import Dataset
from dp_stats.errors import ApprovalError, LedgerError
from dp_stats.ledger import Ledger, Reservation, approvers_needed

BOTH = ("custodian", "council")


def approve(
    ledger: Ledger,
    *approvers: str,
    left: str = "0.02",
    decision: str = "approved",
    hours: float = 24,
    at: datetime | None = None,
) -> None:
    for approver in approvers:
        ledger.approve(
            plan().hash,
            approver,
            decision,  # type: ignore[arg-type]
            "seen",
            (at or Clock().now) + timedelta(hours=hours),
            {"2021": left},
        )


def ask(ledger: Ledger, requested_by: str = "analyst", approvers: tuple[str, ...] = BOTH) -> Reservation:
    return reserve(ledger, plan(), category="adhoc", requested_by=requested_by, required_approvers=approvers)


def test_nothing_is_reserved_until_all_custodians_have_approved(ledger: Ledger) -> None:
    with pytest.raises(ApprovalError, match="custodian has not decided"):
        ask(ledger)
    approve(ledger, "custodian")
    with pytest.raises(ApprovalError, match="council has not decided"):
        ask(ledger)
    approve(ledger, "council")
    assert ask(ledger).approvers == BOTH
    assert [a.approver for a in ledger.approvals(plan().hash)] == list(BOTH)


def test_an_approval_of_another_plan_does_not_count(ledger: Ledger) -> None:
    approve(ledger, *BOTH)
    with pytest.raises(ApprovalError):
        reserve(ledger, plan(variant="other"), requested_by="analyst", required_approvers=BOTH)


def test_a_later_refusal_withdraws_an_approval(ledger: Ledger) -> None:
    approve(ledger, *BOTH)
    approve(ledger, "council", decision="refused")
    with pytest.raises(ApprovalError, match="council has refused"):
        ask(ledger)
    assert not ledger.charges()


def test_a_decision_that_timed_out_is_recorded_and_does_not_count(ledger: Ledger) -> None:
    approve(ledger, "custodian")
    approve(ledger, "council", decision="expired")
    with pytest.raises(ApprovalError, match="be measured: council has let it expire"):
        ask(ledger)


def test_an_approval_expires(ledger: Ledger, clock: Clock) -> None:
    approve(ledger, *BOTH, hours=1)
    clock.forward(hours=2)
    with pytest.raises(ApprovalError, match="has expired"):
        ask(ledger)


def test_an_approval_no_longer_holds_at_the_instant_at_which_it_expires(ledger: Ledger, clock: Clock) -> None:
    approve(ledger, *BOTH, hours=1)
    clock.forward(hours=1)
    with pytest.raises(ApprovalError, match="approval of custodian has expired; the approval of council has expired"):
        ask(ledger)


@pytest.mark.parametrize("how", ["expired", "refused"])
def test_an_approval_must_still_hold_when_the_budget_is_spent(ledger: Ledger, clock: Clock, how: str) -> None:
    approve(ledger, *BOTH, hours=1)
    made = ask(ledger)
    if how == "expired":
        clock.forward(hours=2)
    else:
        approve(ledger, "council", decision="refused")
    with pytest.raises(ApprovalError):
        ledger.spend(made)
    with pytest.raises(ApprovalError):
        ask(ledger)
    assert ledger.void(made, "no longer approved").state == "void"


def test_a_stored_edition_is_found_again_after_its_approval_has_expired(ledger: Ledger, clock: Clock) -> None:
    approve(ledger, *BOTH, hours=1)
    made = ask(ledger)
    ledger.spend(made)
    ledger.store(made, b"noisy")
    clock.forward(days=400)
    assert ask(ledger).state == "stored"


@pytest.mark.parametrize("name", ["custodian", "Custodian", " CUSTODIAN "])
def test_nobody_approves_their_own_request(ledger: Ledger, name: str) -> None:
    approve(ledger, *BOTH)
    with pytest.raises(ApprovalError, match="asked for it"):
        ask(ledger, requested_by=name)


def test_an_approval_is_bound_to_the_budget_that_was_shown(ledger: Ledger) -> None:
    approve(ledger, *BOTH)
    reserve(ledger, plan("2021-W30", release="other"))
    with pytest.raises(ApprovalError, match="another budget for block 2021"):
        ask(ledger)
    approve(ledger, *BOTH, left=str(ledger.blocks()[0].remaining))
    assert ask(ledger).state == "reserved"


def test_every_block_that_has_changed_since_is_named(ledger: Ledger) -> None:
    wide = plan("2021-W53", blocks=["2021", "2022", "2023"])
    shown = {"2021": "0.02", "2022": "0.019", "2023": "0.02"}
    ledger.approve(wide.hash, "custodian", "approved", "", Clock().now + timedelta(days=1), shown)
    for year in ("2021", "2023"):
        reserve(ledger, plan(f"{year}-W30", release="other", blocks=[year]))
    with pytest.raises(ApprovalError, match="another budget for block 2021, 2023 than is left now"):
        reserve(ledger, wide, requested_by="analyst", required_approvers=["custodian"])


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (("", "custodian", "seen"), "plan hash"),
        (("p", "", "seen"), "approver"),
        (("p", "custodian", "a\x07"), "reason"),
    ],
)
def test_a_decision_is_refused_by_the_name_of_what_is_missing_or_unprintable(
    ledger: Ledger, given: tuple[str, str, str], name: str
) -> None:
    plan_hash, approver, reason = given
    with pytest.raises(LedgerError, match=f"The {name} "):
        ledger.approve(plan_hash, approver, "refused", reason, None, {})
    with pytest.raises(LedgerError, match="one of approved, refused and expired"):
        ledger.approve("p", "custodian", "perhaps", "", None, {})  # type: ignore[arg-type]


def test_an_approval_that_did_not_show_a_block_does_not_count(ledger: Ledger) -> None:
    wide = plan("2021-W53", blocks=["2021", "2022"])
    expires = Clock().now + timedelta(days=1)
    ledger.approve(wide.hash, "custodian", "approved", "", expires, {"2021": Fraction("0.02")})
    with pytest.raises(ApprovalError, match="2022"):
        reserve(ledger, wide, requested_by="analyst", required_approvers=["custodian"])


def test_one_approval_does_not_pay_for_a_second_revision(ledger: Ledger) -> None:
    approve(ledger, *BOTH)
    made = ask(ledger)
    ledger.spend(made)
    ledger.store(made, b"noisy")
    with pytest.raises(ApprovalError, match="another budget"):
        reserve(
            ledger,
            plan(),
            revision=2,
            reason="again",
            category="adhoc",
            requested_by="analyst",
            required_approvers=BOTH,
        )


def test_an_approval_needs_an_end_and_a_budget(ledger: Ledger) -> None:
    now = Clock().now
    for expires in (None, now, now - timedelta(1), datetime(2030, 1, 1)):  # noqa: DTZ001
        with pytest.raises(ApprovalError, match="expires"):
            ledger.approve(plan().hash, "custodian", "approved", "", expires, {"2021": "0.02"})
    with pytest.raises(ApprovalError, match="shown"):
        ledger.approve(plan().hash, "custodian", "approved", "", now + timedelta(1), {})
    with pytest.raises(LedgerError, match="exact"):
        ledger.approve(plan().hash, "custodian", "approved", "", now + timedelta(1), {"2021": 0.02})  # type: ignore[dict-item]
    ledger.approve(plan().hash, "custodian", "refused", "too much", None, {})
    ledger.verify()


def test_all_custodians_approve_ad_hoc_releases_that_cost_more_than_the_allowance() -> None:
    allowed = dataset(rho="0.02", no_approval_below="0.001")
    assert approvers_needed(allowed, rho=Fraction("0.001"), category="adhoc") == BOTH
    assert approvers_needed(allowed, rho=Fraction("0.0009"), category="adhoc") == ()
    assert approvers_needed(allowed, rho=Fraction(1), category="scheduled") == ()
    assert approvers_needed(dataset(), rho=Fraction(1, 10**9), category="adhoc") == BOTH


def small(ledger: Ledger, number: int, *, analyst: str = "analyst", blocks: tuple[str, ...] = ("2021",)) -> Reservation:
    """An ad hoc request that costs 0.004, under an allowance of 0.01."""
    wanted = plan(f"2021-W{number:02d}", rho="0.004", release=f"adhoc-{number}", blocks=blocks)
    allowed = dataset(rho="0.1", no_approval_below="0.01")
    return reserve(ledger, wanted, dataset=allowed, category="adhoc", requested_by=analyst)


def test_requests_below_the_allowance_add_up_per_analyst_and_block(ledger: Ledger) -> None:
    first, second = small(ledger, 1), small(ledger, 2, analyst=" Analyst")
    with pytest.raises(ApprovalError, match="custodian has not decided"):
        small(ledger, 3)
    assert small(ledger, 2).id == second.id, "the same again is no new request"
    small(ledger, 4, analyst="another")
    small(ledger, 5, blocks=("2020",))
    with pytest.raises(ApprovalError):
        small(ledger, 6, blocks=("2020", "2021"))
    ledger.void(first, "not needed")
    small(ledger, 7)
    with pytest.raises(ApprovalError):
        small(ledger, 8)


def test_neither_scheduled_editions_nor_another_dataset_use_up_an_analysts_allowance(ledger: Ledger) -> None:
    """Also where a scheduled edition was started by hand, by an analyst."""
    allowed = dataset(rho="0.1", no_approval_below="0.01")
    for week in (1, 2, 3):
        reserve(ledger, plan(f"2021-W0{week}"), dataset=allowed, category="scheduled", requested_by="analyst")
    small(ledger, 4)
    small(ledger, 5)
    wanted = plan("2021-W06", rho="0.004", release="adhoc-6")

    def approvers(of: str) -> tuple[str, ...]:
        return ledger.quote(
            wanted.model_copy(update={"dataset": of}),
            dataset=allowed.model_copy(update={"id": of}),
            category="adhoc",
            requested_by="analyst",
        ).approvers

    assert approvers("cases") == BOTH
    assert approvers("deaths") == ()


def test_what_custodians_approved_leaves_the_allowance_as_it_was(ledger: Ledger) -> None:
    wanted = plan("2021-W10", rho="0.05", release="adhoc-10")
    allowed = dataset(rho="0.1", no_approval_below="0.01")
    for custodian in BOTH:
        ledger.approve(wanted.hash, custodian, "approved", "", Clock().now + timedelta(1), {"2021": "0.1"})
    made = reserve(ledger, wanted, dataset=allowed, category="adhoc", requested_by="analyst")
    assert made.approvers == BOTH, "the ledger asks for approvals itself"
    small(ledger, 1)
    quote = ledger.quote(
        plan("2021-W12", rho="0.004", release="adhoc-12"), dataset=allowed, category="adhoc", requested_by="analyst"
    )
    assert quote.approvers == ()
    small(ledger, 2)
    quote = ledger.quote(
        plan("2021-W12", rho="0.004", release="adhoc-12"), dataset=allowed, category="adhoc", requested_by="analyst"
    )
    assert quote.approvers == BOTH


def test_decisions_are_told_from_a_moment_on_oldest_first(ledger: Ledger, clock: Clock) -> None:
    since, made = clock.now, [("custodian", "refused"), ("council", "approved"), ("custodian", "approved")]
    for approver, decision in made:
        approve(ledger, approver, decision=decision)
        clock.forward(hours=1)

    def told(hours: float) -> list[tuple[str, str]]:
        return [(one.approver, one.decision) for one in ledger.decided_since(since + timedelta(hours=hours))]

    assert told(-1) == told(0) == made
    assert told(1) == made[1:]
    assert told(1.001) == made[2:]
    assert told(3) == []


def with_deputy(**days: str) -> Dataset:
    """The dataset, whose custodian has a deputy from the first to the fifth of March, or on other days."""
    deputy = {"user": "stand-in", "first_day": "2021-03-01", "last_day": "2021-03-05", **days}
    content = dataset().model_dump(mode="json", by_alias=True)
    content["custodians"][0]["deputies"] = [deputy]
    return Dataset.model_validate(content)


def in_the_place(ledger: Ledger, approver: str, of: str, decision: Any = "approved") -> None:
    until = Clock().now + timedelta(days=30)
    ledger.approve(plan().hash, approver, decision, "seen", until, {"2021": "0.02"}, instead_of=of)


def asked(ledger: Ledger, declared: Dataset, by: str = "analyst") -> Reservation:
    return reserve(
        ledger, plan(), dataset=declared, category="adhoc", requested_by=by, required_approvers=("custodian", "council")
    )


def permitted(ledger: Ledger, declared: Dataset) -> None:
    ledger.permit(plan(), dataset=declared, category="adhoc", requested_by="analyst", purpose="")


def test_a_deputy_decides_in_the_custodians_place_on_the_declared_days_and_the_ledger_says_so(ledger: Ledger) -> None:
    approve(ledger, "council")
    in_the_place(ledger, "stand-in", "custodian")
    for days in ({"first_day": "2021-03-02"}, {"first_day": "2021-02-01", "last_day": "2021-02-28"}):
        with pytest.raises(ApprovalError, match="stand-in was not declared a deputy of custodian on 2021-03-01"):
            asked(ledger, with_deputy(**days))
        with pytest.raises(ApprovalError, match="stand-in was not declared a deputy of custodian on 2021-03-01"):
            permitted(ledger, with_deputy(**days))
    permitted(ledger, with_deputy())
    with pytest.raises(ApprovalError, match="was not declared a deputy"):
        asked(ledger, dataset())
    assert asked(ledger, with_deputy()).approvers == ("custodian", "council")
    made = ledger.approvals(plan().hash)[-1]
    assert (made.approver, made.instead_of, made.custodian) == ("stand-in", "custodian", "custodian")
    ledger.verify()


def test_a_deputy_of_one_custodian_decides_for_no_other_and_never_on_her_own_request(ledger: Ledger) -> None:
    approve(ledger, "custodian")
    in_the_place(ledger, "stand-in", "council")
    with pytest.raises(ApprovalError, match="stand-in was not declared a deputy of council"):
        asked(ledger, with_deputy())
    approve(ledger, "council")
    in_the_place(ledger, "stand-in", "custodian")
    with pytest.raises(ApprovalError, match="stand-in asked for it and cannot approve it in the place of custodian"):
        asked(ledger, with_deputy(), by="Stand-In")


def test_the_latest_decision_counts_the_custodians_own_or_a_deputys(ledger: Ledger) -> None:
    approve(ledger, "council")
    in_the_place(ledger, "stand-in", "custodian")
    approve(ledger, "custodian", decision="refused")
    with pytest.raises(ApprovalError, match="custodian has refused"):
        asked(ledger, with_deputy())
    in_the_place(ledger, "stand-in", "custodian")
    assert asked(ledger, with_deputy()).state == "reserved"


@pytest.mark.parametrize("user", ["custodian", "Council"])
def test_who_is_a_custodian_is_no_deputy_as_each_decides_for_itself(user: str) -> None:
    with pytest.raises(ValueError, match="cannot be a deputy of Health service"):
        with_deputy(user=user)


def test_nobody_is_deputy_of_two_custodians() -> None:
    content = with_deputy().model_dump(mode="json", by_alias=True)
    content["custodians"][1]["deputies"] = content["custodians"][0]["deputies"]
    with pytest.raises(ValueError, match="a deputy of another"):
        Dataset.model_validate(content)
    with pytest.raises(ValueError, match="end before they begin"):
        with_deputy(last_day="2021-02-01")
