"""How a source row becomes a canonical row: dates, codes, bands, numbers and identifiers, row by row.

Each value is judged by itself and by public lists alone, so a row reads the same in every neighbouring table.
A value that cannot be read becomes null, or ``unknown`` where the column declares that cell. Rows count only
if their person, date (in the period), codes and bands are not null; a missing number does not take a row out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.models import UNKNOWN, Column, Dataset
from dp_stats.catalogue.periods import Period
from dp_stats.errors import CatalogueError, DpStatsError, SourceError
from dp_stats.secure.database import literal, quoted, run, trimmed
from dp_stats.secure.identifiers import person_sql
from dp_stats.secure.source_table import SourceTable

DEFAULT_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
EARLIEST, LATEST = "1900-01-01", "2199-12-31"
NUMBER = "DECIMAL(18,6)"
DECIMAL_TEXT = "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?"


def canonical_sql(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, table: SourceTable, codes: Mapping[str, CodeList]
) -> str:
    """A SELECT of the dataset's canonical columns over an opened source.

    Types: person and codes VARCHAR, date DATE, number DECIMAL(18,6).

    Raises:
        SourceError: a column has a type that cannot be read as declared.
        CatalogueError: a date format is wrong, or a value is mapped twice.
    """
    chosen, joins, numbers = [], [], []
    for index, ((name, column), kind) in enumerate(zip(dataset.columns.items(), table.types, strict=True)):
        where = f"{table.place}: column '{column.source.strip()}'"
        if re.search(r"\[|STRUCT|MAP|UNION|BLOB", kind):
            raise SourceError(f"{where} has type {kind.split('(')[0]}; it must be text, a number or a date.")
        value = f"source.c{index}"
        if column.type == "person":
            expression = person_sql(value, kind, column.identifier, where=where)
        elif column.type == "date":
            expression = _date(connection, value, kind, column, where=f"columns.{name}")
        elif column.type == "number":
            expression = _number(value, kind)
        else:
            assert column.codes is not None
            lookup = _lookup(connection, f"codes_{index}", column, codes[column.codes], where=f"columns.{name}")
            key = _key(f"coalesce({_code_text(value, kind)}, '')")
            joins.append(f"LEFT JOIN {lookup} ON {lookup}.key = {key}")
            expression = f"{lookup}.code"
            if column.type == "band":
                numbers.append(f"{_number(f'c{index}', kind)} AS n{index}")
                expression = f"coalesce({expression}, {_band(f'source.n{index}', codes[column.codes])})"
            if column.unknown:
                expression = f"coalesce({expression}, {literal(UNKNOWN)})"
        chosen.append(f"{expression} AS {quoted(name)}")
    rows = f"SELECT {', '.join(['*', *numbers])} FROM ({table.sql})"
    return f"SELECT {', '.join(chosen)} FROM ({rows}) AS source {' '.join(joins)}"


def counts_sql(dataset: Dataset, period: Period) -> str:
    """The condition under which a canonical row counts in an edition of ``period``."""
    needed = [name for name, column in dataset.columns.items() if column.type in ("person", "code", "band")]
    return " AND ".join([in_period_sql(dataset, period), *(f"{quoted(name)} IS NOT NULL" for name in needed)])


def in_period_sql(dataset: Dataset, period: Period) -> str:
    """The condition that a canonical row is dated in ``period``."""
    return f"{quoted(dataset.date_column)} BETWEEN DATE '{period.start}' AND DATE '{period.end}'"


def _code_text(value: str, kind: str) -> str:
    """A code as text; a whole number kept as a fraction (as tools do beside nulls) without its '.0'."""
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return f"regexp_replace({trimmed(value)}, '\\.0+$', '')"
    return trimmed(value)


def _key(text: str) -> str:
    return f"lower(nfc_normalize({text}))"


def _date(connection: duckdb.DuckDBPyConnection, value: str, kind: str, column: Column, *, where: str) -> str:
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        parsed = f"TRY_CAST({value} AS DATE)"
    else:
        formats = column.formats or DEFAULT_FORMATS
        text = trimmed(value)
        readings = []
        for form in formats:

            def explain(error: str, text: str, form: str = form) -> DpStatsError:
                return CatalogueError(f"{where}.formats: '{form}' is no date format. Write e.g. %d-%m-%Y.")

            run(connection, f"SELECT try_strptime('', {literal(form)})", explain=explain)
            # A look at the shape first is five times faster than a reading that fails.
            shape = f"{text} LIKE {literal(_shape(form))}"
            readings.append(f"CASE WHEN {shape} THEN CAST(try_strptime({text}, {literal(form)}) AS DATE) END")
        parsed = f"coalesce({', '.join(readings)})"
    return f"(CASE WHEN {parsed} BETWEEN DATE '{EARLIEST}' AND DATE '{LATEST}' THEN {parsed} END)"


def _shape(form: str) -> str:
    """A pattern for LIKE that whatever is written in a date format fits; a year with century has four digits."""
    return re.sub("%+", "%", re.sub(r"%-?(.)", lambda found: "____" if found[1] == "Y" else "%", form))


def _number(value: str, kind: str) -> str:
    """An exact decimal with six places, rounded half away from zero; what is not finite or not below 10¹² is null."""
    if kind in ("FLOAT", "DOUBLE"):
        return f"TRY_CAST({value} AS {NUMBER})"
    text = trimmed(value)
    return f"(CASE WHEN regexp_full_match({text}, '{DECIMAL_TEXT}') THEN TRY_CAST({text} AS {NUMBER}) END)"


def _lookup(connection: duckdb.DuckDBPyConnection, name: str, column: Column, codes: CodeList, *, where: str) -> str:
    """Make a small table from source text (normalised) to code: the list itself, and the mapped values."""
    pairs = [
        *zip(codes.codes, codes.codes, strict=True),
        *((UNKNOWN, UNKNOWN),) * column.unknown,
        *column.values.items(),
    ]
    connection.execute(
        f"CREATE TEMP TABLE {name} AS SELECT {_key(trimmed('text'))} AS key, code, place "
        "FROM (SELECT unnest(?) AS text, unnest(?) AS code, unnest(?) AS place)",
        [[text for text, _ in pairs], [code for _, code in pairs], list(range(len(pairs)))],
    )
    twice = connection.execute(
        f"SELECT min(place) FROM {name} WHERE place >= ? GROUP BY key HAVING count(DISTINCT code) > 1",
        [len(pairs) - len(column.values)],
    ).fetchone()
    if twice:
        raise CatalogueError(
            f"{where}.values: '{pairs[twice[0]][0]}' is mapped to two codes (case and spaces do not count). Keep one."
        )
    # A mapped value wins over the same text in the list: whoever wrote the map meant it.
    connection.execute(
        f"CREATE TEMP TABLE {name}_unique AS SELECT key, arg_max(code, place) AS code FROM {name} GROUP BY key"
    )
    return f"{name}_unique"


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
