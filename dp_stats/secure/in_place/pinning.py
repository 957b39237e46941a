"""What was pulled in place is content, not a name: copied aside for the session that measures it, and compared by a digest.

The copy is a temporary table, on Spark blocks of the session's own executors: no other session sees it, and it goes with its
own, even if the run is killed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from dp_stats.catalogue.models import Dataset
from dp_stats.catalogue.periods import Period
from dp_stats.errors import SourceError
from dp_stats.secure.canonical import counts_sql
from dp_stats.secure.database import quoted
from dp_stats.secure.engines import fast_hash
from dp_stats.secure.in_place.session import Session, explained, open_session, place_of
from dp_stats.secure.secret import load_key
from dp_stats.secure.staging import write_private
from dp_stats.settings import Settings

POINTER = "snapshot.json"


@dataclass(frozen=True)
class Pointer:
    """Which table holds the rows of an edition.

    Attributes:
        path: ``snapshot.json``. within: the work schema or folder. name: the table's name in it.
        mapping: hash of how its rows were read.
        digest: HMAC-SHA-256 of its name and the rows that count, under this installation's secret key.
    """

    path: Path
    within: str
    name: str
    mapping: str
    digest: str

    @property
    def in_period(self) -> str:
        """Its view of the rows that are dated in the period, which quality checks look at."""
        return f"{self.name}_in"

    def write(self, secure: Path) -> None:
        """Keep it."""
        content = {name: value for name, value in asdict(self).items() if name != "path"}
        write_private(secure, self.path, (json.dumps(content, indent=1) + "\n").encode())


def read_pointer(path: Path) -> Pointer:
    """The pointer as it was kept.

    Raises:
        SourceError: there is none.
    """
    try:
        return Pointer(path, **json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        pass
    raise SourceError("The snapshot of rows is missing. Run the pull step again.")


@dataclass(frozen=True)
class PinnedTable:
    """Rows that are pinned for one attempt: an open engine, the table of canonical rows, and how they were read."""

    backend: ibis.BaseBackend
    table: ir.Table
    mapping: str


@contextmanager
def pinned_in_place(pointer: Path, dataset: Dataset, period: Period, *, settings: Settings) -> Iterator[PinnedTable]:
    """A copy of the rows that count, for one session; it is gone when the block ends.

    Raises:
        SourceError: there is none, or its rows are not those that were pulled.
    """
    kept = read_pointer(pointer)
    assert dataset.source is not None
    with open_session(dataset.source, settings=settings) as session:
        pinned = explained(place_of(dataset.source), lambda: _pinned(session, kept, dataset, period, settings))
        yield pinned


def _pinned(session: Session, kept: Pointer, dataset: Dataset, period: Period, settings: Settings) -> PinnedTable:
    table = session.pinned(session.query(counting(session.name_of(kept), dataset, period)))
    found = digest_of(session.backend, table, kept.name, secure=settings.secure)
    if not hmac.compare_digest(found, kept.digest):
        raise SourceError(
            "The snapshot of rows is not as the pull step made it: its rows have another digest. Nothing was drawn. Find out "
            "who may write to the work schema or folder, then run the pull step again."
        )
    return PinnedTable(session.backend, table, kept.mapping)


def counting(table: str, dataset: Dataset, period: Period) -> str:
    """A SELECT of the rows that count in an edition."""
    columns = ", ".join(quoted(name) for name in dataset.columns)
    return f"SELECT {columns} FROM {table} WHERE {counts_sql(dataset, period)}"


def digest_of(backend: ibis.BaseBackend, table: ir.Table, name: str, *, secure: Path) -> str:
    """A keyed digest of a table's name and of its rows in any order: how many, and the sum of a keyed hash of each."""
    key = load_key(secure)
    text: ir.StringValue = ibis.literal(hmac.new(key, f"digest/{name}".encode(), hashlib.sha256).hexdigest())
    for column in sorted(table.columns):  # a sealed plan keeps no order
        text = text + "\x1f" + table[column].cast(dt.string).fill_null("\x1e")
    hashed = fast_hash(backend, text).cast(dt.Decimal(38, 0))
    found: Any = table.aggregate(rows=table.count(), total=hashed.sum()).to_pyarrow().to_pylist()[0]
    return hmac.new(key, f"{name}\0{found['rows']}\0{found['total']}".encode(), hashlib.sha256).hexdigest()
