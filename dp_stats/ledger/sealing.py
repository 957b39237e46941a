"""Sealed plans in the ledger: each part is kept once, compressed, under its hash, and never changed.

The entry of a reservation names two documents, the plan itself and what was said about it (names, texts, expected
errors). Everything else follows from their hashes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, insert, select

from dp_stats.errors import LedgerError
from dp_stats.ledger import schema
from dp_stats.ledger.records import KnownSeries, Reservation
from dp_stats.plan.sealed import SealedPlan, references, sha256, unseal

_AT_ONCE = 500


def keep(connection: Connection, parts: Mapping[str, bytes]) -> None:
    """Store the parts that are not stored yet.

    Raises:
        LedgerError: a part does not have its hash.
    """
    known = set(_found(connection, parts))
    for name in sorted(set(parts) - known):
        if sha256(parts[name]) != name:
            raise LedgerError("A part of the plan does not have the hash it is named by. Make the plan again.")
        packed = zlib.compress(parts[name], 9)
        connection.execute(insert(schema.parts).values(hash=name, size=len(parts[name]), content=packed))


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
    return unseal(reservation.plan_hash, reservation.aside, _closure(connection, reservation))


def _closure(connection: Connection, reservation: Reservation) -> dict[str, bytes]:
    documents = _found(connection, (reservation.plan_hash, reservation.aside))
    intact = (content for name, content in documents.items() if sha256(content) == name)  # a damaged one names nothing
    named = [name for content in intact for name in references(content)]
    return {**documents, **_found(connection, named)}


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


def known_series(
    connection: Connection, reservations: Iterable[Reservation], paid: Mapping[str, frozenset[str]]
) -> list[KnownSeries]:
    """The series among ``reservations`` (newest last), newest first, with the blocks that each has paid for."""
    found: dict[str, KnownSeries] = {}
    for reservation in reservations:
        if reservation.series and reservation.revision == 1 and reservation.aside and reservation.key not in found:
            sealed = sealed_plan(connection, reservation)
            if sealed.series is not None:
                found[reservation.key] = KnownSeries(sealed.series, paid.get(reservation.key, frozenset()))
    return list(found.values())[::-1]


def problems(connection: Connection, named: Iterable[tuple[str, str]]) -> Iterable[str]:
    """What is wrong with the stored parts, given the documents (plan, aside) that the entries name."""
    c = schema.parts.c
    parts = {row.hash: unpacked(row.content) for row in connection.execute(select(c.hash, c.content))}
    altered = sorted(name for name, content in parts.items() if sha256(content) != name)
    for name in altered:
        yield f"part {name[:12]} of a sealed plan was altered"
    needed: set[str] = set()
    for document in {name for pair in named for name in pair}:
        needed.add(document)
        if document in parts and document not in altered:
            needed |= set(references(parts[document]))
    for name in sorted(needed - set(parts)):
        yield f"part {name[:12]} of a sealed plan is missing"
    for name in sorted(set(parts) - needed - set(altered)):
        yield f"part {name[:12]} belongs to no sealed plan"
