"""What can be worked on where the rows are (``engine: source``), and why something cannot: said by ``check``, not by a run.

A row must be read alike by every engine. So what engines read each in its own way (dates and numbers written as text,
regular expressions beyond their common core) is refused here; a view in the database, or a job on the cluster, can give such
columns their types.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dp_stats.catalogue.columns import Column
from dp_stats.catalogue.sources import Source

_LETTER = "[A-Za-z0-9]"
_ITEM = (
    rf"(?:{_LETTER}|\[(?:{_LETTER}(?:-{_LETTER})?)+\]|\((?!\?)|\||\)(?:[?*+]|\{{[0-9]{{1,2}}(?:,[0-9]{{0,2}})?\}})?)"
)
_COUNT = r"(?:[?*+]|\{[0-9]{1,2}(?:,[0-9]{0,2})?\})?"
PORTABLE = re.compile(rf"(?:{_ITEM}{_COUNT})+")
"""Regular expressions that DuckDB, PostgreSQL and Java read alike: letters, digits, classes of them, groups, |, and counts."""


def why_not_in_place(
    source: Source | None, work_schema: str | None, work_folder: str | None, columns: Mapping[str, Column]
) -> str | None:
    """Why the rows of a dataset with ``engine: source`` cannot be worked on where they are; None where they can."""
    if source is None:
        return "several 'tables' are not linked in place yet; use engine: duckdb or spark"
    if source.kind not in ("postgres", "parquet"):
        return f"a {source.kind} source is not worked on in place; use engine: duckdb or spark, which read it"
    why = _why_not_postgres(work_schema, work_folder) if source.kind == "postgres" else None
    if source.kind == "parquet":
        why = _why_not_spark(source, work_schema, work_folder)
    if why:
        return why
    for name, column in columns.items():
        if why := _why_not_column(column):
            return f"columns.{name}: {why}"
    return None


def _why_not_postgres(work_schema: str | None, work_folder: str | None) -> str | None:
    if work_folder is not None:
        return "work_folder: that is for a parquet source, which Spark works on; leave it out"
    if work_schema is None:
        return "work_schema: name the schema of that database in which this installation may make tables"
    return None


def _why_not_spark(source: Source, work_schema: str | None, work_folder: str | None) -> str | None:
    if source.url_env is None or source.connection is not None:
        return (
            "a parquet source is worked on by Spark; name with 'url_env' the variable that holds the cluster's address"
        )
    if work_schema is not None:
        return "work_schema: that is for a postgres source; name a 'work_folder' on the cluster's storage"
    if work_folder is None:
        return "work_folder: name the folder on the cluster's storage in which this installation may make folders"
    for field, path in (("source.path", source.path or ""), ("work_folder", work_folder)):
        if not (path.startswith(("/", "$")) or "://" in path):
            return f"{field}: write a whole path or an address, such as s3a://…: executors know nothing of this catalogue's folder"
        if set(path) & set("*?[{") - set("{" if "${" in path else ""):
            return f"{field}: name one folder; patterns are not read in place"
    return None


def _why_not_column(column: Column) -> str | None:
    if column.type == "person":
        if column.identifier is None:
            return "in place every identifier needs one declared spelling; declare 'identifier'"
        if not PORTABLE.fullmatch(column.identifier.spelt_out.pattern or ""):
            return (
                "identifier.pattern: in place only letters, digits, classes such as [A-Z0-9], groups, | and counts are read "
                "alike by every engine; write it with these"
            )
    if column.formats:
        return "in place a date must be stored as a date or a timestamp; make a view that casts it, and leave out 'formats'"
    if column.decimal != "." or column.thousands or column.currency:
        return "in place a number must be stored as one; make a view that casts it, and leave out how it is written"
    return None
