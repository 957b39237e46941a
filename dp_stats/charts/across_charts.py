"""The charts of tables across editions: along time where there are few areas, else the newest period's areas ranked."""

from __future__ import annotations

from dp_stats.charts import findings
from dp_stats.charts.drawing import Chart, Studio
from dp_stats.charts.outline import FEW
from dp_stats.charts.panels import Panel
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.series import MOST_RANKED, ranked
from dp_stats.charts.sheets import Words
from dp_stats.charts.wording import band_words, bars_words, lower_first, sentence, source_line, subject, unit_text
from dp_stats.editions.edition import StatisticFacts


def across_chart(studio: Studio, view: ReleaseView, panel: Panel, metric: StatisticFacts) -> Chart | None:
    """One statistic of a table across editions; None where nothing of it is known, or it has areas and groups at once."""
    texts, edition = studio.texts, view.latest.edition
    if len(panel.areas.codes) > 1 < len(panel.groups.codes):
        return None
    by_area = len(panel.groups.codes) == 1
    level = panel.areas if by_area else panel.groups
    zero = metric.kind in ("across-total", "across-mean", "across-cumulative")
    many = [
        panel.series(metric.id, at) if by_area else panel.series(metric.id, group=at, name=name)
        for at, name in enumerate(level.names)
    ]
    many = [one for one in many if sum(figure.known for figure in one.figures) > 1]
    source = source_line(texts, edition)
    if many and len(level.codes) == 1:
        (series,) = many
        what = subject(texts, metric, panel.areas.names[0])
        told = texts(
            "release.headline_sub",
            unit=unit_text(metric),
            start=texts.day(series.dates[0]),
            end=texts.day(panel.moments[-1].end),
            band=band_words(texts, series),
        )
        words = Words(what, sentence(told), source, findings.of_series(texts, series, what=what))
        return studio.headline(series, words, zero=zero)
    title = f"{metric.title} {lower_first(texts('release.by_group', group=lower_first(level.title)))}"
    if many and len(level.codes) <= FEW:
        told = texts("release.multiples_sub", unit=unit_text(metric), band=band_words(texts, many[0]))
        words = Words(title, sentence(told), source, findings.of_multiples(texts, many, what=title))
        return studio.multiples(many, words, zero=zero)
    every = panel.by_area(metric.id) if by_area else panel.by_group(metric.id)
    groups = tuple(group for group in every if group.figure.known)
    if not groups:
        return None
    told = texts("release.dots_sub", period=panel.periods[-1], bars=bars_words(texts, groups[:MOST_RANKED]))
    alt = findings.of_groups(texts, groups, what=title, when=panel.labels[-1])
    return studio.dots(ranked(groups)[:MOST_RANKED], Words(title, told, source, alt))
