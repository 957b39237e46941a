"""The charts of a release's page: which of them its tables allow, and what they say."""

from __future__ import annotations

from dp_stats.charts import findings
from dp_stats.charts.drawing import Chart, Studio
from dp_stats.charts.outline import FEW, Outline
from dp_stats.charts.panels import Panel
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.series import MOST_RANKED, Group, ranked
from dp_stats.charts.sheets import Words
from dp_stats.charts.wording import (
    band_words,
    bars_words,
    lower_first,
    sentence,
    source_line,
    subject,
    unit_text,
    unit_words,
)
from dp_stats.editions.edition import StatisticFacts

MOST_GROUPS = 40
"""How many groups that have an order of their own are shown."""


def headline(studio: Studio, view: ReleaseView, story: Outline) -> Chart | None:
    """The whole along time; of a release without such a table, or with one moment, there is none."""
    panel = view.panel(story.whole.id) if story.whole else None
    if panel is None or len(panel.dates) < 2:
        return None
    texts, edition, metric = studio.texts, view.latest.edition, story.metric
    series = panel.series(metric.id)
    what = subject(texts, metric, panel.areas.names[0])
    words = Words(
        title=what,
        subtitle=sentence(
            texts(
                "release.headline_sub",
                unit=unit_words(texts, edition, panel, metric),
                start=texts.day(series.dates[0]),
                end=texts.day(edition.period.end),
                band=band_words(texts, series),
            )
        ),
        source=source_line(texts, edition),
        alt=findings.of_series(texts, series, what=what),
    )
    return studio.headline(series, words, zero=story.zero)


def regions(studio: Studio, view: ReleaseView, story: Outline) -> dict[str, Chart]:
    """The regions along time on equal axes, and their latest values ranked."""
    panel = view.panel(story.regions.id) if story.regions else None
    if panel is None:
        return {}
    texts, edition, metric = studio.texts, view.latest.edition, story.metric
    made: dict[str, Chart] = {}
    what = texts("release.by_group", group=lower_first(panel.areas.title))
    many = [panel.series(metric.id, i) for i in range(len(panel.areas.codes))]
    many = [s for s in many if any(f.known for f in s.figures)]
    if len(panel.dates) > 1 and many:
        words = Words(
            title=f"{metric.title} {lower_first(what)}",
            subtitle=sentence(
                texts(
                    "release.multiples_sub",
                    unit=unit_words(texts, edition, panel, metric),
                    band=band_words(texts, many[0]),
                )
            ),
            source=source_line(texts, edition),
            alt=findings.of_multiples(texts, many, what=f"{metric.title} {lower_first(what)}"),
        )
        made["regions"] = studio.multiples(many, words, zero=story.zero)
    statistic = story.rate if story.rate and story.rate.id in panel.table.statistics else metric
    average = _whole(view, story, statistic)
    made["regions-latest"] = _dots(
        studio, view, panel.by_area(statistic.id), statistic, panel, what, by_rank=True, average=average
    )
    return made


def top_areas(studio: Studio, view: ReleaseView, story: Outline) -> Chart | None:
    """The highest areas, for a release whose areas have no map and are too many to show side by side."""
    panel = view.panel(story.areas.id) if story.areas else None
    if panel is None or len(panel.areas.codes) <= FEW:
        return None
    statistic = story.rate if story.rate and story.rate.id in panel.table.statistics else story.metric
    groups = ranked(panel.by_area(statistic.id))
    texts, edition = studio.texts, view.latest.edition
    words = Words(
        title=texts("release.ranked_title", what=statistic.title),
        subtitle=texts(
            "release.ranked_sub",
            period=panel.periods[-1],
            count=min(MOST_RANKED, len(groups)),
            all=len(groups),
            bars=bars_words(texts, groups[:MOST_RANKED]),
        ),
        source=source_line(texts, edition),
        alt=findings.of_groups(texts, groups, what=statistic.title, when=panel.labels[-1]),
    )
    return studio.dots(groups[:MOST_RANKED], words, average=_whole(view, story, statistic))


def by_group(studio: Studio, view: ReleaseView, story: Outline) -> Chart | None:
    """The latest value of each stratum of the whole, in the order of the code list."""
    panel = view.panel(story.groups.id) if story.groups else None
    if panel is None:
        return None
    what = studio.texts("release.by_group", group=lower_first(panel.groups.title))
    groups = panel.by_group(story.metric.id)[:MOST_GROUPS]
    return _dots(studio, view, groups, story.metric, panel, what, by_rank=False)


def _dots(
    studio: Studio,
    view: ReleaseView,
    groups: tuple[Group, ...],
    statistic: StatisticFacts,
    panel: Panel,
    what: str,
    *,
    by_rank: bool,
    average: Group | None = None,
) -> Chart:
    texts, edition = studio.texts, view.latest.edition
    shown = ranked(groups) if by_rank else tuple(g for g in groups if g.figure.known)
    unit = unit_text(statistic) if statistic.kind not in ("count", "persons") else ""
    rate = statistic.kind == "rate"
    title = f"{statistic.title} {unit if rate else ''}".strip() + f" {lower_first(what)}"
    bars = bars_words(texts, groups)
    period = panel.periods[-1] + (f", {unit}" if unit and not rate else "")
    words = Words(
        title=title,
        subtitle=texts("release.dots_sub", period=period, bars=bars),
        source=source_line(texts, edition),
        alt=findings.of_groups(texts, groups, what=title, when=panel.labels[-1]),
    )
    return studio.dots(shown, words, average=average)


def _whole(view: ReleaseView, story: Outline, statistic: StatisticFacts) -> Group | None:
    """The rate of the whole, to compare areas with; amounts of the whole are no comparison."""
    panel = view.panel(story.total.id, upto=view.latest) if story.total else None
    if panel is None or statistic.kind not in ("rate", "mean", "share") or statistic.id not in panel.table.statistics:
        return None
    figure = panel.figure(statistic.id)
    return Group(panel.areas.codes[0], panel.areas.names[0] or panel.table.title, figure)
