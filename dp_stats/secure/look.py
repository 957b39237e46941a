"""What a table looks like: for each column, what it probably is. Nothing that leaves here is a value of a row.

A draft of a declaration needs to know which column is a date and how it is written, which fits a public code list, and
which names the person. Counts over the rows decide that; neither they nor any value are told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import duckdb

from dp_stats.catalogue.columns import ISO
from dp_stats.catalogue.identifiers import Identifier
from dp_stats.catalogue.registers import Register
from dp_stats.errors import SourceError
from dp_stats.secure.database import literal, run, trimmed
from dp_stats.secure.identifiers import person_sql
from dp_stats.secure.source_table import SourceTable
from dp_stats.secure.written_dates import ZONED, has_offset_sql, is_iso_sql
from dp_stats.secure.written_numbers import DECIMAL_TEXT

Kind = Literal["person", "date", "code", "band", "number", "text"]

LOOKED_AT = 100_000
"""Rows that are looked at; a draft needs no more."""

FITS = 0.8
"""The share of filled-in fields that must read as something."""

FITS_LIST = 0.5
"""The share that must stand in a code list: extracts hold outdated and misspelt codes."""

LEAST_LISTED = 0.02
"""Or this share, where half of the list's entries occur and are words: most fields may say 'not reported'."""

REPEATED = 0.1
"""A column that is called no more than an identifier has at least this many different values per row."""

FORMATS = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d", "%d %B %Y", "%d-%b-%Y"),
    *("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S"),
)
PERSON_NAMES = re.compile(r"nhs|patient|person|pupil|client|citizen|subject|hesid|pseudo|\bchi\b|\bpid\b|member", re.I)
ABOUT_A_PERSON = re.compile(r"age|sex|gender|date|type|class|count|cost|categ|status|post|ethni|birth|name", re.I)
IDENTIFIER_NAMES = re.compile(r"(^|[^a-z])id([^a-z]|$)|key|number|_no$", re.I)
_NUMBER = re.compile(DECIMAL_TEXT)
NOT_A_NAME = re.compile(r"[\d\W_]+|.*\d{4}-\d\d-\d\d.*|.*\d{1,2}[/.]\d{1,2}[/.]\d{2,4}.*|.*\d{6,}.*")


@dataclass(frozen=True)
class Seen:
    """What one column probably is.

    Attributes:
        formats: how its dates are written; several where a day and a month cannot be told apart.
        moments: whether they are moments, whose day depends on a time zone.
        register: the code list whose codes or names it holds; by_name: whether it holds the names.
        identifier: how its identifiers are written, where that is a known way.
    """

    name: str
    kind: Kind
    formats: tuple[str, ...] = ()
    moments: bool = False
    register: str | None = None
    by_name: bool = False
    identifier: Identifier | None = None
    score: int = field(default=0, compare=False)


def require_header(names: Sequence[str], *, place: str) -> None:
    """Refuse a first line that looks like a row: no part of it may stand in a declaration or in a message.

    Raises:
        SourceError: a name is empty, stands twice, or reads as a number, a date or an identifier.
    """
    cleaned = [name.strip().strip("\ufeff").casefold() for name in names]
    like_data = [i for i, name in enumerate(cleaned, start=1) if not name or NOT_A_NAME.fullmatch(name)]
    if like_data or len(set(cleaned)) < len(cleaned):
        where = f"field {like_data[0]} of it is no name" if like_data else "a name stands twice"
        raise SourceError(
            f"{place}: the first line does not look like the names of columns ({where}). Put a header line into the file."
        )


def by_names(names: Sequence[str]) -> tuple[Seen, ...]:
    """What columns probably are by their names alone, for those who may not look at rows."""
    dates = re.compile(r"date|_at$|\bday\b|start|time", re.I)
    return tuple(
        Seen(name, "person", score=2)
        if PERSON_NAMES.search(name)
        else Seen(name, "date")
        if dates.search(name)
        else Seen(name, "text")
        for name in names
    )


def look_at(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    names: Sequence[str],
    registers: Mapping[str, Register],
) -> tuple[Seen, ...]:
    """Look at the rows of an opened table, at most ``LOOKED_AT`` of them.

    Args:
        table: opened with all its columns; names: what the source calls them. registers: public lists to try.

    Raises:
        SourceError: the table cannot be read.
    """
    run(
        connection,
        f"CREATE TEMP TABLE looked_at AS SELECT * FROM ({table.sql}) LIMIT {LOOKED_AT}",
        explain=table.explain,
    )
    try:
        return tuple(
            _column(connection, f"c{i}", name, kind, registers)
            for i, (name, kind) in enumerate(zip(names, table.types, strict=True))
        )
    finally:
        connection.execute("DROP TABLE looked_at")


def _column(
    connection: duckdb.DuckDBPyConnection, column: str, name: str, kind: str, registers: Mapping[str, Register]
) -> Seen:
    if re.search(r"\[|STRUCT|MAP|UNION|BLOB", kind):
        return Seen(name, "text")
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return Seen(name, "date", moments=kind == ZONED)
    text = trimmed(column)
    filled, different = _counts(connection, f"count(nullif({text}, '')), count(DISTINCT nullif({text}, ''))")
    if not filled:
        return Seen(name, "person", score=1) if PERSON_NAMES.search(name) else Seen(name, "text")
    listed = _listed(connection, text, filled, name, registers)
    if listed is not None:
        return listed
    fraction = kind in ("FLOAT", "DOUBLE") or bool(re.fullmatch(r"DECIMAL\(\d+,[1-9]\d*\)", kind))
    if not fraction:
        nhs = Identifier(kind="nhs_number")
        (valid,) = _counts(connection, f"count({person_sql(column, kind, nhs, where=name)})")
        if valid >= FITS * filled and different >= REPEATED * filled:
            return Seen(name, "person", identifier=nhs, score=4)
        formats = _formats(connection, text, filled)
        if formats:
            (moments,) = _counts(connection, f"count(CASE WHEN {has_offset_sql(text)} THEN 1 END)")
            return Seen(name, "date", formats=formats, moments=formats[0] == ISO and moments > 0)
        named = bool(PERSON_NAMES.search(name)) and not ABOUT_A_PERSON.search(name)
        score = 3 * named + bool(IDENTIFIER_NAMES.search(name))
        if different > 1 and (named or (score and different >= REPEATED * filled)):
            return Seen(name, "person", score=score)
    numeric = f"count(CASE WHEN regexp_full_match({text}, '{DECIMAL_TEXT}') THEN 1 END)"
    (numbers,) = _counts(connection, numeric)
    if numbers < FITS * filled:
        return Seen(name, "text")
    bands = next((r for r in registers.values() if r.bands and re.search(r"age|years", name, re.I)), None)
    return Seen(name, "band", register=bands.id) if bands else Seen(name, "number")


def _listed(
    connection: duckdb.DuckDBPyConnection, text: str, filled: int, name: str, registers: Mapping[str, Register]
) -> Seen | None:
    """The register that most fields stand in, by code or by name; None where none holds half of them."""
    most, found = 0, None
    for register in registers.values():
        for by_name, known in ((False, register.codes), (True, tuple(register.names))):
            if not known:
                continue
            keys = sorted({entry.casefold() for entry in known})
            key = f"lower(nfc_normalize({text}))"
            rows, entries = connection.execute(
                f"SELECT count(*), count(DISTINCT {key}) FROM looked_at WHERE {key} IN (SELECT unnest(?))", [keys]
            ).fetchone() or (0, 0)
            words = not any(_NUMBER.fullmatch(entry) for entry in keys)
            occurs = words and entries >= len(keys) / 2 and rows >= LEAST_LISTED * filled
            if rows > most and (rows >= FITS_LIST * filled or occurs):
                most, found = rows, Seen(name, "code", register=register.id, by_name=by_name)
    return found


def _formats(connection: duckdb.DuckDBPyConnection, text: str, filled: int) -> tuple[str, ...]:
    """The date formats that most fields are written in, the best first; those that read just as many with it."""
    counts = [f"count(try_strptime({text}, {literal(form)}))" for form in FORMATS]
    chosen = ", ".join([f"count(CASE WHEN {is_iso_sql(text)} THEN 1 END)", *counts])
    read = dict(zip((ISO, *FORMATS), _counts(connection, chosen), strict=True))
    most = max(read.values())
    if read[ISO] == most >= FITS * filled:
        return (ISO,)
    return tuple(form for form, count in read.items() if count == most) if most >= FITS * filled else ()


def _counts(connection: duckdb.DuckDBPyConnection, chosen: str) -> tuple[int, ...]:
    """Counts over the rows that are looked at."""

    def explain(error: str, text: str) -> SourceError:
        return SourceError(f"The table cannot be looked at ({error}). Check that the file is whole.")

    row = run(connection, f"SELECT {chosen} FROM looked_at", explain=explain).fetchone()
    return tuple(int(value) for value in row or ())
