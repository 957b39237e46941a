"""Verifying: recompute every hash, rebuild every table from the entries, and name each difference.

The entries are read once, and each is seen by every check; none is kept. So a hundred thousand take seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, select

from dp_stats.ledger import describing, schema, sealing
from dp_stats.ledger.amounts import exact
from dp_stats.ledger.chain import START, hash_of, moment, payload_of
from dp_stats.ledger.measuring import is_whole
from dp_stats.ledger.projection import apply
from dp_stats.ledger.rebuilding import Rebuilt
from dp_stats.ledger.records import Entry
from dp_stats.transparency.leaves import drawn_key

_MOST = 20
"""Problems listed before the rest is only counted."""
_AT_ONCE = 1000
"""Rows that are read from the database at a time."""


def problems(connection: Connection, *, kept: str | None = None) -> list[str]:
    """Everything that is not as it was written; empty if the ledger is whole.

    Args:
        kept: a head kept elsewhere, ``number:hash`` or the hash alone. Only it shows that the
            whole tail was cut off, or the whole ledger rewritten, by someone who can compute hashes.
    """
    chain, meaning = _Chain(kept), _Meaning()
    columns = [schema.entries.c[name] for name in _Link._fields]
    for row in _rows(connection, select(*columns).order_by(schema.entries.c.sequence)):
        link = _Link._make(row)
        chain.see(link)
        meaning.see(link)
    found = [*chain.found, *_head(connection, chain), *meaning.problems(connection), *_contents(connection)]
    return found if len(found) <= _MOST else [*found[:_MOST], f"and {len(found) - _MOST} more"]


def _rows(connection: Connection, query: Select[Any], *, at_once: int = _AT_ONCE) -> Iterator[Row[Any]]:
    """The rows of a query, of which few are in memory at a time."""
    return iter(connection.execute(query, execution_options={"yield_per": at_once}))


class _Link(NamedTuple):
    """An entry as stored."""

    sequence: int
    previous: str
    hash: str
    at: str
    event: str
    payload: str


class _Chain:
    """Whether each entry has its hash and follows the one before it, as far as none is missing.

    Attributes:
        found: what is not so. last: number and hash of the last entry. unkept: whether the head that was kept is still to be seen.
    """

    def __init__(self, kept: str | None) -> None:
        self.found: list[str] = []
        self.last: tuple[int, str] | None = None
        self.unkept = kept is not None
        self._number, _, self._digest = (kept or "").strip().rpartition(":")
        self._next = 1
        self._previous = START

    def see(self, row: _Link) -> None:
        self.last = (row.sequence, row.hash)
        if self.unkept and row.hash == self._digest and self._number in ("", str(row.sequence)):
            self.unkept = False
        if self._next == 0:
            return
        if row.sequence != self._next:
            self.found.append(f"entry {self._next} is missing")
            self._next = 0
            return
        if row.previous != self._previous:
            self.found.append(f"entry {row.sequence} does not follow entry {row.sequence - 1}")
        texts = {"at": str(row.at), "event": str(row.event), "payload": str(row.payload)}
        if row.hash != hash_of(sequence=row.sequence, previous=str(row.previous), **texts):
            self.found.append(f"entry {row.sequence} was edited")
        self._previous = row.hash
        self._next += 1


def _head(connection: Connection, chain: _Chain) -> Iterable[str]:
    head = connection.execute(select(schema.head.c.sequence, schema.head.c.hash)).one_or_none()
    if chain.last is None:
        yield "all entries are gone"
    elif head is None or (head.sequence, head.hash) != chain.last:
        yield "the head does not name the last entry: entries at the end were removed or added"
    if chain.unkept:
        yield "the head that was kept elsewhere is in no entry: the end was cut off, or the ledger was rewritten"


class _Meaning:
    """What the entries say, one after the other: whether it can be, and what follows from all of them."""

    def __init__(self) -> None:
        self._times: list[str] = []
        self._contradiction: list[str] = []
        self._above: list[str] = []
        self._understood = True
        self._before: Entry | None = None
        self._rebuilt = Rebuilt()
        self._caps = _Caps()
        self._named = _Named()

    def see(self, row: _Link) -> None:
        if not self._understood:
            return
        try:
            entry = Entry(row.sequence, moment(row.at), row.event, payload_of(row.payload), row.previous, row.hash)
            if self._before is not None and entry.at < self._before.at:
                self._times.append(f"entry {entry.sequence} is dated before entry {self._before.sequence}")
            self._before = entry
            if not self._contradiction:
                self._apply(entry, row.at)
            self._above += self._caps.above(entry)
            self._named.see(entry)
        except _NONSENSE:
            self._understood = False

    def _apply(self, entry: Entry, at: str) -> None:
        try:
            apply(self._rebuilt, entry, at=at)
        except (KeyError, TypeError, ValueError):
            self._contradiction = [f"entry {entry.sequence} ({entry.event}) contradicts the entries before it"]

    def problems(self, connection: Connection) -> list[str]:
        if self._understood:
            try:
                tables = self._contradiction or list(self._tables(connection))
                return [*self._times, *tables, *self._above, *self._named.problems(connection)]
            except _NONSENSE:
                pass
        return ["some entries cannot be understood"]

    def _tables(self, connection: Connection) -> Iterable[str]:
        """The tables as they were rebuilt from the entries, compared row by row."""
        for table in schema.projections:
            columns = [column for column in table.c if column.name != "content"]
            if _content(_rows(connection, select(*columns))) != _content(self._rebuilt.rows(table, columns)):
                yield f"table {table.name} does not follow from the entries"


_NONSENSE = (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError)


def _content(rows: Iterable[Iterable[object]]) -> list[str]:
    return sorted(repr(tuple(row)) for row in rows)


class _Caps:
    """No block may ever have held more than the cap recorded with its charge."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], dict[str, Fraction]] = defaultdict(dict)
        self._keys: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self._totals: dict[tuple[str, str], Fraction] = defaultdict(Fraction)

    def above(self, entry: Entry) -> Iterator[str]:
        """The blocks that an entry charges above their cap, in words."""
        values = entry.payload
        if entry.event == "reserved":
            for dataset, block, key, amount, most in _paid(values):
                where = (dataset, block)
                self._totals[where] += amount
                self._held[where][key] = amount
                self._keys[key].add(where)
                if self._totals[where] > most:
                    yield f"entry {entry.sequence} charges block {block} of '{dataset}' above its cap"
        elif entry.event == "void":
            gone = {(values["dataset"], block, values["key"]) for block in values["released"]}
            drawn = {drawn_key(values["key"], block) for block in values["released"]}
            gone |= {(*where, key) for key in drawn for where in self._keys.get(key, ())}
            for dataset, block, key in gone:
                self._totals[dataset, block] -= self._held[dataset, block].pop(key, Fraction(0))


def _paid(values: Mapping[str, Any]) -> list[tuple[str, str, str, Fraction, Fraction]]:
    """Dataset, block, key, amount and cap of everything that a reservation charges."""
    rho, cap = exact(values["rho"]), exact(values["cap"])
    paid = [(values["dataset"], block, values["key"], rho, cap) for block in values["charged"]]
    for draw in values.get("draws", ()):
        keys = [drawn_key(values["key"], block) for block in values["charged"]]
        paid += [(draw["dataset"], draw["block"], key, exact(draw["rho"]), exact(draw["cap"])) for key in keys]
    return paid


def _caps(entries: Iterable[Entry]) -> Iterator[str]:
    caps = _Caps()
    for entry in entries:
        yield from caps.above(entry)


class _Named:
    """The parts that entries name: every sealed plan and description is whole, and nothing else is kept beside them."""

    def __init__(self) -> None:
        self._documents: set[str] = set()
        self._leaves: set[str] = set()
        self._described: set[tuple[str, int]] = set()
        self._published: list[tuple[tuple[str, int], str]] = []

    def see(self, entry: Entry) -> None:
        values = entry.payload
        if entry.event == "reserved" and values.get("aside"):
            self._documents |= {values["plan"], values["aside"]}
        elif entry.event == "accepted":
            self._leaves.add(values["terms"])
        elif values.get("card"):
            self._leaves.add(values["card"])
        elif entry.event == "publishing":
            self._described.add(_of(entry))
            self._documents.add(values["description"])
            self._leaves.add(values["looks"])
        elif entry.event == "published":
            self._published.append((_of(entry), values["checksum"]))

    def problems(self, connection: Connection) -> Iterator[str]:
        checksums = {checksum for edition, checksum in self._published if edition in self._described}
        yield from sealing.problems(connection, self._documents, self._leaves | checksums)
        yield from describing.problems(connection)


def _of(entry: Entry) -> tuple[str, int]:
    return entry.payload["edition"], entry.payload["revision"]


def _contents(connection: Connection) -> Iterable[str]:
    c = schema.measurements.c
    for row in _rows(connection, select(c.edition, c.revision, c.checksum, c.content), at_once=20):
        if not is_whole(row.content, checksum=row.checksum):
            yield f"the stored measurements of {row.edition} (revision {row.revision}) were altered"
