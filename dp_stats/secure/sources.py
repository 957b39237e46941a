"""Open a declared source and let only its declared columns through.

A source becomes a ``SourceTable``: a SELECT over exactly the wanted columns, for DuckDB to stream.
Column names may be told in an error; a value never.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import duckdb

from dp_stats.catalogue.models import Source
from dp_stats.catalogue.periods import Period
from dp_stats.errors import DpStatsError, SourceError
from dp_stats.secure.database import literal, quoted, run
from dp_stats.settings import Settings

SHOWN_NAMES = 40


@dataclass(frozen=True)
class SourceTable:
    """The wanted columns of a source.

    Attributes:
        sql: a SELECT whose columns are named ``c0``, ``c1``, … in the order they were asked for.
        types: the DuckDB type of each.
        place: what an error should call this source.
        rows: how many rows the source has, where ``sql`` does not give them all because the database
            behind it already kept to the period; None where it does.
        broken: for a CSV, says where it is broken once a query over it has failed.
    """

    sql: str
    types: tuple[str, ...]
    place: str
    rows: int | None = None
    broken: Callable[[], str | None] = lambda: None

    def explain(self, error: str, text: str) -> DpStatsError:
        """The failure of a query over this source, as an error without values."""
        fault = self.broken()
        if fault:
            return SourceError(f"{self.place}, {fault}.")
        if "No space left" in text:
            return SourceError(f"There is no space left for the rows of {self.place}. Free some in the state folder.")
        return SourceError(f"{self.place} cannot be read to its end ({error}). Check that the file is whole.")


@dataclass(frozen=True)
class DateFilter:
    """A wish to read only the rows dated in ``period`` (or not dated), for sources that can do it cheaply."""

    column: int
    period: Period


@dataclass(frozen=True)
class Opening:
    """What every kind of source needs in order to be opened.

    Attributes:
        connection: the DuckDB connection that will read it.
        source: its declaration. wanted: the source columns that may leave it.
        scratch: a private folder for temporary copies. settings: for paths.
        date_filter: rows wanted, if not all.
    """

    connection: duckdb.DuckDBPyConnection
    source: Source
    wanted: Sequence[str]
    scratch: Path
    settings: Settings
    date_filter: DateFilter | None = None


def open_source(opening: Opening) -> SourceTable:
    """Open the source and find its wanted columns, without regard to case and outer spaces.

    Raises:
        SourceError: it is missing or unreadable, or lacks a column (the message lists those it has).
    """
    kind = opening.source.kind
    if kind == "csv":
        from dp_stats.secure.csv_source import open_csv

        return open_csv(opening, source_path(opening.source, opening.settings))
    if kind == "postgres":
        from dp_stats.secure.postgres_source import open_postgres

        return open_postgres(opening)
    path = source_path(opening.source, opening.settings)
    relation = _duckdb_table(opening, path) if kind == "duckdb" else f"read_parquet({literal(str(path))})"
    place = f"{path}, table {opening.source.table}" if kind == "duckdb" else str(path)

    def explain(error: str, text: str) -> DpStatsError:
        return SourceError(f"{place} cannot be read ({error}). Check that it is a whole {kind} file of this name.")

    described = run(opening.connection, f"DESCRIBE SELECT * FROM {relation}", explain=explain).fetchall()
    names = [str(row[0]) for row in described]
    found = match_columns(opening.wanted, names, place=place)
    chosen = ", ".join(f"{quoted(names[index])} AS c{i}" for i, index in enumerate(found))
    return SourceTable(f"SELECT {chosen} FROM {relation}", tuple(str(described[index][1]) for index in found), place)


def source_path(source: Source, settings: Settings) -> Path:
    """The file of a source: variables filled in, relative to the catalogue folder, and there.

    Raises:
        SourceError: a variable is not set, or there is no such file.
    """
    written = source.path or ""
    try:
        text = Template(written).substitute({**os.environ, "DP_STATS_HOME": str(settings.home)})
    except (KeyError, ValueError):
        text = ""
    if not text:
        raise SourceError(
            f"source.path '{written}' names an environment variable that is not set. Set it, or write the path out."
        )
    path = settings.catalogue / Path(text).expanduser()
    if not path.is_file():
        raise SourceError(f"There is no file {path}. Put the {source.kind} file there, or change source.path.")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path} may not be read by this user. Give it the right to.")
    return path


def match_columns(wanted: Sequence[str], available: Sequence[str], *, place: str) -> list[int]:
    """The position of each wanted column among the available ones.

    Raises:
        SourceError: one is missing, or stands twice.
    """

    def key(name: str) -> str:
        return name.strip().strip("\ufeff").strip().casefold()

    keys = [key(name) for name in available]
    missing = [name for name in wanted if key(name) not in keys]
    if missing:
        shown = ", ".join(name.strip() for name in available[:SHOWN_NAMES]) + (
            ", …" if len(available) > SHOWN_NAMES else ""
        )
        these = " and ".join(f"'{name}'" for name in dict.fromkeys(missing))
        raise SourceError(
            f"{place} has no column {these}. It has: {shown}. Change 'from' in the catalogue, or the source."
        )
    for name in wanted:
        if keys.count(key(name)) > 1:
            raise SourceError(
                f"{place} has the column '{name}' more than once (case and spaces do not count). Rename one."
            )
    return [keys.index(key(name)) for name in wanted]


def _duckdb_table(opening: Opening, path: Path) -> str:
    """Attach a DuckDB file for reading and return its table as SQL."""

    def explain(error: str, text: str) -> DpStatsError:
        return SourceError(
            f"{path} cannot be opened as a DuckDB file ({error}). Close programs that write to it, and check it."
        )

    alias = "source_file" if opening.date_filter is not None else "opt_out_file"
    run(opening.connection, f"ATTACH {literal(str(path))} AS {alias} (READ_ONLY)", explain=explain)
    parts = (opening.source.table or "").split(".")
    schema, table = parts if len(parts) == 2 else ("main", parts[-1])
    there = opening.connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = ? ORDER BY ALL", [alias]
    ).fetchall()
    if (schema.casefold(), table.casefold()) not in {(s.casefold(), t.casefold()) for s, t in there}:
        known = ", ".join(t if s == "main" else f"{s}.{t}" for s, t in there[:SHOWN_NAMES]) or "no table"
        raise SourceError(f"{path} has no table '{opening.source.table}'. It has: {known}.")
    return f"{alias}.{quoted(schema)}.{quoted(table)}"
