"""The DuckDB connection that rows stream through: bounded memory, no network, and errors without values."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from dp_stats.errors import DpStatsError
from dp_stats.secure.staging import secure_folder

MEMORY_LIMIT = "1GB"


@contextmanager
def open_database(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that spills into the private ``folder`` and may load no extension from elsewhere."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": MEMORY_LIMIT,
            "threads": min(len(os.sched_getaffinity(0)), 8),
            "temp_directory": str(secure_folder(folder / "spill")),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        },
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def run(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: object = None,
    *,
    explain: Callable[[str, str], DpStatsError],
) -> duckdb.DuckDBPyConnection:
    """Execute ``sql``; on failure raise what ``explain(kind, text)`` returns.

    DuckDB's messages quote the line or value that failed. The new error is raised outside the handler, so
    that the old one is neither its cause nor its context and no traceback can print it.
    """
    try:
        return connection.execute(sql, parameters)
    except duckdb.Error as error:
        failure = explain(type(error).__name__, str(error))
    raise failure


def quoted(name: str) -> str:
    """``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


SPACES = literal(" \t\r\n\u00a0\u2000\u2002\u2003\u2007\u2009\u200a\u200b\u202f\u3000\ufeff")


def trimmed(value: str) -> str:
    """The value as text without outer spaces of any kind, in SQL.

    DuckDB's trim with a list of characters is slow, so it is called only where an end is not plain ASCII.
    """
    text = f"CAST({value} AS VARCHAR)"
    plain = f"unicode({text}) BETWEEN 33 AND 126 AND unicode({text}[-1]) BETWEEN 33 AND 126"
    return f"(CASE WHEN {plain} THEN {text} ELSE trim({text}, {SPACES}) END)"
