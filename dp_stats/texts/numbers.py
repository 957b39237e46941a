"""Numbers as a reader should meet them: with separators, with their interval, and never with false precision."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from babel import Locale
from babel.numbers import get_decimal_symbol, get_group_symbol

from dp_stats.written import MINUS

ENGLISH = Locale("en", "GB")
NBSP = "\N{NO-BREAK SPACE}"


def signs(locale: Locale) -> dict[str, str]:
    """With which signs a language groups digits and begins decimals."""
    return {"group": get_group_symbol(locale), "decimal": get_decimal_symbol(locale)}


@dataclass(frozen=True)
class Figure:
    """A published value with its 95 % interval and its reliability status (empty: reliable).

    ``upper`` is infinite where nothing bounds the value: what it is divided by may be as little as nothing.
    """

    value: float
    lower: float
    upper: float
    status: str = ""

    @property
    def margin(self) -> float:
        """Half the width of the interval."""
        return (self.upper - self.lower) / 2

    @property
    def middle(self) -> float:
        """The middle of the interval."""
        return (self.lower + self.upper) / 2

    @property
    def bounded(self) -> bool:
        """Whether there is an upper limit."""
        return self.upper < math.inf

    @property
    def weak(self) -> bool:
        """Whether it is marked as of low reliability."""
        return bool({"u", "low"} & set(self.status.split()))

    @property
    def provisional(self) -> bool:
        """Whether late reports are expected to raise it."""
        return "p" in self.status.split()

    @property
    def broken(self) -> bool:
        """Whether it does not compare with the period before."""
        return "b" in self.status.split()

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return not math.isnan(self.value)


def number(value: float, *, decimals: int = 0, locale: Locale = ENGLISH) -> str:
    """A number with the locale's separators and a true minus sign; ``–`` where there is none."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    return _written(f"{value:.{decimals}f}", decimals, locale)


@lru_cache(maxsize=1 << 16)
def _written(digits: str, decimals: int, locale: Locale) -> str:
    exact = Decimal(digits)
    pattern = locale.decimal_formats[None]
    text: str = pattern.apply(exact if exact else Decimal(0), locale, force_frac=(decimals, decimals))
    return text.replace("-", MINUS)


def interval(figure: Figure, *, to: str = "to", decimals: int = 0, locale: Locale = ENGLISH) -> str:
    """The interval alone: ``1,200 to 1,268``."""
    if math.isnan(figure.lower) or math.isnan(figure.upper):
        return "\N{EN DASH}"
    low, high = (number(limit, decimals=decimals, locale=locale) for limit in (figure.lower, figure.upper))
    return f"{low} {to} {high}"


def decimals_for(figures: Iterable[Figure]) -> int:
    """How many decimals a set of figures deserves.

    As many as show one significant digit of the smallest margin of error, at most three: digits beyond
    the noise would only look exact. None where values and limits are whole, as those of counts are.
    """
    known = [f for f in figures if f.known]
    if all(float(x).is_integer() for f in known for x in (f.value, f.lower, f.upper if f.bounded else f.lower)):
        return 0
    margins = [f.margin for f in known if 0 < f.margin < math.inf]
    if not margins:
        return 0 if all(float(f.value).is_integer() for f in known) else 1
    return min(3, max(0, -math.floor(math.log10(min(margins)))))


def rounded(value: float, *, digits: int = 2) -> float:
    """``value`` to a few significant digits, for sentences such as 'typically by ±12'."""
    if value == 0 or math.isnan(value):
        return value
    return float(f"{value:.{digits}g}")


def significant(value: float, *, digits: int = 3, locale: Locale = ENGLISH) -> str:
    """A number in at most so many significant digits, zeros at the end left out: ``0.123``, ``12.5``, ``1,230``."""
    if math.isnan(value):
        return number(value)
    short = rounded(value, digits=digits)
    most = 0 if short == 0 else max(0, digits - 1 - math.floor(math.log10(abs(short))))
    written = f"{short:.{most}f}"
    decimals = len(written.rstrip("0").partition(".")[2]) if most else 0
    return number(short, decimals=decimals, locale=locale)


def typical_margin(figures: Iterable[Figure]) -> float:
    """The median margin of error; NaN where nothing is known, or nothing bounds most values."""
    margins = sorted(f.margin for f in figures if f.known and not math.isnan(f.margin))
    median = margins[len(margins) // 2] if margins else math.nan
    return median if median < math.inf else math.nan


Direction = Literal["rose", "fell", "unclear", "early"]


@dataclass(frozen=True)
class Change:
    """How one figure differs from an earlier one, or one group from another.

    The interval of the difference follows from the two published ones: their arms towards each other add up as variances
    where the errors are independent (Zou and Donner 2008, "MOVER"), else in full, which holds however they depend on each
    other, as the difference of two measured totals, or of two days that share a weekly total, may. A published value need not
    be the middle of its interval, as small ones lean on their neighbours: arms are taken from values and from middles, and
    the wider result holds.

    Attributes:
        before, after: the figures with their 95 % intervals.
        independent: whether noise was drawn for each by itself, as in two editions.
        reach: how many times as far as 95 % intervals a claim must hold, as it is one of many (see ``charts.clear``).
    """

    before: Figure
    after: Figure
    independent: bool = False
    reach: float = 1.0

    @property
    def difference(self) -> float:
        """Later minus earlier."""
        return self.after.value - self.before.value

    def within(self, reach: float = 1.0) -> Figure:
        """The difference with its 95 % interval, or one that reaches so many times as far."""
        found = self.difference
        ends = [(gap - reach * down, gap + reach * up) for gap, down, up in self._arms]
        lower, upper = min(found, *(low for low, _ in ends)), max(found, *(high for _, high in ends))
        given = (self.before.value, self.before.lower, self.after.value, self.after.lower)
        if all(math.isfinite(end) and float(end).is_integer() for end in given):  # so is what they differ by
            lower = math.ceil(lower - 1e-9) + 0.0 if math.isfinite(lower) else lower
            upper = math.floor(upper + 1e-9) + 0.0 if math.isfinite(upper) else upper
        return Figure(found, lower, upper)

    @property
    def _arms(self) -> list[tuple[float, float, float]]:
        """The difference, and how far it reaches down and up: from the values, and from the middles of the intervals."""
        together = math.hypot if self.independent else _added
        before, after = self.before, self.after
        pairs = ((before.value, after.value), (before.middle, after.middle))
        return [
            (b - a, together(b - after.lower, before.upper - a), together(after.upper - b, a - before.lower))
            for a, b in pairs
            if math.isfinite(a) and math.isfinite(b)
        ]

    @property
    def figure(self) -> Figure:
        """The difference with its 95 % interval."""
        return self.within()

    @property
    def clearness(self) -> float:
        """How many times as far its interval could reach and still not hold zero."""
        rises = self.difference > 0
        return min((beyond(gap if rises else -gap, down if rises else up) for gap, down, up in self._arms), default=0.0)

    @property
    def direction(self) -> Direction:
        """Which way it went, as far as the noise lets us say; ``unclear`` where that is not known, and ``early`` where the later
        figure seems to be less but is provisional: late reports will raise it."""
        found = self.within(self.reach)
        if found.lower > 0:
            return "rose"
        if not found.upper < 0:
            return "unclear"
        return "early" if self.after.provisional else "fell"

    @property
    def lost_among_many(self) -> bool:
        """Whether it would be clear, were it the only one that was looked at."""
        return self.direction == "unclear" and Change(self.before, self.after, self.independent).direction != "unclear"


def beyond(distance: float, arm: float) -> float:
    """How many arms a distance is; 0 where it is none."""
    if not distance > 0 or math.isnan(arm):
        return 0.0
    return distance / arm if arm > 0 else math.inf


def _added(*arms: float) -> float:
    return sum(arms)


def size_in_units(size: int) -> tuple[float, int, str]:
    """A file's size in units of 1,000 bytes: the value, how many decimals it deserves, and the unit."""
    if size < 1000:
        return size, 0, "bytes"
    value, unit = size / 1000, "kB"
    for larger in ("MB", "GB"):
        if value < 999.5:
            break
        value, unit = round(value) / 1000, larger
    return value, 0 if value >= 10 else 1, unit


def nice_ceiling(value: float) -> float:
    """The smallest 'round' number (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 × a power of ten) that is at least ``value``."""
    if value <= 0 or math.isnan(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10):
        if step * power >= value * (1 - 1e-12):
            return step * power
    raise AssertionError


def nice_ticks(low: float, high: float, *, about: int = 4) -> list[float]:
    """Round tick values inside [low, high], about as many as asked."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    raw = span / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw * (1 - 1e-12))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def tick(value: float) -> tuple[float, int, str]:
    """A number beside an axis: what to show, with how many decimals, and whether it is in thousands or millions."""
    size = abs(value)
    if size >= 1e6:
        return value / 1e6, 0 if size % 1e6 == 0 else 1, "millions"
    if size >= 1e4:
        return value / 1e3, 0 if size % 1e3 == 0 else 1, "thousands"
    if float(value).is_integer():
        return value, 0, ""
    return value, 1 if size >= 1 else 2, ""
