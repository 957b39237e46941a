"""How a source row becomes a canonical row in its own database: the same as ``secure.canonical``, as an Ibis expression.

Read that module for what is read how. Equal results for any value are proved in ``tests/property/test_in_place_values.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.models import UNKNOWN, Column
from dp_stats.errors import SourceError
from dp_stats.secure.canonical import Read, lookup_table, read_column
from dp_stats.secure.engines import computed_once
from dp_stats.secure.identifiers import DIGITS, FRACTION, LOST
from dp_stats.secure.in_place.primitives import (
    NUMBER,
    composed,
    day_in,
    day_there,
    fits,
    number_of_double,
    number_of_text,
    trimmed,
)
from dp_stats.secure.written_dates import EARLIEST, LATEST

LAST = 0x1FFFF
"""Last character that is looked at for another case of it; there are none beyond."""


@dataclass(frozen=True)
class Raw:
    """The wanted columns of a source, untouched.

    Attributes:
        table: columns ``c0``, ``c1``, …: text, or as the database keeps them where that is a date, a time or a fraction.
        place: what an error should call it. names: what the source calls each column.
    """

    table: ir.Table
    place: str
    names: tuple[str, ...]


def canonical_rows(
    backend: ibis.BaseBackend,
    connection: duckdb.DuckDBPyConnection,
    declared: Mapping[str, Column],
    raw: Raw,
    codes: Mapping[str, CodeList],
) -> ir.Table:
    """The declared canonical columns, and for each how it was read (``read_column``).

    Args:
        connection: in which the lists of codes are made ready. declared: one for each column of ``raw``, in order.

    Raises:
        SourceError: a column has a type that cannot be read as declared.
        CatalogueError: a value is mapped twice.
    """
    places = [f"{raw.place}: column '{name}'" for name in raw.names]
    columns = list(enumerate(declared.items()))
    table = computed_once(
        backend,
        raw.table.mutate(
            **{f"text_{index}": trimmed(backend, raw.table[f"c{index}"].cast("string")) for index, _ in columns}
        ),
    )
    table = computed_once(backend, table.mutate(**_parts(backend, table, declared, places)))
    for index, (name, column) in columns:
        if column.type in ("code", "band"):
            assert column.codes is not None
            table = _with_code(backend, connection, table, index, column, codes[column.codes], f"columns.{name}")
    wholes = {
        f"whole_{index}": _whole(backend, connection, table[f"part_{index}"], column)
        for index, (_, column) in columns
        if column.type == "person"
    }
    table = computed_once(backend, table.mutate(**wholes))
    values = {}
    for index, (name, column) in columns:
        values[f"value_{index}"] = _value(
            backend, table, index, column, codes, where=f"columns.{name}", place=places[index]
        )
    table = computed_once(backend, table.mutate(**values))
    chosen: dict[str, ir.Value] = {}
    for index, (name, column) in columns:
        read = table[f"value_{index}"]
        text = table[f"text_{index}"]
        hint = [(fits(backend, text, "[0-9]+[.]0+"), Read.FRACTION)] if column.type == "code" else []
        chosen[name] = read.fill_null(UNKNOWN) if column.unknown else read
        chosen[read_column(index)] = _how(read, text, column, hint)
    return table.select(**chosen)


def _parts(
    backend: ibis.BaseBackend, table: ir.Table, declared: Mapping[str, Column], places: Sequence[str]
) -> dict[str, ir.Value]:
    """What is made of the text first: an identifier or a code in Unicode's form C, a number."""
    parts: dict[str, ir.Value] = {}
    for index, column in enumerate(declared.values()):
        value, text = table[f"c{index}"], table[f"text_{index}"]
        if column.type == "person":
            if not isinstance(value, ir.StringValue):
                raise SourceError(
                    f"{places[index]} holds fractions or dates, but should hold identifiers. Store them as text or numbers."
                )
            parts[f"part_{index}"] = composed(backend, text)
        elif column.type == "code":
            if value.type().is_floating():
                raise SourceError(
                    f"{places[index]} has fractions, but holds codes. Make it text or whole numbers, as in a view."
                )
            parts[f"part_{index}"] = composed(backend, _code_text(backend, text, column).fill_null(""))
        elif column.type == "band":
            parts[f"part_{index}"] = composed(backend, text.fill_null(""))
        if column.type in ("number", "band"):
            floating = isinstance(value, ir.FloatingValue)
            parts[f"number_{index}"] = number_of_double(backend, value) if floating else number_of_text(backend, text)
    return parts


def _value(
    backend: ibis.BaseBackend,
    table: ir.Table,
    index: int,
    column: Column,
    codes: Mapping[str, CodeList],
    *,
    where: str,
    place: str,
) -> ir.Value:
    """What was read, or null."""
    match column.type:
        case "person":
            return _person(backend, table[f"whole_{index}"], column)
        case "date":
            return _date(backend, table[f"c{index}"], column, where=where, place=place)
        case "number":
            return table[f"number_{index}"]
        case "band":
            assert column.codes is not None
            return ibis.coalesce(table[f"code_{index}"], _band(table[f"number_{index}"], codes[column.codes]))
        case "code":
            return table[f"code_{index}"]
        case _:
            return table[f"text_{index}"].nullif("")


def _how(
    read: ir.Value, text: ir.StringValue, column: Column, hint: Sequence[tuple[ir.BooleanValue, Read]]
) -> ir.IntegerValue:
    branches = [(read.notnull(), Read.AS_DECLARED), (text.fill_null("") == "", Read.EMPTY), *hint]
    otherwise = Read.UNKNOWN if column.unknown else Read.UNREADABLE
    return ibis.cases(*((when, ibis.literal(int(how), "int16")) for when, how in branches), else_=int(otherwise)).cast(
        "int16"
    )


def _whole(
    backend: ibis.BaseBackend, connection: duckdb.DuckDBPyConnection, text: ir.StringValue, column: Column
) -> ir.StringValue:
    """An identifier without what tools and people put into it (see ``identifiers.person_sql``)."""
    assert column.identifier is not None
    declared = column.identifier.spelt_out
    spoilt = text.contains(".") | text.contains("+")
    mended = ibis.cases(
        (fits(backend, text, LOST), ibis.null("string")),
        (fits(backend, text, FRACTION), text.re_extract(f"^{FRACTION}$", 1)),
        else_=text,
    )
    whole = ibis.ifelse(spoilt, mended, text)
    for character in declared.remove:
        whole = whole.replace(character, "")
    if declared.case is not None:
        whole = whole.translate(*_cases(connection, declared.case, "".join(map(chr, range(33, 127)))))
    return whole


def _person(backend: ibis.BaseBackend, whole: ir.StringValue, column: Column) -> ir.StringValue:
    """An identifier in its declared spelling; null where it is none."""
    assert column.identifier is not None
    declared = column.identifier.spelt_out
    valid = fits(backend, whole, declared.pattern or "") & (whole != "")
    if declared.check == "mod11":
        valid = valid & _mod11(backend, whole)
    return ibis.ifelse(valid, whole, ibis.null("string"))


def _mod11(backend: ibis.BaseBackend, text: ir.StringValue) -> ir.BooleanValue:
    """Whether ten digits have their check digit (see ``identifiers``)."""
    whole = fits(backend, text, f"[0-9]{{{DIGITS}}}")
    digits = ibis.ifelse(whole, text, "0" * DIGITS)
    total: ir.IntegerValue = ibis.literal(0, "int32")
    for index in range(DIGITS):
        total = total + digits.substr(index, 1).cast("int32") * (DIGITS - index)
    return whole & (total % (DIGITS + 1) == 0)


def _date(backend: ibis.BaseBackend, value: ir.Value, column: Column, *, where: str, place: str) -> ir.DateValue:
    """A day from 1900 to 2199 of what is stored as a date or a time."""
    if isinstance(value, ir.DateValue):
        day = value
    elif not isinstance(value, ir.TimestampValue):
        raise SourceError(
            f"{place} must be stored as a date or a timestamp to be read in place. Make a view that casts it."
        )
    elif value.type().timezone is not None:
        if column.timezone is None:
            raise SourceError(
                f"{place} holds moments (timestamps with time zone), whose day depends on where one stands. Declare "
                f"{where}.timezone, such as Europe/London."
            )
        day = day_in(backend, value, column.timezone)
    elif column.timezone is None or column.source_timezone in (None, column.timezone):
        day = value.cast("date")
    else:
        day = day_there(backend, value, column.source_timezone, column.timezone)
    early, late = (ibis.literal(one).cast("date") for one in (EARLIEST, LATEST))
    return ibis.ifelse((day >= early) & (day <= late), day, ibis.null("date"))


def _band(number: ir.DecimalValue, codes: CodeList) -> ir.StringValue:
    """The band of a number (see ``canonical``)."""
    nothing = ibis.null("string")
    cases = []
    bands = sorted(zip(codes.numbers("lower"), codes.numbers("upper"), codes.codes, strict=True))
    for lower, upper, code in reversed(bands):
        here: ir.Value = ibis.literal(code)
        if upper == upper:
            here = ibis.ifelse(number < _exactly(upper + 1), here, nothing)
        cases.append((number >= _exactly(lower), here))
    return ibis.cases(*cases, else_=nothing)


def _exactly(bound: float) -> ir.Value:
    return ibis.literal(f"{Decimal(repr(bound)):f}").cast(NUMBER)


def _with_code(
    backend: ibis.BaseBackend,
    connection: duckdb.DuckDBPyConnection,
    table: ir.Table,
    index: int,
    column: Column,
    codes: CodeList,
    where: str,
) -> ir.Table:
    """Add ``code_N``: what the list, its replaced codes or the declared values make of the text, as one join."""
    name = lookup_table(connection, f"codes_{index}", column, codes, where=where)
    pairs = connection.execute(f"SELECT key, code FROM {name}").fetchall()
    within = "".join(sorted({character for key, _ in pairs for character in key}))
    key = table[f"part_{index}"].translate(*_cases(connection, "lower", within))
    columns = {f"key_{index}": [key for key, _ in pairs], f"code_{index}": [code for _, code in pairs]}
    lookup = ibis.memtable(pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()}))
    keyed = table.mutate(**{f"key_{index}_here": key})
    return keyed.left_join(lookup, keyed[f"key_{index}_here"] == lookup[f"key_{index}"]).drop(
        f"key_{index}", f"key_{index}_here"
    )


def _code_text(backend: ibis.BaseBackend, text: ir.StringValue, column: Column) -> ir.StringValue:
    """A code as text; where digits are declared, a whole number without its '.0' and with zeros in front."""
    if column.digits is None or column.type != "code":
        return text
    whole = text.re_replace("[.]0*$", "")
    padded = ibis.ifelse(
        whole.length() < column.digits, (ibis.literal("0" * column.digits) + whole).right(column.digits), whole
    )
    return ibis.ifelse(fits(backend, text, "[0-9]+([.]0*)?"), padded, text)


def _cases(connection: duckdb.DuckDBPyConnection, case: str, within: str) -> tuple[str, str]:
    """The characters that DuckDB writes as one of ``within`` in that case, and what each becomes.

    Engines write letters beyond ASCII in small or large each in its own way; this one holds for all of them.
    """
    found = connection.execute(
        f"SELECT chr(n), {case}(chr(n)) FROM (SELECT unnest(range(33, {LAST}))::INTEGER AS n) "
        f"WHERE n NOT BETWEEN 55296 AND 57343 AND {case}(chr(n)) <> chr(n) AND contains(?, {case}(chr(n))) ORDER BY n",
        [within],
    ).fetchall()
    return "".join(old for old, _ in found), "".join(new for _, new in found)
