"""The sheet that a chart stands on: title and source, room for the axes, round ticks, and a line in its ribbon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from dp_stats.charts.series import Series, extent
from dp_stats.texts import numbers
from dp_stats.texts.words import Texts

INK, MUTED = "#132235", "#44566a"
WIDE, NARROW = 7.6, 3.7
"""Widths in inches: for a desktop column (547 px) and for a phone (266 px), before the browser scales them."""
LEAST = 0.5
"""Inches of height that the axes have at least, however few groups there are."""


@dataclass(frozen=True)
class Words:
    """The words of a chart: its subject, how to read it, where it comes from, and what it shows."""

    title: str
    subtitle: str
    source: str
    alt: str


def sheet_of(
    words: Words,
    narrow: bool,
    rows: int,
    columns: int,
    *,
    height: float,
    left: float | None = None,
    right: float = 0.985,
    drop: float = 0.0,
    gap: float = 0.0,
) -> tuple[Canvas, list[Axes]]:
    """A canvas with its title, subtitle and source, and a grid of empty axes between them.

    Lengths are in inches: ``drop`` is more room above the axes, ``gap`` the room between their rows.
    """
    width = NARROW if narrow else WIDE
    size = 13 if narrow else 15
    title = wrap(words.title, 33 if narrow else 62)
    subtitle = wrap(words.subtitle, 47 if narrow else 92)
    source = wrap(words.source, 56 if narrow else 112)
    head = (len(title) * size * 1.22 + len(subtitle) * 10 * 1.3 + 20) / 72
    foot = (len(source) * 8.5 * 1.3 + 6) / 72
    height += (len(title) - 1) * size * 1.22 / 72
    axis_room = 0.5 if rows * columns == 1 and left is None else 0.3
    above = head + 0.1 + drop + (0.22 if left is None else 0)
    height = max(height, above + foot + axis_room + rows * LEAST + (rows - 1) * gap)
    canvas = Canvas(figsize=(width, height))
    canvas.text(
        0.012, 1 - 0.05 / height, "\n".join(title), fontsize=size, fontweight="bold", va="top", linespacing=1.12
    )
    canvas.text(
        0.012,
        1 - (0.05 + len(title) * size * 1.22 / 72 + 0.05) / height,
        "\n".join(subtitle),
        fontsize=10,
        color=MUTED,
        va="top",
        linespacing=1.25,
    )
    canvas.text(0.012, 0.04 / height, "\n".join(source), fontsize=8.5, color=MUTED, va="bottom", linespacing=1.25)
    edge = left if left is not None else (0.125 if narrow else 0.07)
    top = 1 - above / height
    bottom = (foot + axis_room) / height
    tall = ((top - bottom) * height - (rows - 1) * gap) / rows
    panels = canvas.subplots(
        rows,
        columns,
        squeeze=False,
        gridspec_kw={
            "left": edge,
            "right": right,
            "top": top,
            "bottom": bottom,
            "hspace": gap / tall,
            "wspace": 0.12,
        },
    )
    return canvas, list(panels.ravel())


def sheet(
    words: Words, narrow: bool, *, height: float, left: float | None = None, right: float = 0.985, drop: float = 0.0
) -> tuple[Canvas, Axes]:
    canvas, panels = sheet_of(words, narrow, 1, 1, height=height, left=left, right=right, drop=drop)
    return canvas, panels[0]


def ribbon(axes: Axes, series: Series, *, colour: str, width: float = 2.2) -> None:
    """A line in its ribbon, or dots with bars where there are too few moments for a line to mean anything.

    The dot of a part of a period is hollow; a dashed line marks a break. What nothing bounds reaches beyond the axis,
    which must have its limits.
    """
    bottom, top = axes.get_ylim()
    upper = series.drawn_upper(top + 10 * (top - bottom))
    for at in series.breaks:
        between = series.days[at - 1] + (series.days[at] - series.days[at - 1]) // 2
        axes.axvline(between, color=INK, linewidth=1, alpha=0.6, linestyle=(0, (4, 3)), zorder=1)
    if len(series) > 12:
        for run in series.runs:
            days = series.days[run]
            if len(run) == 1:
                axes.vlines(days, series.lower[run], upper[run], color=colour, linewidth=2.2, alpha=0.45, zorder=2)
                _dots(axes, series, run, colour=colour, size=2.2 * width)
                continue
            axes.fill_between(days, series.lower[run], upper[run], color=colour, alpha=0.24, linewidth=0, zorder=2)
            axes.plot(days, series.value[run], color=colour, linewidth=width, zorder=3)
        return
    axes.vlines(series.days, series.lower, upper, color=colour, linewidth=2.2, alpha=0.45, zorder=2)
    for run in series.runs:
        axes.plot(series.days[run], series.value[run], color=colour, linewidth=1, alpha=0.55, zorder=2)
    for alike in (np.flatnonzero(series.whole), np.flatnonzero(~series.whole)):
        if len(alike):
            _dots(axes, series, alike, colour=colour, size=2.2 * width)


def _dots(axes: Axes, series: Series, at: NDArray[np.intp], *, colour: str, size: float) -> None:
    """Dots of moments that are all whole periods or all parts of one."""
    face = colour if series.whole[at].all() else "white"
    days, value = series.days[at], series.value[at]
    axes.plot(days, value, "o", color=colour, markerfacecolor=face, markersize=size, zorder=3, clip_on=False)


def value_axis(
    axes: Axes, many: Sequence[Series], texts: Texts, *, zero: bool, about: int = 4, cover: bool = True
) -> None:
    """Round ticks from zero (or around the values); ``cover`` puts a tick above the highest limit that there is."""
    low, high = extent([(s.value, s.lower, s.upper) for s in many])
    if zero or low < 0:
        bottom, top = min(0.0, low), max(high, 1e-9)
    else:
        room = (high - low) * 0.15 or abs(high) * 0.1 or 1.0
        bottom, top = low - room, high + room
    ticks = numbers.nice_ticks(bottom, top, about=about)
    while len(ticks) < 2 and about < 8:  # one tick alone shows no scale
        about += 1
        ticks = numbers.nice_ticks(bottom, top, about=about)
    if zero and cover and ticks[-1] < top:
        ticks.append(ticks[-1] + (ticks[-1] - ticks[-2] if len(ticks) > 1 else top))
    axes.set_ylim(bottom, max(top + (top - bottom) * 0.06, ticks[-1]))
    axes.set_yticks(ticks)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: texts.tick(v)))
