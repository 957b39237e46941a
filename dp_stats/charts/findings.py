"""Sentences computed from figures: what a chart shows, said no more firmly than its intervals allow.

Every direction comes with the interval of the change. What is one of many, a peak among days or an area among areas, is said
only where it stands out among them all (``charts.clear``); what cannot be told apart is not ranked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dp_stats.charts.clear import (
    among_each_other,
    may_be_highest,
    may_be_lowest,
    reach_of_all,
    sides_of_the_middle,
    stands_out,
    widened,
)
from dp_stats.charts.series import Group, Series, ranked
from dp_stats.texts.numbers import Change, Figure, decimals_for
from dp_stats.texts.words import Texts

MANY = 8
"""From so many groups on, a sentence says how many lie clearly above and below the middle one."""

NAMED = 4
"""Of many groups, the highest and the lowest are named where no more than so many may be it."""


def of_series(texts: Texts, series: Series, *, what: str) -> str:
    """How a series went from its first whole period to its last, and where it was highest and lowest between them.

    Days compare with days of the same name only.
    """
    known = np.flatnonzero(~np.isnan(series.value))
    if not len(known):
        return texts("finding.nothing", what=what)
    compared = series.alike if len(series.alike) else known[-1:]
    first, last = int(compared[0]), int(compared[-1])
    decimals = decimals_for(series.figures)
    said = []
    if first == last:
        value = texts.figure(series.figure(last), decimals=decimals)
        said.append(texts("finding.single", what=what, value=value, when=series.labels[last]))
    else:
        change, labels = series.change(first, last), series.labels
        said.append(of_change(texts, change, what=what, before=labels[first], after=labels[last], decimals=decimals))
    said += _extremes(texts, series, decimals)
    if series.by_day and len(series.comparable) > 1:
        said.append(texts("finding.weekday"))
    if not series.whole[known].all():
        said.append(texts("finding.parts"))
    if len(series.breaks):
        said.append(texts("finding.break", when=series.labels[int(series.breaks[-1])]))
    return " ".join(said)


def _extremes(texts: Texts, series: Series, decimals: int) -> list[str]:
    """When a series was highest and when lowest, where that was clearly neither at its begin nor at its end.

    The limit that is said holds for whichever moment was picked.
    """
    compared = series.comparable.tolist()
    if len(compared) < 3:
        return []
    figures = [series.figures[i] for i in compared]
    said = []
    for key, found, best in (
        ("peak", may_be_highest(figures), max(range(len(figures)), key=lambda i: figures[i].value)),
        ("trough", may_be_lowest(figures), min(range(len(figures)), key=lambda i: figures[i].value)),
    ):
        if not stands_out(found, len(figures)):
            continue
        wide = widened(figures[best], reach_of_all(len(figures)))
        limit = _outwards(wide.lower if key == "peak" else wide.upper, decimals, up=key == "trough")
        if not np.isfinite(limit):
            continue
        values = {
            "when": series.labels[compared[best]],
            "value": texts.number(figures[best].value, decimals=decimals),
            "limit": texts.number(limit, decimals=decimals),
        }
        others = len(found) - 1
        unclear = f"finding.{key}_unclear"
        said.append(texts.plural(unclear, others, **values) if others else texts(f"finding.{key}", **values))
    return said


def of_groups(texts: Texts, groups: Sequence[Group], *, what: str, when: str) -> str:
    """How many groups lie clearly above and below the middle one, and which may be the highest and the lowest.

    What no public list knows is none of them.
    """
    order = ranked(tuple(group for group in groups if group.listed))
    if not order:
        return texts("finding.nothing", what=what)
    decimals = decimals_for(g.figure for g in order)
    top, bottom = order[0], order[-1]
    if len(order) == 1:
        return texts(
            "finding.single", what=f"{what}, {top.name}", value=texts.figure(top.figure, decimals=decimals), when=when
        )
    figures = [g.figure for g in order]
    highest, lowest = may_be_highest(figures), may_be_lowest(figures)
    apart = len(order) - 1 not in highest and 0 not in lowest
    key = "finding.range" if apart else "finding.range_unclear"
    said = []
    if len(order) >= MANY:
        sides = sides_of_the_middle(order)
        rest = texts.number(len(order) - sides.above - sides.below)
        counts = {"above": texts.number(sides.above), "below": texts.number(sides.below), "rest": rest}
        said.append(texts("finding.middle", what=what, when=when, count=texts.number(len(order)), **counts))
        key = "finding.range_of_them" if key == "finding.range" else ""
    if key == "finding.range_of_them" and max(len(highest), len(lowest)) > NAMED:
        ends = {"high": texts.number(top.figure.value, decimals=decimals)}
        said.append(texts("finding.range_unnamed", low=texts.number(bottom.figure.value, decimals=decimals), **ends))
    elif key:
        values = {
            "top": texts.place(top.name),
            "bottom": texts.place(bottom.name),
            "high": texts.figure(top.figure, decimals=decimals),
            "low": texts.figure(bottom.figure, decimals=decimals),
        }
        said.append(texts(key, what=what, when=when, count=len(order), **values))
        if key != "finding.range_unclear" and len(highest) > 1:
            said.append(texts.plural("finding.close_to_top", len(highest) - 1, top=texts.place(top.name)))
    return " ".join(said)


def of_multiples(texts: Texts, many: Sequence[Series], *, what: str) -> str:
    """How many of several series rose, fell or showed no clear change from the first whole period to the last."""
    changes: dict[str, Change] = {}
    for number, series in enumerate(many):
        compared = series.alike
        if len(compared) > 1:
            changes[str(number)] = series.change(int(compared[0]), int(compared[-1]))
    if not changes:
        return texts("finding.nothing", what=what)
    directions = [change.direction for change in among_each_other(changes).values()]
    moments = many[0].alike if len(many[0].alike) else np.flatnonzero(many[0].whole)
    early = directions.count("early")
    said = texts(
        "finding.multiples",
        what=what,
        count=len(directions),
        rose=directions.count("rose"),
        fell=directions.count("fell"),
        unclear=directions.count("unclear") + early,
        start=many[0].labels[moments[0]],
        end=many[0].labels[moments[-1]],
    )
    return f"{said} {texts.plural('finding.early_many', early)}" if early else said


def of_change(texts: Texts, change: Change, *, what: str, before: str, after: str, decimals: int = 0) -> str:
    """One sentence on the step from one moment or edition to a later one, with the interval of the change."""
    direction, step = change.direction, change.figure
    key: str = "unclear_among" if change.lost_among_many else direction
    if math.isinf(step.lower) or (math.isinf(step.upper) and direction == "unclear"):
        key = "unclear_open"
    sign = -1 if direction == "fell" else 1
    ends = sorted((sign * step.lower, sign * step.upper))
    size = Figure(sign * step.value, ends[0], ends[1])
    first, last, by = (
        texts(
            "figure.short",
            value=texts.number(one.value, decimals=decimals),
            interval=texts.between(one, decimals=decimals),
        )
        for one in (change.before, change.after, size)
    )
    return texts(f"change.{key}", what=what, before=before, after=after, first=first, last=last, change=by)


def _outwards(limit: float, decimals: int, *, up: bool) -> float:
    """A limit in so many decimals that still holds."""
    if not math.isfinite(limit):
        return limit
    step = 10.0**decimals
    return (math.ceil(limit * step - 1e-9) if up else math.floor(limit * step + 1e-9)) / step
