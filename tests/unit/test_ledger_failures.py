"""Where the ledger cannot be trusted or written, everything stops with a message that says what to do."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path
from tempfile import mkdtemp

import pytest
from ledger_examples import Clock, measured, new_ledger, plan, reserve
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, NoResultFound, OperationalError, ProgrammingError

from dp_stats.errors import LedgerError
from dp_stats.ledger import Ledger, schema
from dp_stats.ledger.failures import explain


def refused(error: pytest.ExceptionInfo[LedgerError], *parts: str) -> None:
    """The message says what happened and what to do, and neither it nor its traceback holds SQL."""
    text = str(error.value)
    for part in parts:
        assert part in text
    shown = "".join(traceback.format_exception(error.value))
    assert "[SQL" not in shown
    assert "sqlalche.me" not in shown


def of_driver(kind: type[DBAPIError], **codes: str | None) -> DBAPIError:
    """What SQLAlchemy raises when a driver fails with these codes."""
    failed = type("DriverError", (Exception,), codes)
    return kind("SELECT 'a secret'", {}, failed("a secret"))


UNKNOWN = "the database failed ({}). Look at the database's own log, then run again."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (of_driver(OperationalError, sqlite_errorname="SQLITE_FULL"), "its disk is full; "),
        (
            of_driver(OperationalError, sqlite_errorname="SQLITE_IOERR_SHORT_READ"),
            "its disk cannot be written or read.",
        ),
        (of_driver(OperationalError, sqlite_errorname="SQLITE_READONLY_DBMOVED"), "it is read-only here."),
        (of_driver(OperationalError, sqlite_errorname="SQLITE_NOMEM"), UNKNOWN.format("DriverError")),
        (of_driver(OperationalError, pgcode="53100"), "its disk is full; "),
        (of_driver(OperationalError, pgcode="53200"), UNKNOWN.format("DriverError")),
        (of_driver(OperationalError, pgcode="57P01"), "the server cannot be reached, "),
        (of_driver(OperationalError, pgcode="57014"), UNKNOWN.format("DriverError")),
        (of_driver(OperationalError, pgcode="28P01"), "the server refused this user."),
        (of_driver(ProgrammingError, pgcode="42P01"), "its tables are missing."),
        (of_driver(OperationalError, pgcode=None), "the server cannot be reached, "),
        (of_driver(InterfaceError, pgcode=None), "the server cannot be reached, "),
        (of_driver(ProgrammingError, pgcode=None), UNKNOWN.format("DriverError")),
        (of_driver(OperationalError), UNKNOWN.format("DriverError")),
        (NoResultFound("a secret"), UNKNOWN.format("NoResultFound")),
        (OSError(errno.ENOSPC, "a secret"), "its disk is full; "),
        (OSError(errno.EPERM, "a secret"), "it is read-only here."),
        (OSError(errno.EMFILE, "a secret"), UNKNOWN.format("OSError")),
        (OSError("a secret"), UNKNOWN.format("OSError")),
    ],
)
def test_a_failure_is_told_by_its_code_in_our_own_words(error: Exception, told: str) -> None:
    message = str(explain(error))
    assert message.startswith(f"The ledger cannot be used: {told}")
    assert "secret" not in message


def test_tables_that_contradict_their_entries_are_told_with_what_to_do() -> None:
    assert str(explain(of_driver(IntegrityError, sqlite_errorname="SQLITE_CONSTRAINT_UNIQUE"))) == (
        "The ledger cannot be used: its tables contradict its entries. Nothing was recorded. "
        "Run `dp-stats ledger verify`, and restore the ledger from its backup if it finds something."
    )


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as error:
        Ledger.open(tmp_path / "nowhere" / "ledger.db")
    refused(error, "folder", "does not exist", "Create it")


def test_a_missing_ledger_is_created_only_where_that_is_wanted(tmp_path: Path) -> None:
    for options in ({"read_only": True}, {"create": False}):
        with pytest.raises(LedgerError) as error:
            Ledger.open(tmp_path / "ledger.db", **options)  # type: ignore[arg-type]
        refused(error, "There is no ledger", "forgotten all spending")
    assert not (tmp_path / "ledger.db").exists()
    Ledger.open(tmp_path / "ledger.db")
    assert (tmp_path / "ledger.db").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["ledger.db"]


def test_an_emptied_file_is_not_a_new_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    with pytest.raises(LedgerError, match="damaged"):
        Ledger.open(tmp_path / "ledger.db")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"certainly not" * 1000)
    with pytest.raises(LedgerError) as error:
        Ledger.open(tmp_path / "ledger.db")
    refused(error, "damaged", "backup")


def test_a_damaged_file(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    for week in range(1, 5):
        measured(ledger, plan(f"2021-W0{week}"), bytes(20_000))
    content = bytearray((tmp_path / "ledger.db").read_bytes())
    content[4096 : len(content) // 2] = b"\xff" * (len(content) // 2 - 4096)
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(LedgerError) as error:
        ledger.verify()
    refused(error, "backup")


def test_a_full_disk_records_nothing(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    made = reserve(ledger, plan())
    ledger.spend(made)
    before = ledger.head()

    @event.listens_for(ledger._database.engine, "connect")
    def _no_more_pages(connection: sqlite3.Connection, record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(LedgerError) as error:
        ledger.store(made, bytes(1_000_000))
    refused(error, "disk is full", "Nothing was recorded")
    assert ledger.verify().head == before
    assert ledger.measurements(made.edition) is None


def test_a_locked_ledger_gives_up_after_a_while(tmp_path: Path) -> None:
    new_ledger(tmp_path)
    ledger = Ledger.open(tmp_path / "ledger.db", lock_seconds=0.05, clock=Clock())
    with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError) as error:
            reserve(ledger, plan())
        refused(error, "lock", "run again")
        assert len(ledger.entries()) == 1, "a reader need not wait"
        other.execute("ROLLBACK")
    reserve(ledger, plan())


READER = """
import os, sys
from datetime import datetime, UTC
from dp_stats.errors import LedgerError
from dp_stats.ledger import Ledger
Ledger.open(sys.argv[1], read_only=True).verify()
os.chmod(sys.argv[1], 0o444)
os.chmod(os.path.dirname(sys.argv[1]), 0o555)
if os.geteuid() == 0:
    os.setuid(65534)
Ledger.open(sys.argv[1], read_only=True).verify()
ledger = Ledger.open(sys.argv[1], clock=lambda: datetime(2021, 3, 1, 9, 30, tzinfo=UTC))
try:
    ledger.approve("a plan", "custodian", "refused", "no", None, {})
except LedgerError as error:
    print(error)
"""


def test_a_read_only_file_can_be_read_and_not_written() -> None:
    folder = Path(mkdtemp())
    try:
        measured(new_ledger(folder), plan())
        folder.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", READER, str(folder / "ledger.db")], capture_output=True, text=True, check=False
        )
        assert "read-only" in done.stdout, done.stderr
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_ledger_opened_for_reading_writes_nothing(tmp_path: Path) -> None:
    measured(new_ledger(tmp_path), plan())
    before = (tmp_path / "ledger.db").read_bytes()
    viewer = Ledger.open(tmp_path / "ledger.db", read_only=True)
    assert viewer.measurements("weekly/2021-W07") is not None
    with pytest.raises(LedgerError, match="opened for reading"):
        reserve(viewer, plan("2021-W08"))
    assert (tmp_path / "ledger.db").read_bytes() == before


def test_a_viewer_can_read_after_a_writer_was_killed_in_mid_commit(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan())
    head = ledger.head()
    crash = (
        "import os, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN IMMEDIATE')\n"
        "for n in range(2000): c.execute(\"INSERT INTO ledger_publications VALUES (?, 1, 'x', 'y', 'z')\", (str(n),))\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", crash, str(tmp_path / "ledger.db")], check=False)
    assert (tmp_path / "ledger.db-journal").exists()
    assert Ledger.open(tmp_path / "ledger.db", read_only=True).verify().head == head


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    new_ledger(tmp_path)
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute("UPDATE ledger_version SET version_num = '9999'")
    for read_only in (True, False):
        with pytest.raises(LedgerError) as error:
            Ledger.open(tmp_path / "ledger.db", read_only=read_only)
        refused(error, "newer", "Upgrade dp_stats")


@pytest.mark.parametrize("url", ["mysql://host/ledger", "sqlite://", "sqlite:///:memory:", "nonsense://x", "://"])
def test_a_url_that_is_no_ledger(url: str) -> None:
    with pytest.raises(LedgerError, match="URL"):
        Ledger.open(url)


def test_a_clock_that_goes_backwards(tmp_path: Path) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    reserve(ledger, plan("2021-W01"))
    clock.forward(seconds=-4)
    reserve(ledger, plan("2021-W02"))
    times = [entry.at for entry in ledger.entries()]
    assert times == sorted(times)
    clock.forward(seconds=-2)
    with pytest.raises(LedgerError) as error:
        reserve(ledger, plan("2021-W03"))
    refused(error, "clock", "Set the clock")
    clock.forward(minutes=1)
    reserve(ledger, plan("2021-W03"))
    ledger.verify()


def test_a_reservation_of_another_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    made = reserve(new_ledger(tmp_path), plan())
    with pytest.raises(LedgerError, match="same ledger URL"):
        new_ledger(tmp_path / "other").spend(made)


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    ledger = new_ledger(tmp_path)
    with ledger._database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "ledger_version", "compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        assert context.get_current_revision() == schema.VERSIONS[-1]
    assert ScriptDirectory("dp_stats/ledger/migrations").get_current_head() == schema.VERSIONS[-1]
