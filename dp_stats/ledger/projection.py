"""What follows from the entries: applies one entry to the tables that answer questions.

The same function runs when an entry is appended and when `verify` rebuilds everything from the chain, so
the tables cannot mean anything the entries do not say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from dp_stats.ledger import schema
from dp_stats.ledger.records import Entry
from dp_stats.transparency.leaves import drawn_key


def project(connection: Connection, entry: Entry, *, at: str, content: bytes | None = None) -> None:
    """Apply ``entry`` (dated ``at``) to the projections; ``content`` is what the event ``stored`` stores."""
    values = dict(entry.payload)
    if entry.event == "stored":
        _stored(connection, entry.sequence, values, at, content or b"")
    else:
        _EVENTS[entry.event](connection, entry.sequence, values, at)


def _created(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    """Nothing follows from the first entry but the chain itself."""


def _reserved(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    own = {"cap": values.pop("cap"), "delta": values.pop("delta")}
    _dataset(connection, values["dataset"], values.pop("block_kind"), own)
    said = {"reservation": sequence, "category": values["category"], "requested_by": values["requested_by"]}
    for block in values["charged"]:
        paid = {"dataset": values["dataset"], "key": values["key"], "block": block, "rho": values["rho"]}
        _charge(connection, {**paid, **own, **said})
    for draw in values.pop("draws", ()):
        _dataset(connection, draw["dataset"], draw["block"], draw)
        for block in values["charged"]:
            _charge(connection, {**draw, **said, "key": drawn_key(values["key"], block)})
    if (agreement := values.pop("agreement", None)) is not None:
        _agreed(connection, sequence, agreement, at)
        values["agreement"] = agreement["hash"]
    lists = {name: json.dumps(values.pop(name)) for name in ("blocks", "charged", "approvers")}
    connection.execute(insert(schema.reservations).values(id=sequence, state="reserved", at=at, **lists, **values))


def _dataset(connection: Connection, dataset: str, kind: str, declared: dict[str, Any]) -> None:
    """Keep the budget that a dataset was charged under last."""
    row = {"dataset": dataset, "block_kind": kind, "cap": declared["cap"], "delta": declared["delta"]}
    connection.execute(delete(schema.datasets).where(schema.datasets.c.dataset == dataset))
    connection.execute(insert(schema.datasets).values(row))


def _charge(connection: Connection, row: dict[str, Any]) -> None:
    """A charge that was reserved; one of the same key that was given back goes."""
    c = schema.charges.c
    same = (c.dataset == row["dataset"], c.key == row["key"], c.block == row["block"], c.state == "void")
    connection.execute(delete(schema.charges).where(*same))
    connection.execute(insert(schema.charges).values(state="reserved", **row))


def _become(connection: Connection, values: dict[str, Any], blocks: list[str], state: str) -> None:
    """Change the state of what was charged for some blocks, to the dataset itself and to those that pay with it."""
    c = schema.charges.c
    own = and_(c.dataset == values["dataset"], c.key == values["key"], c.block.in_(blocks))
    drawn = c.key.in_([drawn_key(values["key"], block) for block in blocks])
    connection.execute(update(schema.charges).where(or_(own, drawn)).values(state=state))


def _agreed(connection: Connection, sequence: int, agreement: dict[str, Any], at: str) -> None:
    """Keep a version of an agreement with the first reservation that was made under it."""
    c = schema.agreements.c
    known = select(c.version).where(c.agreement == agreement["id"], c.version == agreement["version"])
    if connection.execute(known).first() is None:
        row = {"agreement": agreement["id"], "version": agreement["version"], "hash": agreement["hash"]}
        connection.execute(insert(schema.agreements).values(reservation=sequence, at=at, **row))


def _spent(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    _state(connection, values["reservation"], "spent")
    _become(connection, values, values["blocks"], "spent")


def _registered(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    _replaced(connection, values["reservation"])
    connection.execute(insert(schema.register).values(replaced=False, at=at, **values))


def _stored(connection: Connection, sequence: int, values: dict[str, Any], at: str, content: bytes) -> None:
    _state(connection, values["reservation"], "stored")
    connection.execute(insert(schema.measurements).values(at=at, content=content, **values))


def _void(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    _state(connection, values["reservation"], "void")
    _become(connection, values, values["released"], "void")
    _replaced(connection, values["reservation"])


def _decided(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    values["shown"] = json.dumps(values["shown"])
    connection.execute(insert(schema.approvals).values(id=sequence, at=at, **values))


def _publishing(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    connection.execute(insert(schema.descriptions).values(at=at, **values))


def _published(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    if "software" in values:
        values["software"] = json.dumps(values["software"])
    connection.execute(insert(schema.publications).values(at=at, **values))


def _retracted(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    connection.execute(insert(schema.retractions).values(at=at, **values))


def _accepted(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    connection.execute(insert(schema.acceptances).values(id=sequence, at=at, **values))


def _handed_out(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    connection.execute(insert(schema.handed_out).values(id=sequence, at=at, **values))


def _disclosed(connection: Connection, sequence: int, values: dict[str, Any], at: str) -> None:
    """The public log follows from this one (see ``disclosing``); no table does."""


def _replaced(connection: Connection, reservation: int) -> None:
    c = schema.register.c
    connection.execute(update(schema.register).where(c.reservation == reservation).values(replaced=True))


def _state(connection: Connection, reservation: int, state: str) -> None:
    connection.execute(update(schema.reservations).where(schema.reservations.c.id == reservation).values(state=state))


_EVENTS: dict[str, Callable[[Connection, int, dict[str, Any], str], None]] = {
    "created": _created,
    "reserved": _reserved,
    "spent": _spent,
    "registered": _registered,
    "void": _void,
    "approved": _decided,
    "refused": _decided,
    "expired": _decided,
    "disclosed": _disclosed,
    "publishing": _publishing,
    "published": _published,
    "retracted": _retracted,
    "accepted": _accepted,
    "handed_out": _handed_out,
}
