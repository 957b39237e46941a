"""What people read of the ledger: charges with their runs and editions, budgets over time, exports."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from ledger_examples import MILLION, Clock, dataset, elsewhere, measured, new_ledger, plan, reserve

from dp_stats.errors import LedgerError
from dp_stats.ledger.chain import canonical, hash_of, instant
from dp_stats.ledger.records import Charge

UNASKED = dataset(rho="0.02", no_approval_below="0.02")
"""A dataset whose allowance lets ad hoc requests pass without an approval."""


def test_a_charge_links_to_its_run_and_to_every_edition_that_uses_it(tmp_path: Path) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    for week in (1, 2):
        reserve(ledger, plan(f"2021-W0{week}", series="weekly"), run=f"weekly/run {week}", reason="schedule")
    reserve(
        ledger, plan("2021", release="once"), dataset=UNASKED, category="adhoc", requested_by="ada", reason="a study"
    )
    weekly, once = ledger.charges("cases")
    assert (weekly.run, weekly.edition, weekly.at) == ("weekly/run 1", "weekly/2021-W01", clock.now)
    assert weekly.editions == ("weekly/2021-W01", "weekly/2021-W02")
    assert (once.category, once.requested_by, once.reason, once.rho) == ("adhoc", "ada", "a study", Fraction("0.005"))
    assert ledger.charges("other") == []
    (state,) = ledger.blocks()
    assert state.by_category == {"scheduled": Fraction("0.005"), "adhoc": Fraction("0.005")}
    assert state.by_analyst == {"ada": Fraction("0.005")}
    assert 0 < state.epsilon("reserved") < state.epsilon("cap")


def test_a_charge_says_all_of_it_and_one_that_was_given_back_is_used_by_nobody(tmp_path: Path) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    made = reserve(ledger, plan(), revision=2, reason="sent late", run="run 1")
    whole = Charge(
        dataset="cases",
        key=made.key,
        block="2021",
        rho=Fraction("0.005"),
        cap=Fraction("0.02"),
        delta=MILLION,
        state="reserved",
        category="scheduled",
        requested_by="scheduler",
        reservation=made.id,
        release="weekly",
        edition=made.edition,
        revision=2,
        plan_hash=made.plan_hash,
        reason="sent late",
        run="run 1",
        at=clock.now,
        editions=(made.edition,),
    )
    assert ledger.charges() == [whole]
    ledger.void(made, "not wanted")
    assert ledger.charges() == [replace(whole, state="void", editions=())]


def test_reservations_are_those_of_a_dataset_of_an_edition_or_of_corrections(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    one, other = (reserve(ledger, plan(f"2021-W0{week}"), dataset=dataset(rho="1")) for week in (1, 2))
    ledger.void(one, "not wanted")
    again = reserve(ledger, plan("2021-W02"), dataset=dataset(rho="1"), revision=2, reason="sent late")

    def ids(**only: Any) -> list[int]:
        return [made.id for made in ledger.reservations(**only)]

    assert ids() == ids(dataset_id="cases") == [one.id, other.id, again.id]
    assert ids(edition=one.edition) == [one.id]
    assert ids(edition=other.edition) == [other.id, again.id]
    assert ids(corrections=True) == ids(corrections=True, edition=other.edition) == [again.id]
    assert ids(corrections=True, edition=one.edition) == ids(dataset_id="none") == []


def test_the_account_of_an_edition_names_the_entries_that_paid_for_it(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan("2021-W01", series="weekly"))
    measured(ledger, plan("2021-W53", series="weekly", blocks=["2021", "2022"]))
    account = ledger.account("weekly/2021-W53")
    paid = {str(e.sequence): e for e in ledger.entries()}
    assert [paid[charge.split(":")[0]].payload["edition"] for charge in account.charges] == [
        "weekly/2021-W01",
        "weekly/2021-W53",
    ]
    assert [b.block for b in account.blocks] == ["2021", "2022"]
    with pytest.raises(LedgerError, match="Nothing is reserved"):
        ledger.account("weekly/2021-W09")


def test_the_account_leaves_out_what_another_dataset_another_release_and_other_blocks_paid(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    elsewhere(ledger, plan("2021-W01", series="weekly").model_copy(update={"release": "other"}))
    reserve(ledger, plan("2021-W01", release="another"))
    reserve(ledger, plan("2022-W01", series="weekly", blocks=["2022"]))
    made = reserve(ledger, plan("2021-W01", series="weekly"))
    account = ledger.account(made.edition)
    assert account.charges == (str(ledger.head()),)
    assert [(state.dataset, state.block) for state in account.blocks] == [("cases", "2021")]
    assert account.reservation == made


def test_lists_are_in_order_and_those_of_one_dataset_hold_nothing_of_another(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    rich = dataset(rho="1")
    made = [elsewhere(ledger, plan("2022-W01", blocks=["2022"], release="other"))]
    made += [reserve(ledger, plan(f"2022-W{week:02d}", blocks=["2022"]), dataset=rich) for week in range(1, 7)]
    made += [
        reserve(ledger, plan("2021-W01"), dataset=rich),
        elsewhere(ledger, plan("2021-W53", blocks=["2021"], release="other")),
    ]
    made += [reserve(ledger, plan("2021-W53", blocks=["2022", "2021"]), dataset=rich)]
    assert ledger.reservations() == made
    paid = [(r.dataset, r.id, block) for r in made for block in sorted(r.blocks)]
    assert [(charge.dataset, charge.reservation, charge.block) for charge in ledger.charges()] == paid
    states = [(name, block) for name in ("cases", "deaths") for block in ("2021", "2022")]
    assert [(state.dataset, state.block) for state in ledger.blocks()] == states
    for name in ("cases", "deaths"):
        assert ledger.reservations(name) == [r for r in made if r.dataset == name]
        assert [charge.reservation for charge in ledger.charges(name)] == [r for d, r, _ in paid if d == name]
        assert [(state.dataset, state.block) for state in ledger.blocks(name)] == [s for s in states if s[0] == name]
    assert ledger.reservations("nothing") == ledger.charges("nothing") == ledger.blocks("nothing") == []


def test_the_json_export_can_be_checked_by_anyone(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan(), reason="Zählung")
    text = ledger.export("json")
    exported = json.loads(text)
    assert exported["hash"] == (
        "SHA-256 of the canonical JSON of [sequence, previous, at, event, payload as canonical JSON text]"
    )
    assert "Zählung" in text, "people read it"
    assert text.startswith('{\n "head": {\n  "sequence": 4,\n'), "a line for each field"
    assert text.endswith("}\n")
    previous = "0" * 64
    for entry in exported["entries"]:
        assert entry["previous"] == previous
        payload = canonical(entry["payload"])
        previous = hash_of(**{k: entry[k] for k in ("sequence", "previous", "at", "event")}, payload=payload)
        assert entry["hash"] == previous
    assert exported["head"] == {"sequence": 4, "hash": previous}


def test_the_csv_export_has_a_row_per_entry_and_runs_no_formula(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    reserve(ledger, plan(), reason='=HYPERLINK("x")', requested_by="@ada", run="run 1")
    rows = list(csv.DictReader(io.StringIO(ledger.export("csv"))))
    assert [row["event"] for row in rows] == ["created", "reserved"]
    assert (rows[1]["reason"], rows[1]["who"], rows[1]["run"]) == ('\'=HYPERLINK("x")', "'@ada", "run 1")
    assert rows[1]["previous"] == rows[0]["hash"]
    with pytest.raises(LedgerError, match=r"^The ledger is exported as csv or json\.$"):
        ledger.export("xml")  # type: ignore[arg-type]


def test_each_row_of_the_csv_export_says_all_that_its_entry_says_and_leaves_the_rest_empty(tmp_path: Path) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    wanted = plan(rho="1/300")
    reserve(ledger, wanted, revision=2, requested_by="ada", reason="late rows", run="run 1")
    ledger.approve(wanted.hash, "custodian", "refused", "no", None, {})
    table = csv.DictReader(io.StringIO(ledger.export("csv")))
    first, reserved, refused = table
    said = {"dataset": "cases", "edition": wanted.edition, "revision": "2", "plan": wanted.hash, "rho": "1/300"}
    said |= {"who": "ada", "reason": "late rows", "run": "run 1"}
    decided = dict.fromkeys(said, "") | {"plan": wanted.hash, "who": "custodian", "reason": "no"}
    for row, entry, expected in zip(
        (first, reserved, refused), ledger.entries(), (dict.fromkeys(said, ""), said, decided), strict=True
    ):
        assert row == expected | {
            "sequence": str(entry.sequence),
            "at": instant(clock.now),
            "event": entry.event,
            "payload": canonical(entry.payload),
            "previous": entry.previous,
            "hash": entry.hash,
        }


def test_the_budget_of_blocks_that_nothing_was_charged_to_is_the_declared_one(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    assert ledger.blocks() == []
    (state,) = ledger.budget(dataset(), ["2030"])
    assert (state.cap, state.remaining, state.spent) == (Fraction("0.02"), Fraction("0.02"), 0)


def test_an_entry_keeps_who_what_when_and_why(tmp_path: Path) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    reserve(ledger, plan(), dataset=UNASKED, requested_by="ada", reason="a study", run="run 1", category="adhoc")
    entry = ledger.entries()[-1]
    assert (entry.event, entry.at) == ("reserved", clock.now)
    expected = {"requested_by": "ada", "reason": "a study", "run": "run 1", "category": "adhoc", "plan": plan().hash}
    assert expected.items() <= entry.payload.items()
    assert entry.payload["cap"] == "1/50"
    assert entry.payload["delta"] == "1/1000000"
