"""Opening a ledger: create or upgrade its schema under a lock, refuse one that is newer than this code."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, inspect, select

from dp_stats.errors import LedgerError, NoLedgerError
from dp_stats.files import created_once
from dp_stats.ledger import schema
from dp_stats.ledger.chain import link
from dp_stats.ledger.database import Database
from dp_stats.ledger.failures import explained
from dp_stats.ledger.witnesses import Testimony, refuse_new


def prepare(database: Database, *, create: bool, now: datetime, told: Testimony, in_spite: bool) -> None:
    """Make the ledger ready for use.

    A writer creates a missing ledger (if ``create``) and upgrades an older one, each as a whole or not at
    all. A reader changes nothing.

    Args:
        told: what witnesses tell, read before; with any, a ledger is created only ``in_spite`` of it.

    Raises:
        LedgerError: the ledger is missing and may not be created, is newer than this code, or is damaged.
    """
    if database.file is not None and not database.file.exists():
        if database.read_only or not create:
            raise NoLedgerError(_MISSING)
        if not in_spite:
            refuse_new(told)
        _create_file(database.file, now, told)
    if database.file is not None and not database.file.stat().st_size:
        raise LedgerError("The ledger's file is empty, so it is damaged. Restore the ledger from its backup.")
    with database.read() as connection:
        found = _version(connection)
    if found == schema.VERSIONS[-1]:
        return
    if found is None and (database.read_only or not create):
        raise NoLedgerError(_MISSING)
    if database.read_only:
        raise LedgerError("The ledger's schema is older than this version of dp_stats. Any run upgrades it.")
    if found is None and not in_spite:
        refuse_new(told)
    _migrate(database, now, told)


_MISSING = (
    "There is no ledger at the ledger's URL. Check the URL, or restore the ledger from its backup. Create a new one "
    "only where nothing has been released yet, because a new ledger has forgotten all spending."
)


def _create_file(file: Path, now: datetime, told: Testimony) -> None:
    """Build a new ledger beside its place, readable by its owner only, and link it there unless one has come up."""
    with explained(), created_once(file.absolute(), mode=0o600) as draft:
        _migrate(Database(draft, read_only=False), now, told)


def _migrate(database: Database, now: datetime, told: Testimony) -> None:
    """Bring the schema to the current version in one locked transaction; the first one also writes the first entry."""
    with database.write(migrating=True) as connection:
        new = _version(connection) is None
        _upgrade(connection)
        if new:
            known = {"ledger": uuid4().hex, "format": 1}
            payload = {**known, "without": told.accepted()} if told else known
            link(connection, previous=None, now=now, event="created", payload=payload)


def _version(connection: Connection) -> str | None:
    """The schema version found; None if there is no ledger yet.

    Raises:
        LedgerError: it is none that this code knows.
    """
    if not inspect(connection).has_table(schema.version.name):
        return None
    found = connection.execute(select(schema.version.c.version_num)).scalar_one_or_none()
    if found not in schema.VERSIONS:
        raise LedgerError(
            f"The ledger's schema ({found}) is newer than this version of dp_stats knows "
            f"({schema.VERSIONS[-1]}). Upgrade dp_stats; nothing was changed."
        )
    return str(found)


def _upgrade(connection: Connection) -> None:
    from alembic import command  # only needed when a schema changes; slow to import
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "dp_stats.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
