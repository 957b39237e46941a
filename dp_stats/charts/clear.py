"""What can be told apart from noise when many figures are looked at, from the published 95 % intervals alone.

Whoever looks at 381 areas finds some that seem to have risen. So a claim that is one of many needs more than a 95 % interval.
How much more follows from one fact: the noise of estimates, and of sums of them, has a law whose density is log-concave
(Laplace and normal laws are, and so are their sums), so its tail falls at least exponentially: an interval that
reaches r ≥ 1 times as far as the 95 % interval misses the truth with a chance of at most 0.05^r. This needs no law by name,
and claims less than normal quantiles would.

* ``reach_of_all``: intervals of all of several figures hold together in 95 of 100 cases, however they depend on each other
  (Bonferroni).
* ``reach_among``: of the figures that are told to differ, at most one in twenty is expected not to, and the intervals of those
  that are picked out hold in 95 of 100 (Benjamini and Hochberg 1995; Benjamini and Yekutieli 2005 on intervals of what was
  picked for being large: the winner's curse).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from dp_stats.charts.series import Group, Series
from dp_stats.texts.numbers import Change, Figure, beyond

ERROR = 0.05
"""The rate of false claims: what 95 % intervals leave out."""


def reach(chance: float) -> float:
    """How many times as far as a 95 % interval one reaches that misses the truth with at most this chance."""
    return max(1.0, math.log(chance) / math.log(ERROR))


def reach_of_all(count: int) -> float:
    """How far the intervals of so many figures must reach so that all hold together."""
    return reach(ERROR / max(count, 1))


def reach_among(clearness: Sequence[float]) -> float:
    """How clear a difference must be to be told, among those that were looked at.

    Args:
        clearness: of each, how many times as far as its 95 % interval it lies from no difference.
    """
    order = sorted(clearness, reverse=True)
    many = len(order)
    told = max((k for k, one in enumerate(order, start=1) if one >= reach(ERROR * k / many)), default=1)
    return reach(ERROR * told / max(many, 1))


def among_each_other(changes: Mapping[str, Change]) -> dict[str, Change]:
    """The same changes, each told only where it is clear among all of them."""
    needed = reach_among([change.clearness for change in changes.values()])
    return {key: replace(change, reach=needed) for key, change in changes.items()}


def widened(figure: Figure, times: float) -> Figure:
    """A figure with an interval that reaches so many times as far, from its value and from the middle of its interval."""
    lower, upper = _reached(figure, times)
    return replace(figure, lower=lower, upper=upper)


def _reached(figure: Figure, times: float) -> tuple[float, float]:
    """The limits of an interval that reaches so many times as far."""
    value, low, high = figure.value, figure.lower, figure.upper
    middle = (low + high) / 2
    one, other = value if math.isfinite(value) else middle, middle if math.isfinite(middle) else value
    return (
        min(one - times * (one - low), other - times * (other - low)),
        max(one + times * (high - one), other + times * (high - other)),
    )


def may_be_highest(figures: Sequence[Figure]) -> list[int]:
    """Which of several figures may be the highest of them: the true one is among these in 95 of 100 cases."""
    times = reach_of_all(len(figures))
    wide = [_reached(figure, times) for figure in figures]
    most = max((lower for lower, _ in wide), default=-math.inf)
    return [index for index, (_, upper) in enumerate(wide) if upper >= most]


def may_be_lowest(figures: Sequence[Figure]) -> list[int]:
    """The same of the lowest."""
    return may_be_highest([Figure(-f.value, -f.upper, -f.lower) for f in figures])


def stands_out(found: Sequence[int], count: int) -> bool:
    """Whether it is told when a series was highest (or lowest): at none of its ends, and few others of all moments may be it.

    Args:
        found: those that may be it.
    """
    return not {0, count - 1} & set(found) and len(found) <= max(2, count // 4)


def marked_peak(series: Series) -> int | None:
    """The moment that charts mark as the highest: one whose being so is told, or is clear among all; None where it is neither."""
    compared = series.comparable.tolist()
    found = may_be_highest([series.figures[i] for i in compared])
    return series.peak if len(found) == 1 or stands_out(found, len(compared)) else None


@dataclass(frozen=True)
class Sides:
    """How many groups lie clearly above the middle one of all, and how many clearly below."""

    above: int
    below: int


def sides_of_the_middle(groups: Sequence[Group]) -> Sides:
    """Groups that lie clearly on one side of the median of all.

    A group counts where it is clear of where the median may lie: within 2/√n of a typical arm around the median of the values, as
    errors of the many values that are near to it average out (1.25/√n would be two standard errors of the median of normal ones).
    """
    arm = median((g.figure.upper - g.figure.lower) / 2 for g in groups)
    middle, doubt = median(g.figure.value for g in groups), 2 * arm / math.sqrt(len(groups))
    low, high = middle - doubt, middle + doubt
    clearness = [_beyond(group.figure, low, high) for group in groups]
    needed = reach_among(clearness)
    told = [g.figure.value > high for g, one in zip(groups, clearness, strict=True) if one >= needed]
    return Sides(sum(told), len(told) - sum(told))


def _beyond(figure: Figure, low: float, high: float) -> float:
    """How many times as far as its interval a figure lies from what is between two limits."""
    centres = [centre for centre in (figure.value, figure.middle) if math.isfinite(centre)]
    above = min(beyond(centre - high, centre - figure.lower) for centre in centres)
    return above or min(beyond(low - centre, figure.upper - centre) for centre in centres)
