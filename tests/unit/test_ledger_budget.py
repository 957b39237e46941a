"""A block never holds more than its cap, shares included, and a refusal says what there is and changes nothing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from ledger_examples import dataset, measured, new_ledger, plan, reserve

from dp_stats.errors import BudgetError, LedgerError
from dp_stats.ledger import amounts
from dp_stats.plan import accounting


def test_four_times_0_005_fits_0_02_exactly(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    for week in range(1, 5):
        reserve(ledger, plan(f"2021-W{week:02d}"))
    (state,) = ledger.blocks()
    assert (state.reserved, state.remaining) == (Fraction(1, 50), 0)
    with pytest.raises(BudgetError):
        reserve(ledger, plan("2021-W05", rho=Fraction(1, 10**24)))


def test_twelve_months_use_a_cap_to_its_last_part(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    for month in range(1, 13):
        reserve(ledger, plan(f"2021-{month:02d}", rho=Fraction(1, 12)), dataset=dataset(rho=1))
    assert ledger.blocks()[0].remaining == 0


def test_a_charge_is_rounded_up_and_a_cap_down() -> None:
    odd = Fraction(1, 3) + Fraction(1, 10**40)
    assert odd < amounts.charge_of(odd) <= odd + Fraction(1, amounts.GRAIN)
    cap = amounts.cap_of(dataset(rho=str(odd)).budget)
    assert cap == Fraction(1, 3)


def test_a_cap_in_epsilon_is_no_more_than_what_epsilon_allows() -> None:
    cap = amounts.cap_of(dataset(epsilon=1, delta="1e-6").budget)
    assert 0.9999 < accounting.epsilon_at(cap, Fraction(1, 10**6)) <= 1


def test_a_refusal_names_requested_spent_reserved_and_remaining_and_a_smaller_request_still_succeeds(
    tmp_path: Path,
) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan("2021-W01", rho="0.01"))
    reserve(ledger, plan("2021-W02", rho="0.004"))
    with pytest.raises(BudgetError) as refused:
        reserve(ledger, plan("2021-W03", rho="0.007"))
    text = str(refused.value)
    for part in (
        "block 2021",
        "requested ρ 0.007 (ε",
        "spent ρ 0.01 (ε",
        "reserved ρ 0.004 (ε",
        "remaining ρ 0.006 (ε",
        "cap of ρ 0.02 (ε",
        "at δ 1e-06",
        "smaller",
        "datasets/cases.yaml",
    ):
        assert part in text
    reserve(ledger, plan("2021-W03", rho="0.006"))
    assert ledger.blocks()[0].remaining == 0


def test_a_refusal_in_one_block_charges_none(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    reserve(ledger, plan("2021-W01", rho="0.02", blocks=["2021"]))
    before = ledger.head()
    with pytest.raises(BudgetError, match="block 2021"):
        reserve(ledger, plan("2020-W53", blocks=["2020", "2021"]))
    assert ledger.head() == before
    assert [state.block for state in ledger.blocks()] == ["2021"]


def test_a_lowered_cap_refuses_new_charges_only(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan("2021-W01", rho="0.02"))
    lower = dataset(rho="0.001")
    with pytest.raises(BudgetError):
        reserve(ledger, plan("2021-W02", rho="0.001"), dataset=lower)
    again = reserve(ledger, plan("2021-W01", rho="0.02"), dataset=lower)
    assert again.id == made.id
    ledger.spend(again)
    assert ledger.store(again, b"noisy") == b"noisy"
    (state,) = ledger.budget(lower, ["2021"])
    assert (state.spent, state.remaining) == (Fraction("0.02"), 0)
    reserve(ledger, plan("2022-W01", rho="0.001", blocks=["2022"]), dataset=lower)
    ledger.verify()


def test_the_cap_in_force_is_kept_with_the_charge(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    reserve(ledger, plan("2021-W01"))
    reserve(ledger, plan("2021-W02"), dataset=dataset(rho="0.5"))
    assert [charge.cap for charge in ledger.charges()] == [Fraction("0.02"), Fraction("0.5")]
    assert ledger.blocks()[0].cap == Fraction("0.5")


@pytest.mark.parametrize("category", ["scheduled", "adhoc"])
def test_a_category_keeps_to_its_share(tmp_path: Path, category: str) -> None:
    ledger = new_ledger(tmp_path)
    shared = dataset(rho="0.02", scheduled="0.5", adhoc="0.5", no_approval_below="0.02")
    other = "adhoc" if category == "scheduled" else "scheduled"
    for week in (1, 2):
        reserve(ledger, plan(f"2021-W0{week}"), dataset=shared, category=category)
    with pytest.raises(BudgetError, match="the share of"):
        reserve(ledger, plan("2021-W03"), dataset=shared, category=category)
    reserve(ledger, plan("2021-W03"), dataset=shared, category=other)


def test_an_analyst_keeps_to_their_share_however_they_write_their_name(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    shared = dataset(rho="0.02", per_analyst="0.25", no_approval_below="0.02")
    reserve(ledger, plan("2021-W01"), dataset=shared, category="adhoc", requested_by="ada")
    with pytest.raises(BudgetError, match="the share of ADA"):
        reserve(ledger, plan("2021-W02"), dataset=shared, category="adhoc", requested_by=" ADA ")
    reserve(ledger, plan("2021-W02"), dataset=shared, category="adhoc", requested_by="grace")
    reserve(ledger, plan("2021-W03"), dataset=shared, category="scheduled", requested_by="ada")


def test_a_dataset_cannot_change_its_kind_of_block(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    reserve(ledger, plan("2021-W01"))
    monthly = dataset(per="month", rho=1)
    with pytest.raises(LedgerError, match="per year"):
        reserve(ledger, plan("2021-W02", per="month", blocks=["2021-01"]), dataset=monthly)


def test_a_plan_of_another_dataset_or_kind_of_block_is_refused(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    with pytest.raises(LedgerError, match="not 'deaths'"):
        reserve(ledger, plan(), dataset=dataset().model_copy(update={"id": "deaths"}))
    with pytest.raises(LedgerError, match="Make the plan again"):
        reserve(ledger, plan(per="month"), dataset=dataset())


def test_a_quote_says_what_a_reservation_would_cost_and_writes_nothing(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    before = ledger.head()
    quote = ledger.quote(plan(rho="0.015"), dataset=dataset())
    assert (quote.rho, quote.charged, quote.free, quote.refusals) == (Fraction("0.015"), ("2021",), False, ())
    assert quote.remaining_after == {"2021": Fraction("0.005")}
    assert ledger.head() == before
    reserve(ledger, plan(rho="0.015"))
    assert ledger.quote(plan(rho="0.015"), dataset=dataset()).free
    assert ledger.quote(plan("2021-W08", rho="0.015"), dataset=dataset()).refusals


def test_floats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="exact"):
        amounts.read(0.1)
    with pytest.raises(LedgerError, match="exact"):
        amounts.read("a little")
