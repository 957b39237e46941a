"""Entries of the contribution register, as files and as tables of the engine that holds the rows.

A file has a row per person and block (``hash``, ``block``, ``kept``, ``truncated``, ``marked``) and, where late rows count, one
per remembered row (``block``, ``seen``). Hashes are 16 bytes. Files of before had 32 hexadecimal digits, and are read as well.
The engine reads the files itself, and adds up and joins there: nothing here holds a table in Python's memory, but
for PostgreSQL and a cluster, which cannot read files of this machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from dp_stats.secure.engines import engine_of, reads_files

MARK = "seen"
"""Column of the register's files, and of rows while they are told apart: the keyed hash of a row."""

KEYS, AMOUNTS = ("hash", "block"), ("kept", "truncated", "marked")
SCHEMA = pa.schema(
    [
        ("hash", pa.binary()),
        ("block", pa.string()),
        *((amount, pa.int32()) for amount in AMOUNTS),
        (MARK, pa.binary()),
    ]
)
"""Columns of a file."""

MEANINGS = {
    "hash": "keyed hash of the person, 16 bytes; null in a row that remembers a record",
    "block": "the block",
    "kept": "rows that counted",
    "truncated": "truncated rows that were counted",
    "marked": "1 if the person counts as truncated, else 0",
    MARK: "keyed hash of a record that the edition looked at (with `late`), 16 bytes; else null",
}
"""What each column holds; for the manual."""

ROW_GROUP = 122_880
"""Rows that are written at once."""


@ibis.udf.scalar.builtin(name="hex", signature=((dt.binary,), dt.string))  # type: ignore[untyped-decorator, unused-ignore]
def _hex(key: bytes) -> str:  # type: ignore[empty-body]
    """Spark's own function."""


@ibis.udf.scalar.builtin(name="unhex", signature=((dt.string,), dt.binary))  # type: ignore[untyped-decorator, unused-ignore]
def _unhex(text: str) -> bytes:  # type: ignore[empty-body]
    """Spark's own function."""


def short(backend: ibis.BaseBackend, hexadecimal: ir.StringValue) -> ir.Value:
    """The 16 bytes that 32 hexadecimal digits stand for, as the engine compares them fastest; null for other texts, which
    PostgreSQL refuses."""
    if engine_of(backend) == "pyspark":
        return _unhex(hexadecimal)
    return hexadecimal.try_cast(dt.uuid)  # PostgreSQL, which has no such cast, is given the plain one


def read(backend: ibis.BaseBackend, files: Sequence[Path], *, blocks: Sequence[str] | None = None) -> ir.Table | None:
    """What the files hold, of some blocks or of all, one after the other; None where they hold nothing at all.

    The engine reads them when what is built on the table is computed: they must stay where and as they are until then.
    """
    found: dict[tuple[bool, bool], list[Path]] = {}
    for path in files:
        about = pq.ParquetFile(path)
        if about.metadata.num_rows:
            columns = about.schema_arrow
            kind = (pa.types.is_string(columns.field("hash").type), MARK in columns.names)
            found.setdefault(kind, []).append(path)
    if not found:
        return None
    if reads_files(backend):
        return _together(backend, found, blocks)
    with _beside() as ours:
        return given(fetched(_together(ours, found, blocks)), backend)


def _together(
    backend: ibis.BaseBackend, found: Mapping[tuple[bool, bool], Sequence[Path]], blocks: Sequence[str] | None
) -> ir.Table:
    """Files one after the other, by whether their hashes are text and whether they have remembered rows."""
    parts = []
    for (text, marked), paths in found.items():
        for table in _tables(backend, paths):
            here = table if blocks is None else table.filter(table["block"].isin(blocks))
            parts.append(_as_today(backend, here, text=text, marked=marked))
    return union(parts)


def _tables(backend: Any, paths: Sequence[Path]) -> Iterator[ir.Table]:
    if engine_of(backend) == "pyspark":
        yield from (backend.read_parquet(str(path)) for path in paths)
    else:
        yield backend.read_parquet([str(path) for path in paths])


def _as_today(backend: ibis.BaseBackend, table: ir.Table, *, text: bool, marked: bool) -> ir.Table:
    """A file's columns with hashes as the engine compares them."""

    def key(name: str) -> ir.Value:
        column = table[name]
        if text:
            return short(backend, column.nullif(""))
        return column if engine_of(backend) == "pyspark" else column.cast(dt.uuid)

    nothing = ibis.null(dt.binary if engine_of(backend) == "pyspark" else dt.uuid)
    return table.select(
        hash=key("hash"),
        block="block",
        **{n: table[n].cast(dt.int32) for n in AMOUNTS},
        seen=key(MARK) if marked else nothing,
    )


@contextmanager
def _beside() -> Iterator[ibis.BaseBackend]:
    """What reads and writes files, in the memory of this process, for an engine that cannot."""
    backend = ibis.duckdb.connect(autoinstall_known_extensions=False, autoload_known_extensions=False)
    try:
        yield backend
    finally:
        backend.disconnect()


def fetched(table: ir.Table) -> pa.Table:
    """A table of any engine in memory, with hashes as text."""
    keys = {}
    for name in ("hash", MARK):
        if name in table.columns:
            key = table[name]
            keys[name] = _hex(key) if key.type().is_binary() else key.cast(dt.string)
    return table.mutate(**keys).to_pyarrow()


def given(table: pa.Table, backend: ibis.BaseBackend | None = None) -> ir.Table:
    """What was ``fetched``, for an engine; by default for one that knows UUIDs."""
    found = ibis.memtable(table)
    spark = backend is not None and engine_of(backend) == "pyspark"
    keys = {name: found[name] for name in ("hash", MARK) if name in table.column_names}
    return found.mutate(
        **{name: _unhex(key.replace("-", "")) if spark else key.cast(dt.uuid) for name, key in keys.items()}
    )


def write(backend: Any, table: ir.Table, path: Path, *, notes: Mapping[str, str], folder: Path, ordered: bool) -> None:
    """Compute a table and write it to a file, without holding it.

    Args:
        table: the columns of ``SCHEMA``. notes: what the file says of itself, letters and digits only.
        folder: a private folder for what Spark writes on the way. ordered: by block and hash, amounts before remembered rows.
    """
    name = engine_of(backend)
    if not reads_files(backend):
        with _beside() as ours:
            write(ours, given(fetched(table)), path, notes=notes, folder=folder, ordered=ordered)
        return
    if ordered:
        table = table.order_by([ibis.asc("block"), ibis.asc(MARK, nulls_first=True), ibis.asc("hash")])
    if name != "pyspark":
        columns = {name: table[name] for name in SCHEMA.names}
        # No hash and no block is empty: but DuckDB would write whether it knew that, and so how the table was computed.
        columns |= {key: table[key].cast(dt.binary).nullif(ibis.literal(b"")) for key in ("hash", MARK)}
        columns["block"] = table["block"].nullif("")
        backend.to_parquet(
            table.select(**columns),
            path,
            compression="zstd",
            row_group_size=ROW_GROUP,
            kv_metadata=dict(notes),
        )
        return
    parts = folder / f"{path.stem}-parts"
    backend.to_parquet(table.select(*SCHEMA.names), parts)
    with pq.ParquetWriter(path, SCHEMA.with_metadata(dict(notes)), compression="zstd") as file:
        for part in sorted(parts.glob("part-*.parquet")):
            for batch in pq.ParquetFile(part).iter_batches(batch_size=ROW_GROUP):
                file.write_batch(batch.cast(SCHEMA))
            part.unlink()


def notes_of(path: Path) -> dict[str, str]:
    """What a file says of itself."""
    found = pq.ParquetFile(path).metadata.metadata or {}
    return {key.decode(): value.decode() for key, value in found.items()}


def union(tables: Sequence[ir.Table]) -> ir.Table:
    """One table after the other."""
    return reduce(lambda one, other: one.union(other), tables)


def amounts(entry: ir.Table) -> ir.Table:
    """An entry without the rows that it remembers."""
    return entry.filter(entry[MARK].isnull()).drop(MARK)


def remembered(entry: ir.Table) -> ir.Table:
    """The rows that an entry remembers: block and hash."""
    return entry.filter(entry[MARK].notnull()).select("block", MARK)


def with_marks(amounts: ir.Table, marks: ir.Table | None) -> ir.Table:
    """Amounts per person and remembered rows as one entry: a row with a mark says nothing of a person, and amounts to nothing."""
    key = amounts["hash"].type()
    people = amounts.select(*KEYS, *AMOUNTS, **{MARK: ibis.null(key)})
    if marks is None:
        return people
    nothing = {name: ibis.literal(0, type=dt.int32) for name in AMOUNTS}
    return people.union(marks.select(hash=ibis.null(key), block="block", **nothing, seen=MARK))


def by_person(table: ir.Table, how: str) -> ir.Table:
    """One row per person and block: the ``sum`` or ``max`` of each amount."""
    return table.group_by(list(KEYS)).aggregate(**_each(table, how))


def sums_of(table: ir.Table) -> dict[str, ir.Value]:
    """The sum of each amount."""
    return _each(table, "sum")


def _each(table: ir.Table, how: str) -> dict[str, ir.Value]:
    return {name: getattr(table[name], how)().cast(dt.int32) for name in AMOUNTS}


def together(entry: ir.Table, how: str) -> ir.Table:
    """Several entries as one: amounts per person and block, and every row that any of them remembers, once."""
    return with_marks(by_person(amounts(entry), how), remembered(entry).distinct())
