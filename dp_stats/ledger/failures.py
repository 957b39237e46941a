"""Database errors in the operator's words: what happened and what to do, without SQL or values.

Which failure it was is read from the codes that drivers give (SQLite's result codes, PostgreSQL's SQLSTATE, the
operating system's errno), never from a message.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from sqlite3 import DatabaseError as SqliteError

from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError, SQLAlchemyError

from dp_stats.errors import LedgerError

_FULL = "its disk is full; free some space and run again. Nothing was recorded."
_LOCKED = "another process held its lock for too long; run again when that process has ended."
_DAMAGED = "its file is damaged. Stop all runs, keep the file, and restore the ledger from its backup."
_READ_ONLY = (
    "it is read-only here. Give this user write access to the ledger and its folder, or open it with read_only=True."
)
_CLOSED = "its file cannot be opened. Check that the folder exists and that this user may write there."
_DISK = "its disk cannot be written or read. Check the disk (space, quota, mount) and run again."
_USER = "the server refused this user. Check the user, the password and the rights on the ledger's tables."
_TABLES = "its tables are missing. Check that the URL names the right database, or restore the ledger from its backup."
_UNREACHABLE = (
    "the server cannot be reached, or refused this user. Check that PostgreSQL runs, that the ledger's URL names its host "
    "and port, and the user and the password."
)

_BY_CODE: Mapping[str, str] = {
    # SQLite: primary result codes, https://www.sqlite.org/rescode.html
    "SQLITE_FULL": _FULL,
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_READONLY": _READ_ONLY,
    "SQLITE_PERM": _READ_ONLY,
    "SQLITE_CANTOPEN": _CLOSED,
    "SQLITE_IOERR": _DISK,
    "SQLITE_ERROR": _TABLES,  # our statements are fixed, so what they name is not there
    # PostgreSQL: SQLSTATE, or its class of two characters (Appendix A of its manual)
    "53100": _FULL,
    "55P03": _LOCKED,
    "40P01": _LOCKED,
    "25006": _READ_ONLY,
    "42501": _USER,
    "28": _USER,
    "42P01": _TABLES,
    "42703": _TABLES,
    "3D000": _TABLES,
    "3F000": _TABLES,
    "58": _DISK,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
    "08": _UNREACHABLE,
    "57P": _UNREACHABLE,
}
_BY_ERRNO: Mapping[int, str] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
    errno.ENOENT: _CLOSED,
    errno.EIO: _DISK,
}

_FAILED = "The ledger cannot be used: "


def explain(error: BaseException) -> LedgerError:
    """The LedgerError for an error of the database or its driver."""
    if isinstance(error, IntegrityError):
        return LedgerError(
            _FAILED + "its tables contradict its entries. Nothing was recorded. Run `dp-stats ledger verify`, "
            "and restore the ledger from its backup if it finds something."
        )
    cause = getattr(error, "orig", None) or error
    hint = _hint(cause, lost=isinstance(error, (OperationalError, InterfaceError)))
    if hint is None:
        hint = f"the database failed ({type(cause).__name__}). Look at the database's own log, then run again."
    return LedgerError(_FAILED + hint)


def _hint(cause: BaseException, *, lost: bool) -> str | None:
    """What to do about a driver's error by its code; ``lost``: an error of the connection where there is no code."""
    sqlite = getattr(cause, "sqlite_errorname", None)
    if sqlite is not None:
        return _BY_CODE.get("_".join(str(sqlite).split("_")[:2]))
    state = getattr(cause, "pgcode", None)
    if state is not None:
        return next((_BY_CODE[part] for part in (state, state[:3], state[:2]) if part in _BY_CODE), None)
    if isinstance(cause, OSError):
        return _BY_ERRNO.get(cause.errno or 0)
    return _UNREACHABLE if lost and hasattr(cause, "pgcode") else None


@contextmanager
def explained() -> Iterator[None]:
    """Turn database errors into LedgerError; the original, which quotes SQL, is not shown behind it."""
    try:
        yield
    except (SQLAlchemyError, SqliteError, OSError) as error:
        raise explain(error) from None
