"""Reading the ledger: entries, charges with their editions, budgets per block, export."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import Any, Literal

from sqlalchemy import Connection, select

from dp_stats.errors import LedgerError
from dp_stats.files import plain_text
from dp_stats.ledger import schema
from dp_stats.ledger.amounts import exact
from dp_stats.ledger.approving import decisions
from dp_stats.ledger.budget import block_budgets
from dp_stats.ledger.chain import canonical, entry_of, head_of, instant
from dp_stats.ledger.records import Account, BlockBudget, Charge, Entry, Head, Reservation
from dp_stats.ledger.reservations import current, reservation_of
from dp_stats.transparency.leaves import Head as LogHead
from dp_stats.transparency.leaves import drawn_key


def entries(connection: Connection, *, events: Collection[str] = ()) -> Iterator[Entry]:
    """Every entry, or those of some events, oldest first; few are in memory at a time."""
    query = select(schema.entries).order_by(schema.entries.c.sequence)
    if events:
        query = query.where(schema.entries.c.event.in_(sorted(events)))
    rows = connection.execute(query, execution_options={"yield_per": 1000}).mappings()
    return (entry_of(row) for row in rows)


def reservations(
    connection: Connection, dataset: str | None = None, *, edition: str = "", corrections: bool = False
) -> list[Reservation]:
    """Every reservation, void ones included, oldest first; only those of a dataset, of an edition, or of corrections."""
    c = schema.reservations.c
    query = select(schema.reservations).order_by(c.id)
    if dataset is not None:
        query = query.where(c.dataset == dataset)
    if edition:
        query = query.where(c.edition == edition)
    if corrections:
        query = query.where(c.revision > 1)
    return [reservation_of(row) for row in connection.execute(query).mappings()]


def charges(connection: Connection, dataset: str | None = None) -> list[Charge]:
    """Every charge, oldest first, with the edition and run that made it and all editions that use it."""
    c = schema.charges.c
    query = select(schema.charges).order_by(c.reservation, c.block)
    if dataset is not None:
        query = query.where(c.dataset == dataset)
    rows = connection.execute(query).mappings().all()
    drawn = any("@" in row["key"] for row in rows)  # then reservations of other datasets have made and use some of them
    made = {r.id: r for r in reservations(connection, None if drawn else dataset)}
    uses: dict[tuple[str, str, str], list[str]] = {}
    for reservation in made.values():
        if reservation.state != "void":
            for block in reservation.blocks:
                uses.setdefault((reservation.dataset, reservation.key, block), []).append(reservation.edition)
                uses.setdefault(_used("", drawn_key(reservation.key, block), ""), []).append(reservation.edition)
    found = []
    for row in rows:
        first = made[row["reservation"]]
        found.append(
            Charge(
                dataset=row["dataset"],
                key=row["key"],
                block=row["block"],
                rho=exact(row["rho"]),
                cap=exact(row["cap"]),
                delta=exact(row["delta"]),
                state=row["state"],
                category=row["category"],
                requested_by=row["requested_by"],
                reservation=first.id,
                release=first.release,
                edition=first.edition,
                revision=first.revision,
                plan_hash=first.plan_hash,
                reason=first.reason,
                run=first.run,
                at=first.at,
                editions=tuple(uses.get(_used(row["dataset"], row["key"], row["block"]), ())),
            )
        )
    return found


def _used(dataset: str, key: str, block: str) -> tuple[str, str, str]:
    """How a charge is looked up; what other datasets pay for one block has a key that says all."""
    return ("", key, "") if key.partition("@")[1] else (dataset, key, block)


def blocks(
    connection: Connection, dataset: str | None = None, *, only: Collection[str] | None = None
) -> list[BlockBudget]:
    """The budget of every block that was ever charged, or of some, under the cap last recorded, in order of block."""
    query = select(schema.datasets).order_by(schema.datasets.c.dataset)
    if dataset is not None:
        query = query.where(schema.datasets.c.dataset == dataset)
    found: list[BlockBudget] = []
    for row in connection.execute(query).mappings().all():
        c = schema.charges.c
        charged = select(c.block).where(c.dataset == row["dataset"]).distinct()
        found += block_budgets(
            connection,
            dataset=row["dataset"],
            blocks=sorted(connection.scalars(charged) if only is None else only),
            cap=Fraction(row["cap"]),
            delta=Fraction(row["delta"]),
        ).values()
    return found


def account(connection: Connection, edition: str, revision: int, *, log: LogHead | None = None) -> Account:
    """Everything about one edition's charge, with the head of the public ``log`` that tells of it.

    Raises:
        LedgerError: nothing is reserved for it.
    """
    reservation = current(connection, edition, revision)
    if reservation is None:
        raise LedgerError(f"Nothing is reserved for {edition} (revision {revision}). Reserve it first.")
    charge, entry = schema.charges.c, schema.entries.c
    paid = select(charge.reservation).where(
        charge.dataset == reservation.dataset,
        charge.key == reservation.key,
        charge.block.in_(reservation.blocks),
    )
    links = connection.execute(
        select(entry.sequence, entry.hash).where(entry.sequence.in_(paid)).order_by(entry.sequence)
    )
    return Account(
        reservation=reservation,
        blocks=tuple(blocks(connection, reservation.dataset, only=reservation.blocks)),
        charges=tuple(str(Head(row.sequence, row.hash)) for row in links),
        approvals=tuple(decisions(connection, reservation.plan_hash)),
        log=log,
    )


_COLUMNS = (
    "sequence",
    "at",
    "event",
    "dataset",
    "edition",
    "revision",
    "plan",
    "rho",
    "who",
    "reason",
    "run",
    "payload",
    "previous",
    "hash",
)


def export(connection: Connection, form: Literal["csv", "json"]) -> str:
    """All entries as text, with what is needed to check the chain: the payload's exact text and the hashes.

    In CSV, free text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    if form == "json":
        found, head = list(entries(connection)), head_of(connection)
        content = {
            "head": {"sequence": head.sequence, "hash": head.hash},
            "hash": "SHA-256 of the canonical JSON of [sequence, previous, at, event, payload as canonical JSON text]",
            "entries": [
                {
                    "sequence": entry.sequence,
                    "at": instant(entry.at),
                    "event": entry.event,
                    "payload": entry.payload,
                    "previous": entry.previous,
                    "hash": entry.hash,
                }
                for entry in found
            ],
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    if form == "csv":
        buffer = io.StringIO()
        table = csv.writer(buffer)
        table.writerow(_COLUMNS)
        for entry in entries(connection):
            table.writerow([plain_text(v) if isinstance(v, str) else v for v in _row(entry)])
        return buffer.getvalue()
    raise LedgerError("The ledger is exported as csv or json.")


def _row(entry: Entry) -> tuple[Any, ...]:
    """An entry's fields in the order of ``_COLUMNS``; None, which CSV leaves empty, is what it does not say."""
    values: Mapping[str, Any] = entry.payload
    known = [values.get(name) for name in ("dataset", "edition", "revision", "plan", "rho")]
    who = values.get("requested_by") or values.get("approver")
    tail = (who, values.get("reason"), values.get("run"), canonical(values), entry.previous, entry.hash)
    return (entry.sequence, instant(entry.at), entry.event, *known, *tail)
