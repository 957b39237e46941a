"""Nothing is drawn before it is paid for; what was stored first is what everybody reads, for ever."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_examples import Clock, dataset, measured, new_ledger, plan, reserve, sealed

from dp_stats.catalogue.models import Dataset
from dp_stats.errors import LedgerError, RegisterError
from dp_stats.ledger import measuring
from dp_stats.ledger.records import RegisterEntry, StoredMeasurements
from dp_stats.plan.model import Plan
from dp_stats.plan.sealed import SealedPlan


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


# What is written down, and of whom


def like(wanted: Plan, release: str) -> tuple[SealedPlan, Dataset]:
    """The like of a plan, and so of its charge, for another release of another dataset."""
    changed = wanted.model_copy(update={"dataset": "deaths", "release": release})
    return replace(sealed(wanted), plan=changed), dataset().model_copy(update={"id": "deaths"})


def test_register_spending_and_storing_are_written_down_and_read_back_whole(tmp_path: Path) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    wanted = plan("2021-W53", series="weekly", blocks=["2021", "2022"])
    other, deaths = like(wanted, "other")
    told = {"category": "scheduled", "requested_by": "scheduler", "reason": "late rows"}
    beside = ledger.reserve(other, dataset=deaths, **told)  # type: ignore[arg-type]
    ledger.register_entry(beside, expected=0, digest="of the other dataset")
    made = reserve(ledger, wanted, revision=2, reason="late rows")
    edition = {"edition": "weekly/2021-W53", "revision": 2}
    times = []
    for step in (
        lambda: ledger.register_entry(made, expected=0, digest=" one "),
        lambda: ledger.register_entry(made, expected=1, digest="two"),
        lambda: ledger.spend(made),
        lambda: ledger.store(made, b"noisy"),
    ):
        clock.forward(seconds=1)
        times.append(clock.now)
        assert step()
    checksum, of = hashlib.sha256(b"noisy").hexdigest(), {"reservation": made.id, **edition}
    charge = {"dataset": "cases", "key": made.key}
    assert [(e.event, e.payload) for e in ledger.entries()[-4:]] == [
        ("registered", {**charge, **of, "sequence": 1, "digest": "one"}),
        ("registered", {**charge, **of, "sequence": 2, "digest": "two"}),
        ("spent", {**charge, **of, "plan": wanted.hash, "blocks": ["2021", "2022"]}),
        ("stored", {**of, "plan": wanted.hash, "checksum": checksum, "size": 5}),
    ]
    assert ledger.register_entries(made) == [
        RegisterEntry(1, *edition.values(), made.id, "one", True, times[0]),  # type: ignore[arg-type]
        RegisterEntry(2, *edition.values(), made.id, "two", False, times[1]),  # type: ignore[arg-type]
    ]
    assert [entry.digest for entry in ledger.register_entries(beside)] == ["of the other dataset"]
    assert ledger.spend(made) == replace(made, state="stored")
    assert ledger.measurements("weekly/2021-W53", 2) == StoredMeasurements(
        *edition.values(), made.id, wanted.hash, b"noisy", checksum, times[3]  # type: ignore[arg-type]
    )  # fmt: skip


def test_each_edition_and_revision_has_measurements_of_its_own(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    wishes = [("2021-W07", 1, b"one"), ("2021-W07", 2, b"two"), ("2021-W08", 1, b"three")]
    for period, revision, content in wishes:
        measured(ledger, plan(period), content, revision=revision, reason="late rows")
    for period, revision, content in wishes:
        kept = ledger.measurements(f"weekly/{period}", revision)
        assert kept is not None
        assert kept.stored == content
    assert ledger.measurements("weekly/2021-W08", 2) is None


@pytest.mark.parametrize("harm", ["DELETE FROM ledger_measurements", "UPDATE ledger_measurements SET content = x'00'"])
def test_lost_or_altered_measurements_are_never_made_again(tmp_path: Path, harm: str) -> None:
    ledger = new_ledger(tmp_path)
    made = measured(ledger, plan(), revision=2, reason="late rows")
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        for event in ("update", "delete"):
            raw.execute(f"DROP TRIGGER ledger_measurements_{event}")
        raw.execute(harm)
    message = r"The stored measurements of weekly/2021-W07 \(revision 2\) were altered or removed"
    with pytest.raises(LedgerError, match=message):
        ledger.store(made, b"other")
    if harm.startswith("UPDATE"):
        with pytest.raises(LedgerError, match=message):
            ledger.measurements(made.edition, 2)


def test_nothing_is_done_with_a_void_reservation_or_under_an_empty_digest(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan(series="weekly"))
    with pytest.raises(LedgerError, match="The digest of the register is empty"):
        ledger.register_entry(made, expected=0, digest=" ")
    ledger.void(made, "not wanted")
    message = r"The reservation of weekly/2021-W07 \(revision 1\) is void\. Reserve it again"
    with pytest.raises(LedgerError, match=message):
        ledger.spend(made)
    with pytest.raises(LedgerError, match=message):
        ledger.register_entry(made, expected=0, digest="one")
    with pytest.raises(LedgerError, match="was not spent before it was measured"):
        ledger.store(made, b"noisy")


def test_the_next_version_of_a_register_follows_the_last_of_its_own_charge(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    wanted = plan(series="weekly")
    other, deaths = like(wanted, "other")
    beside = ledger.reserve(other, dataset=deaths, category="scheduled", requested_by="scheduler", reason="")
    made = reserve(ledger, wanted)
    another = reserve(ledger, plan("2021-W08", series="monthly"), new_series=True)
    for reservation in (beside, made, another):
        assert ledger.register_entry(reservation, expected=0, digest="one")
    for reservation in (beside, made, another):
        assert not ledger.register_entry(reservation, expected=2, digest="ahead")
        assert not ledger.register_entry(reservation, expected=0, digest="late")
        assert [entry.sequence for entry in ledger.register_entries(reservation)] == [1]


def test_an_edition_alone_in_its_blocks_needs_no_register(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    for block in ("2020", "2021"):
        alone = reserve(ledger, plan(f"{block}-W07", series="weekly", blocks=[block]))
        assert ledger.spend(alone).state == "spent"
        with ledger._write() as writer:
            assert measuring.spend(writer, alone, registered=3).state == "spent"
    for week in (1, 2):
        assert ledger.spend(reserve(ledger, plan(f"2021-W0{week}"))).state == "spent", "no series"


def test_editions_that_share_a_block_are_drawn_only_where_all_that_were_spent_have_registered(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    first, second, third = (reserve(ledger, plan(f"2021-W0{n}", series="weekly")) for n in (1, 2, 3))
    ledger.register_entry(first, expected=0, digest="one")
    ledger.register_entry(first, expected=1, digest="one again")
    assert ledger.spend(first).state == "spent", "the others are only reserved"
    lacks = r"weekly/2021-W02 \(revision 1\) shares a block with other editions of its series"
    with pytest.raises(RegisterError, match=lacks):
        ledger.spend(second)
    ledger.register_entry(second, expected=2, digest="two")
    ledger.spend(second)
    ledger.register_entry(third, expected=3, digest="three")
    assert ledger.spend(third).state == "spent"
    with ledger._database.write() as connection:
        connection.exec_driver_sql(f"UPDATE ledger_register SET replaced = 1 WHERE reservation = {second.id}")
    with pytest.raises(RegisterError, match=lacks):
        ledger.store(third, b"noisy")
    with pytest.raises(RegisterError, match=lacks):
        ledger.store(second, b"noisy")


def test_a_run_whose_register_was_replaced_cannot_spend(tmp_path: Path) -> None:
    slow = new_ledger(tmp_path)
    made = reserve(slow, plan(series="weekly"))
    slow.register_entry(made, expected=0, digest="rows of the slow run")
    fast = type(slow).open(tmp_path / "ledger.db", clock=slow._clock)
    fast.register_entry(made, expected=1, digest="rows of the fast run")
    with pytest.raises(RegisterError, match=r"Another run of weekly/2021-W07 \(revision 1\) has registered other rows"):
        slow.spend(made)
    blind = type(slow).open(tmp_path / "ledger.db", clock=slow._clock)
    assert blind.spend(made).state == "spent", "one that registered nothing itself counts with what is registered"
