"""A block never holds more than its cap, shares included, and a refusal says what there is and changes nothing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from ledger_examples import MILLION, dataset, measured, new_ledger, plan, reserve

from dp_stats.errors import BudgetError, LedgerError
from dp_stats.ledger import Reservation, amounts
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
    cap = amounts.cap_of(dataset().budget.model_copy(update={"rho": odd}))
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


@pytest.mark.parametrize("name", ["ada", "XXXX"])
def test_a_quote_for_nobody_in_particular_is_held_against_no_share_of_an_analyst(tmp_path: Path, name: str) -> None:
    ledger = new_ledger(tmp_path)
    shared = dataset(rho="0.02", per_analyst="0.25", no_approval_below="0.02")
    made = reserve(ledger, plan("2021-W01"), dataset=shared, category="adhoc", requested_by=name)
    assert made.run == ""
    assert made.run == "", "none was named"
    assert ledger.quote(plan("2021-W02"), dataset=shared, category="adhoc", requested_by=name).refusals
    assert not ledger.quote(plan("2021-W02"), dataset=shared, category="adhoc").refusals


def test_each_category_has_a_share_of_its_own_and_is_refused_by_it_alone(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    shared = dataset(rho="0.03", scheduled="0.5", adhoc="0.25", no_approval_below="0.03")

    def refused(period: str, category: str) -> str:
        with pytest.raises(BudgetError) as error:
            reserve(ledger, plan(period), dataset=shared, category=category, requested_by="ada")
        return str(error.value)

    for week in (1, 2, 3):
        reserve(ledger, plan(f"2021-W0{week}"), dataset=shared)
    reserve(ledger, plan("2021-W05"), dataset=shared, category="adhoc", requested_by="ada")

    def shown(rho: str) -> str:
        return amounts.shown(Fraction(rho), MILLION)

    assert refused("2021-W04", "scheduled").splitlines()[:2] == [
        "The budget of dataset 'cases' does not allow weekly/2021-W04 (revision 1).",
        f"  block 2021, the share of scheduled releases of {shown('0.015')}: requested {shown('0.005')}, "
        f"spent and reserved {shown('0.015')}, remaining ρ 0.",
    ]
    assert refused("2021-W06", "adhoc").splitlines()[1:] == [
        f"  block 2021, the share of ad hoc releases of {shown('0.0075')}: requested {shown('0.005')}, "
        f"spent and reserved {shown('0.005')}, remaining {shown('0.0025')}.",
        "Nothing was charged. Ask for a smaller privacy loss or fewer tables (a smaller request still succeeds), void a "
        "reservation that is no longer needed, wait for the next block, or ask the custodians to raise 'budget' in "
        "datasets/cases.yaml.",
    ]


def test_what_an_analyst_was_charged_adds_up_and_what_was_given_back_does_not(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    shared = dataset(rho="0.04", adhoc="0.25", per_analyst="0.25", no_approval_below="0.04")

    def ask(week: int) -> Reservation:
        return reserve(ledger, plan(f"2021-W{week}"), dataset=shared, category="adhoc", requested_by="ada")

    first, second = ask(10), ask(11)
    for given_back in (first, second):
        with pytest.raises(BudgetError) as refused:
            ask(12)
        assert [line.split(" of ρ")[0] for line in str(refused.value).splitlines()[1:3]] == [
            "  block 2021, the share of ad hoc releases",
            "  block 2021, the share of ada",
        ]
        assert str(refused.value).count("spent and reserved ρ 0.01 (ε") == 2
        ledger.void(given_back, "not wanted")
        ask(20 + given_back.id)


def test_one_datasets_charges_take_nothing_from_anothers_budget(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan("2021-W01"))
    reserve(ledger, plan("2022-W01", blocks=["2022"]))
    other = dataset().model_copy(update={"id": "deaths"})
    (state,) = ledger.budget(other, ["2021"])
    assert (state.dataset, state.block, state.spent, state.reserved) == ("deaths", "2021", 0, 0)
    assert (state.remaining, state.by_category, state.by_analyst) == (state.cap, {}, {})
    (state,) = ledger.budget(dataset(), ["2021"])
    assert (state.dataset, state.spent, state.reserved) == ("cases", Fraction("0.005"), 0)


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
