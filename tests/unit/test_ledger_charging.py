"""What a reservation would cost is what it costs; it is written down whole, read back whole, and counts where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from ledger_examples import Clock, dataset, deaths, elsewhere, measured, new_ledger, plan, reserve, sealed

from dp_stats.errors import ApprovalError, BudgetError, LedgerError
from dp_stats.ledger import Ledger, Reservation, reservations, reserving
from dp_stats.ledger.records import BlockBudget, Limit, Quote
from dp_stats.plan.model import Plan

RHO = Fraction("0.005")


def test_a_reservation_is_written_down_and_read_back_with_everything_it_was_made_from(tmp_path: Path) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    wanted = plan("2021-W53", blocks=["2021", "2022"], rho="1/300", series="a series")
    budget = {"epsilon": 1, "delta": "1e-5"}
    left = {state.block: str(state.remaining) for state in ledger.budget(dataset(**budget), ["2021", "2022"])}
    for approver in ("custodian", "council", "auditor"):
        ledger.approve(wanted.hash, approver, "approved", "", clock.now + timedelta(1), left)
    clock.forward(minutes=1)
    made = reserve(
        ledger,
        wanted,
        dataset=dataset(**budget),
        category="adhoc",
        requested_by=" analyst ",
        reason=" as asked ",
        run=" run 7 ",
        required_approvers=[" auditor", "council"],
    )
    expected = {
        "dataset": "cases",
        "release": "weekly",
        "period": "2021-W53",
        "edition": "weekly/2021-W53",
        "revision": 1,
        "key": wanted.series_hash,
        "series": True,
        "category": "adhoc",
        "requested_by": "analyst",
        "reason": "as asked",
        "run": "run 7",
        "aside": sealed(wanted).aside,
    }
    entry, state = ledger.entries()[-1], ledger.budget(dataset(**budget), ["2021"])[0]
    assert entry.event == "reserved"
    assert entry.payload == expected | {
        "plan": wanted.hash,
        "blocks": ["2021", "2022"],
        "charged": ["2021", "2022"],
        "rho": "1/300",
        "cap": str(state.cap),
        "delta": "1/100000",
        "block_kind": "year",
        "approvers": ["auditor", "council", "custodian"],
    }
    assert made == ledger.reservation(made.edition) == ledger.latest(made.edition)
    assert made == Reservation(
        **expected,
        id=5,
        plan_hash=wanted.hash,
        blocks=("2021", "2022"),
        charged=("2021", "2022"),
        rho=Fraction(1, 300),
        approvers=("auditor", "council", "custodian"),
        state="reserved",
        at=clock.now,
    )
    assert ledger.sealed(made).plan == wanted
    assert reserving.key_of(wanted, 2) == f"{wanted.series_hash}+r2"
    assert reserving.key_of(plan(), 1) == plan().hash


def test_a_reservation_of_an_earlier_version_names_no_document_aside(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan())
    with ledger._database.write() as connection:
        connection.exec_driver_sql("UPDATE ledger_reservations SET aside = NULL")
        assert reservations.by_id(connection, made.id) == replace(made, aside="")
        with pytest.raises(LedgerError, match="does not know the reservation"):
            reservations.by_id(connection, made.id + 1)


def state_of(block: str, *, cap: str = "1", reserved: Fraction = Fraction(0)) -> BlockBudget:
    held = {"scheduled": reserved} if reserved else {}
    return BlockBudget(
        "cases", block, Fraction(cap), Fraction(0), reserved, Fraction(cap) - reserved, Fraction(1, 10**6), held, {}
    )


def caps(states: Sequence[BlockBudget]) -> dict[str, tuple[Limit, ...]]:
    return {state.block: (Limit("cap", state.cap, state.reserved),) for state in states}


def test_a_quote_is_whole_before_and_after_each_step(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    rich = dataset(rho="1", no_approval_below="0.005")
    elsewhere(ledger, plan("2021-W01", series="a", release="other"))
    reserve(ledger, plan("2021-W01", series="a"), dataset=rich)
    border = plan("2021-W53", series="a", blocks=["2021", "2022"])
    before = (state_of("2021", reserved=RHO), state_of("2022"))
    quote = ledger.quote(border, dataset=rich)
    left = {"2021": Fraction("0.995"), "2022": Fraction("0.995")}
    assert quote == Quote(RHO, ("2022",), before, left, (), False, limits=caps(before))
    assert not quote.free
    assert ledger.quote(border, dataset=rich, category="adhoc", requested_by="analyst").approvers == (
        "custodian", "council",
    )  # fmt: skip
    below = rich.model_copy(update={"budget": rich.budget.model_copy(update={"no_approval_below": RHO + 1})})
    assert ledger.quote(border, dataset=below, category="adhoc", requested_by="analyst").approvers == ()
    made = reserve(ledger, border, dataset=rich)
    after = (state_of("2021", reserved=RHO), state_of("2022", reserved=RHO))
    known = ledger.quote(border, dataset=rich, category="adhoc", requested_by="analyst")
    assert known == Quote(RHO, (), after, left, (), False, limits=caps(after))
    assert known.free
    assert not ledger.quote(plan("2021-W53", series="a", variant="another"), dataset=rich).measured
    assert ledger.register_entry(made, expected=0, digest="one")
    ledger.register_entry(ledger.reservation("weekly/2021-W01") or made, expected=1, digest="two")
    ledger.spend(made)
    assert not ledger.quote(border, dataset=rich).measured
    ledger.store(made, b"noisy")
    assert ledger.quote(border, dataset=rich).measured
    assert not ledger.quote(plan("2021-W53", variant="another"), dataset=rich).measured
    correction = ledger.quote(border, dataset=rich, revision=2)
    assert (correction.charged, correction.measured) == (("2021", "2022"), False)


def test_what_forbids_a_reservation_is_in_its_quote(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    shares = dataset(rho="1", adhoc="0.001", per_analyst="0.0005")
    refusals = ledger.quote(plan(), dataset=shares, category="adhoc", requested_by="analyst").refusals
    assert ["ad hoc releases" in line for line in refusals] == [True, False]
    assert ["analyst" in line for line in refusals] == [False, True]
    assert ledger.quote(plan(), dataset=shares).refusals == ()
    assert all("requested ρ 0.005 " in line for line in refusals)
    with pytest.raises(BudgetError, match=r"dataset 'cases' does not allow weekly/2021-W07 \(revision 2\)"):
        reserve(ledger, plan(rho="3"), revision=2, reason="late rows")


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another dataset": ({}, {"dataset": deaths()}, r"The plan of weekly/2021-W07 is for dataset 'cases', not 'deaths'\."),
    "another kind of block": (
        {"per": "month"}, {}, r"counts blocks per month, dataset 'cases' per year\. Make the plan again\.",
    ),
    "no revision": ({}, {"revision": 0}, r"\(revision 0\) needs a revision from 1, a block and a cost\."),
    "no block": ({"blocks": ()}, {}, "needs a revision from 1, a block and a cost"),
    "no cost": ({"rho": 0}, {}, "needs a revision from 1, a block and a cost"),
    "another category": ({}, {"category": "other"}, "The category of a charge is scheduled or adhoc"),
    "nobody": ({}, {"requested_by": " "}, "The name of who asks is empty"),
    "no reason for a correction": ({}, {"revision": 2, "reason": " "}, "The reason of a correction is empty"),
    "no name of an approver": ({}, {"required_approvers": [""]}, "The approver is empty"),
    "a run that cannot be printed": ({}, {"run": "\x00"}, "The run holds characters that cannot be printed"),
    "a run beyond all measure": ({}, {"run": 2001 * "x"}, r"The run is longer than 2000 characters\. Shorten it\."),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_what_makes_no_sense_is_refused_by_its_name(tmp_path: Path, fault: str) -> None:
    ledger = new_ledger(tmp_path)
    planned, options, message = REFUSED[fault]
    with pytest.raises(LedgerError, match=message):
        reserve(ledger, plan(**planned), **options)
    assert len(ledger.entries()) == 1


def test_free_text_may_have_lines_and_2000_characters(tmp_path: Path) -> None:
    text = "late\n\trows".ljust(2000, "x")
    assert reserve(new_ledger(tmp_path), plan(), reason=text).reason == text


def test_a_cost_may_be_as_small_and_as_large_as_the_budget_allows(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    for n, rho in enumerate((Fraction(1, 10**9), Fraction(1), Fraction(3)), start=1):
        assert reserve(ledger, plan(f"2021-W0{n}", rho=rho), dataset=dataset(rho="5")).rho == rho
    assert reserve(ledger, plan(), dataset=dataset(rho="5"), revision=2, reason="late rows").revision == 2


def test_each_dataset_keeps_its_own_kind_of_block(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    elsewhere(ledger, plan("2021-W01", release="other"))
    monthly = plan(per="month", blocks=["2021-02"])
    reserve(ledger, monthly, dataset=dataset(per="month", rho=1))
    with pytest.raises(LedgerError, match="'cases' has spent budget per month; it cannot be counted per year as well"):
        reserve(ledger, plan())


def test_what_another_dataset_another_revision_and_a_void_reservation_paid_pays_for_nothing(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    rich = dataset(rho="1")
    wanted = plan("2021-W01", series="a")
    elsewhere(ledger, wanted.model_copy(update={"release": "other"}))
    made = reserve(ledger, wanted, dataset=rich)
    assert made.charged == ("2021",)
    ledger.void(made, "not wanted")
    assert reserve(ledger, wanted, dataset=rich).charged == ("2021",)
    assert reserve(ledger, wanted, dataset=rich, revision=2, reason="late rows").charged == ("2021",)
    assert reserve(ledger, plan("2021-W02"), dataset=rich).charged == ("2021",)
    assert reserve(ledger, plan("2021-W03", series="a"), dataset=rich).charged == ()


@pytest.mark.parametrize("state", ["spent", "stored"])
def test_a_measured_edition_names_the_revision_that_may_be_made(tmp_path: Path, state: str) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan(), revision=2, reason="late rows")
    ledger.spend(made)
    if state == "stored":
        ledger.store(made, b"noisy")
    with pytest.raises(LedgerError, match=r"W07 \(revision 2\) has been measured with another plan.*make revision 3 "):
        reserve(ledger, plan(variant="another"), revision=2, reason="late rows")


def test_a_replaced_plan_is_void_with_the_name_of_the_one_that_replaced_it(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    first = reserve(ledger, plan())
    wanted = plan(variant="another")
    second = reserve(ledger, wanted)
    assert ledger.entries()[-2].event == "void"
    assert ledger.entries()[-2].payload == {
        "reservation": first.id,
        "dataset": "cases",
        "key": first.key,
        "edition": "weekly/2021-W07",
        "revision": 1,
        "released": ["2021"],
        "reason": f"replaced by another plan ({wanted.hash[:12]})",
    }
    assert ledger.latest(first.edition) == ledger.reservation(first.edition) == second
    ledger.void(second, " in vain ")
    assert ledger.entries()[-1].payload["reason"] == "in vain"
    assert ledger.reservation(first.edition) is None
    assert ledger.latest(first.edition) == replace(second, state="void")
    assert ledger.latest(first.edition, 2) is None
    assert ledger.latest("weekly/2021-W08") is None


def test_what_is_void_needs_a_reason_and_was_not_spent(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan())
    with pytest.raises(LedgerError, match="The reason is empty"):
        ledger.void(made, " ")
    ledger.spend(made)
    with pytest.raises(LedgerError, match=r"weekly/2021-W07 \(revision 1\) has been spent and cannot be void"):
        ledger.void(made, "a pity")


SERIES: dict[str, tuple[Callable[[Ledger], object], tuple[str, ...]]] = {
    "another series": (lambda ledger: held(ledger, plan("2021-W01", series="b")), ("2021",)),
    "of another block": (lambda ledger: held(ledger, plan("2021-W01", series="b", blocks=["2020"])), ()),
    "of the same edition": (lambda ledger: held(ledger, plan(series="b")), ()),
    "of another release": (lambda ledger: held(ledger, plan("2021-W01", series="b", release="monthly")), ()),
    "of another dataset": (lambda ledger: elsewhere(ledger, plan("2021-W01", series="b")), ()),
    "that is void": (lambda ledger: ledger.void(held(ledger, plan("2021-W01", series="b")), "in vain"), ()),
    "that is a correction": (
        lambda ledger: held(ledger, plan("2021-W01", series="b"), revision=2, reason="late rows"), ()
    ),
    "a plan without a series": (lambda ledger: held(ledger, plan("2021-W01")), ()),
}  # fmt: skip


def held(ledger: Ledger, wanted: Plan, **options: Any) -> Reservation:
    made: Reservation = reserve(ledger, wanted, dataset=dataset(rho="1"), **options)
    return made


@pytest.mark.parametrize("before", SERIES)
def test_a_yes_is_needed_only_where_another_series_of_the_release_has_paid(tmp_path: Path, before: str) -> None:
    ledger = new_ledger(tmp_path)
    happened, again = SERIES[before]
    happened(ledger)
    rich, wanted = dataset(rho="1"), plan(series="a", blocks=["2021", "2022"])
    assert ledger.quote(wanted, dataset=rich).again == again
    assert ledger.quote(wanted, dataset=rich, revision=2).again == ()
    assert ledger.quote(plan(blocks=["2021", "2022"]), dataset=rich).again == (), "no series"
    if again:
        with pytest.raises(
            ApprovalError, match=r"weekly/2021-W07 would start a new series.*2021 would be charged ρ = 0"
        ):
            reserve(ledger, wanted, dataset=rich)
    assert reserve(ledger, wanted, dataset=rich, new_series=bool(again)).charged == ("2021", "2022")
    assert ledger.quote(plan("2021-W08", series="a"), dataset=rich).again == (), "paid already"


def test_a_yes_to_a_new_series_is_not_asked_for_again_where_its_reservation_is_made_again(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    held(ledger, plan("2021-W01", series="b"))
    wanted = plan(series="a")
    made = held(ledger, wanted, new_series=True)
    ledger.void(made, "not wanted")
    again = ledger.resume(sealed(wanted), dataset=dataset(rho="1"))
    assert again == replace(made, id=again.id)
    assert again.id != made.id


def test_reservations_are_listed_by_release_and_by_charge_oldest_first(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    elsewhere(ledger, plan("2021-W01", series="a"))
    reserve(ledger, plan("2021-W01", series="a", release="monthly"), dataset=dataset(rho="1"))
    first, second = (held(ledger, plan(f"2021-W0{n}", series="a")) for n in (3, 2))
    ledger.void(held(ledger, plan("2021-W04", series="a")), "in vain")
    other = held(ledger, plan("2021-W05"))
    with ledger._database.read() as connection:
        assert reservations.of_release(connection, dataset="cases", release="weekly") == [first, second, other]
        shared = reservations.sharing(connection, second)
        assert [(s.dataset, s.release, s.period) for s in shared] == [
            ("cases", "monthly", "2021-W01"), ("cases", "weekly", "2021-W03"), ("cases", "weekly", "2021-W02"),
        ]  # fmt: skip


def test_who_must_approve_is_asked_again_where_a_reservation_stands_but_not_once_it_is_spent(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan())
    with pytest.raises(ApprovalError, match=r"weekly/2021-W07 may not be measured: auditor has not decided"):
        reserve(ledger, plan(), required_approvers=["auditor"])
    ledger.approve(plan().hash, "auditor", "approved", "", Clock().now + timedelta(1), {"2021": "0.01"})
    assert reserve(ledger, plan(), required_approvers=["auditor"]) == made
    with pytest.raises(ApprovalError, match="scheduler asked for it"):
        reserve(ledger, plan(), required_approvers=["scheduler"])
    spent = ledger.spend(made)
    assert reserve(ledger, plan(), required_approvers=["nobody"]) == spent


def test_each_approver_is_named_once(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    with pytest.raises(
        ApprovalError,
        match=r"W07 may not be measured: custodian has not decided[^;]*; council has not decided[^;]*\. Noth",
    ):
        reserve(ledger, plan(), category="adhoc", required_approvers=["custodian", "custodian"])
    made = measured(ledger, plan("2021-W08"))
    unknown = pytest.raises(ApprovalError, match=r"measured: auditor has not decided on this plan\. Nothing")
    with unknown, ledger._write() as writer:
        reserving.require_approvals(
            writer.connection, replace(made, approvers=("auditor",)), now=writer.now, also=["auditor"]
        )


def test_an_approver_must_have_seen_what_is_left_of_each_block_that_is_charged(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    reserve(ledger, plan("2021-W01", series="a"))
    wanted = plan("2021-W53", series="a", blocks=["2021", "2022"])
    ledger.approve(wanted.hash, "auditor", "approved", "", Clock().now + timedelta(1), {"2022": "0.02"})
    assert reserve(ledger, wanted, required_approvers=["auditor"]).charged == ("2022",)
