"""The engines that bound and aggregate rows: DuckDB by default, PySpark by choice, PostgreSQL by push-down.

All of them run the same Ibis expressions. What differs is here: how an engine is opened on a snapshot,
which of its own hashes is fastest, and how it makes a long digest.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from dp_stats.secure.spill import spill_folder
from dp_stats.settings import Settings

EngineName = Literal["duckdb", "spark"]
MEMORY_LIMIT = "3GB"
"""What DuckDB may hold before it spills to the secure folder."""


HASH_LENGTH = 32
"""Hexadecimal digits kept of a keyed hash of a person or a row: 128 bits, so that no two share one."""


def builtin(name: str, arguments: tuple[dt.DataType, ...], result: dt.DataType) -> Callable[..., Any]:
    """A function of one or two arguments that the engine itself has, by name."""
    stubs: tuple[Callable[..., Any], ...] = (lambda first: None, lambda first, second: None)
    declare: Any = ibis.udf.scalar.builtin
    return declare(stubs[len(arguments) - 1], name=name, signature=(arguments, result))  # type: ignore[no-any-return]


_duckdb_sha256 = builtin("sha256", (dt.string,), dt.string)
_postgres_hash = builtin("hashtextextended", (dt.string, dt.int64), dt.int64)
_postgres_bytes = builtin("convert_to", (dt.string, dt.string), dt.binary)
_postgres_sha256 = builtin("sha256", (dt.binary,), dt.binary)
_postgres_hex = builtin("encode", (dt.binary, dt.string), dt.string)
_spark_sha2 = builtin("sha2", (dt.string, dt.int32), dt.string)


def _of_any(name: str, result: dt.DataType) -> Callable[[ir.Value], Any]:
    return lambda value: builtin(name, (value.type(),), result)(value)


_FAST_HASH: dict[str, Callable[[ir.Value], Any]] = {
    "duckdb": _of_any("hash", dt.uint64),
    "postgres": lambda value: _postgres_hash(value.cast("string"), 0),
    "pyspark": _of_any("xxhash64", dt.int64),
}
_SHA256: dict[str, Callable[[ir.StringValue], Any]] = {
    "duckdb": _duckdb_sha256,
    "postgres": lambda text: _postgres_hex(_postgres_sha256(_postgres_bytes(text, "UTF8")), "hex"),
    "pyspark": lambda text: _spark_sha2(text, 256),
}


def engine_of(backend: ibis.BaseBackend) -> str:
    """The name of an open engine: ``duckdb``, ``postgres`` or ``pyspark``."""
    return str(backend.name)


def reads_files(backend: Any) -> bool:
    """Whether the engine can open a file of this machine: PostgreSQL and the executors of a cluster cannot."""
    name = engine_of(backend)
    return name == "duckdb" or (name == "pyspark" and backend._session.conf.get("spark.master").startswith("local"))


def fast_hash(backend: ibis.BaseBackend, value: ir.Value) -> ir.IntegerValue:
    """The engine's own 64-bit hash: for choices within one person, where a collision does no harm."""
    return _FAST_HASH[engine_of(backend)](value)


def sha256_hex(backend: ibis.BaseBackend, text: ir.StringValue) -> ir.StringValue:
    """SHA-256 of a text's UTF-8 bytes in hexadecimal, equal on every engine."""
    return _SHA256[engine_of(backend)](text)


@contextmanager
def open_snapshot(
    snapshot: Path, *, engine: EngineName, settings: Settings
) -> Iterator[tuple[ibis.BaseBackend, ir.Table]]:
    """Open a Parquet snapshot on an engine; whatever it spills stays in the secure folder and is deleted after.

    Yields:
        The Ibis backend and the table of canonical rows.
    """
    with open_engine(engine, settings=settings) as backend:
        yield backend, backend.read_parquet(str(snapshot))


@contextmanager
def open_engine(engine: EngineName, *, settings: Settings) -> Iterator[ibis.BaseBackend]:
    """Open an engine; whatever it spills stays in the secure folder and is deleted after."""
    with spill_folder(settings.secure) as spill:
        backend, ours = _open_spark(spill) if engine == "spark" else (_open_duckdb(spill), True)
        try:
            yield backend
        finally:
            _close(backend, ours=ours)


def held(backend: ibis.BaseBackend, table: ir.Table) -> ir.Table:
    """Compute a table once and keep it with the engine until the snapshot is closed."""
    if engine_of(backend) == "pyspark":
        # Ibis lets Spark know of tables in memory when it names a table, not when it caches one.
        return named(backend, table).cache()
    return backend.create_table(f"held_{secrets.token_hex(8)}", table, temp=True)


def named(backend: ibis.BaseBackend, table: ir.Table) -> ir.Table:
    """Give a table a name in the engine, so that what is built on it is written and compiled once; computes nothing."""
    if engine_of(backend) == "postgres":  # Ibis would make a view that stays, in a schema where nobody may make any
        return _named_for_session(backend, table)
    return backend.create_view(f"named_{secrets.token_hex(8)}", table)


def computed_once(backend: ibis.BaseBackend, table: ir.Table) -> ir.Table:
    """The same table, whose columns are computed once a row however often what is built on it uses them."""
    if engine_of(backend) != "postgres":
        return table
    return _named_for_session(backend, table, " OFFSET 0")  # which keeps the planner from writing them out again


def _named_for_session(backend: Any, table: ir.Table, ending: str = "") -> ir.Table:
    name = f"named_{secrets.token_hex(8)}"
    backend._run_pre_execute_hooks(table)  # tables in memory that it is built on
    backend.raw_sql(f'CREATE TEMPORARY VIEW "{name}" AS {backend.compile(table)}{ending}').close()
    found: ir.Table = backend.table(name)
    return found


def _close(backend: ibis.BaseBackend, *, ours: bool) -> None:
    if engine_of(backend) != "pyspark":
        backend.disconnect()
    elif ours:
        backend._session.stop()  # its files lie in the spill folder, which goes now
    else:
        backend._session.catalog.clearCache()


def _open_duckdb(spill: Path) -> ibis.BaseBackend:
    return ibis.duckdb.connect(
        ":memory:",
        memory_limit=MEMORY_LIMIT,
        temp_directory=str(spill),
        preserve_insertion_order=False,
        autoinstall_known_extensions=False,
        autoload_known_extensions=False,
    )


def hush_spark() -> None:
    """Have Spark's own loggers of Python print nothing: what they say of a failed query quotes values, as Java's do."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True


def _open_spark(spill: Path) -> tuple[ibis.BaseBackend, bool]:
    """Spark, and whether its session was made here; one that was there keeps the folders it was started with."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    hush_spark()
    ours = SparkContext._active_spark_context is None
    builder: Any = SparkSession.builder
    session = (
        builder.appName("dp-stats")
        .config("spark.ui.enabled", "false")
        .config("spark.eventLog.enabled", "false")
        .config("spark.log.level", "OFF")
        .config("spark.local.dir", str(spill))
        .config("spark.sql.warehouse.dir", str(spill / "warehouse"))
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    return ibis.pyspark.connect(session), ours
