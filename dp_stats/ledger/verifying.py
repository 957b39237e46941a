"""Verifying: recompute every hash, rebuild every table from the entries, and name each difference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

from sqlalchemy import Connection, RowMapping, Table, create_engine, select
from sqlalchemy.exc import SQLAlchemyError

from dp_stats.ledger import describing, schema, sealing
from dp_stats.ledger.chain import START, entry_of, hash_of
from dp_stats.ledger.measuring import is_whole
from dp_stats.ledger.projection import project
from dp_stats.ledger.records import Entry
from dp_stats.transparency.leaves import drawn_key

_MOST = 20
"""Problems listed before the rest is only counted."""


def problems(connection: Connection, *, kept: str | None = None) -> list[str]:
    """Everything that is not as it was written; empty if the ledger is whole.

    Args:
        kept: a head kept elsewhere, ``number:hash`` or the hash alone. Only it shows that the
            whole tail was cut off, or the whole ledger rewritten, by someone who can compute hashes.
    """
    rows = list(connection.execute(select(schema.entries).order_by(schema.entries.c.sequence)).mappings())
    found = [*_chain(rows), *_head(connection, rows, kept)]
    try:
        entries = [entry_of(row) for row in rows]
        found += [*_times(entries), *_tables(connection, rows, entries), *_caps(entries), *_sealed(connection, entries)]
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        found.append("some entries cannot be understood")
    found += _contents(connection)
    return found if len(found) <= _MOST else [*found[:_MOST], f"and {len(found) - _MOST} more"]


def _chain(rows: list[RowMapping]) -> Iterable[str]:
    previous = START
    for number, row in enumerate(rows, start=1):
        if row["sequence"] != number:
            yield f"entry {number} is missing"
            return
        if row["previous"] != previous:
            yield f"entry {number} does not follow entry {number - 1}"
        texts = {name: str(row[name]) for name in ("previous", "at", "event", "payload")}
        if row["hash"] != hash_of(sequence=number, **texts):
            yield f"entry {number} was edited"
        previous = row["hash"]


def _head(connection: Connection, rows: list[RowMapping], kept: str | None) -> Iterable[str]:
    head = connection.execute(select(schema.head.c.sequence, schema.head.c.hash)).one_or_none()
    if not rows:
        yield "all entries are gone"
    elif head is None or (head.sequence, head.hash) != (rows[-1]["sequence"], rows[-1]["hash"]):
        yield "the head does not name the last entry: entries at the end were removed or added"
    if kept is not None:
        number, _, digest = kept.strip().rpartition(":")
        if digest not in {row["hash"] for row in rows if number in ("", str(row["sequence"]))}:
            yield "the head that was kept elsewhere is in no entry: the end was cut off, or the ledger was rewritten"


def _times(entries: list[Entry]) -> Iterable[str]:
    for earlier, later in pairwise(entries):
        if later.at < earlier.at:
            yield f"entry {later.sequence} is dated before entry {earlier.sequence}"


def _caps(entries: list[Entry]) -> Iterable[str]:
    """No block may ever have held more than the cap recorded with its charge."""
    held: dict[tuple[str, str], dict[str, Fraction]] = defaultdict(dict)
    totals: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for entry in entries:
        values = entry.payload
        if entry.event == "reserved":
            rho, cap = Fraction(values["rho"]), Fraction(values["cap"])
            paid = [(values["dataset"], block, values["key"], rho, cap) for block in values["charged"]]
            for draw in values.get("draws", ()):
                more = (Fraction(draw["rho"]), Fraction(draw["cap"]))
                keys = [drawn_key(values["key"], block) for block in values["charged"]]
                paid += [(draw["dataset"], draw["block"], key, *more) for key in keys]
            for dataset, block, key, amount, most in paid:
                where = (dataset, block)
                totals[where] += amount
                held[where][key] = amount
                if totals[where] > most:
                    yield f"entry {entry.sequence} charges block {block} of '{dataset}' above its cap"
        elif entry.event == "void":
            gone = {(values["dataset"], block, values["key"]) for block in values["released"]}
            drawn = {drawn_key(values["key"], block) for block in values["released"]}
            gone |= {(*where, key) for where, known in held.items() for key in drawn & known.keys()}
            for dataset, block, key in gone:
                totals[dataset, block] -= held[dataset, block].pop(key, Fraction(0))


def _sealed(connection: Connection, entries: list[Entry]) -> Iterable[str]:
    """Every sealed plan and description that an entry names is whole, and nothing else is kept beside them."""
    documents: list[str] = []
    leaves: list[str] = []
    described = {_of(e) for e in entries if e.event == "publishing"}
    for entry in entries:
        values = entry.payload
        if entry.event == "reserved" and values.get("aside"):
            documents += [values["plan"], values["aside"]]
        elif entry.event == "accepted":
            leaves.append(values["terms"])
        elif values.get("card"):
            leaves.append(values["card"])
        elif entry.event == "publishing":
            documents.append(values["description"])
            leaves.append(values["looks"])
        elif entry.event == "published" and _of(entry) in described:
            leaves.append(values["checksum"])
    yield from sealing.problems(connection, documents, leaves)
    yield from describing.problems(connection)


def _of(entry: Entry) -> tuple[str, int]:
    return entry.payload["edition"], entry.payload["revision"]


def _tables(connection: Connection, rows: list[RowMapping], entries: list[Entry]) -> Iterable[str]:
    """Rebuild the projections in memory and compare them row by row."""
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.connect() as rebuilt:
        for row, entry in zip(rows, entries, strict=True):
            try:
                project(rebuilt, entry, at=row["at"])
            except (SQLAlchemyError, KeyError, TypeError, ValueError):
                yield f"entry {entry.sequence} ({entry.event}) contradicts the entries before it"
                return
        for table in schema.projections:
            if _content(connection, table) != _content(rebuilt, table):
                yield f"table {table.name} does not follow from the entries"


def _content(connection: Connection, table: Table) -> list[tuple[str, ...]]:
    columns = [column for column in table.c if column.name != "content"]
    return sorted(tuple(repr(value) for value in row) for row in connection.execute(select(*columns)))


def _contents(connection: Connection) -> Iterable[str]:
    c = schema.measurements.c
    for row in connection.execute(select(c.edition, c.revision, c.checksum, c.content)):
        if not is_whole(row.content, checksum=row.checksum):
            yield f"the stored measurements of {row.edition} (revision {row.revision}) were altered"
