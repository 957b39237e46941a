"""Connections and transactions: one writer at a time, durable when it returns, readers see one moment.

SQLite runs with its rollback journal and ``synchronous=EXTRA``: one file that can be copied when idle, read
from read-only media, and that survives a power cut. Every write is ``BEGIN IMMEDIATE``. On PostgreSQL every
write locks the single row of ``ledger_head`` first, so writers queue there. Each transaction uses a new
connection, which keeps forked workers apart.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, select, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from dp_stats.errors import LedgerError, NoLedgerError
from dp_stats.ledger import schema
from dp_stats.ledger.failures import explained

LOCK_SECONDS = 60.0
"""How long a write waits for other writers before it gives up."""


class Database:
    """Where the ledger lives, and how its transactions are made."""

    def __init__(self, url: str | Path, *, read_only: bool, lock_seconds: float = LOCK_SECONDS) -> None:
        self.url = _url(url)
        self.read_only = read_only
        self.lock_seconds = lock_seconds
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = (
            _sqlite_engine(Path(str(self.url.database)), read_only, lock_seconds)
            if self.sqlite
            else self._postgres_engine()
        )

    @property
    def file(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        return Path(str(self.url.database)) if self.sqlite else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment and changes nothing."""
        with explained(), self.engine.connect() as connection:
            if self.sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection
            connection.rollback()

    @contextmanager
    def write(self, *, migrating: bool = False) -> Iterator[Connection]:
        """The only transaction that may change the ledger; committed when the block ends without an error.

        Raises:
            LedgerError: opened read-only, or the database cannot be locked or written.
        """
        if self.read_only:
            raise LedgerError("This ledger was opened for reading. Open it without read_only to record anything.")
        with explained(), self.engine.connect() as connection:
            if self.sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(self.lock_seconds * 1000)}")
                connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
                if migrating:
                    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('dp_stats ledger'))"))
                else:
                    connection.execute(select(schema.head.c.id).with_for_update())
            yield connection
            connection.commit()

    def _postgres_engine(self) -> Engine:
        engine = create_engine(
            self.url,
            poolclass=NullPool,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": 10, "application_name": "dp_stats ledger"},
        )
        return engine


@lru_cache(maxsize=64)
def _sqlite_engine(file: Path, read_only: bool, seconds: float) -> Engine:
    """How a file is opened. It is kept with the statements it has compiled, never with a connection."""

    def connect() -> sqlite3.Connection:
        # A reader that may write the file can undo what a killed writer left half done; query_only holds it back.
        mode = "ro" if read_only and not os.access(file, os.W_OK) else "rw" if read_only else "rwc"
        connection = sqlite3.connect(
            f"file:{quote(str(file))}?mode={mode}",
            uri=True,
            timeout=seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA synchronous=EXTRA")
        connection.execute("PRAGMA fullfsync=1")
        if read_only:
            connection.execute("PRAGMA query_only=1")
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def _url(url: str | Path) -> URL:
    """A file name, a SQLite URL or a PostgreSQL URL as SQLAlchemy understands it."""
    parsed = URL.create("sqlite", database=str(url)) if isinstance(url, Path) or "://" not in url else _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise LedgerError("The ledger must be kept in a file: write its URL as sqlite:////folder/ledger.db.")
        if not Path(str(parsed.database)).absolute().parent.is_dir():
            raise NoLedgerError(
                "The folder of the ledger's file does not exist. Create it (mode 0700) or correct the ledger's URL."
            )
    return parsed


def _parsed(url: str) -> URL:
    with suppress(ArgumentError, ValueError):
        parsed = make_url(url)
        if parsed.get_backend_name() in ("postgresql", "postgres"):
            return parsed.set(drivername="postgresql+psycopg2")
        if parsed.get_backend_name() == "sqlite":
            return parsed
    raise LedgerError("The ledger's URL is not one of sqlite:///file or postgresql://user@host/database.")
