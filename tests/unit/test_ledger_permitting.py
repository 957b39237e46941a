"""Whether a plan could be reserved is answered as ``reserve`` would, before any row is read and without a trace."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from ledger_examples import Clock, dataset, plan, reserve

from dp_stats.errors import ApprovalError, BudgetError, LedgerError
from dp_stats.ledger import Ledger
from dp_stats.plan.model import Plan

BOTH = ("custodian", "council")


def permit(ledger: Ledger, wanted: Plan, **changed: Any) -> None:
    given = {"dataset": dataset(), "category": "adhoc", "requested_by": "analyst", "purpose": ""} | changed
    before = ledger.entries()
    try:
        ledger.permit(wanted, **given)
    finally:
        assert ledger.entries() == before


def approve(ledger: Ledger, wanted: Plan, *, hours: int = 24, left: str = "0.02") -> None:
    for custodian in BOTH:
        ledger.approve(
            wanted.hash, custodian, "approved", "", Clock().now + timedelta(hours=hours), {"2021": Fraction(left)}
        )


def test_every_custodian_is_asked_for(ledger: Ledger) -> None:
    with pytest.raises(
        ApprovalError, match=r"^weekly/2021-W07 may not be measured: custodian has not .+; council has not"
    ):
        permit(ledger, plan())
    approve(ledger, plan())
    permit(ledger, plan())
    with pytest.raises(ApprovalError, match="custodian asked for it"):
        permit(ledger, plan(), requested_by="Custodian")


def test_scheduled_and_allowed_requests_need_nobody(ledger: Ledger) -> None:
    permit(ledger, plan(), category="scheduled")
    permit(ledger, plan(rho="0.004"), dataset=dataset(rho="0.02", no_approval_below="0.01"))
    allowed = dataset(rho="0.02", no_approval_below="0.01")
    reserve(ledger, plan("2021-W01", release="other"), dataset=allowed, category="adhoc", requested_by="analyst")
    with pytest.raises(ApprovalError):
        permit(ledger, plan(rho="0.006"), dataset=allowed)
    permit(ledger, plan(rho="0.006"), dataset=allowed, requested_by="another")


def test_the_budget_must_allow_it(ledger: Ledger) -> None:
    with pytest.raises(BudgetError, match=r"weekly/2021-W07"):
        permit(ledger, plan(rho="0.021"), category="scheduled")
    reserve(ledger, plan("2021-W01", rho="0.016", release="other"))
    with pytest.raises(BudgetError):
        permit(ledger, plan(), category="scheduled")


def test_an_approval_that_expired_counts_no_more_even_for_what_is_reserved(ledger: Ledger, clock: Clock) -> None:
    approve(ledger, plan(), hours=1)
    reserve(ledger, plan(), category="adhoc", requested_by="analyst")
    permit(ledger, plan())
    clock.forward(hours=1)
    with pytest.raises(ApprovalError, match="custodian has expired"):
        permit(ledger, plan())


def test_what_is_spent_or_stored_is_not_asked_for_again(ledger: Ledger, clock: Clock) -> None:
    approve(ledger, plan(), hours=1)
    made = reserve(ledger, plan(), category="adhoc", requested_by="analyst")
    ledger.spend(made)
    clock.forward(hours=2)
    permit(ledger, plan())
    ledger.store(made, b"noisy")
    permit(ledger, plan())


def test_another_plan_of_the_same_edition_and_another_revision_are_asked_for(ledger: Ledger) -> None:
    approve(ledger, plan())
    reserve(ledger, plan(), category="adhoc", requested_by="analyst")
    for changed in ({"revision": 2}, {}):
        wanted = plan(variant="" if changed else "other")
        with pytest.raises(ApprovalError, match=r"budget|not decided"):
            permit(ledger, wanted, **changed)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"revision": 0}, "needs a revision from 1"),
        ({"category": "other"}, "scheduled or adhoc"),
        ({"dataset": dataset(per="month")}, "counts blocks per year"),
        ({"dataset": dataset().model_copy(update={"id": "deaths"})}, "is for dataset 'cases'"),
    ],
)
def test_what_makes_no_sense_is_refused_first(ledger: Ledger, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(LedgerError, match=words):
        permit(ledger, plan(), **changed)
