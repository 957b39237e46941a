"""What follows from the entries: applies one entry to the tables that answer questions.

The same function runs when an entry is appended and when `verify` rebuilds everything from the chain, so the tables cannot
mean anything the entries do not say. It is told how tables are changed (``Tables``): in the ledger's database by ``project``,
in memory by ``rebuilding``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import (
    Connection,
    Delete,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)

from dp_stats.ledger import schema
from dp_stats.ledger.records import Entry
from dp_stats.transparency.leaves import drawn_key


class Tables(Protocol):
    """Tables that an entry changes. ``same`` names rows by the values of some of their columns."""

    def add(self, table: Table, **row: Any) -> None:
        """Insert a row; columns that are left out are empty."""

    def change(self, table: Table, same: Mapping[str, Any], **values: Any) -> None:
        """Change values of every row that is named; none may be."""

    def remove(self, table: Table, same: Mapping[str, Any]) -> None:
        """Remove every row that is named; none may be."""

    def holds(self, table: Table, same: Mapping[str, Any]) -> bool:
        """Whether a row is named."""


def project(connection: Connection, entry: Entry, *, at: str, content: bytes | None = None) -> None:
    """Apply ``entry`` (dated ``at``) to the projections; ``content`` is what the event ``stored`` stores."""
    apply(_Kept(connection), entry, at=at, content=content)


def apply(tables: Tables, entry: Entry, *, at: str, content: bytes | None = None) -> None:
    """Apply an entry to ``tables``, which say whether it contradicts what they hold."""
    values = dict(entry.payload)
    if entry.event == "stored":
        _stored(tables, values, at, content or b"")
    else:
        _EVENTS[entry.event](tables, entry.sequence, values, at)


class _Kept:
    """The tables of a database. A statement is written once for each set of columns, not once for each row."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, table: Table, **row: Any) -> None:
        self._connection.execute(_adding(table, tuple(row)), _new(row))

    def change(self, table: Table, same: Mapping[str, Any], **values: Any) -> None:
        self._connection.execute(_changing(table, tuple(same), tuple(values)), {**_named(same), **_new(values)})

    def remove(self, table: Table, same: Mapping[str, Any]) -> None:
        self._connection.execute(_removing(table, tuple(same)), _named(same))

    def holds(self, table: Table, same: Mapping[str, Any]) -> bool:
        return bool(self._connection.scalar(_finding(table, tuple(same)), _named(same)))


def _named(same: Mapping[str, Any]) -> dict[str, Any]:
    return {f"same_{name}": value for name, value in same.items()}


def _new(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}


def _where(table: Table, same: tuple[str, ...]) -> list[Any]:
    return [table.c[name] == bindparam(f"same_{name}") for name in same]


@lru_cache
def _adding(table: Table, row: tuple[str, ...]) -> Insert:
    return insert(table).values({name: bindparam(f"new_{name}") for name in row})


@lru_cache
def _changing(table: Table, same: tuple[str, ...], values: tuple[str, ...]) -> Update:
    return update(table).where(*_where(table, same)).values({name: bindparam(f"new_{name}") for name in values})


@lru_cache
def _removing(table: Table, same: tuple[str, ...]) -> Delete:
    return delete(table).where(*_where(table, same))


@lru_cache
def _finding(table: Table, same: tuple[str, ...]) -> Select[Any]:
    return select(exists().where(*_where(table, same)))


def _created(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    """Nothing follows from the first entry but the chain itself."""


def _reserved(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    own = {"cap": values.pop("cap"), "delta": values.pop("delta")}
    _dataset(tables, values["dataset"], values.pop("block_kind"), own)
    said = {"reservation": sequence, "category": values["category"], "requested_by": values["requested_by"]}
    for block in values["charged"]:
        paid = {"dataset": values["dataset"], "key": values["key"], "block": block, "rho": values["rho"]}
        _charge(tables, {**paid, **own, **said})
    for draw in values.pop("draws", ()):
        _dataset(tables, draw["dataset"], draw["block"], draw)
        for block in values["charged"]:
            _charge(tables, {**draw, **said, "key": drawn_key(values["key"], block)})
    if (agreement := values.pop("agreement", None)) is not None:
        _agreed(tables, sequence, agreement, at)
        values["agreement"] = agreement["hash"]
    lists = {name: json.dumps(values.pop(name)) for name in ("blocks", "charged", "approvers")}
    tables.add(schema.reservations, id=sequence, state="reserved", at=at, **lists, **values)


def _dataset(tables: Tables, dataset: str, kind: str, declared: dict[str, Any]) -> None:
    """Keep the budget that a dataset was charged under last."""
    tables.remove(schema.datasets, {"dataset": dataset})
    tables.add(schema.datasets, dataset=dataset, block_kind=kind, cap=declared["cap"], delta=declared["delta"])


def _charge(tables: Tables, row: dict[str, Any]) -> None:
    """A charge that was reserved; one of the same key that was given back goes."""
    same = {name: row[name] for name in ("dataset", "key", "block")}
    tables.remove(schema.charges, {**same, "state": "void"})
    tables.add(schema.charges, state="reserved", **row)


def _become(tables: Tables, values: dict[str, Any], blocks: list[str], state: str) -> None:
    """Change the state of what was charged for some blocks, to the dataset itself and to those that pay with it."""
    own = {"dataset": values["dataset"], "key": values["key"]}
    for block in blocks:
        tables.change(schema.charges, {**own, "block": block}, state=state)
        tables.change(schema.charges, {"key": drawn_key(values["key"], block)}, state=state)


def _agreed(tables: Tables, sequence: int, agreement: dict[str, Any], at: str) -> None:
    """Keep a version of an agreement with the first reservation that was made under it."""
    one = {"agreement": agreement["id"], "version": agreement["version"]}
    if not tables.holds(schema.agreements, one):
        tables.add(schema.agreements, reservation=sequence, at=at, hash=agreement["hash"], **one)


def _spent(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    _state(tables, values["reservation"], "spent")
    _become(tables, values, values["blocks"], "spent")


def _registered(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    _replaced(tables, values["reservation"])
    tables.add(schema.register, replaced=False, at=at, **values)


def _stored(tables: Tables, values: dict[str, Any], at: str, content: bytes) -> None:
    _state(tables, values["reservation"], "stored")
    tables.add(schema.measurements, at=at, content=content, **values)


def _void(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    _state(tables, values["reservation"], "void")
    _become(tables, values, values["released"], "void")
    _replaced(tables, values["reservation"])


def _decided(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    values["shown"] = json.dumps(values["shown"])
    tables.add(schema.approvals, id=sequence, at=at, **values)


def _publishing(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    tables.add(schema.descriptions, at=at, **values)


def _published(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    if "software" in values:
        values["software"] = json.dumps(values["software"])
    tables.add(schema.publications, at=at, **values)


def _retracted(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    tables.add(schema.retractions, at=at, **values)


def _accepted(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    tables.add(schema.acceptances, id=sequence, at=at, **values)


def _handed_out(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    tables.add(schema.handed_out, id=sequence, at=at, **values)


def _disclosed(tables: Tables, sequence: int, values: dict[str, Any], at: str) -> None:
    """The public log follows from this one (see ``disclosing``); no table does."""


def _replaced(tables: Tables, reservation: int) -> None:
    tables.change(schema.register, {"reservation": reservation}, replaced=True)


def _state(tables: Tables, reservation: int, state: str) -> None:
    tables.change(schema.reservations, {"id": reservation}, state=state)


_EVENTS: dict[str, Callable[[Tables, int, dict[str, Any], str], None]] = {
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
