"""The page of one area: its series, its strata, where it lies and what it is part of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urlencode

from dp_stats.charts import findings, hexagons, svg
from dp_stats.charts.outline import Outline
from dp_stats.charts.panels import Panel
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.series import Group, Series
from dp_stats.charts.tilemap import Layout
from dp_stats.charts.wording import band_words, bars_words, lower_first, sentence, subject, unit_text, unit_words
from dp_stats.editions.truncated import said_beside
from dp_stats.files import segment
from dp_stats.site import linked, parts
from dp_stats.site.common import FIND
from dp_stats.site.frame import Card, Cell, Row, Rows, Site, trusted
from dp_stats.texts import numbers
from dp_stats.texts.numbers import Change

MOST_DAYS = 56
MOST_MOMENTS = 120
"""How many days are drawn, and how many moments are listed."""


@dataclass(frozen=True)
class Links:
    """Where an area's page leads: its level, the areas that have pages (and their levels), those nearby, the map,
    what areas are called in measurements, where readers can compare them, and the areas that one page shows together."""

    depth: int
    paged: dict[str, int]
    near: list[tuple[str, str]]
    tiles: Layout | None
    every: str
    by: str
    together: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Area:
    """One area of a panel, on the site of a release."""

    site: Site
    view: ReleaseView
    story: Outline
    panel: Panel
    index: int
    change: Change | None
    """How its latest figure differs from the one before, told where that is clear among all areas."""

    @property
    def code(self) -> str:
        """Its public code."""
        return self.panel.areas.codes[self.index]

    @property
    def name(self) -> str:
        """What readers call it."""
        return self.panel.areas.names[self.index]

    @cached_property
    def series(self) -> Series:
        """The release's metric along time."""
        return self.panel.series(self.story.metric.id, self.index)

    @cached_property
    def decimals(self) -> int:
        """How many decimals the series deserves."""
        return numbers.decimals_for(self.series.figures)

    @cached_property
    def what(self) -> str:
        """What its sentences are about."""
        return subject(self.site.texts, self.story.metric, self.name)


def area_page(area: Area, *, size: int, larger: list[Group], beside: bytes, links: Links) -> None:
    """Write ``<release>/areas/<code>.html``.

    Args:
        size: of the area's CSV, in bytes. larger: its rate and those of the areas it is part of, and as CSV ``beside``.
    """
    site, view, story, panel, series = area.site, area.view, area.story, area.panel, area.series
    texts, edition, metric = site.texts, view.latest.edition, story.metric
    code, name, what = area.code, area.name, area.what
    finding = findings.of_series(texts, series, what=what)
    typical = numbers.typical_margin(series.figures[-12:])
    margin = texts.number(numbers.rounded(typical), decimals=0 if typical >= 10 else area.decimals)
    inside = _inside(area, links)
    compared = _compared(site, story, larger, panel, panel.periods[-1])
    if compared:
        site.writer.write(f"{view.id}/areas/{compared['data']}", beside)
    page = f"{view.id}/areas/{segment(code)}.html"
    site.render(
        "area.html",
        page,
        linked=linked.part(
            site,
            edition,
            name=f"{edition.release.title}: {name}",
            description=finding,
            page=page,
            place=name,
            download=f"{view.id}/areas/{segment(code)}.csv",
        ),
        name=name,
        release=edition.release.title,
        finding=_lead(area, finding),
        trail=[
            (texts("site.home"), "../../index.html"),
            (edition.release.title, "../index.html"),
            (texts("release.areas"), "index.html"),
        ],
        facts=_facts(area, links),
        cards=_cards(area),
        left_out=said_beside(edition, [metric.id, *([story.rate.id] if story.rate else [])], texts),
        noise=texts("area.noise", margin=margin),
        chart={
            "title": what,
            "sub": sentence(
                texts("area.series_sub", unit=unit_words(texts, edition, panel, metric), band=band_words(texts, series))
            ),
            "svg": trusted(svg.line("series", series, texts, title=what, description=finding, zero=story.zero)),
            "finding": finding,
        },
        days=_days(site, view, story, code),
        groups=_groups(site, view, story, code, name),
        compare=f"../compare.html#{urlencode({'by': links.by, 'code': code})}" if links.by else "",
        compared=compared,
        table=_table(area),
        all=texts("area.table", area=name),
        csv={"href": f"{segment(code)}.csv", "text": texts("area.download", area=name, size=texts.file_size(size))},
        near=[{"href": f"{segment(c)}.html", "name": n} for c, n in links.near],
        inside={
            "title": texts("area.inside", area=texts.place(name)),
            "areas": [{"href": _href(c, links), "name": n} for n, c in inside],
        }
        if inside
        else None,
        locator=trusted(hexagons.locator(links.tiles, code, links.every)) if links.tiles else "",
    )


def _lead(area: Area, finding: str) -> str:
    """What the page says first: the latest change, or else the whole series."""
    change, labels = area.change, area.series.labels
    if change is None:
        return finding
    return findings.of_change(
        area.site.texts, change, what=area.what, before=labels[-_step(area)], after=labels[-1], decimals=area.decimals
    )


def _step(area: Area) -> int:
    """Where from the end the moment stands that the last one is compared with: the one before, or the same day a week before."""
    return 8 if area.series.by_day else 2


def _cards(area: Area) -> list[Card]:
    """The latest figure, its rate, and what has changed."""
    texts, panel, metric, rate = area.site.texts, area.panel, area.story.metric, area.story.rate
    label = f"{metric.title}, {panel.periods[-1]}"
    cards = [parts.figure_card(texts, label, area.series.figure(-1), decimals=area.decimals, unit=unit_text(metric))]
    if rate and rate.id in panel.table.statistics:
        figure = panel.figure(rate.id, area=area.index)
        decimals = max(1, numbers.decimals_for([figure]))
        cards.append(parts.figure_card(texts, rate.title, figure, decimals=decimals, unit=unit_text(rate)))
    if area.change is not None:
        since = texts("area.since", period=panel.periods[-_step(area)])
        cards.append(parts.change_card(texts, since, area.change, decimals=area.decimals))
    return cards


def _facts(area: Area, links: Links) -> list[tuple[str, str, str]]:
    """What it is part of, its code and its people, as (label, text, link)."""
    texts, areas, place = area.site.texts, area.panel.areas, area.view.latest.edition.geography
    population = areas.population[area.index] if areas.population else None
    parent = areas.parents[area.index] if areas.parents else ""
    above = place.levels[links.depth + 1] if place and len(place.levels) > links.depth + 1 else None
    parents = dict(zip(above.codes, above.names, strict=True)) if above else {}
    facts = []
    if parent in parents and (len(parents) > 1 or parent in links.paged):
        facts.append(
            (texts("area.part_of"), parents[parent], f"{segment(parent)}.html" if parent in links.paged else "")
        )
    facts.append((texts("area.code"), area.code, ""))
    if population:
        facts.append((texts("area.people"), texts.number(population), ""))
    return facts


def _inside(area: Area, links: Links) -> list[tuple[str, str]]:
    """The areas that are shown and are part of it, as (name, code)."""
    place = area.view.latest.edition.geography
    below = place.levels[links.depth - 1] if place and links.depth else None
    if below is None:
        return []
    return sorted(
        (n, c)
        for c, n, up in zip(below.codes, below.names, below.parents, strict=True)
        if up == area.code and (c in links.together or links.paged.get(c, links.depth) < links.depth)
    )


def _href(code: str, links: Links) -> str:
    """Where an area is shown, from the page of another."""
    return f"../{FIND}#area={quote(code)}" if code in links.together else f"{segment(code)}.html"


def _table(area: Area) -> Rows:
    """The series as a table, newest first."""
    texts, series = area.site.texts, area.series
    head = [
        Cell(texts("area.when")),
        Cell(texts("release.value"), n=True),
        Cell(texts("release.interval"), n=True),
        Cell(texts("release.note")),
    ]
    rows = [
        Row(
            label[:1].upper() + label[1:],
            (
                Cell(texts.number(f.value, decimals=area.decimals), n=True),
                Cell(texts.between(f, decimals=area.decimals), n=True),
                parts.note_cell(texts, f),
            ),
        )
        for label, f in list(zip(series.labels, series.figures, strict=True))[::-1][:MOST_MOMENTS]
    ]
    caption = texts("area.table_caption", what=area.story.metric.title, area=area.name)
    return Rows(caption, head, rows, parts.marks_line(texts, series.figures))


def _days(site: Site, view: ReleaseView, story: Outline, code: str) -> dict[str, object] | None:
    """The last weeks day by day, where a table has them."""
    panel = view.panel(story.areas_fine.id) if story.areas_fine else None
    if panel is None or code not in panel.area_index:
        return None
    texts = site.texts
    series = panel.series(story.metric.id, panel.area_index[code]).last(MOST_DAYS)
    title = f"{texts('area.days')}: {series.name}"
    finding = findings.of_series(texts, series, what=subject(texts, story.metric, series.name))
    return {
        "title": title,
        "sub": texts("area.days_sub", count=len(series), band=band_words(texts, series)),
        "svg": trusted(svg.line("days", series, texts, title=title, description=finding, zero=story.zero)),
        "finding": finding,
    }


def _groups(site: Site, view: ReleaseView, story: Outline, code: str, name: str) -> dict[str, object] | None:
    """The newest values of the area's strata."""
    panel = view.panel(story.area_groups.id) if story.area_groups else None
    if panel is None or code not in panel.area_index:
        return None
    texts = site.texts
    groups = panel.by_group(story.metric.id, area=panel.area_index[code])[:40]
    title = texts(
        "area.groups",
        group=f"{story.metric.title} {lower_first(texts('release.by_group', group=lower_first(panel.groups.title)))}",
        area=name,
    )
    finding = findings.of_groups(texts, groups, what=title, when=panel.labels[-1])
    return {
        "title": title,
        "sub": texts(
            "area.groups_sub",
            period=panel.periods[-1],
            bars=bars_words(texts, groups),
        ),
        "svg": trusted(svg.dots("groups", groups, texts, title=title, description=finding, zero=story.zero)),
        "finding": finding,
    }


def _compared(site: Site, story: Outline, larger: list[Group], panel: Panel, period: str) -> dict[str, object] | None:
    """The area's rate beside those of the larger areas it is part of."""
    if not larger:
        return None
    texts = site.texts
    statistic = story.rate or story.metric
    what = f"{statistic.title} {statistic.unit}".strip()
    finding = findings.of_groups(texts, larger, what=what, when=panel.labels[-1])
    title = texts("area.compared")
    return {
        "title": title,
        "sub": texts("area.compared_sub", what=what, period=period, bars=bars_words(texts, larger)),
        "svg": trusted(svg.dots("compared", larger, texts, title=title, description=finding, zero=story.zero)),
        "finding": finding,
        "data": f"{segment(larger[0].code)}~compared.csv",
    }
