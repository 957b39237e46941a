"""Days and months as each language writes them, from the patterns of CLDR."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_time

_MONTH = re.compile("[ML]{3,4}")


def day(day: date, *, locale: Locale, year: bool = True, names: Sequence[str] | None = None) -> str:
    """A day: ``5 March 2021``; with ``names`` its short form, ``5 Mar 2021``.

    Args:
        names: short names of the twelve months; those of the locale where it is empty.
    """
    width, form = ("long", "MMMMd") if names is None else ("medium", "MMMd")
    pattern = locale.date_formats[width].pattern if year else _skeleton(locale, form)
    return _written(day, pattern, locale, tuple(names or ()))


def month(day: date, *, locale: Locale, year: bool = True, names: Sequence[str] | None = None) -> str:
    """A month: ``March 2021``; with ``names`` its short form, ``Mar 2021``."""
    letters = "MMMM" if names is None else "MMM"
    pattern = _skeleton(locale, f"y{letters}") if year else letters.replace("M", "L")
    return _written(day, pattern, locale, tuple(names or ()))


def time(when: datetime, *, locale: Locale) -> str:
    """Hours and minutes of a day of 24 hours: ``09:30``."""
    return format_time(when, _skeleton(locale, "Hm"), locale=locale)


def _skeleton(locale: Locale, name: str) -> str:
    found = locale.datetime_skeletons
    pattern = found[name] if name in found else found[name.replace("MMMM", "MMM")]
    return str(getattr(pattern, "pattern", pattern))


@lru_cache(maxsize=1 << 14)
def _written(day: date, pattern: str, locale: Locale, names: tuple[str, ...]) -> str:
    if names:
        pattern = _MONTH.sub(f"'{names[day.month - 1]}'", pattern)
    return format_date(day, pattern, locale=locale)
