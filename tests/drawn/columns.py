"""Columns: how each is declared, and how a value of it is then written in the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.drawn.lists import Listed


@dataclass(frozen=True)
class Written:
    """What is declared of a column, and how one value is written."""

    declared: dict[str, Any]
    write: Callable[[Any], str]


def _pattern(form: str) -> Callable[[date], str]:
    return lambda day: day.strftime(form)


def _serial(first: date) -> Callable[[date], str]:
    return lambda day: str((day - first).days)


DATES = (
    Written({}, date.isoformat),
    Written({}, _pattern("%Y%m%d")),
    Written({}, _pattern("%Y-%j")),
    Written({}, _pattern("%G-W%V-%u")),
    Written({}, _pattern("%Y-%m-%dT10:30:00.000")),
    Written({"formats": ["iso"]}, date.isoformat),
    Written({"formats": ["%d/%m/%Y"]}, _pattern("%d/%m/%Y")),
    Written({"formats": ["%d-%b-%y", "iso"]}, _pattern("%d-%b-%y")),
    Written({"formats": ["excel"]}, _serial(date(1899, 12, 30))),
    Written({"formats": ["excel-1904"]}, _serial(date(1904, 1, 1))),
    Written({"timezone": "Europe/London"}, _pattern("%Y-%m-%dT12:00:00Z")),
    Written({"timezone": "America/St_Johns", "source_timezone": "UTC"}, _pattern("%Y-%m-%d 23:30:00")),
    Written({"timezone": "Asia/Kolkata", "formats": ["%d/%m/%Y %H:%M%z"]}, _pattern("%d/%m/%Y 09:15+0000")),
)


def _grouped(sign: str, point: str, before: str = "", after: str = "") -> Callable[[str], str]:
    """A number with groups of three digits; what is no number is written as it is."""

    def write(value: str) -> str:
        try:
            text = f"{Decimal(value):,f}"
        except ArithmeticError:
            return value
        return before + text.replace(",", "~").replace(".", point).replace("~", sign) + after

    return write


NUMBERS = (
    Written({}, str),
    Written({"decimal": ","}, lambda value: value.replace(".", ",")),
    Written({"decimal": ",", "thousands": "."}, _grouped(".", ",")),
    Written({"thousands": ",", "currency": "£"}, _grouped(",", ".", before="£")),
    Written({"decimal": ",", "thousands": " ", "currency": "EUR"}, _grouped("\u202f", ",", after=" EUR")),
    Written({"thousands": "'"}, _grouped("'", ".")),
    Written({"thousands": "_"}, _grouped("_", ".")),
)


def _mod11(number: int) -> str:
    """A made-up number of ten digits with a valid check digit."""
    while True:
        nine = f"{900000000 + 7 * number:09d}"
        check = (11 - sum(int(d) * w for d, w in zip(nine, range(10, 1, -1), strict=True)) % 11) % 11
        if check < 10:
            return nine + str(check)
        number += 1000


PERSONS = (
    Written({}, lambda n: f"p{n}"),
    Written({"identifier": {"pattern": "P[0-9]+", "case": "upper"}}, lambda n: f"{'pP'[n % 2]}{n}"),
    Written({"identifier": {"pattern": "[a-z]+", "case": "lower", "remove": "0123456789"}}, lambda n: f"{n}P{chr(97 + n % 26)}"),
    Written({"identifier": {"pattern": "[0-9]{10}", "check": "mod11", "remove": " "}}, _mod11),
    Written({"identifier": {"kind": "nhs_number"}}, lambda n: f"{_mod11(n)[:3]} {_mod11(n)[3:6]}-{_mod11(n)[6:]}"),
)  # fmt: skip


@st.composite
def code_columns(draw: st.DrawFn, listed: Listed) -> Written:
    """A column of codes, written as they are, by other words, or as numbers that lost their zeros; or a number in bands."""
    declared: dict[str, Any] = {"type": listed.kind, "codes": listed.name, "unknown": draw(st.booleans())}
    if listed.kind == "band":
        numbers = draw(st.sampled_from(NUMBERS))
        return Written(declared | numbers.declared, numbers.write)
    if listed.digits and draw(st.booleans()):
        return Written(declared | {"digits": 5}, lambda code: f"{int(code)}.0" if code.isdigit() else code)
    if draw(st.booleans()):
        said = {listed.codes[0]: "the first", listed.codes[-1]: "THE LAST "}
        return Written(
            declared | {"values": {text.strip().casefold(): code for code, text in said.items()}},
            lambda code: said.get(code, code),
        )
    return Written(declared, str)
