"""Pieces that several pages are made of: cards, and tables of values with their marks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from dp_stats.charts import svg
from dp_stats.charts.outline import Outline, outline
from dp_stats.charts.panels import Panel
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.series import Group
from dp_stats.site.frame import Card, Cell, Row, Rows, trusted
from dp_stats.texts import numbers
from dp_stats.texts.numbers import Change, Figure
from dp_stats.texts.words import Texts


def outline_of(view: ReleaseView) -> Outline:
    """Which tables tell the story of a release."""
    return outline(view.latest.edition, editions=len(view.current))


def decimals_of(panel: Panel, statistic: str) -> int:
    """How many decimals a metric of a panel's latest moment deserves."""
    return numbers.decimals_for(
        panel.figure(statistic, area=a, group=g)
        for a in range(min(len(panel.areas.codes), 400))
        for g in range(min(len(panel.groups.codes), 12))
    )


def figure_card(texts: Texts, label: str, figure: Figure, *, decimals: int, unit: str = "", note: str = "") -> Card:
    """A card for one figure, with its interval on a scale from zero."""
    if not figure.known:
        return Card(label, texts("figure.none"), word=True)
    marks = "; ".join(
        f"{name}: {meaning}"
        for mark in figure.status.split()
        if mark in ("u", "low")
        for name, meaning in texts.status(mark)
    )
    return Card(
        label,
        texts.number(figure.value, decimals=decimals),
        unit,
        texts.between(figure, decimals=decimals),
        " ".join(part for part in (note, marks) if part),
        trusted(svg.interval_bar(figure)),
        (texts.number(figure.lower, decimals=decimals), texts.number(figure.upper, decimals=decimals)),
    )


def change_card(texts: Texts, label: str, change: Change, *, decimals: int, say_early: bool = True) -> Card:
    """A card that says whether a figure rose, fell, or cannot be told from the earlier one, and by how much with its interval.

    Args:
        say_early: whether it says of a provisional figure that it is expected to rise; False where that is said beside it.
    """
    note = ""
    if change.direction == "early":
        note = texts("release.early") if say_early else ""
    elif math.isfinite(change.figure.margin):
        note = texts("release.by", **change_words(texts, change.figure, decimals=decimals))
        note += f" {texts('release.among')}" if change.lost_among_many else ""
    return Card(label, texts(f"change.word.{change.direction}"), note=note, word=True)


def change_words(texts: Texts, step: Figure, *, decimals: int) -> dict[str, str]:
    """A difference with its sign, and its interval: ``change`` and ``interval``."""
    sign = "+" if step.value > 0 else ""
    change = f"{sign}{texts.number(step.value, decimals=decimals)}"
    return {"change": change, "interval": texts.between(step, decimals=decimals)}


def marks_line(texts: Texts, figures: Sequence[Figure]) -> str:
    """An explanation of every reliability mark that tells some of the figures from others."""
    seen = sorted({mark for figure in figures for mark in figure.status.split()} - common_marks(figures))
    return "; ".join(f"{name}: {meaning}" for mark in seen for name, meaning in texts.status(mark))


def common_marks(figures: Iterable[Figure]) -> frozenset[str]:
    """Marks that every figure bears, such as ``p`` in a provisional edition: the page says them once."""
    sets = [frozenset(f.status.split()) for f in figures if f.known]
    return frozenset.intersection(*sets) if sets else frozenset()


def note_cell(texts: Texts, figure: Figure, *, but: frozenset[str] = frozenset()) -> Cell:
    """The names of a figure's reliability marks, but for those said elsewhere."""
    kept = " ".join(mark for mark in figure.status.split() if mark not in but)
    return Cell(", ".join(name for name, _ in texts.status(kept)))


def groups_table(
    texts: Texts,
    groups: Sequence[Group],
    *,
    caption: str,
    first: str,
    unit: str = "",
    links: dict[str, str] | None = None,
) -> Rows:
    """Groups with their estimates, intervals and marks."""
    decimals = numbers.decimals_for(g.figure for g in groups)
    said = common_marks(g.figure for g in groups)
    noted = any(set(g.figure.status.split()) - said for g in groups)
    head = [Cell(first), Cell(texts("release.value"), n=True), Cell(texts("release.interval"), n=True)]
    head += [Cell(texts("release.note"))] if noted else []
    rows = [
        Row(
            g.name,
            (
                Cell(texts.number(g.figure.value, decimals=decimals), n=True),
                Cell(texts.between(g.figure, decimals=decimals), n=True),
                *((note_cell(texts, g.figure, but=said),) if noted else ()),
            ),
            (links or {}).get(g.code, ""),
        )
        for g in groups
    ]
    caption += f" ({unit})" if unit else ""
    return Rows(caption, head, rows, marks_line(texts, [g.figure for g in groups]))
