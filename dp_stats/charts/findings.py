"""Sentences computed from figures: what a chart shows, said no more firmly than its intervals allow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dp_stats.charts.series import Group, Series, ranked
from dp_stats.texts.numbers import Change, decimals_for
from dp_stats.texts.words import Texts


def of_series(texts: Texts, series: Series, *, what: str) -> str:
    """How a series went from its first whole period to its last, and where it peaked."""
    known = np.flatnonzero(~np.isnan(series.value))
    if not len(known):
        return texts("finding.nothing", what=what)
    compared = series.comparable if len(series.comparable) else known[-1:]
    first, last, peak = int(compared[0]), int(compared[-1]), series.peak
    decimals = decimals_for(series.figures)

    def say(index: int) -> str:
        return texts.figure(series.figure(index), decimals=decimals)

    if first == last:
        return texts("finding.single", what=what, value=say(last), when=series.labels[last])
    change = Change(series.figure(first), series.figure(last))
    sentence = texts(
        f"finding.{change.direction}",
        what=what,
        first=say(first),
        last=say(last),
        start=series.labels[first],
        end=series.labels[last],
    )
    if peak not in (first, last):
        sentence += " " + texts("finding.peak", value=say(peak), when=series.labels[peak])
    if not series.whole[known].all():
        sentence += " " + texts("finding.parts")
    if len(series.breaks):
        sentence += " " + texts("finding.break", when=series.labels[int(series.breaks[-1])])
    return sentence


def of_groups(texts: Texts, groups: Sequence[Group], *, what: str, when: str) -> str:
    """Which group is highest and lowest, or that the noise does not tell them apart."""
    order = ranked(tuple(groups))
    if not order:
        return texts("finding.nothing", what=what)
    decimals = decimals_for(g.figure for g in order)
    top, bottom = order[0], order[-1]
    if len(order) == 1:
        return texts(
            "finding.single", what=f"{what}, {top.name}", value=texts.figure(top.figure, decimals=decimals), when=when
        )
    key = "finding.range" if top.figure.lower > bottom.figure.upper else "finding.range_unclear"
    sentence = texts(
        key,
        what=what,
        when=when,
        top=texts.place(top.name),
        bottom=texts.place(bottom.name),
        count=len(order),
        high=texts.figure(top.figure, decimals=decimals),
        low=texts.figure(bottom.figure, decimals=decimals),
    )
    close = sum(g.figure.upper >= top.figure.lower for g in order[1:])
    if key == "finding.range" and close:
        sentence += " " + texts.plural("finding.close_to_top", close, top=texts.place(top.name))
    return sentence


def of_multiples(texts: Texts, many: Sequence[Series], *, what: str) -> str:
    """How many of several series rose, fell or showed no clear change from the first whole period to the last."""
    directions = []
    for series in many:
        compared = series.comparable
        if len(compared) > 1:
            directions.append(Change(series.figure(int(compared[0])), series.figure(int(compared[-1]))).direction)
    if not directions:
        return texts("finding.nothing", what=what)
    whole = np.flatnonzero(many[0].whole)
    return texts(
        "finding.multiples",
        what=what,
        count=len(directions),
        rose=directions.count("rose"),
        fell=directions.count("fell"),
        unclear=directions.count("unclear") + directions.count("early"),
        start=many[0].labels[whole[0]],
        end=many[0].labels[whole[-1]],
    )


def of_change(texts: Texts, change: Change, *, what: str, before: str, after: str, decimals: int = 0) -> str:
    """One sentence on the step from one edition to the next."""
    return texts(
        f"change.{change.direction}",
        what=what,
        before=before,
        after=after,
        first=texts.figure(change.before, decimals=decimals),
        last=texts.figure(change.after, decimals=decimals),
    )
