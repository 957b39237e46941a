"""Database errors in the operator's words: what happened and what to do, without SQL or values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import DatabaseError as SqliteError

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from dp_stats.errors import LedgerError

_HINTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("database or disk is full", "no space left", "could not extend file", "disk full"),
        "its disk is full; free some space and run again. Nothing was recorded.",
    ),
    (
        ("database is locked", "lock timeout", "database table is locked"),
        "another process held its lock for too long; run again when that process has ended.",
    ),
    (
        ("malformed", "not a database", "file is encrypted", "invalid page"),
        "its file is damaged. Stop all runs, keep the file, and restore the ledger from its backup.",
    ),
    (
        ("readonly", "read-only"),
        "it is read-only here. Give this user write access to the ledger and its folder, or open it "
        "with read_only=True.",
    ),
    (
        ("unable to open database file", "no such file"),
        "its file cannot be opened. Check that the folder exists and that this user may write there.",
    ),
    (
        ("disk i/o error", "could not write", "could not fsync"),
        "its disk cannot be written or read. Check the disk (space, quota, mount) and run again.",
    ),
    (
        ("password authentication failed", "no password supplied", "role", "permission denied"),
        "the server refused this user. Check the user, the password and the rights on the ledger's tables.",
    ),
    (
        ("does not exist", "no such table", "undefined table", "no such column"),
        "its tables are missing. Check that the URL names the right database, or restore the ledger from its backup.",
    ),
    (
        (
            "could not connect",
            "connection refused",
            "connection to server",
            "could not translate host",
            "timeout expired",
            "server closed the connection",
            "terminating connection",
            "ssl",
        ),
        "the server cannot be reached. Check that PostgreSQL runs and that the ledger's URL names its host and port.",
    ),
)

_FAILED = "The ledger cannot be used: "


def explain(error: BaseException) -> LedgerError:
    """The LedgerError for an error of the database or its driver."""
    if isinstance(error, IntegrityError):
        return LedgerError(
            _FAILED + "its tables contradict its entries. Nothing was recorded. Run `dp-stats ledger verify`, "
            "and restore the ledger from its backup if it finds something."
        )
    message = str(getattr(error, "orig", None) or error).lower()
    for signs, hint in _HINTS:
        if any(sign in message for sign in signs):
            return LedgerError(_FAILED + hint)
    kind = type(getattr(error, "orig", None) or error).__name__
    return LedgerError(_FAILED + f"the database failed ({kind}). Look at the database's own log, then run again.")


@contextmanager
def explained() -> Iterator[None]:
    """Turn database errors into LedgerError; the original, which quotes SQL, is not shown behind it."""
    try:
        yield
    except (SQLAlchemyError, SqliteError, OSError) as error:
        raise explain(error) from None
