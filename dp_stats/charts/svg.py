"""Light charts drawn straight into a page: they stretch to any width while their text keeps its size.

Lines are drawn in a nested coordinate system of 1,000 units that the browser stretches to the width
there is; text and dots are placed by percentages and are never stretched. Colours come from the
page's style sheet, so dark mode and print work, and nothing needs an inline style.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from dp_stats.charts.clear import marked_peak
from dp_stats.charts.series import Group, Series, extent
from dp_stats.texts import numbers
from dp_stats.texts.words import Texts

HEIGHT, TOP, BOTTOM = 232, 26, 26
UNITS = 1000


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def opened(id: str, title: str, description: str, *, css: str, attributes: str) -> str:
    return (
        f'<svg class="{css}" {attributes} role="img" aria-labelledby="{id}-t {id}-d">'
        f'<title id="{id}-t">{escape(title)}</title><desc id="{id}-d">{escape(description)}</desc>'
    )


def line(id: str, series: Series, texts: Texts, *, title: str, description: str, zero: bool = True) -> str:
    """A line in its 95 % ribbon; each moment tells its value to a pointer that rests on it."""
    known = np.flatnonzero(~np.isnan(series.value))
    if not len(known):
        return ""
    low, high = extent([(series.value, series.lower, series.upper)])
    bottom = min(0.0, low) if zero else low - (high - low) * 0.15
    top = high + (0.0 if zero else (high - low) * 0.15)
    top = top if top > bottom else bottom + 1
    ticks = numbers.nice_ticks(bottom, top, about=4)
    if ticks[-1] < top and zero and len(ticks) > 1 and (top - ticks[-1]) > 0.5 * (ticks[1] - ticks[0]):
        ticks.append(2 * ticks[-1] - ticks[-2])
    top = max(top, ticks[-1])
    plot = HEIGHT - TOP - BOTTOM
    start = series.dates[0].toordinal()
    days = max(series.dates[-1].toordinal() - start, 1)
    x = (
        np.array([(d.toordinal() - start) / days for d in series.dates]) * UNITS
        if len(series) > 1
        else np.array([UNITS / 2])
    )
    # Plain floats are written in half the time of numpy's.
    at, value, lower, upper = (a.tolist() for a in (x, series.value, series.lower, series.drawn_upper(top)))
    runs = [run.tolist() for run in series.runs]

    def y(value: float) -> float:
        return plot - (value - bottom) / (top - bottom) * plot

    out = [opened(id, title, description, css="line", attributes=f'width="100%" height="{HEIGHT}"')]
    for tick in ticks:
        down = TOP + y(tick)
        css = "axis" if tick == bottom else "grid"
        out.append(f'<line class="{css}" x1="0" x2="100%" y1="{_n(down)}" y2="{_n(down)}"/>')
        out.append(f'<text class="tick" x="-8" y="{_n(down + 4)}" text-anchor="end">{texts.tick(tick)}</text>')
    out.append(
        f'<svg x="0" y="{TOP}" width="100%" height="{plot}" viewBox="0 0 {UNITS} {plot}" '
        'preserveAspectRatio="none" overflow="visible">'
    )
    if len(series) > 12:
        bands = []
        for run in runs:
            there = [f"{at[i]:.0f} {_n(y(upper[i]))}" for i in run]
            back = [f"{at[i]:.0f} {_n(y(lower[i]))}" for i in run[::-1]]
            bands.append(f"M{'L'.join(there + back)}Z")
        out.append(f'<path class="band" d="{"".join(bands)}"/>')
    barred = known.tolist() if len(series) <= 12 else [run[0] for run in runs if len(run) == 1]
    if barred:
        bars = "".join(f"M{at[i]:.0f} {_n(y(lower[i]))}V{_n(y(upper[i]))}" for i in barred)
        out.append(f'<path class="bar" d="{bars}"/>')
    lines = ["L".join(f"{at[i]:.0f} {_n(y(value[i]))}" for i in run) for run in runs if len(run) > 1]
    if lines:
        out.append(f'<path class="stroke" d="M{"M".join(lines)}"/>')
    if len(series) <= 120:
        decimals = numbers.decimals_for(series.figures)
        for i in known.tolist():
            left = (at[i - 1] + at[i]) / 2 if i else 0
            right = (at[i] + at[i + 1]) / 2 if i + 1 < len(at) else UNITS
            words = f"{series.labels[i]}: {texts.figure(series.figures[i], decimals=decimals)}"
            out.append(
                f'<rect x="{left:.0f}" width="{right - left:.0f}" height="{plot}"><title>{escape(words)}</title></rect>'
            )
    for i in series.breaks:
        words = escape(texts("chart.break"))
        out.append(
            f'<path class="break" d="M{at[i - 1] + (at[i] - at[i - 1]) / 2:.0f} 0V{plot}"><title>{words}</title></path>'
        )
    out.append("</svg>")
    out += [
        f'<circle{_hollow(series, i)} cx="{_n(at[i] / UNITS * 100)}%" cy="{_n(TOP + y(value[i]))}" r="3.5"/>'
        for i in barred
    ]
    out += _ends(series, known, x, y, texts)
    out += _dates(series, x, texts)
    out.append("</svg>")
    return "".join(out)


def _hollow(series: Series, index: int) -> str:
    """The class of the dot of a part of a period, and none of others."""
    return "" if series.whole[index] else ' class="part"'


def _ends(series: Series, known: np.ndarray, x: np.ndarray, y: object, texts: Texts) -> list[str]:
    """A dot and a label at the latest moment, and at the highest where it can be told."""
    assert callable(y)
    decimals = numbers.decimals_for(series.figures)
    last, peak = int(known[-1]), marked_peak(series)
    marks = [last] if peak is None or abs(x[peak] - x[last]) < 140 else [peak, last]
    out = []
    for index in marks:
        across, down = x[index] / UNITS * 100, TOP + y(float(series.value[index]))
        text = texts.number(float(series.value[index]), decimals=decimals)
        out.append(f'<circle{_hollow(series, index)} cx="{_n(across)}%" cy="{_n(down)}" r="4"/>')
        if index == last:
            out.append(f'<text class="value" x="{_n(across)}%" dx="9" y="{_n(down + 5)}">{text}</text>')
        else:
            above = max(TOP + y(float(series.drawn_upper(float(series.value[index]))[index])) - 8, 12)
            anchor = "start" if across < 8 else "middle"
            out.append(f'<text class="value" x="{_n(across)}%" y="{_n(above)}" text-anchor="{anchor}">{text}</text>')
    return out


def _dates(series: Series, x: np.ndarray, texts: Texts) -> list[str]:
    """Up to four dates below the axis: months for long series, days for short ones."""
    span = (series.dates[-1] - series.dates[0]).days
    many = min(4, len(series))
    wanted = [UNITS * i / max(many - 1, 1) for i in range(many)]
    chosen = sorted({0, len(series) - 1, *(int(np.argmin(np.abs(x - at))) for at in wanted)})
    chosen = [i for i in chosen if i in (0, len(series) - 1) or 0.2 * UNITS <= x[i] <= 0.8 * UNITS]
    chosen = [
        i for at, i in enumerate(chosen) if at == 0 or i == len(series) - 1 or x[i] - x[chosen[at - 1]] >= 0.2 * UNITS
    ]
    out = []
    for place, index in enumerate(chosen):
        day = series.dates[index]
        text = texts.month(day) if span > 120 else texts.day(day, year=False, short=True)
        anchor = (
            "start"
            if place == 0 and len(chosen) > 1
            else ("end" if place == len(chosen) - 1 and len(chosen) > 1 else "middle")
        )
        css = "date" if place in (0, len(chosen) - 1) else "date between"
        out.append(
            f'<text class="{css}" x="{_n(x[index] / UNITS * 100)}%" y="{HEIGHT - 6}" text-anchor="{anchor}">{text}</text>'
        )
    return out


def dots(id: str, groups: Sequence[Group], texts: Texts, *, title: str, description: str, zero: bool = True) -> str:
    """A dot in its interval per group, with its value; one row of 26 pixels each."""
    known = [g for g in groups if g.figure.known]
    if not known:
        return ""
    decimals = numbers.decimals_for(g.figure for g in known)
    least, most = extent([np.array([g.figure.value, g.figure.lower, g.figure.upper])] for g in known)
    low = min(0.0, least) if zero else least - abs(least) * 0.05
    high = max(most, 0.0, low + 1e-9)  # the axis stands at zero, where nothing lies above it, too
    stacked = max(len(g.name) for g in known) > 14
    row, first, last = (44, 0.0, 84.0) if stacked else (26, 34.0, 84.0)

    def x(value: float) -> str:
        return _n(first + (value - low) / (high - low) * (last - first)) + "%"

    height = row * len(known) + 8
    out = [opened(id, title, description, css="dots", attributes=f'width="100%" height="{height}"')]
    if low <= 0 and not stacked:
        out.append(f'<line class="axis" x1="{x(0)}" x2="{x(0)}" y1="0" y2="{height}"/>')
    for index, group in enumerate(known):
        value = texts.number(group.figure.value, decimals=decimals)
        middle = row * index + (32 if stacked else row / 2 + 4)
        mark = ' class="weak"' if group.figure.weak else ""
        out.append(
            f'<g{mark}><text x="0" y="{_n(middle - 14 if stacked else middle + 4)}">{escape(group.name)}</text>'
            + (
                f'<line class="axis" x1="{x(0)}" x2="{x(0)}" y1="{_n(middle - 7)}" y2="{_n(middle + 7)}"/>'
                if stacked and low <= 0
                else ""
            )
            + f'<line class="range" x1="{x(group.figure.lower)}" x2="{x(min(group.figure.upper, high))}" '
            f'y1="{_n(middle)}" y2="{_n(middle)}"/>'
            f'<circle cx="{x(group.figure.value)}" cy="{_n(middle)}" r="4.5"/>'
            f'<text class="value" x="100%" y="{_n(middle + 4)}" text-anchor="end">{value}</text></g>'
        )
    out.append("</svg>")
    return "".join(out)


def spark(series: Series) -> str:
    """A line without axes, for a card; hidden from readers of screens, who get the sentence."""
    known = np.flatnonzero(~np.isnan(series.value))
    if len(known) < 3:
        return ""
    least, most = extent([(series.value, series.lower, series.upper)])
    low = min(0.0, least)
    high = most if most > low else low + 1
    upper = series.drawn_upper(high)
    x = np.interp(series.days.astype(float), series.days[[0, -1]].astype(float), (0, 198))

    def point(i: int, values: np.ndarray) -> str:
        return f"{_n(x[i])} {_n(46 - (values[i] - low) / (high - low) * 42)}"

    band = "".join(
        f"M{'L'.join([point(int(i), upper) for i in run] + [point(int(i), series.lower) for i in run[::-1]])}Z"
        for run in series.runs
    )
    path = "M".join("L".join(point(int(i), series.value) for i in run) for run in series.runs)
    cx, cy = point(int(known[-1]), series.value).split()
    return (
        '<svg class="spark" viewBox="0 0 202 50" aria-hidden="true" focusable="false">'
        f'<path class="band" d="{band}"/><path class="stroke" d="M{path}"/><circle cx="{cx}" cy="{cy}" r="3.5"/></svg>'
    )


def interval_bar(figure: numbers.Figure) -> str:
    """The interval of one figure as a bracket, with the estimate where it lies between the limits."""
    width = figure.upper - figure.lower
    if not figure.known or not 0 < width < np.inf:
        return ""
    middle = 2 + max(0.0, min(1.0, (figure.value - figure.lower) / width)) * 96
    return (
        '<svg class="bracket" width="100%" height="16" aria-hidden="true" focusable="false">'
        '<line class="range" x1="1%" x2="99%" y1="8" y2="8"/><line class="end" x1="1%" x2="1%" y1="2" y2="14"/>'
        f'<line class="end" x1="99%" x2="99%" y1="2" y2="14"/><circle cx="{_n(middle)}%" cy="8" r="5"/></svg>'
    )


def noise(
    id: str, *, scale: float, shift: float, laplace: bool, title: str, description: str, words: Sequence[str]
) -> str:
    """Two curves: what could be published with one person's record, and without it.

    Args:
        scale: of the noise (Laplace b or Gaussian σ). shift: how far one person can move the number.
        words: labels for the curve without the person, the curve with, and the axis.
    """
    reach = 5.5 * scale if laplace else 3.6 * scale
    at = np.linspace(-reach, reach + shift, 161)

    def curve(centre: float) -> np.ndarray:
        away = (at - centre) / scale
        return np.asarray(np.exp(-np.abs(away)) if laplace else np.exp(-(away**2) / 2))

    def path(centre: float) -> str:
        tall = 118
        return "L".join(
            f"{(a - at[0]) / (at[-1] - at[0]) * 1000:.0f} {tall - v * 106:.1f}"
            for a, v in zip(at, curve(centre), strict=True)
        )

    middle = ((0 - at[0]) / (at[-1] - at[0]) * 100, (shift - at[0]) / (at[-1] - at[0]) * 100)
    return (
        opened(id, title, description, css="noise", attributes='width="100%" height="176"')
        + '<svg x="0" y="24" width="100%" height="122" viewBox="0 0 1000 122" preserveAspectRatio="none" overflow="visible">'
        + f'<path class="without" d="M0 118L{path(0)}L1000 118Z"/><path class="with" d="M0 118L{path(shift)}L1000 118Z"/></svg>'
        + '<line class="axis" x1="0" x2="100%" y1="142.5" y2="142.5"/>'
        + f'<text class="without-label" x="{middle[0] - 2:.1f}%" y="16" text-anchor="end">{escape(words[0])}</text>'
        + f'<text class="with-label" x="{middle[1] + 2:.1f}%" y="16">{escape(words[1])}</text>'
        + f'<text class="date" x="50%" y="166" text-anchor="middle">{escape(words[2])}</text></svg>'
    )
