"""Open a declared source, whatever its kind, and let only its declared columns through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dp_stats.errors import DpStatsError, SourceError
from dp_stats.secure.csv_source import look_at_csv, open_csvs
from dp_stats.secure.database import literal, quoted, run
from dp_stats.secure.ibis_source import open_ibis
from dp_stats.secure.postgres_source import open_postgres
from dp_stats.secure.sheet_source import open_sheet
from dp_stats.secure.source_files import is_elsewhere, places, source_files, unzipped, written_path
from dp_stats.secure.source_table import Opening, SourceTable, match_columns
from dp_stats.secure.staging import secure_folder

Stamps = tuple[tuple[object, ...], ...]
"""The files of a delivery, each with what changes when it is written to or replaced."""


def open_source(opening: Opening) -> SourceTable:
    """Open the source and find its wanted columns, without regard to case and outer spaces.

    Raises:
        SourceError: it is missing or unreadable, or lacks a column (the message lists those it has).
    """
    kind = opening.source.kind
    if kind == "postgres":
        return open_postgres(opening)
    if kind == "database":
        return open_ibis(opening)
    paths = source_files(opening.source, opening.settings, scratch=opening.scratch)
    before = _stamps(paths)
    named = places(opening.source, opening.settings, paths)
    match kind:
        case "csv":
            opened = _open_csvs(opening, paths, named)
        case "spreadsheet":
            opened = open_sheet(opening, paths[0], place=named[0])
        case _:
            opened = _open_typed(opening, paths, named)
    if is_elsewhere(opening.source, opening.settings):
        return opened  # its files are private copies
    return replace(opened, changed=lambda: _has_changed(opening, before))


def _open_csvs(opening: Opening, paths: tuple[Path, ...], named: tuple[str, ...]) -> SourceTable:
    """CSV files, each with a header of its own; their rows one after another."""
    files = []
    for number, (path, place) in enumerate(zip(paths, named, strict=True)):
        scratch = opening.scratch if len(paths) == 1 else secure_folder(opening.scratch / f"file-{number}")
        member = unzipped(path, scratch, place=place)
        files.append(look_at_csv(replace(opening, scratch=scratch), member, place=place))
    return open_csvs(opening, files, place=_all(opening, named))


def _open_typed(opening: Opening, paths: tuple[Path, ...], named: tuple[str, ...]) -> SourceTable:
    """Parquet files or a DuckDB file, which know the types of their columns."""
    kind = opening.source.kind
    place = _all(opening, named)
    if kind == "duckdb":
        relation, place = _duckdb_table(opening, paths[0], place), f"{place}, table {opening.source.table}"
    else:
        listed = ", ".join(literal(str(path)) for path in paths)
        hive = paths != (written_path(opening.source.path or "", opening.settings),)
        relation = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = {hive})"

    def explain(error: str, text: str) -> DpStatsError:
        return SourceError(f"{place} cannot be read ({error}). Check that it is a whole {kind} file of this name.")

    described = run(opening.connection, f"DESCRIBE SELECT * FROM {relation}", explain=explain).fetchall()
    names = [str(row[0]) for row in described]
    found = match_columns(opening.wanted, names, place=place)
    chosen = ", ".join(f"{quoted(names[index])} AS c{i}" for i, index in enumerate(found))
    kinds = tuple(str(described[index][1]) for index in found)
    return SourceTable(f"SELECT {chosen} FROM {relation}", kinds, place, tuple(names[index] for index in found))


def _all(opening: Opening, named: tuple[str, ...]) -> str:
    """What errors call the files together."""
    return named[0] if len(named) == 1 else f"{len(named)} files of source.path '{opening.source.path}'"


def _has_changed(opening: Opening, before: Stamps) -> bool:
    """Whether a file of the source was written to, replaced, added or removed."""
    try:
        return _stamps(source_files(opening.source, opening.settings, scratch=opening.scratch)) != before
    except SourceError:
        return True


def _stamps(paths: tuple[Path, ...]) -> Stamps:
    return tuple((path, *_stamp(path)) for path in paths)


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file is written to or replaced."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _duckdb_table(opening: Opening, path: Path, place: str) -> str:
    """Attach a DuckDB file for reading and return its table as SQL."""

    def explain(error: str, text: str) -> DpStatsError:
        return SourceError(
            f"{place} cannot be opened as a DuckDB file ({error}). Close programs that write to it, and check it."
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
            f"{place} has no table '{opening.source.table}'. It has {len(there) or 'no'} table{'' if len(there) == 1 else 's'}, "
            "whose names are not shown, because they may be data. Change 'table' in the catalogue, or the file."
        )
    return f"{alias}.{quoted(schema)}.{quoted(table)}"
