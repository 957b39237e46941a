"""How a date is read as declared: ISO 8601, patterns, day numbers of spreadsheets, and the local day of a moment.

All of it is SQL over one value: what is read depends on that value and on what is declared alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

from dp_stats.catalogue.columns import EXCEL, EXCEL_1904, ISO, OFFSET, Column
from dp_stats.errors import CatalogueError, DpStatsError, SourceError
from dp_stats.secure.database import literal, run

EARLIEST, LATEST = "1900-01-01", "2199-12-31"
ZONED = "TIMESTAMP WITH TIME ZONE"

_DAY = r"\d{4}-\d{1,2}-\d{1,2}|\d{8}|\d{4}-?\d{3}|\d{4}-W\d{2}-\d|\d{4}W\d{3}"
_HOUR, _MINUTE = r"[01]\d|2[0-3]", r"[0-5]\d"
_CLOCK = rf"({_HOUR})(?::?({_MINUTE})(?::?({_MINUTE}|60)(?:[.,]\d+)?)?)?|(24)(?::?00(?::?00(?:[.,]0+)?)?)?"
_OFFSET = rf"[Zz]|UTC|GMT|[+-](?:{_HOUR})(?::?{_MINUTE})?"
_WRITTEN = rf"^({_DAY})(?:(?:[Tt]| +)(?:{_CLOCK})(?: *({_OFFSET}))?)?$"
"""Calendar, ordinal and week dates, extended and basic, and times of day (ISO 8601-1:2019, 5.2 to 5.4), with a space
for the T and the words UTC and GMT for the Z as databases and spreadsheets write them. 24:00 is the end of a day."""
_PARTS = "['day', 'hour', 'minute', 'second', 'end', 'offset']"


def is_iso_sql(text: str) -> str:
    """Whether a text names a day of 1900 to 2199 in ISO 8601, in SQL."""
    day = f"regexp_extract({text}, {literal(_WRITTEN)}, {_PARTS}).day"
    return f"(CASE WHEN {day} <> '' THEN {in_range(f'CAST({_calendar(day)} AS DATE)')} END IS NOT NULL)"


def has_offset_sql(text: str) -> str:
    """Whether a text in ISO 8601 is a moment: it ends in Z or an offset."""
    return f"(regexp_extract({text}, {literal(_WRITTEN)}, {_PARTS}).offset <> '')"


@dataclass(frozen=True)
class WrittenDate:
    """How a column of dates is read, as SQL in steps that build on each other, so that each is computed once.

    Attributes:
        parts: what is written in ISO 8601 other than a plain ``2024-06-30``, taken apart; needs the text.
        day: the day that is named there, without regard to zones; needs the parts.
        value: the day that is published; null where it is not written as declared. Needs text, parts and day.
        moment: whether a moment is written although no time zone is declared; needs the parts.
    """

    parts: str
    day: str
    value: str
    moment: str


def written_date(
    connection: duckdb.DuckDBPyConnection,
    column: Column,
    kind: str,
    *,
    names: tuple[str, str, str, str],
    where: str,
    place: str,
) -> WrittenDate:
    """How the values of a date column are read.

    Args:
        kind: their type in DuckDB. names: SQL of the value itself, of its text, its parts and its day.
        where: what an error should call the column in the catalogue; place: in the source.

    Raises:
        SourceError: the source keeps moments, and no time zone is declared.
        CatalogueError: a format or a time zone is not known to the engine.
    """
    value, text, parts, day = names
    for zone in (column.timezone, column.source_timezone):
        if zone is not None:
            _check(
                connection, f"SELECT TIMESTAMP '2000-01-01' AT TIME ZONE {literal(zone)}", f"{where}: time zone {zone}"
            )
    if kind == ZONED:
        if column.timezone is None:
            raise SourceError(
                f"{place} holds moments (timestamps with time zone), whose day depends on where one stands. Declare "
                f"{where}.timezone, such as Europe/London."
            )
        return _typed(f"CAST({_within(value)} AT TIME ZONE {literal(column.timezone)} AS DATE)")
    if kind == "DATE":
        return _typed(value)
    if kind.startswith("TIMESTAMP"):
        return _typed(_day_of(f"CAST({value} AS TIMESTAMP)", column))
    readings = [
        _reading(connection, form, column, text=text, iso=_iso(parts, day, column), where=where)
        for form in column.written_dates
    ]
    taken = f"NOT {_plain(text)}" if ISO in column.written_dates else "false"
    return WrittenDate(
        parts=f"(CASE WHEN {taken} THEN regexp_extract({text}, {literal(_WRITTEN)}, {_PARTS}) END)",
        day=f"(CASE WHEN {parts}.day <> '' THEN {_calendar(f'{parts}.day')} END)",
        value=f"coalesce({', '.join(readings)})" if len(readings) > 1 else readings[0],
        moment=f"coalesce({parts}.offset, '') <> ''" if column.timezone is None else "false",
    )


def in_range(day: str) -> str:
    """A day from 1900 to 2199; others are slips of the pen, and null."""
    return f"(CASE WHEN {day} BETWEEN DATE '{EARLIEST}' AND DATE '{LATEST}' THEN {day} END)"


def _typed(value: str) -> WrittenDate:
    """A column that the source keeps as dates or times."""
    return WrittenDate("NULL", "NULL", value, "false")


def _reading(
    connection: duckdb.DuckDBPyConnection, form: str, column: Column, *, text: str, iso: str, where: str
) -> str:
    """What one format makes of the text: a DATE, or null."""
    if form == ISO:
        return f"CASE WHEN {_plain(text)} THEN CAST(try_strptime({text}, '%Y-%m-%d') AS DATE) ELSE {iso} END"
    if form in (EXCEL, EXCEL_1904):
        return _serial(text, column, first_1904=form == EXCEL_1904)
    _check(connection, f"SELECT try_strptime('', {literal(form)})", f"{where}.formats: '{form}'")
    moment = OFFSET.search(form) is not None
    written = f"regexp_replace({text}, '[Zz]$', '+00:00')" if moment and form.endswith("%z") else text
    read = f"try_strptime({written}, {literal(form)})"
    if moment:
        day = f"CAST({_within(read)} AT TIME ZONE {literal(column.timezone or 'UTC')} AS DATE)"
    else:
        day = _day_of(read, column) if re.search(r"%-?[HIcX]", form) else f"CAST({read} AS DATE)"
    # A look at the shape first is five times faster than a reading that fails.
    return f"CASE WHEN {text} LIKE {literal(_shape(form))} THEN {day} END"


def _plain(text: str) -> str:
    """Whether the text looks like ``2024-06-30``, as nearly all dates do."""
    return f"(length({text}) <= 10 AND {text} LIKE '____-%-%' AND {text}[6] <> 'W')"


def _iso(parts: str, day: str, column: Column) -> str:
    """The day of a text in ISO 8601, from its parts and the day that they name."""

    def number(part: str, most: int) -> str:
        return f"least(CAST(coalesce(nullif({parts}.{part}, ''), '0') AS BIGINT), {most})"

    # A leap second belongs to the minute that it ends; 24:00 to the day that begins then.
    hours = f"greatest({number('hour', 23)}, {number('end', 24)})"
    clock = f"to_seconds({hours} * 3600 + {number('minute', 59)} * 60 + {number('second', 59)})"
    wall = f"(CAST({day} AS TIMESTAMP) + {clock})"
    moment = "NULL"
    if column.timezone is not None:
        instant = f"({wall} - to_seconds({_seconds(f'{parts}.offset')}))"
        moment = f"CAST(({instant} AT TIME ZONE 'UTC') AT TIME ZONE {literal(column.timezone)} AS DATE)"
    return (
        f"(CASE WHEN {day} IS NULL THEN NULL WHEN {parts}.hour = '' AND {parts}.end = '' THEN CAST({day} AS DATE) "
        f"WHEN {parts}.offset = '' THEN {_day_of(wall, column)} ELSE {moment} END)"
    )


def _calendar(day: str) -> str:
    """The day that is written, whichever way; a week or a day that its year does not have is null."""
    bare = f"replace({day}, '-', '')"
    cases = []
    for pattern, form, written in (
        (r"\d{4}-?W\d{2}-?\d", "%GW%V%u", bare),
        (r"\d{4}-?\d{3}", "%Y%j", bare),
        (r"\d{8}", "%Y%m%d", day),
        (r".*", "%Y-%m-%d", day),
    ):
        read = f"try_strptime({written}, '{form}')"
        if form in ("%GW%V%u", "%Y%j"):  # the engine carries a day too many over into the next year
            read = f"CASE WHEN strftime({read}, '{form}') = {written} THEN {read} END"
        cases.append(f"WHEN regexp_full_match({day}, '{pattern}') THEN {read}")
    return f"CASE {' '.join(cases)} END"


def _seconds(offset: str) -> str:
    """How far an offset is ahead of UTC, in seconds."""
    digits = f"replace({offset}, ':', '')"
    hours, minutes = f"CAST({digits}[2:3] AS BIGINT)", f"CAST(coalesce(nullif({digits}[4:5], ''), '0') AS BIGINT)"
    ahead = f"({hours} * 3600 + {minutes} * 60)"
    return f"(CASE {digits}[1] WHEN '+' THEN {ahead} WHEN '-' THEN -{ahead} ELSE 0 END)"


def _serial(text: str, column: Column, *, first_1904: bool) -> str:
    """The day of a spreadsheet's day number, whose fraction is the time.

    Day 1 is 1 January 1900, and day 60 is 29 February 1900, which there was not (kept from Lotus 1-2-3; ECMA-376,
    part 1, 18.17.4.1). In the other system day 0 is 1 January 1904.
    """
    number = f"CAST({text} AS DECIMAL(18, 9))"
    whole = f"CAST(floor({number}) AS INTEGER)"
    seconds = f"to_seconds(CAST(floor(({number} - floor({number})) * 86400) AS BIGINT))"
    if first_1904:
        day = f"DATE '1904-01-01' + {whole}"
    else:
        late, early = f"DATE '1899-12-30' + {whole}", f"DATE '1899-12-31' + {whole}"
        day = f"CASE WHEN {whole} > 60 THEN {late} WHEN {whole} BETWEEN 1 AND 59 THEN {early} END"
    timed = _day_of(f"(CAST({day} AS TIMESTAMP) + {seconds})", column)
    read = f"CASE WHEN {number} = floor({number}) THEN {day} ELSE {timed} END"
    return f"CASE WHEN regexp_full_match({text}, '[0-9]{{1,6}}([.][0-9]{{1,20}})?') THEN {read} END"


def _day_of(wall: str, column: Column) -> str:
    """The day of a time without an offset: the day on the clock that it was read from, or where it is published."""
    zone, written = column.timezone, column.source_timezone
    if zone is None or written is None or zone == written:
        return f"CAST({wall} AS DATE)"
    return f"CAST(({_within(wall)} AT TIME ZONE {literal(written)}) AT TIME ZONE {literal(zone)} AS DATE)"


def _within(moment: str) -> str:
    """A moment near the days that are read, or null: zones of others may not be known."""
    return f"(CASE WHEN {moment} BETWEEN '1899-12-30' AND '2200-01-02' THEN {moment} END)"


def _shape(form: str) -> str:
    """A pattern for LIKE that whatever is written in a date format fits; a year with century has four digits."""
    return re.sub("%+", "%", re.sub(r"%-?(.)", lambda found: "____" if found[1] == "Y" else "%", form))


def _check(connection: duckdb.DuckDBPyConnection, sql: str, named: str) -> None:
    def explain(error: str, text: str) -> DpStatsError:
        return CatalogueError(f"{named} is not known to the engine. Write another, e.g. %d-%m-%Y or Europe/London.")

    run(connection, sql, explain=explain)
