"""Verify says which entry is wrong and how, also to someone who rewrote the whole chain with right hashes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ledger_examples import Clock, filled_ledger, measured, new_ledger, plan, reserve

from dp_stats.errors import LedgerError
from dp_stats.ledger import Entry, Ledger, verifying
from dp_stats.ledger.chain import START, hash_of

NAMES = ("sequence", "previous", "hash", "at", "event", "payload")


def thirty_entries(ledger: Ledger, clock: Clock) -> None:
    for week in range(1, 30):
        clock.forward(minutes=1)
        reserve(ledger, plan(f"2021-W{week:02d}", rho="0.0001"))
    assert ledger.problems() == []


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger of 30 entries, one a minute."""
    return filled_ledger(tmp_path, thirty_entries)


@pytest.fixture
def rewrite(tmp_path: Path) -> Callable[..., None]:
    """Change entries as someone does who computes hashes (``rehash``), or does not."""

    def change(edit: Callable[[dict[str, Any]], None], *, rehash: bool) -> None:
        with sqlite3.connect(tmp_path / "ledger.db") as raw:
            for (trigger,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                raw.execute(f"DROP TRIGGER {trigger}")
            rows = raw.execute(f"SELECT {', '.join(NAMES)} FROM ledger_entries ORDER BY sequence").fetchall()
            raw.execute("DELETE FROM ledger_entries")
            previous = START
            for values in rows:
                row = dict(zip(NAMES, values, strict=True))
                edit(row)
                if rehash:
                    row["previous"] = previous
                    row["hash"] = hash_of(**{k: v for k, v in row.items() if k != "hash"})
                previous = row["hash"]
                raw.execute("INSERT INTO ledger_entries VALUES (?, ?, ?, ?, ?, ?)", [row[n] for n in NAMES])
            raw.execute("UPDATE ledger_head SET hash = ?", [previous])

    return change


def payload(row: dict[str, Any], **fields: Any) -> None:
    row["payload"] = json.dumps(json.loads(row["payload"]) | fields, sort_keys=True, separators=(",", ":"))


def test_twenty_problems_are_listed_and_the_rest_is_counted(ledger: Ledger, rewrite: Callable[..., None]) -> None:
    rewrite(lambda row: payload(row, note="added"), rehash=False)
    found = ledger.problems()
    assert found[:20] == [f"entry {number} was edited" for number in range(1, 21)]
    assert len(found) == 21
    assert found[20].startswith("and ")
    assert found[20].endswith(" more")
    assert int(found[20].split()[1]) >= 10  # ten more entries, and whatever else contradicts


@pytest.mark.parametrize("edited", [19, 20, 25])
def test_no_problem_goes_uncounted(ledger: Ledger, rewrite: Callable[..., None], edited: int) -> None:
    """Beside the edited entries there is one more problem: a field that no table has."""

    def note(row: dict[str, Any]) -> None:
        if 2 <= row["sequence"] < 2 + edited:
            payload(row, note="added")

    rewrite(note, rehash=False)
    listed = [f"entry {number} was edited" for number in range(2, 2 + edited)][:20]
    rest = "entry 2 (reserved) contradicts the entries before it" if edited == 19 else f"and {edited - 19} more"
    assert ledger.problems() == [*listed, rest]


def test_an_entry_whose_time_is_no_time_cannot_be_understood(ledger: Ledger, rewrite: Callable[..., None]) -> None:
    def yesterday(row: dict[str, Any]) -> None:
        if row["sequence"] == 9:
            row["at"] = "yesterday"

    rewrite(yesterday, rehash=True)
    assert ledger.problems() == ["some entries cannot be understood"]


@pytest.mark.parametrize(
    "damage",
    ["UPDATE ledger_head SET sequence = 29", "UPDATE ledger_head SET hash = 'other'", "DELETE FROM ledger_head"],
)
def test_a_head_that_does_not_name_the_last_entry_is_the_only_problem(
    ledger: Ledger, tmp_path: Path, damage: str
) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        for (trigger,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute(damage)
    assert ledger.problems() == [
        "the head does not name the last entry: entries at the end were removed or added",
    ]


def test_an_entry_dated_before_the_one_before_it_is_found(ledger: Ledger, rewrite: Callable[..., None]) -> None:
    def earlier(row: dict[str, Any]) -> None:
        if row["sequence"] == 7:
            row["at"] = "2020-01-01T00:00:00.000000Z"

    rewrite(earlier, rehash=True)
    assert "entry 7 is dated before entry 6" in ledger.problems()
    assert not any("dated before" in line and "entry 7 is" not in line for line in ledger.problems())


def test_entries_of_one_moment_are_in_order(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path, Clock())
    measured(ledger, plan())
    assert len({entry.at for entry in ledger.entries()}) == 1
    assert ledger.problems() == []


def test_a_charge_above_its_cap_is_named_with_its_entry_block_and_dataset(
    ledger: Ledger, rewrite: Callable[..., None]
) -> None:
    """30 small charges fit; from the entry on whose cap is lowered under the running sum, one does not."""

    def lower(row: dict[str, Any]) -> None:
        if row["sequence"] == 11:  # the tenth charge: 10 × 0.0001
            payload(row, cap="999/1000000")
        if row["sequence"] == 12:  # the eleventh, exactly at its cap
            payload(row, cap="11/10000")

    rewrite(lower, rehash=True)
    assert [line for line in ledger.problems() if "cap" in line] == [
        "entry 11 charges block 2021 of 'cases' above its cap"
    ]


def test_what_was_given_back_no_longer_counts_against_the_cap(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    for _ in range(5):
        ledger.void(reserve(ledger, plan(rho="0.02")), "not wanted")
    reserve(ledger, plan(rho="0.02"))
    assert ledger.problems() == []


def test_what_is_given_back_twice_lowers_no_sum(ledger: Ledger, rewrite: Callable[..., None]) -> None:
    """Someone makes the last but one charge a second return of the one before, and charges what that seems to free."""
    first = ledger.reservation("weekly/2021-W01")
    assert first is not None
    ledger.void(first, "not wanted")
    ledger.void(reserve(ledger, plan("2021-W40", rho="0.0001")), "not wanted")
    reserve(ledger, plan("2021-W41", rho="0.0001"))
    given_back = next(entry for entry in ledger.entries() if entry.event == "void").payload

    def again(row: dict[str, Any]) -> None:
        if row["sequence"] == 33:
            row["payload"] = json.dumps(given_back, sort_keys=True, separators=(",", ":"))
        if row["sequence"] == 34:  # 28 charges, the one that was not given back, and this one
            payload(row, cap="29/10000")

    rewrite(again, rehash=True)
    assert [line for line in ledger.problems() if "cap" in line] == [
        "entry 34 charges block 2021 of 'cases' above its cap"
    ]


def test_an_event_that_nobody_knows_contradicts(ledger: Ledger, rewrite: Callable[..., None]) -> None:
    def unknown(row: dict[str, Any]) -> None:
        if row["sequence"] == 9:
            row["event"] = "forgiven"

    rewrite(unknown, rehash=True)
    assert "entry 9 (forgiven) contradicts the entries before it" in ledger.problems()


def test_an_emptied_ledger_says_that_all_entries_are_gone(ledger: Ledger, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        for (trigger,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute("DELETE FROM ledger_entries")
    assert ledger.problems()[0] == "all entries are gone"


def test_altered_measurements_are_named(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan())
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        for (trigger,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute("UPDATE ledger_measurements SET content = x'00'")
    assert ledger.problems() == ["the stored measurements of weekly/2021-W07 (revision 1) were altered"]


def test_a_kept_head_counts_with_its_own_number_only(ledger: Ledger) -> None:
    entries = ledger.entries()
    for kept in (f"5:{entries[4].hash}", f" {entries[4].hash}\n", entries[4].hash):
        assert ledger.verify(kept).entries == 30
        assert ledger.problems(kept) == []
    for wrong in (f"6:{entries[4].hash}", "5:" + "0" * 64, "0" * 64, ""):
        with pytest.raises(LedgerError, match="kept elsewhere"):
            ledger.verify(wrong)
        assert ledger.problems(wrong) == [
            "the head that was kept elsewhere is in no entry: the end was cut off, or the ledger was rewritten"
        ]


def charged(sequence: int, *, rho: str = "1/100", holds: str = "3/100", cap: str = "6/100", own: str = "1") -> Entry:
    """A charge of two blocks under the cap ``own`` that another dataset pays for as well, under a cap of its own."""
    draw = {"dataset": "records", "block": "lifetime", "rho": holds, "cap": cap}
    told = {"dataset": "cases", "key": f"k{sequence}", "charged": ["2021", "2022"], "rho": rho, "cap": own}
    return Entry(sequence, datetime(2021, 3, 1, tzinfo=UTC), "reserved", told | {"draws": [draw]}, "", "")


def given_back(sequence: int, of: int, *blocks: str) -> Entry:
    told = {"dataset": "cases", "key": f"k{of}", "released": list(blocks)}
    return Entry(sequence, datetime(2021, 3, 1, tzinfo=UTC), "void", told, "", "")


def test_what_other_datasets_pay_is_held_against_their_own_caps() -> None:
    def above(*entries: Entry) -> list[str]:
        return list(verifying._caps(list(entries)))

    line = "entry {} charges block lifetime of 'records' above its cap"
    assert above(charged(1, own="9/1000")) == [
        f"entry 1 charges block {b} of 'cases' above its cap" for b in (2021, 2022)
    ]
    assert above(charged(1)) == []  # two blocks at 3/100: exactly its cap
    assert above(charged(1, cap="59/1000")) == [line.format(1)]
    assert above(charged(1), charged(2, holds="1/1000000", cap="60001/1000000")) == [line.format(2)]
    assert above(charged(1), charged(2, cap="12/100")) == []
    assert above(charged(1), given_back(2, 1, "2021", "2022"), charged(3)) == []
    assert above(charged(1), given_back(2, 1, "2021"), charged(3, cap="89/1000")) == [line.format(3)]
    assert above(charged(1), given_back(2, 1, "2021"), charged(3, cap="90/1000")) == []
    assert above(charged(1), given_back(2, 9, "2021"), charged(3, cap="119/1000")) == [line.format(3)]
    twice = (given_back(2, 1, "2021"), given_back(3, 1, "2021"))
    assert above(charged(1), *twice, charged(4, cap="89/1000")) == [line.format(4)]
