"""Datasets whose records are used pay as well: how much, from which block, under whose limits, and never alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from ledger_examples import Clock, dataset, linked, new_ledger, plan, records, reserve, sealed
from sqlalchemy import select

from dp_stats.catalogue.models import Dataset
from dp_stats.errors import ApprovalError, BudgetError, LedgerError
from dp_stats.ledger import Ledger, Quote, Reservation, schema
from dp_stats.plan.model import Plan

RECORDS = records("0.05")
OTHERS = records("0.9").model_copy(update={"id": "others"})
HOLDERS = {"records": RECORDS, "others": OTHERS}
BEDS = linked("beds", "0.5")
BOTH = ("2021", "2022")


@dataclass
class Paying:
    """A ledger in which linked tables are measured that use the records of other datasets."""

    ledger: Ledger

    def plan(self, week: int = 1, *, rho: str = "0.004", blocks: tuple[str, ...] = ("2021",), **options: Any) -> Plan:
        given = {"series": "beds", "release": "beds", "draws": {"records": 3}} | options
        return plan(f"2021-W{week:02d}", of="beds", rho=rho, blocks=blocks, **given)

    def reserve(self, wanted: Plan, **options: Any) -> Reservation:
        return reserve(self.ledger, wanted, **({"dataset": BEDS, "holders": HOLDERS} | options))

    def quote(self, wanted: Plan, **options: Any) -> Quote:
        told: Any = {
            "dataset": BEDS,
            "holders": HOLDERS,
            "category": "scheduled",
            "requested_by": "scheduler",
        } | options
        return self.ledger.quote(wanted, **told)

    def own(self, rho: str, **options: Any) -> Reservation:
        """Something that the holder of the records publishes itself."""
        wanted = plan("2021-W40", of="records", release="own", rho=rho, blocks=("lifetime",), per="lifetime")
        return reserve(self.ledger, wanted, **({"dataset": RECORDS} | options))

    def charges(self, name: str) -> list[dict[str, Any]]:
        """What a dataset was charged, in the order of keys and blocks."""
        c = schema.charges.c
        query = select(schema.charges).where(c.dataset == name).order_by(c.key, c.block)
        with self.ledger._database.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def states(self, name: str) -> list[str]:
        return [row["state"] for row in self.charges(name)]


@pytest.fixture
def paying(tmp_path: Path) -> Paying:
    return Paying(new_ledger(tmp_path, Clock()))


def test_every_holder_is_charged_for_every_block_at_its_own_price_under_its_own_cap(paying: Paying) -> None:
    made = paying.reserve(paying.plan(blocks=BOTH, draws={"records": 3, "others": 2}), category="scheduled")
    for name, times, cap in (("records", 3, "1/20"), ("others", 2, "9/10")):
        assert paying.charges(name) == [
            {
                "dataset": name,
                "key": f"{made.key}@{block}",
                "block": "lifetime",
                "reservation": made.id,
                "rho": str(times * Fraction("0.004")),
                "cap": cap,
                "delta": "1/1000000",
                "category": "scheduled",
                "requested_by": "scheduler",
                "state": "reserved",
            }
            for block in BOTH
        ]
        listed = [(one.key, one.edition, one.editions) for one in paying.ledger.charges(name)]
        assert listed == [(f"{made.key}@{block}", made.edition, (made.edition,)) for block in BOTH]
    with paying.ledger._database.read() as connection:
        found = {row.dataset: (row.block_kind, row.cap) for row in connection.execute(select(schema.datasets))}
    assert found == {"beds": ("year", "1/2"), "records": ("lifetime", "1/20"), "others": ("lifetime", "9/10")}
    assert paying.ledger.problems() == []
    assert made.charged == BOTH


def test_a_dataset_that_nobody_draws_on_is_charged_nothing(paying: Paying) -> None:
    made = paying.reserve(paying.plan(draws=None), holders={})
    assert paying.charges("records") == []
    assert [row["key"] for row in paying.charges("beds")] == [made.key]
    assert paying.quote(paying.plan(2, draws=None), holders={}).drawn == ()


def test_what_holders_pay_is_spent_and_given_back_with_the_charge_and_no_other(paying: Paying) -> None:
    first = paying.reserve(paying.plan(blocks=BOTH))
    other = paying.reserve(paying.plan(series="else", release="else"))
    assert paying.states("records") == ["reserved"] * 3
    paying.ledger.register_entry(first, expected=0, digest="x")
    paying.ledger.spend(first)
    assert {row["key"]: row["state"] for row in paying.charges("records")} == {
        f"{first.key}@2021": "spent",
        f"{first.key}@2022": "spent",
        f"{other.key}@2021": "reserved",
    }
    paying.ledger.void(other, "not wanted")
    assert {row["key"]: row["state"] for row in paying.charges("records")} == {
        f"{first.key}@2021": "spent",
        f"{first.key}@2022": "spent",
        f"{other.key}@2021": "void",
    }
    again = paying.reserve(paying.plan(2, series="else", release="else"))
    assert again.key == other.key
    assert sorted(paying.states("records")) == ["reserved", "spent", "spent"]
    assert paying.ledger.problems() == []


def test_what_was_given_back_is_drawn_again_where_it_is_made_again(paying: Paying) -> None:
    wanted = paying.plan()
    paying.ledger.void(paying.reserve(wanted), "not wanted")
    assert paying.states("records") == ["void"]
    made = paying.ledger.resume(sealed(wanted), dataset=BEDS, holders=HOLDERS)
    assert (made.state, paying.states("records")) == ("reserved", ["reserved"])
    assert paying.ledger.resume(sealed(wanted), dataset=BEDS, holders=HOLDERS) == made


def test_a_later_edition_of_the_series_draws_for_new_blocks_alone(paying: Paying) -> None:
    paying.reserve(paying.plan(1))
    again, next_year = paying.quote(paying.plan(2)), paying.quote(paying.plan(3, blocks=BOTH))
    assert [(one.each, one.rho) for one in again.drawn] == [(Fraction("0.012"), 0)]
    assert [(one.each, one.rho) for one in next_year.drawn] == [(Fraction("0.012"), Fraction("0.012"))]
    assert again.drawn[0].after == again.drawn[0].before.remaining == Fraction("0.038")
    assert next_year.drawn[0].after == Fraction("0.026")
    assert next_year.drawn[0].name == "records: lifetime"
    paying.reserve(paying.plan(3, blocks=BOTH))
    assert len(paying.charges("records")) == 2


@pytest.mark.parametrize("enough", [True, False])
def test_a_holder_pays_up_to_its_cap_and_not_a_grain_more_and_a_refusal_charges_nobody(
    paying: Paying, enough: bool
) -> None:
    """Two blocks at ρ 0.004 and three times: ρ 0.024 of 0.05."""
    paying.own("0.026" if enough else "0.0260001")
    wanted, before = paying.plan(blocks=BOTH), paying.ledger.head()
    lines = paying.quote(wanted).refusals
    if enough:
        assert lines == ()
        paying.reserve(wanted)
        assert paying.quote(paying.plan(2, series="x", release="x")).drawn[0].before.remaining == 0
        return
    (line,) = lines
    assert line.startswith("dataset 'records', whose records it uses, block lifetime, its cap of ρ 0.05 ")
    assert "requested ρ 0.024 " in line
    assert "reserved ρ 0.0260001 " in line
    with pytest.raises(BudgetError, match="dataset 'records', whose records it uses, block lifetime, its cap"):
        paying.reserve(wanted)
    assert paying.ledger.head() == before
    assert paying.charges("beds") == []


def limited(**fields: Any) -> Dataset:
    return RECORDS.model_copy(update={"budget": RECORDS.budget.model_copy(update=fields)})


def test_a_holders_shares_hold_for_what_is_drawn_on_it(paying: Paying) -> None:
    share = Fraction(1, 10)  # of ρ 0.05: 0.005, and 0.012 is asked
    for fields, category, name in (
        ({"scheduled": share}, "scheduled", "the share of scheduled releases"),
        ({"adhoc": share}, "adhoc", "the share of ad hoc releases"),
        ({"per_analyst": share}, "adhoc", "the share of Ann"),
    ):
        told: Any = {"holders": {"records": limited(**fields)}, "requested_by": "Ann"}
        (line,) = paying.quote(paying.plan(), category=category, **told).refusals
        assert f"dataset 'records', whose records it uses, block lifetime, {name} of ρ 0.005 " in line
        other = "adhoc" if category == "scheduled" else "scheduled"
        assert paying.quote(paying.plan(), category=other, **told).refusals == ()
    quote = paying.quote(paying.plan(), category="adhoc", requested_by="Ann", holders={"records": limited(adhoc=share)})
    assert [limit.of for limit in quote.drawn[0].limits] == ["cap", "category"]
    assert quote.room == Fraction("0.005") / 3  # a third of what the holder's share lets pass


def test_a_spent_charge_needs_no_room_and_is_no_refusal(paying: Paying) -> None:
    """The later editions of a series cost its holder nothing, even when nothing is left."""
    paying.reserve(paying.plan(1))
    paying.own("0.038")
    quote = paying.quote(paying.plan(2))
    assert (quote.refusals, quote.charged) == ((), ())


def test_a_holder_without_a_budget_for_all_days_stops_it(paying: Paying) -> None:
    yearly = dataset(rho="0.05").model_copy(update={"id": "records"})
    before = paying.ledger.head()
    for holders in ({}, {"others": OTHERS}, {"records": yearly}):
        with pytest.raises(
            LedgerError, match=r"uses records of the dataset 'records', which has no budget for all days"
        ):
            paying.reserve(paying.plan(), holders=holders)
    assert paying.ledger.head() == before
    reserve(paying.ledger, plan("2021-W40", of="records", release="own"), dataset=yearly)
    with pytest.raises(LedgerError, match=r"^beds/2021-W01 uses records .* or spent another kind of budget before\."):
        paying.reserve(paying.plan())  # it is declared for all days now, but has spent by the year


def test_the_holders_custodians_allowance_decides_whether_a_request_must_be_approved(paying: Paying) -> None:
    """ρ 0.004 of the linked dataset passes unasked; three times as much of the records does up to what they allow."""

    def quote(allowed: str, week: int = 1, **options: Any) -> Quote:
        held = {"records": records("0.05")}
        held["records"] = held["records"].model_copy(
            update={"budget": held["records"].budget.model_copy(update={"no_approval_below": Fraction(allowed)})}
        )
        easy = BEDS.model_copy(update={"budget": BEDS.budget.model_copy(update={"no_approval_below": Fraction("0.1")})})
        told: Any = {"dataset": easy, "holders": held, "category": "adhoc", "requested_by": "Ann"} | options
        wanted = paying.plan(week, series=None, release=f"request-{week}")
        if options.get("make"):
            told.pop("make")
            paying.reserve(wanted, **told)
        return paying.quote(wanted, **told)

    both = ("custodian", "council")
    assert quote("0.03").approvers == ()
    assert quote("0.01").approvers == both
    assert quote("0.01", category="scheduled", requested_by="scheduler").approvers == ()
    assert quote("0.03", make=True).approvers == ()  # it is charged already
    assert quote("0.02", 2).approvers == both  # with what Ann drew before
    assert quote("0.03", 2).approvers == ()
    assert quote("0.02", 2, requested_by="Bob").approvers == ()
    with pytest.raises(ApprovalError):
        quote("0.02", 2, make=True)


def test_several_holders_are_each_asked(paying: Paying) -> None:
    wanted = paying.plan(draws={"others": 2, "records": 20})
    (line,) = paying.quote(wanted).refusals
    assert line.startswith("dataset 'records'")
    assert [one.before.dataset for one in paying.quote(wanted).drawn] == ["others", "records"]
    assert sealed(wanted).plan.draws[0].times == 2


def test_what_another_dataset_pays_is_listed_with_the_editions_that_use_it(paying: Paying) -> None:
    first, second = paying.reserve(paying.plan(1)), paying.reserve(paying.plan(2))
    own = paying.own("0.01")
    other = paying.reserve(paying.plan(3, series="other", release="other"))
    listed = {(one.key, one.block): one.editions for one in paying.ledger.charges("records")}
    assert listed == {
        (f"{first.key}@2021", "lifetime"): (first.edition, second.edition),
        (f"{other.key}@2021", "lifetime"): (other.edition,),
        (own.key, "lifetime"): (own.edition,),
    }
    (paid,) = [one for one in paying.ledger.charges("beds") if one.key == first.key]
    assert paid.editions == (first.edition, second.edition)


def test_what_is_paid_for_asks_nothing_more_of_a_holder_whose_budget_is_smaller_now(paying: Paying) -> None:
    first = paying.reserve(paying.plan(1))
    smaller = {**HOLDERS, "records": records("0.0001")}
    with pytest.raises(BudgetError, match="dataset 'records', whose records it uses"):
        paying.reserve(paying.plan(2, series="other", release="other"), holders=smaller)
    assert paying.reserve(paying.plan(2), holders=smaller).key == first.key
