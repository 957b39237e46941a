"""The chain of entries: each holds the hash of the one before it, so no past can be changed unseen."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring_ascii
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, RowMapping, insert, select, update

from dp_stats.errors import LedgerError
from dp_stats.ledger import schema
from dp_stats.ledger.projection import project
from dp_stats.ledger.records import Entry, Head

START = "0" * 64
CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far a machine's clock may lie behind the last entry (several machines never agree exactly)."""


_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical(content: Any) -> str:
    """JSON with sorted keys, no spaces and only ASCII: the bytes that are hashed."""
    return _CANONICAL.encode(content)


def hash_of(*, sequence: int, previous: str, at: str, event: str, payload: str) -> str:
    """SHA-256 of an entry: the canonical JSON of ``[sequence, previous, at, event, payload text]``."""
    texts = ",".join(map(encode_basestring_ascii, (previous, at, event, payload)))
    return hashlib.sha256(f"[{sequence},{texts}]".encode()).hexdigest()


def instant(moment: datetime) -> str:
    """UTC with microseconds, e.g. ``2021-02-15T09:30:00.000000Z``; sorts as time does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """Read what ``instant`` wrote.

    Raises:
        ValueError: it is written in another way.
    """
    if _INSTANT.fullmatch(text) is None:
        raise ValueError("no moment as the ledger writes it")
    return datetime.fromisoformat(text)


def entry_of(row: RowMapping) -> Entry:
    """An entry as stored."""
    return Entry(
        row["sequence"], moment(row["at"]), row["event"], payload_of(row["payload"]), row["previous"], row["hash"]
    )


def payload_of(text: str) -> Any:
    """What an entry says, from its canonical JSON.

    Raises:
        ValueError: it is none.
    """
    try:
        return from_json(text)  # three times as fast as the standard library, which alone reads half a character
    except ValueError:
        return json.loads(text)


class Writer:
    """One locked transaction: appends entries and keeps the projections in step.

    Raises (on creation):
        LedgerError: the head does not match the last entry, or the clock lies behind it.
    """

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        head = connection.execute(select(schema.head)).mappings().one_or_none()
        last = (
            connection.execute(select(schema.entries).order_by(schema.entries.c.sequence.desc()).limit(1))
            .mappings()
            .one_or_none()
        )
        if head is None or last is None or (head["sequence"], head["hash"]) != (last["sequence"], last["hash"]):
            raise LedgerError(
                "The ledger's last entry is not the one its head names: entries were removed or added from outside. "
                "Nothing was recorded. Run `dp-stats ledger verify` and restore the ledger from its backup."
            )
        self._last = entry_of(last)
        self.now = max(now, self._last.at)
        if now < self._last.at - CLOCK_TOLERANCE:
            raise LedgerError(
                f"This machine's clock ({instant(now)}) lies behind the ledger's last entry "
                f"({instant(self._last.at)}). Nothing was recorded. Set the clock, then run again."
            )

    @property
    def head(self) -> Head:
        """The last entry as this transaction has it."""
        return Head(self._last.sequence, self._last.hash)

    def append(self, event: str, payload: Mapping[str, Any], *, content: bytes | None = None) -> Entry:
        """Add an entry and apply it to the projections; ``content`` are the bytes of stored measurements."""
        self._last = link(
            self.connection, previous=self._last, now=self.now, event=event, payload=payload, content=content
        )
        return self._last


def link(
    connection: Connection,
    *,
    previous: Entry | None,
    now: datetime,
    event: str,
    payload: Mapping[str, Any],
    content: bytes | None = None,
) -> Entry:
    """Write the entry that follows ``previous`` (None: the first one), the head, and the projections."""
    body = canonical(payload)
    sequence = previous.sequence + 1 if previous else 1
    row = {
        "sequence": sequence,
        "previous": previous.hash if previous else START,
        "at": instant(now),
        "event": event,
        "payload": body,
    }
    row["hash"] = hash_of(**row)  # type: ignore[arg-type]
    connection.execute(insert(schema.entries).values(**row))
    if previous is None:
        connection.execute(insert(schema.head).values(id=1, sequence=1, hash=row["hash"]))
    else:
        connection.execute(update(schema.head).values(sequence=sequence, hash=row["hash"]))
    entry = Entry(sequence, moment(str(row["at"])), event, json.loads(body), str(row["previous"]), str(row["hash"]))
    project(connection, entry, at=str(row["at"]), content=content)
    return entry


def head_of(connection: Connection) -> Head:
    """The head record.

    Raises:
        LedgerError: there is none; the ledger was damaged.
    """
    row = connection.execute(select(schema.head.c.sequence, schema.head.c.hash)).one_or_none()
    if row is None:
        raise LedgerError("The ledger has no head record. Restore the ledger from its backup.")
    return Head(row.sequence, row.hash)
