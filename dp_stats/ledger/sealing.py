"""Sealed plans and descriptions in the ledger: each part is kept once, compressed, under its hash, and never changed.

The entry of a reservation names two documents, the plan itself and what was said about it (names, texts, expected
errors). Everything else follows from their hashes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, insert, select

from dp_stats.errors import LedgerError
from dp_stats.files import sha256
from dp_stats.ledger import schema
from dp_stats.ledger.records import KnownSeries, Reservation
from dp_stats.plan.sealed import SealedPlan, references, unseal
from dp_stats.plan.series import Series

_AT_ONCE = 500
_DAMAGED = (
    "A part of what the ledger keeps of an edition is missing or was altered. Restore the ledger from its backup."
)


def keep(connection: Connection, parts: Mapping[str, bytes]) -> None:
    """Store the parts that are not stored yet.

    Raises:
        LedgerError: a part does not have its hash.
    """
    known = set(_found(connection, parts))
    for name in sorted(set(parts) - known):
        if sha256(parts[name]) != name:
            raise LedgerError("A part of the plan does not have the hash it is named by. Make the plan again.")
        row = {"hash": name, "size": len(parts[name]), "content": zlib.compress(parts[name])}
        connection.execute(insert(schema.parts).values(row))


def sealed_plan(connection: Connection, reservation: Reservation) -> SealedPlan:
    """The sealed plan of a reservation.

    Raises:
        LedgerError: it was made before plans were sealed, or a part is missing or altered.
    """
    if not reservation.aside:
        raise LedgerError(
            f"{reservation.edition} (revision {reservation.revision}) was reserved by an earlier version of dp_stats, "
            "which did not keep its plan. What is published of it stays as it is; to measure or publish anything else "
            "of it, make a new revision with a reason, which is a new charge."
        )
    return unseal(
        reservation.plan_hash,
        reservation.aside,
        closure(connection, (reservation.plan_hash, reservation.aside), missing=True),
    )


def closure(
    connection: Connection, documents: Iterable[str], *, leaves: Iterable[str] = (), missing: bool = False
) -> dict[str, bytes]:
    """Documents with every part that they name, and ``leaves``, by hash.

    Args:
        missing: what is not there is left out, and what was altered is handed out; the caller looks.

    Raises:
        LedgerError: a part is missing or altered.
    """
    wanted = set(documents)
    found = _found(connection, wanted)
    intact = [content for name, content in found.items() if sha256(content) == name]  # a damaged one names nothing
    named = {name for content in intact for name in references(content)} | set(leaves)
    found |= _found(connection, named)
    if not missing and any(name not in found or sha256(found[name]) != name for name in wanted | named):
        raise LedgerError(_DAMAGED)
    return found


def documents(connection: Connection, names: Iterable[str]) -> dict[str, bytes]:
    """Documents by hash, without the parts that they name.

    Raises:
        LedgerError: one is missing or altered.
    """
    wanted = set(names)
    found = _found(connection, wanted)
    if any(sha256(found.get(name, b"")) != name for name in wanted):
        raise LedgerError(_DAMAGED)
    return found


def audiences(connection: Connection, reservations: Iterable[Reservation]) -> dict[int, str]:
    """Reservation, by its number → audience that its sealed plan names; without those of before plans were sealed.

    Raises:
        LedgerError: a part of a plan is missing or altered.
    """
    sealed = {made.id: made.plan_hash for made in reservations if made.aside}
    declared = {n: json.loads(content)["declared"] for n, content in documents(connection, sealed.values()).items()}
    told = {
        n: json.loads(content).get("audience", "public")
        for n, content in documents(connection, declared.values()).items()
    }
    return {number: told[declared[plan]] for number, plan in sealed.items()}


def _found(connection: Connection, names: Iterable[str]) -> dict[str, bytes]:
    wanted = sorted(set(names))
    found: dict[str, bytes] = {}
    c = schema.parts.c
    for start in range(0, len(wanted), _AT_ONCE):
        query = select(c.hash, c.content).where(c.hash.in_(wanted[start : start + _AT_ONCE]))
        found |= {row.hash: unpacked(row.content) for row in connection.execute(query)}
    return found


def unpacked(content: object) -> bytes:
    """The bytes of a part; empty where they were damaged, which no hash fits."""
    try:
        return zlib.decompress(content) if isinstance(content, bytes) else b""
    except zlib.error:
        return b""


def known_series(connection: Connection, reservations: Sequence[Reservation]) -> list[KnownSeries]:
    """The series among ``reservations`` of a release (oldest first), newest first, with the blocks that each has paid for."""
    paid: dict[str, set[str]] = {}
    series: dict[str, Series] = {}
    for reservation in reservations:
        paid.setdefault(reservation.key, set()).update(reservation.blocks)
        if reservation.series and reservation.revision == 1 and reservation.aside and reservation.key not in series:
            sealed = sealed_plan(connection, reservation)
            if sealed.series is not None:
                series[reservation.key] = sealed.series
    return [KnownSeries(found, frozenset(paid[key])) for key, found in reversed(series.items())]


def problems(connection: Connection, documents: Iterable[str], leaves: Iterable[str]) -> Iterable[str]:
    """What is wrong with the stored parts, given the documents and the single parts that the entries name."""
    c, wanted = schema.parts.c, set(documents)
    there: set[str] = set()
    altered: list[str] = []
    needed = {*leaves, *wanted}
    for name, packed in connection.execute(select(c.hash, c.content), execution_options={"yield_per": _AT_ONCE}):
        content = unpacked(packed)
        there.add(name)
        if sha256(content) != name:
            altered.append(name)
        elif name in wanted:
            needed.update(references(content))
    for name in sorted(altered):
        yield f"part {name[:12]} of what is kept of an edition was altered"
    for name in sorted(needed - there):
        yield f"part {name[:12]} of what is kept of an edition is missing"
    for name in sorted(there - needed - set(altered)):
        yield f"part {name[:12]} belongs to no edition"
