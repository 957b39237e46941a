"""Measuring: the register's next version, spending before any draw, and storing one set of measurements for ever."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, select

from dp_stats.errors import LedgerError, RegisterError
from dp_stats.files import sha256
from dp_stats.ledger import agreeing, schema
from dp_stats.ledger.chain import Writer, moment
from dp_stats.ledger.records import RegisterEntry, Reservation, StoredMeasurements
from dp_stats.ledger.reservations import by_id, sharing
from dp_stats.ledger.reserving import require_approvals
from dp_stats.ledger.texts import line


def register_entries(connection: Connection, reservation: Reservation) -> list[RegisterEntry]:
    """Every version of the register of the reservation's charge, in order: sequences 1, 2, 3 …"""
    c = schema.register.c
    query = (
        select(schema.register).where(c.dataset == reservation.dataset, c.key == reservation.key).order_by(c.sequence)
    )
    return [_entry_of(row) for row in connection.execute(query).mappings()]


def _entry_of(row: RowMapping) -> RegisterEntry:
    return RegisterEntry(
        sequence=row["sequence"],
        edition=row["edition"],
        revision=row["revision"],
        reservation=row["reservation"],
        digest=row["digest"],
        replaced=row["replaced"],
        at=moment(row["at"]),
    )


def own_entry(connection: Connection, reservation: Reservation) -> RegisterEntry | None:
    """The reservation's own version that counts, if it has registered."""
    entries = register_entries(connection, reservation)
    return next((e for e in entries if e.reservation == reservation.id and not e.replaced), None)


def register(writer: Writer, reservation: Reservation, *, expected: int, digest: str) -> RegisterEntry | None:
    """Append a version of the register if nobody has since ``expected``; replaces the edition's own earlier one.

    Returns None if another edition was faster: read the register again and retry.

    Raises:
        RegisterError: the edition has been measured from other rows; its entry is frozen.
        LedgerError: the reservation is void.
    """
    now = by_id(writer.connection, reservation.id)
    own = own_entry(writer.connection, now)
    if own is not None and own.digest == digest:
        return own
    if now.state == "stored":
        raise RegisterError(
            f"{now.edition} (revision {now.revision}) has been measured; what it counted is frozen. Use its stored "
            "measurements, or make a new revision."
        )
    if now.state == "void":
        raise LedgerError(f"The reservation of {now.edition} (revision {now.revision}) is void. Reserve it again.")
    if len(register_entries(writer.connection, now)) != expected:
        return None
    writer.append(
        "registered",
        {
            "dataset": now.dataset,
            "key": now.key,
            "sequence": expected + 1,
            "reservation": now.id,
            "edition": now.edition,
            "revision": now.revision,
            "digest": line(digest, "digest of the register"),
        },
    )
    return own_entry(writer.connection, now)


def spend(writer: Writer, reservation: Reservation, *, registered: int | None) -> Reservation:
    """Mark a reservation as spent; only then may noise be drawn. Spending again changes nothing.

    Raises:
        LedgerError: it is void. ApprovalError: an approval has expired or was withdrawn. AgreementError: it has ended.
        RegisterError: a series without its register, or another run has registered other rows.
    """
    now = by_id(writer.connection, reservation.id)
    if now.state == "void":
        raise LedgerError(f"The reservation of {now.edition} (revision {now.revision}) is void. Reserve it again.")
    if now.state == "stored":
        return now
    _require_register(writer.connection, now, registered)
    if now.state == "reserved":
        require_approvals(writer.connection, now, now=writer.now)
        agreeing.require_in_force(writer.connection, now, now=writer.now)
        writer.append(
            "spent",
            {
                "reservation": now.id,
                "dataset": now.dataset,
                "key": now.key,
                "edition": now.edition,
                "revision": now.revision,
                "plan": now.plan_hash,
                "blocks": list(now.blocks),
            },
        )
    return by_id(writer.connection, now.id)


def store(writer: Writer, reservation: Reservation, stored: bytes, *, registered: int | None) -> bytes:
    """Keep the measurements if there are none yet; returns those that are kept.

    Raises:
        LedgerError: nothing was spent for them, or the kept ones were altered.
        RegisterError: another run has registered other rows since these were counted.
    """
    now = by_id(writer.connection, reservation.id)
    if now.state == "stored":
        kept = measurements(writer.connection, now.edition, now.revision)
        if kept is None:
            raise LedgerError(_altered(now.edition, now.revision))
        return kept.stored
    if now.state != "spent":
        raise LedgerError(
            f"{now.edition} (revision {now.revision}) was not spent before it was measured. Its measurements were "
            "thrown away. Spend the reservation first."
        )
    _require_register(writer.connection, now, registered)
    writer.append(
        "stored",
        {
            "reservation": now.id,
            "edition": now.edition,
            "revision": now.revision,
            "plan": now.plan_hash,
            "checksum": sha256(stored),
            "size": len(stored),
        },
        content=stored,
    )
    return stored


def _require_register(connection: Connection, reservation: Reservation, registered: int | None) -> None:
    """Where editions of a series share a block, each must have registered what it counts.

    An edition alone in its blocks needs no register; it fails here as soon as another one shares a block.
    """
    if not reservation.series:
        return
    registers = {e.reservation: e for e in register_entries(connection, reservation) if not e.replaced}
    others = [o for o in sharing(connection, reservation) if o.id != reservation.id]
    beside = [o for o in others if set(o.blocks) & set(reservation.blocks)]
    lacking = [o for o in beside if o.state != "reserved" and o.id not in registers]
    own = registers.get(reservation.id)
    if (beside and own is None) or lacking:
        culprit = lacking[0] if own is not None else reservation
        raise RegisterError(
            f"{culprit.edition} (revision {culprit.revision}) shares a block with other editions of its series but has "
            "not registered its contributions. Nothing was drawn. Run the measuring step from its start, or declare "
            "the release without a series."
        )
    if own is not None and registered is not None and own.sequence != registered:
        raise RegisterError(
            f"Another run of {reservation.edition} (revision {reservation.revision}) has registered other rows. This "
            "run's result was thrown away. Let the other run finish, then use its measurements."
        )


def measurements(connection: Connection, edition: str, revision: int) -> StoredMeasurements | None:
    """The measurements kept for an edition, checked against their checksum.

    Raises:
        LedgerError: they were altered.
    """
    c = schema.measurements.c
    query = select(schema.measurements).where(c.edition == edition, c.revision == revision)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    content = row["content"]
    if not is_whole(content, checksum=row["checksum"]):
        raise LedgerError(_altered(edition, revision))
    return StoredMeasurements(
        edition, revision, row["reservation"], row["plan"], content, row["checksum"], moment(row["at"])
    )


def is_whole(content: object, *, checksum: str) -> bool:
    """Whether stored bytes still have their SHA-256 (SQLite would also hold a text in their place)."""
    return isinstance(content, bytes) and sha256(content) == checksum


def _altered(edition: str, revision: int) -> str:
    return (
        f"The stored measurements of {edition} (revision {revision}) were altered or removed. "
        "Restore the ledger from its backup; never measure again."
    )
