"""The same edition never pays twice, a series pays once per block, a correction pays again, and void gives back."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from ledger_examples import dataset, measured, new_ledger, plan, reserve, sealed

from dp_stats.errors import ApprovalError, BudgetError, LedgerError
from dp_stats.ledger import Ledger, Reservation
from dp_stats.plan.model import Plan
from dp_stats.plan.sealed import SealedPlan


def spent(ledger: Ledger, block: str = "2021") -> Fraction:
    return next((b.spent + b.reserved for b in ledger.blocks() if b.block == block), Fraction(0))


@pytest.mark.parametrize("state", ["reserved", "spent", "stored"])
def test_reserving_again_returns_the_same_reservation_at_no_cost(tmp_path: Path, state: str) -> None:
    ledger = new_ledger(tmp_path)
    first = reserve(ledger, plan(), run="run 1")
    if state != "reserved":
        ledger.spend(first)
    if state == "stored":
        ledger.store(first, b"noisy")
    again = reserve(ledger, plan(), run="run 2")
    assert (again.id, again.state, again.run) == (first.id, state, "run 1")
    assert spent(ledger) == Fraction("0.005")


def test_a_series_pays_once_per_block_for_all_its_editions(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    for week in range(1, 53):
        made = reserve(ledger, plan(f"2021-W{week:02d}", rho="0.02", series="weekly"))
        assert made.charged == (("2021",) if week == 1 else ())
    assert spent(ledger) == Fraction("0.02")
    border = reserve(ledger, plan("2021-W53", rho="0.02", series="weekly", blocks=["2021", "2022"]))
    assert border.charged == ("2022",)
    assert spent(ledger) == spent(ledger, "2022") == Fraction("0.02")
    ledger.verify()


def test_an_edition_that_costs_more_than_its_series_paid_is_refused(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    reserve(ledger, plan("2021-W01", rho="0.001", series="weekly"))
    with pytest.raises(LedgerError, match="more than its series"):
        reserve(ledger, plan("2021-W02", rho="0.002", series="weekly"))


@pytest.mark.parametrize("stored", [False, True])
def test_another_plan_for_a_measured_edition_is_refused_and_told_to_make_a_revision(
    tmp_path: Path, stored: bool
) -> None:
    ledger = new_ledger(tmp_path)
    first = reserve(ledger, plan())
    ledger.spend(first)
    if stored:
        ledger.store(first, b"noisy")
    with pytest.raises(LedgerError, match="revision 2"):
        reserve(ledger, plan(variant="other"))
    assert spent(ledger) == Fraction("0.005")


def test_another_plan_replaces_a_reservation_that_was_not_spent(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    first = reserve(ledger, plan(rho="0.02"))
    second = reserve(ledger, plan(rho="0.015"))
    assert spent(ledger) == Fraction("0.015")
    with pytest.raises(LedgerError, match="void"):
        ledger.spend(first)
    ledger.spend(second)
    ledger.verify()


def test_a_refused_replacement_leaves_the_first_reservation_in_place(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    first = reserve(ledger, plan(rho="0.02"))
    with pytest.raises(BudgetError):
        reserve(ledger, plan(rho="0.03"))
    assert ledger.reservation(first.edition) == first


def test_a_revision_needs_a_reason_and_is_a_new_charge(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan(series="weekly"))
    with pytest.raises(LedgerError, match="reason"):
        reserve(ledger, plan(series="weekly"), revision=2, reason="  ")
    corrected = reserve(ledger, plan(series="weekly"), revision=2, reason="late rows of week 7")
    assert corrected.charged == ("2021",)
    assert corrected.key.endswith("+r2")
    assert spent(ledger) == Fraction("0.01")
    beside = reserve(ledger, plan("2021-W08", series="weekly"), revision=2, reason="late rows of week 8")
    assert beside.charged == ()
    assert ledger.entries()[-2].payload["reason"] == "late rows of week 7"
    ledger.verify()


def test_void_gives_back_what_was_not_spent(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan(rho="0.02"))
    assert ledger.void(made, "not wanted").state == "void"
    assert ledger.void(made, "twice is once").state == "void"
    assert spent(ledger) == 0
    again = reserve(ledger, plan(rho="0.02"))
    assert again.id != made.id
    assert again.charged == ("2021",)
    ledger.verify()


def test_void_is_refused_once_spent(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan())
    ledger.spend(made)
    with pytest.raises(LedgerError, match="cannot be void"):
        ledger.void(made, "a pity")
    assert spent(ledger) == Fraction("0.005")


def test_void_of_one_edition_keeps_the_charges_that_other_editions_of_its_series_use(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    first = reserve(ledger, plan("2021-W01", series="weekly"))
    second = reserve(ledger, plan("2021-W53", series="weekly", blocks=["2021", "2022"]))
    ledger.void(first, "not wanted")
    assert spent(ledger, "2021") == spent(ledger, "2022") == Fraction("0.005")
    ledger.void(second, "neither")
    assert spent(ledger, "2021") == spent(ledger, "2022") == 0
    ledger.verify()


def test_void_of_a_later_edition_leaves_what_its_series_has_spent(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan("2021-W01", series="weekly"))
    later = reserve(ledger, plan("2021-W02", series="weekly"))
    ledger.void(later, "no data came")
    assert spent(ledger) == Fraction("0.005")
    ledger.verify()


def test_names_and_reasons_must_be_printable_and_short(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    for bad in ("", "a\x00b", "x" * 3000):
        with pytest.raises(LedgerError):
            reserve(ledger, plan(), requested_by=bad)
    with pytest.raises(LedgerError):
        ledger.reserve(sealed(plan()), dataset=dataset(), category="other", requested_by="x", reason="")  # type: ignore[arg-type]


@pytest.mark.parametrize("category", ["scheduled", "adhoc"])
def test_a_reservation_that_was_given_back_is_made_again_as_it_was(tmp_path: Path, category: str) -> None:
    ledger = new_ledger(tmp_path)
    cheap = dataset(rho="0.02", no_approval_below="0.02")
    said = {"category": category, "requested_by": "ann", "reason": "late rows", "run": "run 7", "dataset": cheap}
    first = reserve(ledger, plan(), revision=2, **said)
    assert ledger.resume(sealed(plan()), dataset=cheap, revision=2) == first
    ledger.void(first, "not wanted")
    again = ledger.resume(sealed(plan()), dataset=cheap, revision=2)
    assert (again.id != first.id, again.state, again.charged) == (True, "reserved", ("2021",))
    assert (again.category, again.requested_by, again.reason, again.run) == (category, "ann", "late rows", "run 7")
    assert spent(ledger) == Fraction("0.005")


def test_a_plan_is_not_measured_where_nothing_or_another_one_was_reserved_last(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    with pytest.raises(LedgerError, match="Nothing is reserved"):
        ledger.resume(sealed(plan()), dataset=dataset())
    reserve(ledger, plan())
    other = reserve(ledger, plan(variant="other"))
    for _ in range(2):
        with pytest.raises(LedgerError, match="Another plan was reserved"):
            ledger.resume(sealed(plan()), dataset=dataset())
        ledger.void(other, "not wanted")  # the second time: what was given back is not replaced either
    assert spent(ledger) == 0


def renamed(wanted: Plan, *formerly: str) -> SealedPlan:
    """A sealed plan whose release had other names before."""
    found = sealed(wanted)
    return replace(found, release=found.release.model_copy(update={"formerly": formerly}))


def reserved(ledger: Ledger, wanted: SealedPlan, **options: Any) -> Reservation:
    return ledger.reserve(
        wanted, dataset=dataset(), category="scheduled", requested_by="scheduler", reason="", **options
    )


def test_a_period_that_a_former_name_has_measured_is_not_measured_again(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan("2021-W01", release="old"))
    before = ledger.head()
    with pytest.raises(
        LedgerError, match=r"^weekly/2021-W01 is old/2021-W01, which was made before the release was renamed\."
    ):
        reserved(ledger, renamed(plan("2021-W01"), "older", "old"))
    assert ledger.head() == before
    assert reserved(ledger, renamed(plan("2021-W02"), "older", "old")).edition == "weekly/2021-W02"
    assert reserved(ledger, renamed(plan("2021-W01"), "other")).edition == "weekly/2021-W01"


def test_blocks_that_a_former_name_has_paid_for_are_charged_again_only_with_a_yes(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan("2021-W01", release="old", series="old"))
    wanted = plan("2021-W02", series="new")
    assert ledger.quote(wanted, dataset=dataset(), formerly=("older", "old")).again == ("2021",)
    assert ledger.quote(wanted, dataset=dataset(), formerly=("older",)).again == ()
    with pytest.raises(ApprovalError, match=r"2021 would be charged .+ again"):
        reserved(ledger, renamed(wanted, "old"))
    assert reserved(ledger, renamed(wanted, "old"), new_series=True).charged == ("2021",)
