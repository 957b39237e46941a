"""Charts for pages and newspapers: matplotlib in one style, as SVG and PNG, with the finding as text.

Every chart draws its intervals, labels its lines directly, starts its value axis at zero unless it
says otherwise, and names its source. Equal input gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from afcharts import af_colours
from matplotlib import dates as mdates
from matplotlib import style as mstyle
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from dp_stats.charts import fonts
from dp_stats.charts.chart_data import csv_of
from dp_stats.charts.clear import marked_peak
from dp_stats.charts.export import size_of, to_png, to_rough_png, to_svg
from dp_stats.charts.series import Group, Series, extent
from dp_stats.charts.sheets import INK, NARROW, WIDE, Words, ribbon, sheet, sheet_of, value_axis
from dp_stats.editions.looks import STYLE
from dp_stats.texts import numbers
from dp_stats.texts.foreign import plain
from dp_stats.texts.words import Texts

NAVY, *_, ORANGE = af_colours.get_af_colours("categorical", number_of_colours=4)


@dataclass(frozen=True)
class Chart:
    """One chart, drawn in the forms that are asked for: a wide and a narrow SVG, and a PNG for reuse.

    Attributes:
        words: what it says and shows in words. draw: its drawing, narrow or wide, in the style that is set. shown: what it draws.
    """

    words: Words
    studio: Studio
    draw: Callable[[bool], Canvas]
    shown: Sequence[Series] | Sequence[Group] = ()

    @property
    def csv(self) -> bytes:
        """The numbers that it shows."""
        return csv_of(self.shown)

    @property
    def svg(self) -> str:
        """The wide one, for a desktop."""
        return self._svg(self._wide)

    @property
    def narrow(self) -> str:
        """The narrow one, for a phone."""
        with self.studio.style():
            return self._svg(_plain(self.draw(True)))

    @property
    def png(self) -> bytes:
        """The wide one as a picture."""
        with self.studio.style():
            return (to_rough_png if self.studio.rough else to_png)(self._wide)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the wide one in px."""
        return size_of(self._wide)

    @cached_property
    def _wide(self) -> Canvas:
        with self.studio.style():
            return _plain(self.draw(False))

    def _svg(self, canvas: Canvas) -> str:
        with self.studio.style():
            return to_svg(canvas, title=plain(self.words.title), description=plain(self.words.alt))


def _plain(canvas: Canvas) -> Canvas:
    """A drawing without the marks of words in another language, which a picture cannot tell apart."""
    for text in canvas.findobj(Text):
        if (said := text.get_text()) != plain(said):
            text.set_text(plain(said))
    return canvas


@dataclass(frozen=True)
class Studio:
    """The style that charts are drawn in, and the language they speak; ``rough`` if nobody keeps the pictures."""

    reports: Path
    texts: Texts
    rough: bool = False

    @contextmanager
    def style(self) -> Iterator[None]:
        """afcharts' style with ours on top, in fonts that are installed."""
        with matplotlib.rc_context(self._rules):
            yield

    @cached_property
    def _rules(self) -> dict[str, Any]:
        """What the style sets; its files are read once, and a chart asks for them in each of its forms."""
        usual = matplotlib.rcParamsDefault
        with mstyle.context(["afcharts.afcharts", str(self.reports / STYLE)]):
            matplotlib.rcParams["font.family"] = fonts.families(tuple(matplotlib.rcParams["font.sans-serif"]))
            return {k: v for k, v in matplotlib.rcParams.items() if v != usual[k] and k != "backend"}

    def headline(self, series: Series, words: Words, *, zero: bool = True) -> Chart:
        """One series along time with its interval, its latest value and a peak that can be told labelled."""

        def draw(narrow: bool) -> Canvas:
            canvas, axes = sheet(words, narrow, height=4.3 if not narrow else 3.9, right=0.8 if narrow else 0.885)
            value_axis(axes, [series], self.texts, zero=zero)
            ribbon(axes, series, colour=NAVY)
            self._time_axis(axes, series.dates, narrow)
            self._label(axes, series, narrow)
            return canvas

        return Chart(words, self, draw, (series,))

    def multiples(self, many: Sequence[Series], words: Words, *, zero: bool = True) -> Chart:
        """One small chart per group on equal axes."""

        def draw(narrow: bool) -> Canvas:
            columns = 2 if narrow else (3 if len(many) <= 9 else 4)
            rows = -(-len(many) // columns)
            names = [wrap(_shortened(s.name, 40), 28 if columns == 3 else 20)[:2] for s in many]
            extra = 0.14 * (max(map(len, names)) - 1)
            canvas, panels = sheet_of(
                words,
                narrow,
                rows,
                columns,
                height=rows * ((1.25 if narrow else 1.32) + extra) + 1.35,
                drop=extra,
                gap=0.5 + extra,
            )
            middle = _median(many)
            for axes, series, name in zip(panels, many, names, strict=False):
                for run in middle.runs:
                    axes.plot(middle.days[run], middle.value[run], color="#aab6c1", linewidth=0.9, zorder=1)
                value_axis(axes, many, self.texts, zero=zero, about=2, cover=False)
                ribbon(axes, series, colour=NAVY, width=1.6)
                size = 8.5 if narrow else 9.5
                axes.set_title("\n".join(name), loc="left", fontsize=size, color=INK, fontweight="bold", pad=5)
                axes.set_xticks(list(mdates.date2num([series.dates[0], series.dates[-1]])))
                ends = [self.texts.month(series.dates[i]) for i in (0, -1)]
                axes.set_xticklabels(
                    ends
                    if ends[0] != ends[1]
                    else [self.texts.day(series.dates[i], year=False, short=True) for i in (0, -1)],
                    fontsize=8,
                )
                labels = axes.get_xticklabels()
                if len(labels) == 2:
                    labels[0].set_horizontalalignment("left")
                    labels[1].set_horizontalalignment("right")
                axes.tick_params(labelsize=8)
            for index, axes in enumerate(panels):
                if index % columns:
                    axes.set_yticklabels([])
            for axes in panels[len(many) :]:
                axes.set_visible(False)
            return canvas

        return Chart(words, self, draw, tuple(many))

    def dots(self, groups: Sequence[Group], words: Words, *, average: Group | None = None) -> Chart:
        """A dot and an interval per group, in the given order from the top."""

        def draw(narrow: bool) -> Canvas:
            step = 0.25
            longest = max((len(g.name) for g in groups), default=0)
            room = min(longest, 26 if narrow else 34) * 0.075 + 0.15
            extra = 0.2 if average is not None else 0.0
            canvas, axes = sheet(
                words,
                narrow,
                height=len(groups) * step + 1.3 + extra,
                left=room / (NARROW if narrow else WIDE),
                right=0.965,
                drop=extra,
            )
            at = np.arange(len(groups))[::-1]
            value = np.array([g.figure.value for g in groups])
            low = np.array([g.figure.lower for g in groups])
            high = np.array([g.figure.upper for g in groups])
            if average is not None and average.figure.known:
                axes.axvline(average.figure.value, color=ORANGE, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
                axes.annotate(
                    average.name,
                    (average.figure.value, 1),
                    xycoords=("data", "axes fraction"),
                    xytext=(0, 3),
                    textcoords="offset points",
                    fontsize=9,
                    color="#8a3a10",
                    va="bottom",
                    ha="right",
                    annotation_clip=False,
                )
            mark = np.array([] if average is None else [average.figure.value])
            least, most = extent([(value, low, high), (mark,)])
            bottom, top = min(0.0, least), numbers.nice_ceiling(most)
            reach = np.where(np.isposinf(high), top + (top - bottom), high)
            axes.hlines(at, low, reach, color=NAVY, linewidth=2.2, alpha=0.45, zorder=2)
            solid = np.array([not g.figure.weak for g in groups], dtype=bool)
            for which, face in ((solid, NAVY), (~solid, "white")):  # at the edge, too, they are seen whole
                (dots,) = axes.plot(value[which], at[which], "o", color=NAVY, markersize=5.5, zorder=3, clip_on=False)
                dots.set_markerfacecolor(face)
            axes.set_yticks(at, [_shortened(g.name, 26 if narrow else 34) for g in groups])
            axes.set_ylim(-0.7, len(groups) - 0.3)
            axes.tick_params(axis="y", labelsize=9 if narrow else 10.5, labelcolor=INK)
            axes.grid(axis="y", visible=False)
            axes.grid(axis="x", visible=True)
            axes.set_xlim(bottom, top)
            axes.set_xticks(numbers.nice_ticks(bottom, top, about=3 if narrow else 5))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: self.texts.tick(v)))
            axes.spines["bottom"].set_visible(False)
            axes.spines["left"].set_visible(True)
            axes.tick_params(axis="x", length=0)
            return canvas

        return Chart(words, self, draw, (*groups, *([] if average is None else [average])))

    def _time_axis(self, axes: Axes, dates: Sequence[date], narrow: bool) -> None:
        days = (dates[-1] - dates[0]).days
        most = 4 if narrow else 8
        if days > 75:
            months = -(-max(1, round(days / 30.4)) // most)
            step = next(s for s in (1, 2, 3, 4, 6, 12, 24, 60, 120) if s >= months)
            ticks = _month_starts(dates[0], dates[-1], step)
            axes.set_xticks(list(mdates.date2num(ticks)))
            axes.set_xticklabels(
                [
                    self.texts.month(t, year=i == 0 or t.year != ticks[i - 1].year).replace(" ", "\n")
                    for i, t in enumerate(ticks)
                ]
            )
        else:
            chosen = [dates[0]]
            for day in dates[1:]:
                if (day - chosen[-1]).days * most > days:
                    chosen.append(day)
            axes.set_xticks(list(mdates.date2num(chosen)))
            axes.set_xticklabels([self.texts.day(d, year=False, short=True) for d in chosen])
        if days:
            axes.set_xlim(mdates.date2num(dates[0]) - days * 0.01, mdates.date2num(dates[-1]) + days * 0.01)

    def _label(self, axes: Axes, series: Series, narrow: bool) -> None:
        """Name the latest value where it stands, and the peak where it can be told."""
        known = np.flatnonzero(~np.isnan(series.value))
        if not len(known):
            return
        last, peak = int(known[-1]), marked_peak(series)
        decimals = numbers.decimals_for(series.figures)
        days = max((series.dates[-1] - series.dates[0]).days, 1)
        apart = peak is not None and (series.dates[last] - series.dates[peak]).days >= 0.12 * days
        for index in [peak, last] if peak is not None and apart else [last]:
            when = self.texts.day(series.dates[index], year=False, short=True)
            text = self.texts.number(series.value[index], decimals=decimals)
            at = (float(mdates.date2num(series.dates[index])), float(series.value[index]))
            face = NAVY if series.whole[index] else "white"
            axes.plot(*at, "o", color=NAVY, markerfacecolor=face, markersize=5.5, zorder=5, clip_on=False)
            beside = index == last
            left = not beside and (series.dates[index] - series.dates[0]).days < 0.07 * days
            if not beside:
                at = (at[0], float(series.drawn_upper(at[1])[index]))
                low, high = axes.get_ylim()
                axes.set_ylim(low, max(high, low + (at[1] - low) / 0.86))
            axes.annotate(
                f"{text}\n{when}",
                at,
                xytext=(8, 0) if beside else (0, 7),
                textcoords="offset points",
                ha="left" if beside or left else "center",
                va="center" if beside else "bottom",
                fontsize=9.5 if narrow else 10.5,
                color=NAVY,
                fontweight="bold",
                linespacing=1.15,
                annotation_clip=False,
            )


def _median(many: Sequence[Series]) -> Series:
    """The median of several series at each moment, without an interval."""
    value = np.full(len(many[0]), np.nan)
    known = ~np.all(np.isnan([s.value for s in many]), axis=0)
    value[known] = np.nanmedian([s.value[known] for s in many], axis=0)
    first = many[0]
    return Series("", "", first.dates, first.labels, first.whole, value, value, value, ("",) * len(value))


def _month_starts(first: date, last: date, step: int) -> list[date]:
    months = [
        date(m // 12, m % 12 + 1, 1) for m in range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    ]
    return [
        m
        for m in months
        if first <= m <= last and (m.month - 1) % min(step, 12) == 0 and (step <= 12 or m.year % (step // 12) == 0)
    ]


def _shortened(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1].rstrip(" ,") + "…"
