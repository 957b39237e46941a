"""The chain of entries is what its documentation says: canonical bytes, hashes anyone can compute, times that go forward."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from ledger_examples import Clock, new_ledger, plan, reserve

from dp_stats.errors import LedgerError
from dp_stats.ledger import Head
from dp_stats.ledger.chain import CLOCK_TOLERANCE, START, Writer, canonical, hash_of, instant, moment


def test_what_is_hashed_is_sorted_ascii_without_spaces() -> None:
    assert canonical({"b": [1, "é"], "a": None}) == r'{"a":null,"b":[1,"\u00e9"]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))


def test_a_hash_is_that_of_the_five_parts_in_their_order() -> None:
    text = f'[2,"{START}","2021-02-15T09:30:00.000000Z","spent","{{}}"]'
    parts = {"previous": START, "at": "2021-02-15T09:30:00.000000Z", "event": "spent", "payload": "{}"}
    assert hash_of(sequence=2, **parts) == hashlib.sha256(text.encode()).hexdigest()


def test_an_instant_is_written_in_utc_to_the_microsecond_and_read_back() -> None:
    here = datetime(2021, 2, 15, 1, 30, 0, 7, tzinfo=timezone(timedelta(hours=2)))
    assert instant(here) == "2021-02-14T23:30:00.000007Z"
    assert moment(instant(here)) == here
    assert moment(instant(here)).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "2021-02-15", "2021-02-15T09:30:00Z", "2021-02-15T09:30:00.000000+00:00"])
def test_an_instant_that_is_written_in_another_way_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^no moment as the ledger writes it$"):
        moment(text)


@pytest.mark.usefixtures("in_tokyo")
def test_an_instant_is_written_in_utc_wherever_the_machine_stands() -> None:
    assert instant(datetime(2021, 2, 15, 9, 30, tzinfo=UTC)) == "2021-02-15T09:30:00.000000Z"


def test_what_is_appended_is_what_is_read_back_and_several_entries_of_a_transaction_follow_each_other(
    tmp_path: Path,
) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    with ledger._database.write() as connection:
        writer = Writer(connection, clock.now)
        payloads = [{"edition": f"weekly/2021-W0{n}", "revision": 1, "checksum": "é"} for n in (1, 2)]
        appended = [writer.append("published", payload) for payload in payloads]
        assert writer.head == Head(3, appended[-1].hash)
    assert ledger.entries()[1:] == appended
    assert ledger.problems() == []


def test_the_first_entry_follows_the_start_and_each_next_one_the_one_before(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    reserve(ledger, plan())
    first, second = ledger.entries()
    assert (first.sequence, first.previous) == (1, START)
    assert (second.sequence, second.previous) == (2, first.hash)
    assert (ledger.head().sequence, ledger.head().hash) == (2, second.hash)


@pytest.mark.parametrize("microseconds", [0, 1])
def test_a_clock_may_lie_five_seconds_behind_and_no_microsecond_more(tmp_path: Path, microseconds: int) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    reserve(ledger, plan("2021-W01"))
    latest = clock.now
    clock.now = latest - CLOCK_TOLERANCE - timedelta(microseconds=microseconds)
    assert timedelta(seconds=5) == CLOCK_TOLERANCE
    if microseconds:
        with pytest.raises(LedgerError, match="lies behind the ledger's last entry"):
            reserve(ledger, plan("2021-W02"))
    else:
        assert reserve(ledger, plan("2021-W02")).at == latest


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM ledger_head",
        "DELETE FROM ledger_entries",
        "UPDATE ledger_head SET sequence = sequence + 1",
        "UPDATE ledger_head SET hash = 'other'",
    ],
)
def test_nothing_is_appended_where_head_and_last_entry_do_not_agree(tmp_path: Path, damage: str) -> None:
    ledger = new_ledger(tmp_path)
    reserve(ledger, plan("2021-W01"))
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        for (trigger,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute(damage)
    with pytest.raises(LedgerError, match="Nothing was recorded"):
        reserve(ledger, plan("2021-W02"))


def test_a_ledger_without_its_head_names_none(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        for (trigger,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute("DELETE FROM ledger_head")
    with pytest.raises(LedgerError, match="no head record"):
        ledger.head()
