"""What can be worked on where the rows are (``engine: source``), and why something cannot: said by ``check``, not by a run.

A row must be read alike by every engine. So what engines read each in its own way (dates and numbers written as text,
regular expressions beyond their common core) is refused here; a view in the database can give such columns their types.
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


def why_not_in_place(source: Source | None, work_schema: str | None, columns: Mapping[str, Column]) -> str | None:
    """Why the rows of a dataset with ``engine: source`` cannot be worked on where they are; None where they can."""
    if source is None:
        return "several 'tables' are not linked in place yet; use engine: duckdb or spark"
    if source.kind != "postgres":
        return f"a {source.kind} source is not worked on in place; use engine: duckdb or spark, which read it"
    if work_schema is None:
        return "work_schema: name the schema of that database in which this installation may make tables"
    for name, column in columns.items():
        if why := _why_not_column(column):
            return f"columns.{name}: {why}"
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
