"""How a number is read as declared: decimals, groups of three digits, a currency sign; exact, or missing."""

from __future__ import annotations

import re

from dp_stats.catalogue.columns import Column
from dp_stats.secure.database import literal

NUMBER = "DECIMAL(18,6)"
SPACES = " \u00a0\u2009\u202f"
"""Spaces that stand between groups of digits: plain, non-breaking, thin, narrow."""
APOSTROPHES = "'\u2019"

DECIMAL_TEXT = "[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?0*[0-9]{1,3})?"
"""What a number looks like where nothing is declared about it; of longer exponents engines think differently."""


def number_sql(value: str, text: str, kind: str, column: Column) -> str:
    """An exact decimal with six places, rounded half away from zero; what is not finite or not below 10¹² is null.

    Numbers that the source keeps as numbers are taken as they are; ``text``, the value as trimmed text, is read as
    the column declares.
    """
    if kind in ("FLOAT", "DOUBLE"):
        return f"TRY_CAST({value} AS {NUMBER})"
    if kind != "VARCHAR" or (column.decimal == "." and column.thousands is None and not column.currency):
        return f"(CASE WHEN regexp_full_match({text}, '{DECIMAL_TEXT}') THEN TRY_CAST({text} AS {NUMBER}) END)"
    bare = _without_sign(text, column.currency) if column.currency else text
    plain = bare
    for separator in _separators(column.thousands):
        plain = f"replace({plain}, {literal(separator)}, '')"
    if column.decimal == ",":
        plain = f"replace({plain}, ',', '.')"
    fits = f"regexp_full_match({bare}, {literal(_pattern(column.decimal, column.thousands))})"
    return f"(CASE WHEN {fits} THEN TRY_CAST({plain} AS {NUMBER}) END)"


def _separators(thousands: str | None) -> str:
    return {None: "", " ": SPACES, "'": APOSTROPHES}.get(thousands, thousands or "")


def _pattern(decimal: str, thousands: str | None) -> str:
    """What a number looks like: with groups of three digits, or without any group."""
    point = re.escape(decimal)
    whole = "[0-9]+"
    if thousands is not None:
        whole = f"([0-9]+|[0-9]{{1,3}}([{re.escape(_separators(thousands))}][0-9]{{3}})+)"
    return f"[+-]?({whole}({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?"


def _without_sign(text: str, sign: str) -> str:
    """The text without a currency sign in front (a minus may stand on either side of it) or behind."""
    space = r"[\s\x{a0}\x{2009}\x{202f}]*"
    front, behind = literal(f"^([+-]?){space}{re.escape(sign)}{space}"), literal(f"{space}{re.escape(sign)}$")
    return (
        f"(CASE WHEN regexp_matches({text}, {front}) THEN regexp_replace({text}, {front}, '\\1') "
        f"ELSE regexp_replace({text}, {behind}, '') END)"
    )
