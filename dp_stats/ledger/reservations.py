"""Reservations as they stand: those of a release, of an edition, and those that share a charge."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import Connection, RowMapping, select

from dp_stats.errors import LedgerError
from dp_stats.ledger import amounts, schema
from dp_stats.ledger.chain import moment
from dp_stats.ledger.records import Reservation


def of_release(
    connection: Connection, *, dataset: str, release: str, formerly: Sequence[str] = ()
) -> list[Reservation]:
    """Every reservation of a release that is not void, under its name and those that it had before, oldest first."""
    c = schema.reservations.c
    query = select(schema.reservations).where(
        c.dataset == dataset, c.release.in_([release, *formerly]), c.state != "void"
    )
    return [reservation_of(row) for row in connection.execute(query.order_by(c.id)).mappings()]


def latest(connection: Connection, edition: str, revision: int) -> Reservation | None:
    """The last reservation of an edition, void or not."""
    c = schema.reservations.c
    query = select(schema.reservations).where(c.edition == edition, c.revision == revision).order_by(c.id.desc())
    row = connection.execute(query.limit(1)).mappings().one_or_none()
    return reservation_of(row) if row else None


def sharing(connection: Connection, reservation: Reservation) -> list[Reservation]:
    """Every reservation of the same key that is not void, itself included."""
    c = schema.reservations.c
    query = select(schema.reservations).where(
        c.dataset == reservation.dataset, c.key == reservation.key, c.state != "void"
    )
    return [reservation_of(row) for row in connection.execute(query.order_by(c.id)).mappings()]


def current(connection: Connection, edition: str, revision: int) -> Reservation | None:
    """The reservation of an edition that is not void, if there is one."""
    c = schema.reservations.c
    query = select(schema.reservations).where(c.edition == edition, c.revision == revision, c.state != "void")
    row = connection.execute(query).mappings().one_or_none()
    return reservation_of(row) if row else None


def by_id(connection: Connection, number: int) -> Reservation:
    """A reservation as it is now.

    Raises:
        LedgerError: this ledger has none of that number.
    """
    row = (
        connection.execute(select(schema.reservations).where(schema.reservations.c.id == number))
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise LedgerError("This ledger does not know the reservation. Check that every step uses the same ledger URL.")
    return reservation_of(row)


@lru_cache(maxsize=1024)
def _texts(written: str) -> tuple[str, ...]:
    """A list of texts from its JSON; many reservations have the same."""
    return tuple(json.loads(written))


def reservation_of(row: RowMapping) -> Reservation:
    """A reservation as stored."""
    return Reservation(
        id=row["id"],
        dataset=row["dataset"],
        release=row["release"],
        period=row["period"],
        edition=row["edition"],
        revision=row["revision"],
        plan_hash=row["plan"],
        key=row["key"],
        series=row["series"],
        blocks=_texts(row["blocks"]),
        charged=_texts(row["charged"]),
        rho=amounts.exact(row["rho"]),
        category=row["category"],
        requested_by=row["requested_by"],
        reason=row["reason"],
        run=row["run"],
        approvers=_texts(row["approvers"]),
        state=row["state"],
        at=moment(row["at"]),
        aside=row["aside"] or "",
        agreement=row["agreement"] or "",
    )
