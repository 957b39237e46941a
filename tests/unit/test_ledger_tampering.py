"""Verify finds every edit, deletion, insertion and reordering, in every table, also by someone who computes hashes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from ledger_examples import Clock, filled_ledger, measured, plan, publish, reserve

from dp_stats.errors import LedgerError
from dp_stats.ledger import Ledger
from dp_stats.ledger.chain import START, hash_of


def everything_once(ledger: Ledger, clock: Clock) -> None:
    made = measured(ledger, plan("2021-W01", series="weekly"))
    measured(ledger, plan("2021-W02", series="weekly"), b"more")
    ledger.void(reserve(ledger, plan("2021-W03")), "not wanted")
    reserve(ledger, plan("2021-W04"))
    ledger.approve(plan().hash, "custodian", "approved", "seen", clock.now + timedelta(1), {"2021": "0.01"})
    publish(ledger, made.edition)
    clock.forward(seconds=1)
    ledger.retracted(made.edition, 1, "sent twice")
    ledger.verify()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger in which everything has happened once."""
    return filled_ledger(tmp_path, everything_once)


@pytest.fixture
def tamper(tmp_path: Path) -> Callable[..., None]:
    def change(*statements: str) -> None:
        with sqlite3.connect(tmp_path / "ledger.db") as raw:
            for (trigger,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                raw.execute(f"DROP TRIGGER {trigger}")
            for statement in statements:
                assert raw.execute(statement).rowcount != 0

    return change


COLUMNS = [
    (table, column)
    for table, columns in {
        "entries": "previous hash at event payload",
        "head": "sequence hash",
        "datasets": "block_kind cap delta",
        "reservations": "edition revision plan key blocks charged rho category requested_by reason run approvers state at",
        "charges": "reservation rho cap delta category requested_by state",
        "register": "sequence reservation edition revision digest replaced at",
        "measurements": "edition revision reservation plan checksum size at content",
        "approvals": "plan approver decision reason expires shown at",
        "publications": "edition revision checksum at software",
        "descriptions": "edition revision plan description looks published at",
        "retractions": "edition revision reason moment at",
        "parts": "hash content",
    }.items()
    for column in columns.split()
]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_an_edit_of_any_column_is_found(
    ledger: Ledger, tamper: Callable[..., None], table: str, column: str, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        value = raw.execute(f"SELECT {column} FROM ledger_{table} LIMIT 1").fetchone()[0]
    other = {"state": "'reserved'" if value != "reserved" else "'spent'"}.get(
        column, f"{value + 77}" if isinstance(value, int) and column != "replaced" else f"'{not value and 1}x'"
    )
    if column == "replaced":
        other = str(1 - value)
    tamper(f"UPDATE ledger_{table} SET {column} = {other} WHERE rowid = (SELECT min(rowid) FROM ledger_{table})")
    assert ledger.problems()
    with pytest.raises(LedgerError, match="not as it was written"):
        ledger.verify()


EDITED_TOGETHER = {
    "rho": ("reserved", "rho", "reservations charges"),
    "cap": ("reserved", "cap", "datasets charges"),
    "requested_by": ("reserved", "requested_by", "reservations charges"),
    "reason": ("reserved", "reason", "reservations"),
    "digest": ("registered", "digest", "register"),
    "approver": ("approved", "approver", "approvals"),
    "published": ("publishing", "published", "descriptions"),
    "reason of a retraction": ("retracted", "reason", "retractions"),
}
"""What someone edits who knows the tables but not the hashes: event, field of its entry, tables that say the same."""


@pytest.mark.parametrize(("event", "field", "tables"), EDITED_TOGETHER.values(), ids=EDITED_TOGETHER)
def test_an_entry_and_its_tables_edited_together_are_found_by_the_hash_alone(
    ledger: Ledger, tamper: Callable[..., None], tmp_path: Path, event: str, field: str, tables: str
) -> None:
    """The tables follow from the edited entries; only the entry's own hash tells."""
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        found = raw.execute("SELECT sequence, payload FROM ledger_entries WHERE event = ? ORDER BY sequence", [event])
        entries = {sequence: json.loads(payload) for sequence, payload in found}
    edited = "1/1000000" if field == "rho" else "3/100" if field == "cap" else "someone else"
    for sequence, payload in entries.items():
        body = json.dumps(payload | {field: edited}, sort_keys=True, separators=(",", ":"))
        tamper(f"UPDATE ledger_entries SET payload = '{body}' WHERE sequence = {sequence}")
    tamper(*(f"UPDATE ledger_{table} SET {field} = '{edited}'" for table in tables.split()))
    assert ledger.problems() == [f"entry {sequence} was edited" for sequence in entries]


def test_an_entry_and_its_table_dated_otherwise_together_are_found_by_the_hash_alone(
    ledger: Ledger, tamper: Callable[..., None]
) -> None:
    at = "2021-03-01T09:30:00.000001Z"
    tamper(
        f"UPDATE ledger_entries SET at = '{at}' WHERE event = 'published'",
        f"UPDATE ledger_publications SET at = '{at}'",
    )
    published = [e.sequence for e in ledger.entries() if e.event == "published"]
    assert ledger.problems() == [f"entry {sequence} was edited" for sequence in published]


@pytest.mark.parametrize(
    ("event", "field", "table"),
    [("published", "checksum", "publications"), ("publishing", "description", "descriptions")],
)
def test_a_part_that_is_named_otherwise_in_entry_and_table_is_missed(
    ledger: Ledger, tamper: Callable[..., None], tmp_path: Path, event: str, field: str, table: str
) -> None:
    """Also where the entry's hash and all after it were made again: what is named must be kept, what is kept be named."""
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        (body,) = raw.execute("SELECT payload FROM ledger_entries WHERE event = ?", [event]).fetchone()
    other = json.dumps(json.loads(body) | {field: "0" * 64}, sort_keys=True, separators=(",", ":"))
    tamper(
        f"UPDATE ledger_entries SET payload = '{other}' WHERE event = '{event}'",
        f"UPDATE ledger_{table} SET {field} = '{'0' * 64}'",
    )
    found = ledger.problems()
    assert f"part {'0' * 12} of what is kept of an edition is missing" in found
    assert any("belongs to no edition" in line for line in found)


def test_an_edited_entry_with_a_new_hash_of_its_own_no_longer_leads_to_the_next(
    ledger: Ledger, tamper: Callable[..., None], tmp_path: Path
) -> None:
    """Entry 2 is made again with its right hash, and so is its table; entry 3 still names the hash of before."""
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        previous, at, event, payload = raw.execute(
            "SELECT previous, at, event, payload FROM ledger_entries WHERE sequence = 2"
        ).fetchone()
    body = json.dumps(json.loads(payload) | {"reason": "other"}, sort_keys=True, separators=(",", ":"))
    digest = hash_of(sequence=2, previous=previous, at=at, event=event, payload=body)
    tamper(
        f"UPDATE ledger_entries SET payload = '{body}', hash = '{digest}' WHERE sequence = 2",
        "UPDATE ledger_reservations SET reason = 'other' WHERE id = 2",
    )
    assert ledger.problems() == ["entry 3 does not follow entry 2"]


@pytest.mark.parametrize("table", sorted({table for table, _ in COLUMNS}))
@pytest.mark.parametrize("which", ["min", "max", "all"])
def test_a_deletion_from_any_table_is_found(
    ledger: Ledger, tamper: Callable[..., None], table: str, which: str
) -> None:
    where = "" if which == "all" else f" WHERE rowid = (SELECT {which}(rowid) FROM ledger_{table})"
    tamper(f"DELETE FROM ledger_{table}{where}")
    assert ledger.problems()


@pytest.mark.parametrize("sequence", [2, 5, 9])
def test_a_deletion_from_the_middle_is_found(ledger: Ledger, tamper: Callable[..., None], sequence: int) -> None:
    tamper(f"DELETE FROM ledger_entries WHERE sequence = {sequence}")
    found = ledger.problems()
    assert [problem for problem in found if "missing" in problem] == [f"entry {sequence} is missing"]
    assert not any("follow" in problem or "edited" in problem for problem in found if problem.startswith("entry"))


def test_reordered_entries_are_found(ledger: Ledger, tamper: Callable[..., None]) -> None:
    tamper(
        "UPDATE ledger_entries SET sequence = -3 WHERE sequence = 3",
        "UPDATE ledger_entries SET sequence = 3 WHERE sequence = 4",
        "UPDATE ledger_entries SET sequence = 4 WHERE sequence = -3",
    )
    assert ledger.problems()


def test_an_inserted_row_is_found(ledger: Ledger, tamper: Callable[..., None]) -> None:
    tamper(
        "INSERT INTO ledger_publications VALUES ('weekly/2021-W02', 1, 'forged', '2021-03-01T09:30:00.000000Z', '{}')"
    )
    assert ledger.problems() == ["table ledger_publications does not follow from the entries"]


def rewrite(path: Path, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> None:
    """What someone does who knows how hashes are computed: change entries and recompute the whole chain and head."""
    names = ("sequence", "previous", "hash", "at", "event", "payload")
    with sqlite3.connect(path) as raw:
        for (trigger,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {trigger}")
        found = [
            dict(zip(names, row, strict=True))
            for row in raw.execute(f"SELECT {', '.join(names)} FROM ledger_entries ORDER BY sequence")
        ]
        raw.execute("DELETE FROM ledger_entries")
        previous = START
        for number, row in enumerate(change(found), start=1):
            row |= {"sequence": number, "previous": previous}
            row["hash"] = previous = hash_of(**{k: v for k, v in row.items() if k != "hash"})  # type: ignore[arg-type]
            raw.execute("INSERT INTO ledger_entries VALUES (?, ?, ?, ?, ?, ?)", [row[n] for n in names])
        raw.execute("UPDATE ledger_head SET sequence = ?, hash = ?", (number, previous))


def test_a_rewritten_chain_contradicts_the_tables(ledger: Ledger, tmp_path: Path) -> None:
    rewrite(tmp_path / "ledger.db", lambda rows: rows[:-1])
    assert ledger.problems() == ["table ledger_retractions does not follow from the entries"]


def test_only_a_kept_head_shows_that_everything_was_rewritten(ledger: Ledger, tmp_path: Path) -> None:
    kept = ledger.head()
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute("DELETE FROM ledger_retractions")
    rewrite(tmp_path / "ledger.db", lambda rows: rows[:-1])
    assert ledger.verify().entries == kept.sequence - 1
    for form in (kept, str(kept), kept.hash):
        with pytest.raises(LedgerError, match="kept elsewhere"):
            ledger.verify(form)


def test_a_kept_head_still_verifies_when_the_ledger_has_grown(ledger: Ledger) -> None:
    kept = ledger.head()
    reserve(ledger, plan("2021-W05"))
    assert ledger.verify(kept).entries == kept.sequence + 1
    assert ledger.verify(kept.hash).head == ledger.head()


def test_a_rewritten_charge_above_its_cap_is_found(ledger: Ledger, tmp_path: Path) -> None:
    def dearer(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        for row in rows:
            if row["event"] == "reserved":
                row["payload"] = json.dumps(json.loads(str(row["payload"])) | {"rho": "1"})
        return rows

    rewrite(tmp_path / "ledger.db", dearer)
    assert any("above its cap" in problem for problem in ledger.problems())


def test_entries_that_make_no_sense_are_found(ledger: Ledger, tmp_path: Path) -> None:
    def nonsense(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        return [row | ({"payload": "[]"} if row["event"] == "spent" else {}) for row in rows]

    rewrite(tmp_path / "ledger.db", nonsense)
    assert ledger.problems()


def test_nothing_is_appended_to_a_ledger_whose_tail_was_cut_off(ledger: Ledger, tamper: Callable[..., None]) -> None:
    tamper("DELETE FROM ledger_entries WHERE sequence = (SELECT max(sequence) FROM ledger_entries)")
    with pytest.raises(LedgerError, match="removed or added"):
        reserve(ledger, plan("2021-W05"))


@pytest.mark.parametrize("action", ["UPDATE ledger_entries SET event = 'x'", "DELETE FROM ledger_measurements"])
def test_a_mistaken_statement_is_stopped_by_the_database(ledger: Ledger, tmp_path: Path, action: str) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute(action)
    ledger.verify()
