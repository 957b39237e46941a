"""What charts are drawn from: values with intervals along time, or one per group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dp_stats.editions.facts import BREAK
from dp_stats.texts.numbers import Change, Figure

Floats = NDArray[np.float64]

MOST_RANKED = 25
"""How many of the highest groups a ranking shows."""


@dataclass(frozen=True, eq=False)
class Series:
    """One metric of one group along time; arrays have shape ``(moments,)``.

    Attributes:
        name: what a reader calls the group, e.g. ``Leeds``. code: its public code.
        dates: first day of each moment. labels: the moments in words. whole: whether a moment is a whole week, month or
            other period of the table, so that its value compares with others'.
        value, lower, upper: estimates and their 95 % intervals; NaN where there is none, and ``upper`` infinite where
            nothing bounds a value.
        status: reliability marks, empty where reliable.
        origin: of each moment, which edition it is from; noise of different ones is independent. Empty where that is not known.
        by_day: whether moments are days, which compare with days of the same name only.
    """

    name: str
    code: str
    dates: tuple[date, ...]
    labels: tuple[str, ...]
    whole: NDArray[np.bool_]
    value: Floats
    lower: Floats
    upper: Floats
    status: tuple[str, ...]
    origin: tuple[int, ...] = ()
    by_day: bool = False

    def __len__(self) -> int:
        return len(self.dates)

    def change(self, first: int, last: int) -> Change:
        """How the figures of two moments differ."""
        independent = bool(self.origin) and self.origin[first] != self.origin[last]
        return Change(self.figure(first), self.figure(last), independent)

    def figure(self, index: int) -> Figure:
        """One moment's value with its interval."""
        return Figure(float(self.value[index]), float(self.lower[index]), float(self.upper[index]), self.status[index])

    @cached_property
    def days(self) -> NDArray[np.datetime64]:
        """The dates as numbers that a chart can place; shape ``(moments,)``."""
        return np.array(self.dates, dtype="datetime64[D]")

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """Every moment's value with its interval, in order of time."""
        return tuple(self.figure(i) for i in range(len(self)))

    @cached_property
    def runs(self) -> tuple[NDArray[np.intp], ...]:
        """Moments with a value that follow one another without a gap, as indices: lines must not cross gaps.

        A gap is a moment without a value, or a step of more than one and a half of the usual step. A part of a period
        stands alone, and a line ends where what follows does not compare.
        """
        known = np.flatnonzero(~np.isnan(self.value))
        if not len(known):
            return ()
        steps = np.diff(self.days).astype(int)
        usual = float(np.median(steps)) if len(steps) else 1.0
        alone = ~(self.whole[known][1:] & self.whole[known][:-1]) | np.isin(known[1:], self.breaks)
        return tuple(np.split(known, 1 + np.flatnonzero(alone | (np.diff(self.days[known]).astype(int) > 1.5 * usual))))

    @cached_property
    def breaks(self) -> NDArray[np.intp]:
        """Moments that do not compare with those before them, as indices: the area holds other places since."""
        broken = np.array([BREAK in status.split() for status in self.status], dtype=bool)
        known_before = np.cumsum(~np.isnan(self.value)) - ~np.isnan(self.value) > 0
        return np.flatnonzero(broken & known_before)

    @cached_property
    def comparable(self) -> NDArray[np.intp]:
        """Moments with a value that compare with one another, as indices in order of time: whole periods since the last break."""
        since = self.breaks[-1] if len(self.breaks) else 0
        return np.flatnonzero(~np.isnan(self.value) & self.whole & (np.arange(len(self)) >= since))

    @property
    def alike(self) -> NDArray[np.intp]:
        """Moments that compare with the last comparable one: all of ``comparable``, or of days those of the same name."""
        found = self.comparable
        if not self.by_day or not len(found):
            return found
        away = (self.days[found[-1]] - self.days[found]).astype(int)
        return np.asarray(found[away % 7 == 0])

    @property
    def latest_change(self) -> Change | None:
        """The last moment beside the one before, or of days beside that a week before; None where they do not compare."""
        found, last = set(self.comparable.tolist()), len(self) - 1
        step = 7 if self.by_day else 1
        if not {last, last - step} <= found or (
            self.by_day and (self.dates[last] - self.dates[last - step]).days != step
        ):
            return None
        return self.change(last - step, last)

    def drawn_upper(self, end: float) -> Floats:
        """Upper limits as a drawing can show them: up to ``end`` where nothing bounds a value."""
        return np.where(np.isposinf(self.upper), end, self.upper)

    @property
    def peak(self) -> int:
        """The moment with the highest value: of whole periods, where there is one; some value must be known."""
        among = self.comparable if len(self.comparable) else np.flatnonzero(~np.isnan(self.value))
        return int(among[np.argmax(self.value[among])])

    def last(self, count: int) -> Series:
        """The last ``count`` moments."""
        keep = slice(max(0, len(self) - count), None)
        return Series(
            self.name,
            self.code,
            self.dates[keep],
            self.labels[keep],
            self.whole[keep],
            self.value[keep],
            self.lower[keep],
            self.upper[keep],
            self.status[keep],
            self.origin[keep],
            self.by_day,
        )


@dataclass(frozen=True)
class Group:
    """One group (an area, an age band) and its figure at one moment."""

    code: str
    name: str
    figure: Figure
    parent: str = ""
    population: float | None = None
    listed: bool = True
    """Whether a public list knows it: the cell for what none knows is no area that might be the lowest."""


def ranked(groups: tuple[Group, ...]) -> tuple[Group, ...]:
    """Groups with a value, highest first; ties in the order of their codes."""
    return tuple(sorted((g for g in groups if g.figure.known), key=lambda g: (-g.figure.value, g.code)))


def extent(figures: Iterable[Iterable[Floats]]) -> tuple[float, float]:
    """The lowest and the highest of all values and limits that are known and finite; zero where none is.

    Values count beside limits, as one that nothing bounds lies above all limits that there are.
    """
    known = np.concatenate([[], *(limits for one in figures for limits in one)])
    known = known[np.isfinite(known)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
