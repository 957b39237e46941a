"""What stands around a chart: its subject, its unit, how its interval is drawn, its source."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dp_stats.charts.panels import Panel
from dp_stats.charts.series import Group, Series
from dp_stats.editions.edition import Edition, StatisticFacts
from dp_stats.texts.numbers import typical_margin
from dp_stats.texts.words import Texts


def lower_first(text: str) -> str:
    """A title inside a sentence; abbreviations keep their capitals."""
    return text if len(text) < 2 or text[1].isupper() else text[0].lower() + text[1:]


def subject(texts: Texts, statistic: StatisticFacts, place: str) -> str:
    """What a sentence is about: ``Confirmed cases in the United Kingdom``."""
    return texts("area.series", what=statistic.title, area=texts.place(place)) if place else statistic.title


def source_line(texts: Texts, edition: Edition) -> str:
    """What stands below every chart."""
    return texts("chart.source", publisher=edition.release.publisher or edition.dataset.custodians[0].name)


def unit_text(statistic: StatisticFacts) -> str:
    """The unit as it stands after a number; none where the statistic's name says it already."""
    said = statistic.unit == "records" or statistic.unit.lower() in statistic.title.lower()
    return "" if said else statistic.unit


def band_words(texts: Texts, series: Series) -> str:
    """How the interval is drawn, or why it can hardly be seen, and what hollow dots and dashed lines are."""
    high = max((f.upper for f in series.figures if f.known and f.bounded), default=0.0)
    thin = typical_margin(series.figures) < 0.006 * high
    drawn = "chart.bars" if len(series) <= 12 else "chart.band_thin" if thin else "chart.band"
    open_end = any(f.known and not f.bounded for f in series.figures)
    more = {"chart.open": open_end, "chart.parts": not series.whole.all(), "chart.break": bool(len(series.breaks))}
    return " ".join([texts(drawn), *(texts(key) for key, there in more.items() if there)])


def bars_words(texts: Texts, groups: Sequence[Group]) -> str:
    """What the lines through dots are, what hollow dots are, and what a line without an end is."""
    figures = [group.figure for group in groups if group.figure.known]
    said = [texts("chart.bars_weak" if any(f.weak for f in figures) else "chart.bars")]
    return " ".join([*said, *([texts("chart.open")] if any(not f.bounded for f in figures) else [])])


def unit_words(texts: Texts, edition: Edition, panel: Panel, statistic: StatisticFacts) -> str:
    """``per week``, ``per day``, or the metric's own unit."""
    fine = len(panel.dates) > 1 and edition.date is not None
    time = panel.table.levels[edition.date.name] if fine and edition.date else edition.period.kind
    per = texts.get("unit.per_edition").get(time, "") if statistic.kind in ("count", "persons", "sum") else ""
    unit = "" if statistic.unit == texts.people(edition.guarantee.unit) else unit_text(statistic)
    return " ".join(part for part in (unit, str(per)) if part)


def sentence(text: str) -> str:
    """One blank between words, none before a comma."""
    return re.sub(r"\s+([,.])", r"\1", re.sub(r"\s+", " ", text)).strip()
