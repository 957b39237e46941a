"""Nothing is drawn before it is paid for; what was stored first is what everybody reads, for ever."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from ledger_examples import measured, new_ledger, plan, reserve

from dp_stats.errors import LedgerError, RegisterError


def test_measurements_cannot_be_stored_before_they_are_paid_for(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan())
    with pytest.raises(LedgerError, match="not spent"):
        ledger.store(made, b"noisy")
    assert ledger.measurements(made.edition) is None


def test_the_first_to_store_wins_and_the_other_reads_its_values(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = measured(ledger, plan(), b"first")
    assert ledger.store(made, b"second") == b"first"
    kept = ledger.measurements(made.edition)
    assert kept is not None
    assert (kept.stored, kept.plan_hash, kept.revision) == (b"first", made.plan_hash, 1)


def test_spending_twice_is_spending_once(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan())
    assert ledger.spend(made).state == ledger.spend(made).state == "spent"
    assert [e.event for e in ledger.entries()].count("spent") == 1


def test_altered_measurements_are_not_handed_out(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = measured(ledger, plan())
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute("DROP TRIGGER ledger_measurements_update")
        raw.execute("UPDATE ledger_measurements SET content = 'other'")
    with pytest.raises(LedgerError, match="altered"):
        ledger.measurements(made.edition)


# The contribution register


def test_a_register_entry_is_appended_only_if_nobody_was_faster(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    first, second = (reserve(ledger, plan(f"2021-W0{n}", series="weekly")) for n in (1, 2))
    assert ledger.register_entry(first, expected=0, digest="one")
    assert not ledger.register_entry(second, expected=0, digest="blind")
    assert ledger.register_entry(second, expected=1, digest="two")
    entries = ledger.register_entries(first)
    assert [(e.sequence, e.edition, e.digest) for e in entries] == [
        (1, "weekly/2021-W01", "one"),
        (2, "weekly/2021-W02", "two"),
    ]


def test_a_retry_replaces_its_own_entry_and_another_edition_notices(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    first, second = (reserve(ledger, plan(f"2021-W0{n}", series="weekly")) for n in (1, 2))
    ledger.register_entry(first, expected=0, digest="one")
    seen = len(ledger.register_entries(second))
    assert ledger.register_entry(first, expected=1, digest="one again")
    assert not ledger.register_entry(second, expected=seen, digest="saw only the first try")
    assert [e.digest for e in ledger.register_entries(first) if not e.replaced] == ["one again"]


def test_the_same_digest_again_changes_nothing(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan(series="weekly"))
    assert ledger.register_entry(made, expected=0, digest="one")
    assert ledger.register_entry(made, expected=0, digest="one")
    assert len(ledger.register_entries(made)) == 1


def test_a_stored_edition_is_frozen_in_the_register(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = measured(ledger, plan(series="weekly"))
    with pytest.raises(RegisterError, match="frozen"):
        ledger.register_entry(made, expected=1, digest="other rows")


def test_a_run_whose_register_was_replaced_cannot_store(tmp_path: Path) -> None:
    slow = new_ledger(tmp_path)
    made = reserve(slow, plan(series="weekly"))
    slow.register_entry(made, expected=0, digest="rows of the slow run")
    slow.spend(made)
    fast = type(slow).open(tmp_path / "ledger.db", clock=slow._clock)
    fast.register_entry(made, expected=1, digest="rows of the fast run")
    with pytest.raises(RegisterError, match="Another run"):
        slow.store(made, b"counted from replaced rows")
    fast.spend(made)
    assert fast.store(made, b"fast") == b"fast"
    assert slow.store(made, b"slow") == b"fast"


def test_editions_that_share_a_block_must_register(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    first, second = (reserve(ledger, plan(f"2021-W0{n}", series="weekly")) for n in (1, 2))
    with pytest.raises(RegisterError, match="2021-W01"):
        ledger.spend(first)
    ledger.register_entry(second, expected=0, digest="two")
    ledger.spend(second)


def test_an_edition_that_spent_alone_without_a_register_closes_its_block(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    alone = reserve(ledger, plan("2021", series="yearly"))
    ledger.spend(alone)
    ledger.store(alone, b"noisy")
    second = reserve(ledger, plan("2021-W02", series="yearly"))
    ledger.register_entry(second, expected=0, digest="two")
    with pytest.raises(RegisterError, match="weekly/2021 "):
        ledger.spend(second)


def test_a_void_reservation_no_longer_counts_in_the_register(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan(series="weekly"))
    ledger.register_entry(made, expected=0, digest="one")
    ledger.void(made, "not wanted")
    other = reserve(ledger, plan("2021-W08", series="weekly"))
    assert [e.replaced for e in ledger.register_entries(other)] == [True]
    assert ledger.register_entry(other, expected=1, digest="two")
    with pytest.raises(LedgerError, match="void"):
        ledger.register_entry(made, expected=2, digest="one")
    ledger.verify()
