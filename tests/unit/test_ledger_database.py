"""How the ledger's database is opened, locked and left, on SQLite; PostgreSQL is in the integration tests."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.pool import NullPool

from dp_stats.errors import LedgerError, NoLedgerError
from dp_stats.ledger import database as opened
from dp_stats.ledger.database import LOCK_SECONDS, Database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database of one table with one row."""
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (n INTEGER)")
        connection.execute("INSERT INTO t VALUES (1)")
    connection.close()
    return path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any], sqlite3.Connection]]:
    """What ``sqlite3.connect`` is asked for, and what it gave."""
    opened._sqlite_engine.cache_clear()
    made: list[tuple[str, dict[str, Any], sqlite3.Connection]] = []
    real = sqlite3.connect

    def connect(name: str, **options: Any) -> sqlite3.Connection:
        connection = real(name, **options)
        made.append((name, options, connection))
        return connection

    monkeypatch.setattr(opened.sqlite3, "connect", connect)
    return made


def rows(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.execute(text("SELECT n FROM t ORDER BY n")).scalars())


@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_written_survives_a_power_cut_and_a_reader_writes_nothing(file: Path, read_only: bool) -> None:
    with Database(file, read_only=read_only).read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("synchronous", "fullfsync", "journal_mode", "query_only")
        }
    assert found == {"synchronous": 3, "fullfsync": 1, "journal_mode": "delete", "query_only": int(read_only)}


def test_only_what_is_opened_for_writing_can_write(file: Path) -> None:
    with pytest.raises(LedgerError, match="opened for reading"), Database(file, read_only=True).write():
        pass
    with (
        pytest.raises(LedgerError, match="read-only"),
        Database(file, read_only=True).read() as connection,
    ):
        connection.execute(text("INSERT INTO t VALUES (2)"))
    assert rows(Database(file, read_only=True)) == [1]


def test_a_write_is_kept_when_its_block_ends_and_gone_when_it_fails(file: Path) -> None:
    database = Database(file, read_only=False)
    with database.write() as connection:
        connection.execute(text("INSERT INTO t VALUES (2)"))

    def fail() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO t VALUES (3)"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with database.read() as connection:
        connection.execute(text("INSERT INTO t VALUES (4)"))
    assert rows(database) == [1, 2]
    assert rows(Database(file, read_only=True)) == [1, 2], "another process sees the same"


def test_a_second_writer_waits_as_long_as_it_was_told_and_then_says_why(file: Path) -> None:
    entered = []
    with Database(file, read_only=False).write():
        began = time.monotonic()
        with pytest.raises(LedgerError, match="lock"), Database(file, read_only=False, lock_seconds=0.4).write():
            entered.append(True)
        waited = time.monotonic() - began
    assert not entered, "it must hold the lock before anything is read that a write depends on"
    assert 0.3 < waited < 30


def test_a_second_writer_that_may_wait_gets_its_turn(file: Path) -> None:
    database, order = Database(file, read_only=False), []
    inside = threading.Event()

    def second() -> None:
        inside.wait()
        with Database(file, read_only=False).write() as connection:
            order.append("second")
            connection.execute(text("INSERT INTO t SELECT MAX(n) + 1 FROM t"))

    other = threading.Thread(target=second)
    other.start()
    with database.write() as connection:
        inside.set()
        connection.execute(text("INSERT INTO t SELECT MAX(n) + 1 FROM t"))
        other.join(0.3)
        order.append("first")
    other.join()
    assert order == ["first", "second"]
    assert rows(database) == [1, 2, 3]


def test_a_reader_sees_one_moment(file: Path) -> None:
    with Database(file, read_only=True).read() as connection:
        before = connection.execute(text("SELECT COUNT(*) FROM t")).scalar_one()
        with (
            pytest.raises(LedgerError, match="lock"),
            Database(file, read_only=False, lock_seconds=0.2).write() as writer,
        ):
            writer.execute(text("INSERT INTO t VALUES (9)"))
        assert connection.execute(text("SELECT COUNT(*) FROM t")).scalar_one() == before


def test_each_transaction_has_a_connection_of_its_own_which_is_closed(file: Path, calls: list[Any]) -> None:
    database = Database(file, read_only=False, lock_seconds=7)
    for _ in range(3):
        rows(database)
    with database.write():
        pass
    assert len(calls) == 4
    for _, _, connection in calls:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
    assert isinstance(database.engine.pool, NullPool)
    assert database.engine.hide_parameters, "values must not get into messages"


@pytest.mark.parametrize(
    ("read_only", "may_write", "mode"),
    [(False, True, "rwc"), (False, False, "rwc"), (True, True, "rw"), (True, False, "ro")],
)
def test_a_file_is_opened_as_it_may_be(
    file: Path, calls: list[Any], monkeypatch: pytest.MonkeyPatch, read_only: bool, may_write: bool, mode: str
) -> None:
    asked = []
    monkeypatch.setattr(opened.os, "access", lambda path, how: asked.append((path, how)) or may_write)
    rows(Database(file, read_only=read_only, lock_seconds=11.0))
    ((name, options, _),) = calls
    assert name == f"file:{file}?mode={mode}"
    assert options == {"uri": True, "timeout": 11.0, "isolation_level": None, "check_same_thread": False}
    assert asked == ([(file, os.W_OK)] if read_only else [])


def test_no_reader_makes_a_file_and_a_writer_does(tmp_path: Path) -> None:
    missing = tmp_path / "none.db"
    with pytest.raises(LedgerError, match="cannot be opened"), Database(missing, read_only=True).read():
        pass
    assert not missing.exists()
    with Database(missing, read_only=False).write() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    assert missing.exists()


@pytest.mark.parametrize("name", ["a b.db", "what?.db", "50%.db", "%3F.db", "#1.db", "ö.db", "a&mode=memory.db"])
def test_the_file_is_the_one_that_is_named(tmp_path: Path, name: str) -> None:
    with Database(tmp_path / name, read_only=False).write() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert Database(tmp_path / name, read_only=True).file == tmp_path / name


def test_files_that_are_opened_otherwise_do_not_share_what_is_kept(file: Path, tmp_path: Path) -> None:
    ways = [(file, False, 1.0), (file, True, 1.0), (file, False, 2.0), (tmp_path / "other.db", False, 1.0)]
    engines = [Database(path, read_only=ro, lock_seconds=seconds).engine for path, ro, seconds in ways]
    assert len({id(engine) for engine in engines}) == 4
    assert Database(file, read_only=False, lock_seconds=1.0).engine is engines[0]
    assert Database(file, read_only=False).lock_seconds == LOCK_SECONDS


def test_urls(tmp_path: Path) -> None:
    for url in (tmp_path / "x.db", str(tmp_path / "x.db"), f"sqlite:///{tmp_path}/x.db"):
        found = Database(url, read_only=False)
        assert (found.sqlite, found.file, found.read_only) == (True, tmp_path / "x.db", False)
    for url in ("postgresql://me@host:1/db", "postgres://me@host:1/db", "postgresql+psycopg2://me@host:1/db"):
        served = Database(url, read_only=True)
        assert (served.sqlite, served.file, served.url.drivername) == (False, None, "postgresql+psycopg2")
        assert (served.url.username, served.url.host, served.url.port, served.url.database) == ("me", "host", 1, "db")
    for url in ("mysql://host/db", "nonsense://x", "://", "postgresql://host:port/db"):
        with pytest.raises(
            LedgerError, match=r"^The ledger's URL is not one of sqlite:///file or postgresql://user@host"
        ):
            Database(url, read_only=False)
    for url in ("sqlite://", "sqlite:///:memory:", "sqlite:///"):
        with pytest.raises(LedgerError, match=r"^The ledger must be kept in a file"):
            Database(url, read_only=False)
    with pytest.raises(NoLedgerError, match=r"^The folder of the ledger's file does not exist"):
        Database(tmp_path / "no" / "x.db", read_only=False)


def test_a_file_without_a_folder_is_in_the_one_we_are_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Database("here.db", read_only=False).write():
        pass
    assert (tmp_path / "here.db").exists()
