"""How a source row becomes a canonical row: dates, codes, bands, numbers and identifiers, row by row.

Each value is judged by itself and by public lists alone, so a row reads the same in every neighbouring table.
A value that cannot be read becomes null, or ``unknown`` where the column declares that cell. Rows count only
if their person, date (in the period), codes and bands are not null; a missing number does not take a row out.
Beside each value stands how it was read (``Read``), for the intake report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum

import duckdb

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.models import UNKNOWN, Column, Dataset
from dp_stats.catalogue.periods import Period
from dp_stats.errors import CatalogueError, SourceError
from dp_stats.secure.database import literal, quoted, trimmed
from dp_stats.secure.identifiers import person_sql
from dp_stats.secure.source_table import SourceTable
from dp_stats.secure.written_dates import in_range, written_date
from dp_stats.secure.written_numbers import number_sql


class Read(IntEnum):
    """How one value was read; kept beside it until the intake report is made."""

    AS_DECLARED = 0
    EMPTY = 1
    UNKNOWN = 2  # in no list, and counted in the declared cell 'unknown'
    UNREADABLE = 3
    MOMENT = 4  # unreadable: a moment, and no time zone is declared
    FRACTION = 5  # unreadable or unknown: a whole number with '.0', and no 'digits' are declared


def read_column(index: int) -> str:
    """The column that holds how the values of the column with this number were read; no canonical name begins so."""
    return f"_read_{index}"


def canonical_sql(
    connection: duckdb.DuckDBPyConnection,
    declared: Mapping[str, Column],
    table: SourceTable,
    codes: Mapping[str, CodeList],
    *,
    field: str = "columns",
) -> str:
    """A SELECT of the declared canonical columns over an opened source, and for each a ``read_column``.

    Types: person, codes and texts VARCHAR, date DATE, number DECIMAL(18,6), ``Read`` as UTINYINT. ``field`` is where they
    are declared.

    Raises:
        SourceError: a column has a type that cannot be read as declared.
        CatalogueError: a date format is wrong, or a value is mapped twice.
    """
    layers: tuple[dict[str, str], ...] = ({}, {}, {}, {})
    joins: list[str] = []
    hints: dict[int, str] = {}
    for index, ((name, column), kind) in enumerate(zip(declared.items(), table.types, strict=True)):
        place = f"{table.place}: column '{column.source.strip()}'"
        if re.search(r"\[|STRUCT|MAP|UNION|BLOB", kind):
            raise SourceError(f"{place} has type {kind.split('(')[0]}; it must be text, a number or a date.")
        texts, parts, days, values = layers
        value, text, where = f"c{index}", f"_text_{index}", f"{field}.{name}"
        result = f"_value_{index}"
        texts[text] = trimmed(value)
        if column.type == "person":
            values[result] = person_sql(value, kind, column.identifier, where=place)
        elif column.type == "date":
            names = (value, text, f"_parts_{index}", f"_day_{index}")
            written = written_date(connection, column, kind, names=names, where=where, place=place)
            parts[names[2]], days[names[3]], values[result] = written.parts, written.day, written.value
            hints[index] = f"WHEN {written.moment} THEN {Read.MOMENT:d}"
        elif column.type == "number":
            values[result] = number_sql(value, text, kind, column)
        elif column.type in ("record", "text"):
            values[result] = f"nullif({text}, '')"
        else:
            assert column.codes is not None
            lookup = lookup_table(connection, f"codes_{index}", column, codes[column.codes], where=where)
            key = _key(f"coalesce({_code_text(text, kind, column)}, '')")
            joins.append(f"LEFT JOIN {lookup} ON {lookup}.key = {key}")
            values[result] = f"{lookup}.code"
            if column.type == "band":
                parts[f"_number_{index}"] = number_sql(value, text, kind, column)
                values[result] = f"coalesce({lookup}.code, {_band(f'_number_{index}', codes[column.codes])})"
            else:
                hints[index] = f"WHEN regexp_full_match({text}, '[0-9]+[.]0+') THEN {Read.FRACTION:d}"
    rows = f"({table.sql})"
    for number, layer in enumerate(layers):
        added = ", ".join([f"layer_{number}.*", *(f"{expression} AS {name}" for name, expression in layer.items())])
        rows = f"(SELECT {added} FROM {rows} AS layer_{number} {' '.join(joins) if layer is layers[-1] else ''})"
    columns = list(enumerate(declared.items()))
    chosen = [f"{_canonical(index, column)} AS {quoted(name)}" for index, (name, column) in columns]
    reads = [f"{_read(index, column, hints.get(index, ''))} AS {read_column(index)}" for index, (_, column) in columns]
    return f"SELECT {', '.join([*chosen, *reads])} FROM {rows} AS source"


def _value(index: int, column: Column) -> str:
    """What was read, or null; days far away are slips of the pen."""
    return in_range(f"_value_{index}") if column.type == "date" else f"_value_{index}"


def _canonical(index: int, column: Column) -> str:
    """The last step of a column: what is in no list is counted as unknown, where that is declared."""
    return f"coalesce(_value_{index}, {literal(UNKNOWN)})" if column.unknown else _value(index, column)


def _read(index: int, column: Column, hint: str) -> str:
    """How a value was read: its ``Read``, in SQL."""
    otherwise = Read.UNKNOWN if column.unknown else Read.UNREADABLE
    return (
        f"CAST(CASE WHEN {_value(index, column)} IS NOT NULL THEN {Read.AS_DECLARED:d} "
        f"WHEN coalesce(_text_{index}, '') = '' THEN {Read.EMPTY:d} {hint} ELSE {otherwise:d} END AS UTINYINT)"
    )


def counts_sql(dataset: Dataset, period: Period) -> str:
    """The condition under which a canonical row counts in an edition of ``period``."""
    needed = [name for name, column in dataset.columns.items() if column.type in ("person", "code", "band")]
    return " AND ".join([in_period_sql(dataset, period), *(f"{quoted(name)} IS NOT NULL" for name in needed)])


def in_period_sql(dataset: Dataset, period: Period) -> str:
    """The condition that a canonical row is dated in ``period``."""
    return f"{quoted(dataset.date_column)} BETWEEN DATE '{period.start}' AND DATE '{period.end}'"


def _code_text(text: str, kind: str, column: Column) -> str:
    """A code as text; a whole number kept as a fraction (as tools do beside nulls) without its '.0'.

    In text the '.0' is taken off where the column declares ``digits``, and zeros are put in front.
    """
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        text = f"regexp_replace({text}, '\\.0+$', '')"
    if column.digits is None or column.type != "code":
        return text
    whole = f"regexp_replace({text}, '[.]0*$', '')"
    padded = f"lpad({whole}, CAST(greatest(length({whole}), {column.digits}) AS INTEGER), '0')"
    return f"(CASE WHEN regexp_full_match({text}, '[0-9]+([.]0*)?') THEN {padded} ELSE {text} END)"


def _key(text: str) -> str:
    return f"lower(nfc_normalize({text}))"


def lookup_table(
    connection: duckdb.DuckDBPyConnection, name: str, column: Column, codes: CodeList, *, where: str
) -> str:
    """Make a small table from source text (normalised) to code: the list itself, codes that it replaces, mapped values."""
    merged = {old: new[0] for old, new in (codes.replaced or {}).items() if len(new) == 1}
    pairs = [
        *zip(codes.codes, codes.codes, strict=True),
        *((UNKNOWN, UNKNOWN),) * column.unknown,
        *((text, _code_in_force(code, codes, merged)) for text, code in column.values.items()),
    ]
    former = list(merged.items())
    connection.execute(
        f"CREATE TEMP TABLE {name} AS SELECT {_key(_code_text(trimmed('text'), 'VARCHAR', column))} AS key, code, place "
        "FROM (SELECT unnest(?) AS text, unnest(?) AS code, unnest(?) AS place)",
        [
            [text for text, _ in (*former, *pairs)],
            [code for _, code in (*former, *pairs)],
            list(range(-len(former), len(pairs))),
        ],
    )
    twice = connection.execute(
        f"SELECT min(place) FROM {name} WHERE place >= ? GROUP BY key HAVING count(DISTINCT code) > 1",
        [len(pairs) - len(column.values)],
    ).fetchone()
    if twice:
        raise CatalogueError(
            f"{where}.values: '{pairs[twice[0]][0]}' is mapped to two codes (case and spaces do not count). Keep one."
        )
    if column.digits is not None:
        alike = connection.execute(
            f"SELECT min(place), max(place) FROM {name} WHERE place >= 0 AND place < ? GROUP BY key HAVING count(*) > 1",
            [len(codes.codes)],
        ).fetchone()
        if alike:
            raise CatalogueError(
                f"{where}.digits: the codes '{pairs[alike[0]][0]}' and '{pairs[alike[1]][0]}' of codes/{column.codes}.csv are "
                "the same number. Take 'digits' away, or rename one."
            )
    # A mapped value wins over the same text in the list: whoever wrote the map meant it. A code in force wins over one that
    # is not, where they read alike.
    connection.execute(
        f"CREATE TEMP TABLE {name}_unique AS SELECT key, arg_max(code, place) AS code FROM {name} GROUP BY key"
    )
    return f"{name}_unique"


def _code_in_force(code: str, codes: CodeList, merged: Mapping[str, str]) -> str | None:
    """What a value is mapped to, where that is a code that is not in force any more."""
    return code if code in codes.codes or code == UNKNOWN else merged.get(code)


def _band(number: str, codes: CodeList) -> str:
    """The band of a number: the last whose lower end is not above it, unless it is a whole step past the upper end.

    So with completed years, 9.5 belongs to '0 to 9'. An empty upper end is open.
    """
    bands = sorted(zip(codes.numbers("lower"), codes.numbers("upper"), codes.codes, strict=True))
    cases = []
    for lower, upper, code in reversed(bands):
        below = "" if upper != upper else f" AND {number} < {upper + 1!r}"
        cases.append(f"WHEN {number} >= {lower!r} THEN CASE WHEN true{below} THEN {literal(code)} END")
    return f"(CASE {' '.join(cases)} END)"
