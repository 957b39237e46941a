"""The few functions by which engines differ when they read a value; all else is one Ibis expression.

An engine can be worked on in place once it has each of them with the same meaning as DuckDB, which reads files. What
they must do is in ``tests/property/test_in_place_values.py``, for any engine that Ibis opens.
"""

from __future__ import annotations

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from dp_stats.secure.engines import builtin, engine_of
from dp_stats.secure.written_numbers import DECIMAL_TEXT

SPACES = " \t\r\n\u00a0\u2000\u2002\u2003\u2007\u2009\u200a\u200b\u202f\u3000\ufeff"
"""What is taken off both ends of a text: as in ``database.SPACES``."""
NUMBER = dt.Decimal(18, 6)
LONGEST = 1000
"""Most signs of a number that is written as text."""

_TRIM = {"duckdb": "trim", "postgres": "btrim", "pyspark": "btrim"}
_NFC = {"duckdb": "nfc_normalize", "postgres": "normalize"}
_END = {"duckdb": r"\z", "postgres": r"\Z", "pyspark": r"\z"}


@ibis.udf.scalar.builtin(name="reflect", signature=((dt.string, dt.string, dt.string, dt.boolean), dt.string))  # type: ignore[untyped-decorator, unused-ignore]
def _java(owner: str, method: str, text: str, flag: bool) -> str:  # type: ignore[empty-body]
    """Spark's way to a function of Java."""


def trimmed(backend: ibis.BaseBackend, text: ir.StringValue) -> ir.StringValue:
    """The text without outer spaces of any kind."""
    found: ir.StringValue = builtin(_TRIM[engine_of(backend)], (dt.string, dt.string), dt.string)(text, SPACES)
    return found


def composed(backend: ibis.BaseBackend, text: ir.StringValue) -> ir.StringValue:
    """The text in Unicode normal form C."""
    if engine_of(backend) == "pyspark":  # which has no function for it, but the library that has: ICU for Java
        compose = _java("com.ibm.icu.text.Normalizer", "compose", text, False)
        made: ir.StringValue = ibis.ifelse(text.re_search("[^ -~]"), compose, text)
        return made
    found: ir.StringValue = builtin(_NFC[engine_of(backend)], (dt.string,), dt.string)(text)
    return found


def fits(backend: ibis.BaseBackend, text: ir.StringValue, pattern: str) -> ir.BooleanValue:
    """Whether the whole text matches a regular expression."""
    return text.re_search(rf"^(?:{pattern}){_END[engine_of(backend)]}")


def day_in(backend: ibis.BaseBackend, moment: ir.TimestampValue, zone: str) -> ir.DateValue:
    """The day of a moment where a time zone holds."""
    kind = dt.Timestamp(timezone="UTC")
    if engine_of(backend) == "pyspark":
        shifted: ir.TimestampValue = builtin("from_utc_timestamp", (kind, dt.string), kind)(_near(moment), zone)
        return shifted.cast("date")
    wall: ir.TimestampValue = builtin("timezone", (dt.string, kind), dt.Timestamp())(zone, _near(moment))
    return wall.cast("date")


def day_there(backend: ibis.BaseBackend, wall: ir.TimestampValue, written: str, zone: str) -> ir.DateValue:
    """The day in ``zone`` of a time that a clock in ``written`` showed."""
    kind = dt.Timestamp(timezone="UTC")
    if engine_of(backend) == "pyspark":
        moment = builtin("to_utc_timestamp", (kind, dt.string), kind)(_near(wall).cast(kind), written)
    else:
        moment = builtin("timezone", (dt.string, dt.Timestamp()), kind)(written, _near(wall))
    return day_in(backend, moment, zone)


def _near(value: ir.TimestampValue) -> ir.TimestampValue:
    """A time near the days that are read, or null."""
    kind = value.type()
    early, late = (ibis.literal(f"{day} 00:00:00", type="string").cast(kind) for day in ("1899-12-30", "2200-01-02"))
    return ibis.ifelse((value >= early) & (value <= late), value, ibis.null(kind))


def number_of_text(backend: ibis.BaseBackend, text: ir.StringValue) -> ir.DecimalValue:
    """An exact decimal with six places, rounded half away from zero; null for what is no number or not below 10¹²."""
    read = ibis.ifelse(fits(backend, text, DECIMAL_TEXT) & (text.length() <= LONGEST), text, ibis.null("string"))
    if engine_of(backend) != "postgres":
        return read.try_cast(NUMBER)
    whole = builtin("round", (dt.Decimal(), dt.int32), dt.Decimal())(read.cast(dt.Decimal()), 6)
    return _below(whole, ibis.literal("1000000000000").cast(dt.Decimal()))


def number_of_double(backend: ibis.BaseBackend, value: ir.FloatingValue) -> ir.DecimalValue:
    """The same of a binary fraction, whose millionths are rounded half away from zero."""
    if engine_of(backend) == "duckdb":
        return value.try_cast(NUMBER)
    small = ibis.ifelse((value > -2e12) & (value < 2e12), value, ibis.null("float64")) * 1e6
    if engine_of(backend) == "pyspark":  # whose casts cut fractions off
        whole, exact = small.cast("int64").cast("float64"), dt.Decimal(25, 6)
    else:
        whole, exact = builtin("trunc", (dt.float64,), dt.float64)(small), dt.Decimal()
    steps = whole + ibis.cases((small - whole >= 0.5, 1.0), (small - whole <= -0.5, -1.0), else_=0.0)
    inside = ibis.ifelse((steps > -1e18) & (steps < 1e18), steps, ibis.null("float64"))
    return (inside.cast("int64").cast(exact) * ibis.literal("0.000001").cast(exact)).cast(NUMBER)


def _below(value: ir.DecimalValue, limit: ir.DecimalValue) -> ir.DecimalValue:
    return ibis.ifelse((value > -limit) & (value < limit), value, ibis.null(value.type())).cast(NUMBER)
