"""Names, codes and values as the world writes them, and how often what check refuses is drawn."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = (
    "North", "Ynys Môn", "Pen-y-bont ar Ogwr", "Αττική", "서울", "القاهرة", "Москва", "東京", "İstanbul", "O’Brien's \"Corner\"",
    "Bath, North East", "A/B", "#1 Clinic", "What?", "🏥", "<b>bold</b>", "(all)", "…", "a & b",
    "50 %", "{{ name }}", "[/b] [red]R", "l'Hôpital", "Status", "all", "NA", "ZZ " + "long " * 30,
)  # fmt: skip
CODES = (
    "E06000001", "NA", "TRUE", "ON", "01001", "1E05", "index", "all", "../x", "North/East", "North-East", "a b", "é", "서울",
    "0", "00", "null", "None", "nan", "CON", ".", "..", "x" * 60, "a,b", "a\"b", "%2e", "a#b", "a?b", "Unknown1",
)  # fmt: skip
DIGITS = ("01001", "01002", "20000", "00007", "12345", "99999", "10101", "00700")
"""Codes that a tool may take for numbers; others take their place."""
FORMULAS = ('=HYPERLINK("x")', "=1+1", "+", "-", "@home", "\tx")
"""What a spreadsheet would run: refused in code lists, so drawn rarely."""
UNKNOWN_VALUES = ("", "elsewhere", "N/A", "unknown", "ERR")
ZONES = ("UTC", "Europe/London", "America/St_Johns", "Pacific/Apia", "Asia/Kolkata", "Australia/Lord_Howe")
HOLIDAYS = ("GB", "GB-ENG", "IL", "CN", "US")


def rarely(draw: st.DrawFn) -> bool:
    """True once in some twenty: what check refuses is drawn too, but mostly what it accepts."""
    return draw(st.integers(0, 19)) == 7


def seldom(draw: st.DrawFn) -> bool:
    """True once in five, so that what is declared seldom meets what is declared often."""
    return draw(st.integers(0, 4)) == 3
