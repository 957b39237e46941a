"""What people read of the ledger: charges with their runs and editions, budgets over time, exports."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from pathlib import Path

import pytest
from ledger_examples import Clock, dataset, measured, new_ledger, plan, reserve

from dp_stats.errors import LedgerError
from dp_stats.ledger.chain import canonical, hash_of

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


def test_the_json_export_can_be_checked_by_anyone(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan())
    exported = json.loads(ledger.export("json"))
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
    with pytest.raises(LedgerError, match="csv or json"):
        ledger.export("xml")  # type: ignore[arg-type]


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
