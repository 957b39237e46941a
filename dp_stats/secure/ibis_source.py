"""A table of any database that Ibis reads (SQLite, MySQL, SQL Server, Oracle, Snowflake, …), copied column by column.

Only the declared columns leave the database, into a Parquet file in the private folder of the run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ibis
import pyarrow.parquet as pq

from dp_stats.errors import SourceError
from dp_stats.secure.database import literal, quoted, run
from dp_stats.secure.source_table import Opening, SourceTable, match_columns
from dp_stats.secure.staging import PRIVATE_FILE

ROWS_AT_ONCE = 100_000


def open_ibis(opening: Opening) -> SourceTable:
    """Copy the wanted columns of the declared table, whose database the variable ``url_env`` names.

    Raises:
        SourceError: the database, its driver or the table is missing, cannot be reached, or lacks a column.
    """
    source = opening.source
    place = f"table {source.table} ({source.url_env})"
    backend = _connected(source.url_env or "", place)
    target = opening.scratch / ("database.parquet" if opening.date_filter else "list.parquet")
    target.touch(mode=PRIVATE_FILE)
    try:
        names, chosen = _wanted(backend, opening, place)
        _copy(chosen, target, place)
    finally:
        backend.disconnect()

    def explain(error: str, text: str) -> SourceError:
        return SourceError(f"{place} cannot be read to its end ({error}). Run it again.")

    relation = f"read_parquet({literal(str(target))})"
    described = run(opening.connection, f"DESCRIBE SELECT * FROM {relation}", explain=explain).fetchall()
    columns = ", ".join(f"{quoted(f'c{i}')}" for i in range(len(described)))
    return SourceTable(f"SELECT {columns} FROM {relation}", tuple(str(row[1]) for row in described), place, names)


def _connected(variable: str, place: str) -> Any:
    url = os.environ.get(variable, "")
    if not url:
        raise SourceError(f"The environment variable {variable} is not set. Set it to the address of the database.")
    try:
        return ibis.connect(url)
    except ImportError:
        failure = "its driver is not installed: install ibis-framework with the extra of that database, such as [mysql]"
    except Exception as error:  # drivers' messages may quote the address, with its password
        failure = f"{type(error).__name__}: check the address, the network and the right to connect"
    raise SourceError(f"The database of {place} cannot be reached ({failure}).")


def _wanted(backend: Any, opening: Opening, place: str) -> tuple[tuple[str, ...], Any]:
    """The names of the wanted columns, and the query for them as ``c0``, ``c1``, …"""
    schema, _, name = (opening.source.table or "").rpartition(".")
    try:
        table = backend.table(name, database=schema or None)
        names = list(table.columns)
    except Exception as error:
        failure = type(error).__name__
    else:
        found = match_columns(opening.wanted, names, place=place)
        chosen = table.select(**{f"c{i}": table[names[index]] for i, index in enumerate(found)})
        return tuple(names[index] for index in found), chosen
    raise SourceError(
        f"{place} is not there or may not be read ({failure}). Check 'table' in the catalogue, and the right."
    )


def _copy(chosen: Any, target: Path, place: str) -> None:
    try:
        batches = chosen.to_pyarrow_batches(chunk_size=ROWS_AT_ONCE)
        with pq.ParquetWriter(target, batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return
    except Exception as error:  # drivers' messages may quote values
        failure = type(error).__name__
    raise SourceError(f"{place} cannot be read to its end ({failure}). Check the connection, and run it again.")
