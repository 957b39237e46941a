"""A ledger that knows less than what lies beside it is refused, whatever was lost, and nothing else ever is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_examples import Clock, dataset, measured, new_ledger, plan, reserve

from dp_stats.errors import LedgerError
from dp_stats.ledger import Head, Ledger, Witnesses
from dp_stats.ledger.database import Database
from dp_stats.ledger.opening import prepare
from dp_stats.ledger.witnesses import Testimony as Told
from dp_stats.ledger.witnesses import refuse_new, register_folder
from dp_stats.transparency.leaves import HEADS


class Home:
    """A state folder with a ledger and its witnesses."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "ledger.db"
        self.witnesses = Witnesses(
            heads=folder / "ledger.heads", registers=folder / "register", published=(folder / "public",)
        )

    def open(self, *, new: bool = False) -> Ledger:
        return Ledger.open(self.file, clock=Clock(), witnesses=self.witnesses, new=new)

    def publish(self, edition: str, facts: object = None, *, revision: str = "r1") -> None:
        folder = self.folder / "public" / edition / revision
        folder.mkdir(parents=True)
        (folder / "edition.json").write_text(json.dumps(facts or {}))

    def register(self, key: str) -> None:
        folder = self.folder / "register" / register_folder("cases", key)
        folder.mkdir(parents=True)
        (folder / "of-an-edition.parquet").write_bytes(b"")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    new_ledger(tmp_path)
    return Home(tmp_path)


def test_an_empty_home_needs_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ledger = home.open()
    measured(ledger, plan())
    assert home.open().head() == ledger.head()
    assert ledger.verify(witnesses=home.witnesses).entries == 4


def test_each_commit_keeps_its_head_and_nothing_else_does(home: Home) -> None:
    ledger = home.open()
    made = reserve(ledger, plan())
    assert home.witnesses.heads.read_text().splitlines()[-1].endswith(f" {ledger.head()}")
    before = home.witnesses.heads.read_bytes()
    reserve(ledger, plan())
    ledger.charges()
    home.open()
    assert home.witnesses.heads.read_bytes() == before
    ledger.spend(made)
    kept = home.witnesses.heads.read_bytes()
    assert kept.startswith(before)
    assert len(kept) > len(before)
    assert home.witnesses.heads.stat().st_mode & 0o777 == 0o600


def test_a_removed_ledger_is_not_made_anew_where_heads_were_kept(home: Home) -> None:
    head = str(measured_head(home))
    home.file.unlink()
    with pytest.raises(LedgerError, match=f"(?s)There is no ledger.*{head}.*--new-ledger"):
        home.open()
    assert not home.file.exists()


def test_a_removed_ledger_is_not_made_anew_where_an_edition_was_published(home: Home) -> None:
    home.file.unlink()
    home.publish("weekly/2021-W07")
    with pytest.raises(LedgerError, match="weekly/2021-W07/r1"):
        home.open()
    assert not home.file.exists()


def test_a_removed_ledger_is_not_made_anew_where_a_register_was_kept(home: Home) -> None:
    home.file.unlink()
    home.register("a series")
    with pytest.raises(LedgerError, match="contribution registers"):
        home.open()
    assert not home.file.exists()


def measured_head(home: Home) -> object:
    ledger = home.open()
    measured(ledger, plan())
    return ledger.head()


def test_an_older_backup_is_refused_by_the_kept_heads_alone(home: Home, tmp_path: Path) -> None:
    reserve(home.open(), plan("2021-W05"))
    shutil.copy(home.file, tmp_path / "backup.db")
    head = str(measured_head(home))
    assert home.open().unknown(home.witnesses) == []
    shutil.copy(tmp_path / "backup.db", home.file)
    with pytest.raises(LedgerError, match=f"(?s)Nothing was recorded.*{head}.*ends at 2.*Restore the newest backup"):
        home.open()
    viewer = Ledger.open(home.file, read_only=True)
    assert viewer.head().sequence == 2
    with pytest.raises(LedgerError, match="knows less"):
        viewer.verify(witnesses=home.witnesses)


def test_an_older_backup_that_was_written_to_since_is_refused_though_it_is_longer(home: Home, tmp_path: Path) -> None:
    shutil.copy(home.file, tmp_path / "backup.db")
    reserve(home.open(), plan("2021-W05"))
    shutil.copy(tmp_path / "backup.db", home.file)
    blind = Ledger.open(home.file, clock=Clock())
    measured(blind, plan("2021-W06"))
    with pytest.raises(LedgerError, match="entries up to 2:"):
        home.open()


def test_an_older_backup_is_refused_by_a_published_edition_alone(home: Home) -> None:
    ledger = home.open()
    home.publish("weekly/2021-W07")
    home.witnesses.heads.unlink()
    with pytest.raises(LedgerError, match="measurements of published editions: weekly/2021-W07/r1"):
        home.open()
    measured(ledger, plan())
    home.open()


def test_an_older_backup_is_refused_by_a_register_alone(home: Home) -> None:
    ledger = home.open()
    wanted = plan(series="a series")
    home.register(wanted.series_hash)
    home.witnesses.heads.unlink()
    with pytest.raises(LedgerError, match="charges of contribution registers"):
        home.open()
    ledger.void(reserve(ledger, wanted), "a register outlives a charge that was given back")
    home.open()


def test_an_edition_that_names_an_entry_of_another_ledger_is_found_by_whoever_verifies(home: Home) -> None:
    ledger = home.open()
    measured(ledger, plan())
    home.publish("weekly/2021-W07", {"charges": [f"2:{ledger.entries()[1].hash}"]})
    assert ledger.unknown(home.witnesses) == []
    ledger.verify(witnesses=home.witnesses)
    said = home.folder / "public" / "weekly/2021-W07" / "r1" / "edition.json"
    for of_no_entry in ("9:", "9", "", f"02:{ledger.entries()[1].hash}", f"2:{ONE}"):
        said.write_text(json.dumps({"charges": [of_no_entry]}))
        (line,) = ledger.unknown(home.witnesses)
        assert line == f"entry {of_no_entry}, which paid for weekly/2021-W07/r1"
    with pytest.raises(LedgerError, match="knows less"):
        ledger.verify(witnesses=home.witnesses)


def test_another_ledger_is_refused_though_it_is_whole(home: Home, tmp_path: Path) -> None:
    measured_head(home)
    other = tmp_path / "other.db"
    measured(Ledger.open(other, clock=Clock()), plan())
    other.replace(home.file)
    with pytest.raises(LedgerError, match="another ledger"):
        home.open()


def test_a_new_ledger_in_spite_of_it_says_what_it_has_forgotten_and_works_from_then_on(home: Home) -> None:
    measured_head(home)
    home.publish("weekly/2021-W07")
    home.register("a series")
    home.file.unlink()
    ledger = home.open(new=True)
    forgotten = ledger.entries()[0].payload["without"]
    assert forgotten["editions"] == ["weekly/2021-W07/r1"]
    assert forgotten["registers"] == [register_folder("cases", "a series")]
    assert len(forgotten["ledgers"]) == 1
    measured(home.open(), plan("2021-W08"))
    home.publish("weekly/2021-W08")
    home.open()
    home.publish("weekly/2021-W09")
    with pytest.raises(LedgerError, match="published editions: weekly/2021-W09/r1"):
        home.open()


def test_the_wish_for_a_new_ledger_never_excuses_an_old_one(home: Home, tmp_path: Path) -> None:
    shutil.copy(home.file, tmp_path / "backup.db")
    measured_head(home)
    shutil.copy(tmp_path / "backup.db", home.file)
    with pytest.raises(LedgerError, match="knows less"):
        home.open(new=True)


@pytest.mark.parametrize("lost", [1, 2, 3, 100])
def test_a_head_that_lags_because_a_process_was_killed_is_fine_and_is_caught_up(home: Home, lost: int) -> None:
    head = str(measured_head(home))
    whole = home.witnesses.heads.read_bytes().splitlines(keepends=True)
    home.witnesses.heads.write_bytes(b"".join(whole[: max(0, len(whole) - lost)]))
    assert str(home.open().head()) == head
    assert home.witnesses.heads.read_bytes().splitlines(keepends=True)[-1] == whole[-1]


@pytest.mark.parametrize("written", [1, 40, 64, 67, 100, 131])
def test_a_line_that_was_torn_by_a_kill_tells_nothing_and_spoils_no_other(home: Home, written: int) -> None:
    head = str(measured_head(home))
    *others, last = home.witnesses.heads.read_bytes().splitlines(keepends=True)
    home.witnesses.heads.write_bytes(b"".join(others) + last[:written])
    ledger = home.open()
    assert str(ledger.head()) == head
    assert home.witnesses.heads.read_bytes().splitlines()[-1] == last.strip()
    reserve(ledger, plan("2021-W30"))
    assert ledger.unknown(home.witnesses) == []
    assert str(ledger.head()) in home.witnesses.tell().newest()


def test_a_commit_counts_though_its_head_cannot_be_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = home.open()

    def full(self: Witnesses, ledger: str, head: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Witnesses, "keep", full)
        made = reserve(ledger, plan())
        with pytest.raises(LedgerError, match="disk is full"):
            home.open()
    assert made.state == "reserved"
    home.open()
    assert home.witnesses.heads.read_text().splitlines()[-1].endswith(f" {ledger.head()}")


def test_a_failed_write_keeps_no_head(home: Home) -> None:
    ledger = home.open()
    before = home.witnesses.heads.read_bytes()
    with pytest.raises(LedgerError):
        reserve(ledger, plan(), dataset=dataset(per="month"))
    assert home.witnesses.heads.read_bytes() == before


def test_a_witness_that_cannot_be_read_stops_everything(home: Home) -> None:
    home.open()
    home.witnesses.heads.unlink()
    home.witnesses.heads.mkdir()
    with pytest.raises(LedgerError):
        home.open()
    assert os.listdir(home.witnesses.heads) == []


# What is told, and in which words

ONE, OTHER = "1" * 64, "2" * 64


def test_the_folder_of_a_register_is_named_by_32_digits_of_a_hash() -> None:
    assert register_folder("cases", "a series") == hashlib.sha256(b"cases/a series").hexdigest()[:32]


def test_witnesses_tell_of_heads_editions_registers_and_the_public_log(home: Home) -> None:
    home.witnesses.heads.write_bytes(
        f"{ONE} 1:{ONE}\n{ONE} 12:{OTHER}\n{OTHER} 3:{ONE}\n".encode()
        + f"\xff\xfe {ONE} 99:{ONE}\n{ONE} 98:{ONE} \n{ONE} 0:{ONE}\n".encode("latin-1")
    )
    home.publish("weekly/2021-W07", {"charges": ["2:aa", "3:bb"]})
    home.publish("weekly/2021-W07", {"charges": 7}, revision="r12")
    home.publish("weekly/2021-W08", ["no object"])
    home.publish("weekly/2021-W09", revision="r0")
    home.publish("weekly/2021-W09", revision="rx")
    home.publish("weekly/2021-W09", revision="r1-draft")
    home.register("a series")
    (home.folder / "register" / register_folder("cases", "empty")).mkdir()
    witnesses = replace(home.witnesses, published=(home.folder / "nowhere", home.folder / "public"))
    lines = [
        json.dumps({"size": size, "root": root, "edition": "e"}) for size, root in ((3, ONE), (5, OTHER), (7, ONE))
    ]
    (home.folder / "public" / HEADS).write_text("\n".join(lines) + "\n")
    editions = {("weekly/2021-W07", 1), ("weekly/2021-W07", 12), ("weekly/2021-W08", 1)}
    told = Told(
        {ONE: {1: ONE, 12: OTHER}, OTHER: {3: ONE}},
        frozenset(editions),
        frozenset({register_folder("cases", "a series")}),
        dict.fromkeys(editions, ()) | {("weekly/2021-W07", 1): ("2:aa", "3:bb")},
        f"7:{ONE}",
    )
    assert witnesses.tell(charges=True) == told
    assert witnesses.tell() == replace(told, named={})
    assert sorted(told.newest()) == [f"12:{OTHER}", f"3:{ONE}"]
    assert told.accepted() == {
        "ledgers": [ONE, OTHER],
        "editions": ["weekly/2021-W07/r1", "weekly/2021-W07/r12", "weekly/2021-W08/r1"],
        "registers": [register_folder("cases", "a series")],
        "log": f"7:{ONE}",
    }


@pytest.mark.parametrize("log", [None, b"", b"{", b"[]", b'{"size": 3}', b'{"size": "x", "root": ""}', b"7"])
def test_a_log_that_cannot_be_read_tells_of_no_head(home: Home, log: bytes | None) -> None:
    if log is not None:
        (home.folder / "public").mkdir()
        (home.folder / "public" / HEADS).write_bytes(log)
    told = home.witnesses.tell()
    assert told == Told()
    assert told.accepted() == {"ledgers": [], "editions": [], "registers": []}


@pytest.mark.parametrize(
    ("before", "between"), [(b"", b""), (b"x", b"\n"), (b"torn", b"\n"), (b"\n", b""), (b"a\n", b"")]
)
def test_a_kept_head_stands_on_a_line_of_its_own_and_leaves_no_line_empty(
    home: Home, before: bytes, between: bytes
) -> None:
    home.witnesses.heads.write_bytes(before)
    home.witnesses.keep(ONE, Head(12, OTHER))
    assert home.witnesses.heads.read_bytes() == before + between + f"{ONE} 12:{OTHER}\n".encode()


def test_what_a_ledger_lacks_is_told_line_by_line(home: Home) -> None:
    ledger = home.open()
    measured(ledger, plan("2021-W05"))
    known = [f"{entry.sequence}:{entry.hash}" for entry in ledger.entries()]
    own = ledger.entries()[0].hash
    told = Told(
        {own: {1: own, 3: ONE, 7: OTHER}, OTHER: {2: ONE, 9: OTHER}},
        frozenset({("weekly/2021-W05", 1), *(("weekly/2021-W06", n) for n in range(1, 7))}),
        frozenset({register_folder("cases", "one"), register_folder("cases", ledger.charges()[0].key)}),
        {("weekly/2021-W05", 1): (known[1], "2:aa", known[2], f"9:{ONE}", "x"), ("weekly/2021-W06", 1): tuple(known)},
    )
    with ledger._database.read() as connection:
        assert told.unknown_to(connection) == [
            f"entries up to 7:{OTHER}, by the heads that were kept; it ends at 4",
            f"another ledger with entries up to 9:{OTHER}, by the heads that were kept; it ends at 4",
            "the measurements of published editions: weekly/2021-W06/r1, weekly/2021-W06/r2, weekly/2021-W06/r3, "
            "weekly/2021-W06/r4, weekly/2021-W06/r5 and 1 more",
            f"entry 2:aa, 9:{ONE}, x, which paid for weekly/2021-W05/r1",
            f"the charges of contribution registers: {register_folder('cases', 'one')}",
        ]


def test_a_new_ledger_is_refused_with_all_that_tells_of_an_earlier_one() -> None:
    refuse_new(Told())
    told = Told({OTHER: {2: ONE, 9: OTHER}}, frozenset(("a/2021", n) for n in range(1, 6)), frozenset({"f", "e"}))
    with pytest.raises(LedgerError) as error:
        refuse_new(told)
    assert str(error.value).splitlines()[1:-1] == [
        f"  the head 9:{OTHER}",
        "  published editions: a/2021/r1, a/2021/r2, a/2021/r3, a/2021/r4, a/2021/r5",
        "  contribution registers: e, f",
    ]


def test_what_a_new_ledger_was_made_in_spite_of_is_no_loss_and_all_else_is(home: Home) -> None:
    told = Told(
        {ONE: {7: ONE}}, frozenset({("a/2021", 1)}), frozenset({"f"}), {("a/2021", 1): ("2:aa",)}, log=f"7:{ONE}"
    )
    home.file.unlink()
    database = Database(home.file, read_only=False, lock_seconds=1)
    prepare(database, create=True, now=Clock().now, told=told, in_spite=True)
    later = Told({OTHER: {7: ONE}}, frozenset({("a/2021", 2)}), frozenset({"g"}), {("a/2021", 2): ("2:aa",)})
    with database.read() as connection:
        assert told.unknown_to(connection) == []
        assert len(later.unknown_to(connection)) == 4


def test_a_ledger_without_its_first_entry_is_refused(home: Home) -> None:
    home.open()
    with sqlite3.connect(home.file) as raw:
        raw.execute("DROP TRIGGER ledger_entries_delete")
        raw.execute("DELETE FROM ledger_entries WHERE sequence = 1")
    with pytest.raises(LedgerError, match="has lost its first entry"):
        home.open()
