"""A ledger is made only where that is wanted and nothing tells of an earlier one; an older schema is upgraded by a run."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import NullPool

from dp_stats.errors import LedgerError, NoLedgerError
from dp_stats.ledger import Ledger, schema
from dp_stats.ledger.database import Database
from dp_stats.ledger.opening import prepare
from dp_stats.ledger.witnesses import Testimony as Told

NOW = datetime(2021, 3, 1, 9, 30, tzinfo=UTC)
NOTHING, SOMETHING = Told(), Told(registers=frozenset({"f" * 32}))


def opened(
    file: Path, *, read_only: bool = False, create: bool = True, told: Told = NOTHING, new: bool = False
) -> None:
    prepare(Database(file, read_only=read_only), create=create, now=NOW, told=told, in_spite=new)


@pytest.fixture(params=["nothing", "a database without a ledger"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where a ledger may come to lie."""
    file = tmp_path / "ledger.db"
    if request.param != "nothing":
        with sqlite3.connect(file) as raw:
            raw.execute("CREATE TABLE something (else_ TEXT)")
    return file


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize(("read_only", "create"), [(True, True), (True, False), (False, False)])
def test_no_ledger_is_made_for_a_reader_or_where_none_is_wanted(
    file: Path, read_only: bool, create: bool, new: bool
) -> None:
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(NoLedgerError, match="There is no ledger at the ledger's URL"):
        opened(file, read_only=read_only, create=create, new=new)
    assert (file.read_bytes() if file.exists() else None) == before


def test_no_ledger_is_made_where_something_tells_of_one_unless_that_is_wanted(file: Path) -> None:
    with pytest.raises(LedgerError, match="something was released from here"):
        opened(file, told=SOMETHING)
    opened(file, told=SOMETHING, new=True)
    (first,) = Ledger.open(file).entries()
    assert first.payload["without"] == SOMETHING.accepted()
    opened(file, told=SOMETHING)


def test_an_emptied_file_is_no_place_for_a_new_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    with pytest.raises(LedgerError, match="The ledger's file is empty, so it is damaged"):
        opened(tmp_path / "ledger.db", new=True)


def test_the_first_entry_names_the_ledger_at_random_and_its_format(file: Path, tmp_path: Path) -> None:
    opened(file)
    opened(tmp_path / "another.db")
    assert (tmp_path / "another.db").stat().st_mode & 0o777 == 0o600
    firsts = [Ledger.open(found).entries()[0] for found in (file, tmp_path / "another.db")]
    for first in firsts:
        assert (first.event, first.at, first.sequence) == ("created", NOW, 1)
        assert first.payload.keys() == {"ledger", "format"}
        assert first.payload["format"] == 1
        assert re.fullmatch("[0-9a-f]{32}", first.payload["ledger"])
    assert firsts[0].payload["ledger"] != firsts[1].payload["ledger"]


@pytest.mark.parametrize("version", schema.VERSIONS[:-1])
def test_an_older_schema_is_upgraded_by_a_run_and_left_as_it_is_by_a_reader(tmp_path: Path, version: str) -> None:
    file = tmp_path / "ledger.db"
    with create_engine(f"sqlite:///{file}").begin() as connection:
        config = Config()
        config.set_main_option("script_location", "dp_stats.ledger:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    before = file.read_bytes()
    with pytest.raises(LedgerError, match=r"older than this version of dp_stats\. Any run upgrades it"):
        opened(file, read_only=True)
    assert file.read_bytes() == before
    opened(file, create=False, told=SOMETHING)
    with sqlite3.connect(file) as raw:
        assert raw.execute("SELECT version_num FROM ledger_version").fetchall() == [(schema.VERSIONS[-1],)]
        assert raw.execute("SELECT count(*) FROM ledger_entries").fetchone() == (0,), "no first entry is made anew"
    whole = file.read_bytes()
    opened(file)
    opened(file, read_only=True, create=False)
    assert file.read_bytes() == whole


def test_a_newer_schema_is_refused_by_its_number(tmp_path: Path) -> None:
    opened(tmp_path / "ledger.db")
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute("UPDATE ledger_version SET version_num = '9999'")
    for read_only in (True, False):
        with pytest.raises(
            LedgerError, match=rf"schema \(9999\) is newer .* \({schema.VERSIONS[-1]}\)\. Upgrade dp_stats"
        ):
            opened(tmp_path / "ledger.db", read_only=read_only)


class Listener:
    """In place of a server: it writes down what is said to it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def connect(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def exec_driver_sql(self, statement: str) -> None:
        self.said.append(statement)

    def execute(self, statement: Any) -> None:
        self.said.append(" ".join(str(statement.compile(dialect=postgresql.dialect())).split()))

    def commit(self) -> None:
        self.said.append("COMMIT")

    def rollback(self) -> None:
        self.said.append("ROLLBACK")


def test_a_postgresql_server_is_told_how_to_read_and_to_queue_who_writes() -> None:
    database = Database("postgresql://ledger@host/ledger", read_only=False, lock_seconds=0.25)
    said = []
    for transaction in (database.read(), database.write(), database.write(migrating=True)):
        database.engine = listener = Listener()  # type: ignore[assignment]
        with transaction:
            pass
        said.append(listener.said)
    durable = ["SET LOCAL lock_timeout = 250", "SET LOCAL synchronous_commit = on"]
    assert said == [
        ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", "ROLLBACK"],
        [*durable, "SELECT ledger_head.id FROM ledger_head FOR UPDATE", "COMMIT"],
        [*durable, "SELECT pg_advisory_xact_lock(hashtext('dp_stats ledger'))", "COMMIT"],
    ]


@pytest.mark.parametrize("url", ["postgresql://ledger@host/ledger", "sqlite"])
def test_no_connection_is_kept_and_no_error_holds_a_value(url: str, tmp_path: Path) -> None:
    database = Database(tmp_path / "ledger.db" if url == "sqlite" else url, read_only=False)
    assert isinstance(database.engine.pool, NullPool)
    assert database.engine.hide_parameters
    assert database.file == (tmp_path / "ledger.db" if url == "sqlite" else None)


class Teller:
    """Witnesses that tell of a release."""

    def tell(self) -> Told:
        return SOMETHING


def test_who_says_no_more_gets_no_new_ledger_where_one_was_used_the_time_in_utc_and_the_wait_that_was_asked(
    tmp_path: Path,
) -> None:
    with pytest.raises(LedgerError, match="something was released from here"):
        Ledger.open(tmp_path / "ledger.db", witnesses=Teller())  # type: ignore[arg-type]
    made = Ledger.open(tmp_path / "other.db", lock_seconds=0.25)
    assert made._database.lock_seconds == 0.25
    assert made._clock().utcoffset() == timedelta(0)
