"""The chart that lies in an edition's own folder: of its own tables alone, so that it never changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from matplotlib import font_manager

from dp_stats.charts import findings
from dp_stats.charts.drawing import Chart, Studio
from dp_stats.charts.panels import Panel, areas_of, groups_of
from dp_stats.charts.reading import ReleaseView, Revision
from dp_stats.charts.series import MOST_RANKED, Group, ranked
from dp_stats.charts.sheets import Words
from dp_stats.charts.wording import band_words, bars_words, lower_first, sentence, source_line, subject, unit_words
from dp_stats.editions.edition import Edition, StatisticFacts, TableFacts
from dp_stats.editions.languages import said_in
from dp_stats.errors import PublishedError
from dp_stats.files import file_sha256
from dp_stats.texts.words import Texts


def edition_pictures(
    edition: Edition, folder: Path, *, studio: Studio, further: Sequence[Studio] = ()
) -> dict[str, bytes]:
    """The chart as the files of the edition's folder: name → content (see ``edition_chart``); ``chart-cy.svg`` and so on in
    further languages."""
    charts = {"chart": edition_chart(edition, folder, studio=studio)}
    for other in further:
        charts[f"chart-{other.texts.language}"] = edition_chart(said_in(edition, other.texts), folder, studio=other)
    return {
        f"{name}.{form}": content
        for name, chart in charts.items()
        for form, content in (("svg", chart.svg.encode()), ("png", chart.png))
    }


def illustrator(
    reports: Path, texts: Texts, further: Sequence[Texts] = (), *, rough: bool = False
) -> Callable[[Edition, Path], dict[str, bytes]]:
    """What draws an edition's pictures in each language; ``rough`` where nobody keeps them."""
    own, *others = (Studio(reports, spoken, rough=rough) for spoken in (texts, *further))
    return partial(edition_pictures, studio=own, further=others)


def edition_chart(edition: Edition, folder: Path, *, studio: Studio) -> Chart:
    """Draw an edition's headline table: along time where it has several moments, else one dot per area or group.

    Where it has areas and groups at once, the table of the same areas without groups is drawn; else a dot for each of both.

    Args:
        edition: its facts, with tables and files. folder: where its Parquet files are. studio: style and language.

    Raises:
        PublishedError: the headline table cannot be read.
    """
    texts = studio.texts
    revision = Revision(edition, folder, "final")
    metric = edition.statistic(edition.headline.statistics[0])
    panel = ReleaseView(edition.release.id, (revision,), texts).panel(_drawn(edition, metric).id)
    if panel is None:
        raise PublishedError(f"{edition.path}: the headline table '{edition.headline.id}' is missing. Report this.")
    single = len(panel.areas.codes) == len(panel.groups.codes) == 1
    if single and len(panel.dates) > 1:
        series = panel.series(metric.id)
        what = subject(texts, metric, panel.areas.names[0])
        subtitle = texts(
            "release.headline_sub",
            unit=unit_words(texts, edition, panel, metric),
            start=texts.day(series.dates[0]),
            end=texts.day(edition.period.end),
            band=band_words(texts, series),
        )
        words = Words(
            what, sentence(subtitle), source_line(texts, edition), findings.of_series(texts, series, what=what)
        )
        return studio.headline(series, words)
    by_area = len(panel.areas.codes) > 1
    groups = _all_of(panel, metric) if by_area else panel.by_group(metric.id)
    shown = ranked(groups)[:MOST_RANKED] if by_area else groups[:MOST_RANKED]
    by = ", ".join(lower_first(level.title) for level in (panel.areas, panel.groups) if len(level.codes) > 1)
    title = f"{metric.title} {lower_first(texts('release.by_group', group=by or lower_first(panel.groups.title)))}"
    words = Words(
        title=title,
        subtitle=texts("release.dots_sub", period=panel.periods[-1], bars=bars_words(texts, shown)),
        source=source_line(texts, edition),
        alt=findings.of_groups(texts, groups, what=title, when=panel.labels[-1]),
    )
    return studio.dots(shown, words)


def _drawn(edition: Edition, metric: StatisticFacts) -> TableFacts:
    """The table that the chart shows: the headline, or without its groups where it has areas, too."""
    headline, areas = edition.headline, areas_of(edition, edition.headline)
    if len(areas.codes) == 1 or len(groups_of(edition, headline).codes) == 1:
        return headline
    plain = (
        table
        for table in edition.tables
        if table.across is None
        and metric.id in table.statistics
        and areas_of(edition, table).name == areas.name
        and len(groups_of(edition, table).codes) == 1
    )
    time = edition.date.name if edition.date else ""
    return min(plain, key=lambda table: table.levels.get(time) != headline.levels.get(time), default=headline)


def _all_of(panel: Panel, metric: StatisticFacts) -> tuple[Group, ...]:
    """Every area's figure, or that of every group in every area where there are groups, too."""
    if len(panel.groups.codes) == 1:
        return panel.by_area(metric.id)
    return tuple(
        Group(f"{code}.{one.code}", f"{name}, {one.name}", one.figure, listed=one.listed and code not in panel.unlisted)
        for area, (code, name) in enumerate(zip(panel.areas.codes, panel.areas.names, strict=True))
        for one in panel.by_group(metric.id, area=area)
    )


def font_of(studio: Studio) -> str:
    """The file of the font that a style finds on this machine, and the start of its SHA-256."""
    with studio.style():
        found = Path(font_manager.findfont(font_manager.FontProperties()))
    return f"{found.name} {file_sha256(found)[:12]}"
