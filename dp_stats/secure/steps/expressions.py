"""Checked expressions as Ibis, alike on every engine; what would leave a kind's range is null (see ``linked.kinds``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import and_, or_

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from dp_stats.catalogue.linked.expressions import Expression
from dp_stats.catalogue.linked.functions import agreed
from dp_stats.catalogue.linked.kinds import DECIMALS, EARLIEST, LARGEST_WHOLE, LATEST, MOST_DAYS, Kind

TYPES: Mapping[Kind, dt.DataType] = {
    "person": dt.string,
    "text": dt.string,
    "date": dt.date,
    "whole": dt.int64,
    "number": dt.Decimal(18, DECIMALS),
    "truth": dt.boolean,
}
"""How each kind is kept in a table."""

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Compiler:
    """Makes Ibis expressions over one table.

    Attributes:
        table: whose columns are meant. public_days: the edition's ``period_start`` and ``period_end``.
    """

    table: ir.Table
    public_days: Mapping[str, date]

    def compile(self, expression: Expression) -> ir.Value:
        """The expression, in the type of its kind."""
        value = self._value(expression)
        return value if expression.kind == "nothing" else value.cast(TYPES[expression.kind])

    def _value(self, expression: Expression) -> ir.Value:
        match expression.op:
            case "column":
                return self.table[str(expression.value)]
            case "public_day":
                return ibis.literal(self.public_days[str(expression.value)], type=dt.date)
            case "literal":
                return _literal(expression)
            case "case":
                return self._case(expression)
            case "in":
                first, *listed = self._alike(expression.of)
                return reduce(or_, [first == each for each in listed])
            case "eq" | "ne" | "lt" | "le" | "gt" | "ge" as op:
                left, right = self._alike(expression.of)
                return _COMPARED[op](left, right)
            case "coalesce" | "least" | "greatest" as op:
                return _AMONG[op](self._alike(expression.of, expression.kind))
            case "add" | "subtract" as op:
                left, right = self._alike(expression.of, expression.kind)
                return _within(left + right if op == "add" else left - right, expression.kind)
            case op:
                return _FUNCTIONS[op](*(self.compile(part) for part in expression.of))

    def _alike(self, parts: Sequence[Expression], kind: Kind | None = None) -> list[ir.Value]:
        """The parts in one type: whole numbers beside decimals become such."""
        common = kind if kind is not None else agreed("it", [part.kind for part in parts])
        return [self.compile(part).cast(TYPES[common]) for part in parts]

    def _case(self, expression: Expression) -> ir.Value:
        *branches, default = expression.of
        kind = TYPES[expression.kind]
        pairs = [
            (self.compile(test).cast(dt.boolean), self.compile(result).cast(kind))
            for test, result in zip(branches[::2], branches[1::2], strict=True)
        ]
        return ibis.cases(*pairs, else_=self.compile(default).cast(kind))


def _literal(expression: Expression) -> ir.Value:
    if expression.kind == "nothing":
        return ibis.null()
    if expression.kind == "number":
        return ibis.literal(str(expression.value)).cast(TYPES["number"])
    return ibis.literal(expression.value, type=TYPES[expression.kind])


def _within(value: ir.Value, kind: Kind) -> ir.Value:
    """The number, or null where it leaves its kind's range."""
    fits = (value > ibis.literal(-LARGEST_WHOLE - 1)) & (value < ibis.literal(LARGEST_WHOLE + 1))
    return ibis.ifelse(fits, value, ibis.null(value.type())).cast(TYPES[kind])


def day_number(day: ir.Value) -> ir.Value:
    """Days since 1970, as a whole number: what dates are counted and moved by on every engine."""
    return day.delta(ibis.literal(EPOCH, type=dt.date), unit="day").cast(dt.int64)


def zero_or_one(truth: ir.Value) -> ir.Value:
    """True as 1, false as 0, null as null; not every engine casts one to the other."""
    one, zero = ibis.literal(1, type=dt.int64), ibis.literal(0, type=dt.int64)
    return ibis.cases((truth, one), (~truth, zero), else_=ibis.null(dt.int64))


def later(day: ir.Value, days: ir.Value) -> ir.Value:
    """The date so many days later, or null where there is none from 1900 to 2199.

    By way of a timestamp: on PostgreSQL a date and an interval make one, whatever Ibis takes it for.
    """
    number = day_number(day) + days
    first, last = (EARLIEST - EPOCH).days, (LATEST - EPOCH).days
    fits = days.between(-MOST_DAYS, MOST_DAYS) & number.between(first, last)
    moved = ibis.ifelse(fits, days, ibis.null(dt.int64))
    return (day.cast(dt.timestamp) + moved.cast(dt.int32).as_interval("D")).cast(dt.date)


def _years_between(born: ir.Value, day: ir.Value) -> ir.Value:
    """Whole years, as an age is counted: a person born on 29 February is a year older on 1 March."""
    before = (day.month() * 100 + day.day()) < (born.month() * 100 + born.day())
    return day.year() - born.year() - zero_or_one(before)


def _starts_with(text: ir.Value, beginning: ir.Value) -> ir.Value:
    return text.substr(0, beginning.length()) == beginning


_COMPARED: Mapping[str, Callable[[ir.Value, ir.Value], ir.Value]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
_AMONG: Mapping[str, Callable[[Sequence[ir.Value]], ir.Value]] = {
    "coalesce": lambda values: ibis.coalesce(*values),
    "least": lambda values: _extreme(values, lambda a, b: a <= b),
    "greatest": lambda values: _extreme(values, lambda a, b: a >= b),
}
_FUNCTIONS: Mapping[str, Callable[..., ir.Value]] = {
    "and": and_,
    "or": or_,
    "not": lambda value: ~value,
    "is_null": lambda value: value.isnull(),
    "multiply": lambda a, b: _within(a * b, "whole"),
    "days_between": lambda start, end: day_number(end) - day_number(start),
    "years_between": _years_between,
    "plus_days": later,
    "year": lambda day: day.year(),
    "month": lambda day: day.month(),
    "weekday": lambda day: day.day_of_week.index() + 1,
    "floor": lambda number: number.floor(),
    "left": lambda text, length: text.left(length),
    "starts_with": _starts_with,
}


def _extreme(values: Sequence[ir.Value], wins: Callable[[ir.Value, ir.Value], ir.Value]) -> ir.Value:
    """The least or greatest of values; null if any is, on every engine (they differ there)."""
    missing = reduce(or_, [value.isnull() for value in values])
    best = reduce(lambda a, b: ibis.ifelse(wins(a, b), a, b), values)
    return ibis.ifelse(missing, ibis.null(best.type()), best)
