"""Open a declared source, whatever its kind, and let only its declared columns through."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from string import Template

from dp_stats.catalogue.models import Source
from dp_stats.errors import DpStatsError, SourceError
from dp_stats.secure.csv_source import open_csv
from dp_stats.secure.database import literal, quoted, run
from dp_stats.secure.postgres_source import open_postgres
from dp_stats.secure.source_table import Opening, SourceTable, match_columns
from dp_stats.settings import Settings


def open_source(opening: Opening) -> SourceTable:
    """Open the source and find its wanted columns, without regard to case and outer spaces.

    Raises:
        SourceError: it is missing or unreadable, or lacks a column (the message lists those it has).
    """
    kind = opening.source.kind
    if kind == "postgres":
        return open_postgres(opening)
    path = source_path(opening.source, opening.settings)
    before = _stamp(path)
    opened = open_csv(opening, path) if kind == "csv" else _open_typed(opening, path)
    return replace(opened, changed=lambda: _stamp(path) != before)


def _open_typed(opening: Opening, path: Path) -> SourceTable:
    """A Parquet or DuckDB file, which knows the types of its columns."""
    kind = opening.source.kind
    relation = _duckdb_table(opening, path) if kind == "duckdb" else f"read_parquet({literal(str(path))})"
    place = f"{path}, table {opening.source.table}" if kind == "duckdb" else str(path)

    def explain(error: str, text: str) -> DpStatsError:
        return SourceError(f"{place} cannot be read ({error}). Check that it is a whole {kind} file of this name.")

    described = run(opening.connection, f"DESCRIBE SELECT * FROM {relation}", explain=explain).fetchall()
    names = [str(row[0]) for row in described]
    found = match_columns(opening.wanted, names, place=place)
    chosen = ", ".join(f"{quoted(names[index])} AS c{i}" for i, index in enumerate(found))
    kinds = tuple(str(described[index][1]) for index in found)
    return SourceTable(f"SELECT {chosen} FROM {relation}", kinds, place, tuple(names[index] for index in found))


def source_path(source: Source, settings: Settings) -> Path:
    """The file of a source: variables filled in, relative to the catalogue folder, and there.

    Raises:
        SourceError: a variable is not set, or there is no such file.
    """
    path = written_path(source.path or "", settings, field="source.path")
    if not path.is_file():
        raise SourceError(f"There is no file {path}. Put the {source.kind} file there, or change source.path.")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path} may not be read by this user. Give it the right to.")
    return path


def written_path(written: str, settings: Settings, *, field: str) -> Path:
    """A declared path with its variables filled in, relative to the catalogue folder.

    Raises:
        SourceError: a variable is not set.
    """
    try:
        text = Template(written).substitute({**os.environ, "DP_STATS_HOME": str(settings.home)})
    except (KeyError, ValueError):
        text = ""
    if not text:
        raise SourceError(
            f"{field} '{written}' names an environment variable that is not set. Set it, or write the path out."
        )
    return settings.catalogue / Path(text).expanduser()


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file is written to or replaced."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


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
        raise SourceError(
            f"{path} has no table '{opening.source.table}'. It has {len(there) or 'no'} table{'' if len(there) == 1 else 's'}, "
            "whose names are not shown, because they may be data. Change 'table' in the catalogue, or the file."
        )
    return f"{alias}.{quoted(schema)}.{quoted(table)}"
