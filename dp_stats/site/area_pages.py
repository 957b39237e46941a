"""A page and a download for each area of a release."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dp_stats.charts import findings, svg
from dp_stats.charts.outline import Outline, area_levels, paged_areas
from dp_stats.charts.reading import Panel, ReleaseView, areas_of
from dp_stats.charts.series import Group
from dp_stats.charts.tilemap import Layout
from dp_stats.charts.wording import band_words, lower_first, sentence, subject, unit_text, unit_words
from dp_stats.site import linked, parts
from dp_stats.site.frame import Cell, Row, Rows, Site, trusted
from dp_stats.texts import numbers
from dp_stats.texts.numbers import Change

NEAR = 6
MOST_DAYS = 56


def area_pages(site: Site, view: ReleaseView, story: Outline, tiles: Layout | None) -> Iterator[str]:
    """Write the page and the CSV of every area; yields each area's code when it is done."""
    paged = paged_areas(view.latest.edition, story)
    every = svg.spots(tiles) if tiles else ""
    for depth, own in area_levels(view.latest.edition, story):
        panel = view.panel(own.areas.id) if own.areas else None
        if panel is None:
            continue
        finest = own is story
        downloads = area_csv(view, panel)
        near = _near(panel, tiles if finest else None)
        larger = _larger(view, own, panel, depth)
        for index, code in enumerate(panel.areas.codes):
            if paged[code] != depth:
                continue
            csv = downloads[index]
            site.writer.write(f"{view.id}/areas/{code}.csv", csv)
            links = Links(depth, paged, near[index], tiles if finest else None, every)
            _page(site, view, own, panel, index, size=len(csv), larger=larger[index], links=links)
            yield code


@dataclass(frozen=True)
class Links:
    """Where an area's page leads: its level, the areas that have pages (and their levels), those nearby, and the map."""

    depth: int
    paged: dict[str, int]
    near: list[tuple[str, str]]
    tiles: Layout | None
    every: str


def area_csv(view: ReleaseView, panel: Panel) -> list[bytes]:
    """Every published row about each area, from all current editions, byte for byte as in the published files."""
    header = b""
    rows: list[list[bytes]] = [[] for _ in panel.areas.codes]
    for revision in view.current:
        edition = revision.edition
        place = edition.geography
        if place is None:
            continue
        for table in edition.tables:
            if table.levels[place.name] != panel.areas.name:
                continue
            lines = (revision.folder / table.file(".csv").path).read_bytes().split(b"\r\n")
            header = lines[0]
            shape = [len(d.level(table.levels[d.name]).codes) for d in edition.dimensions]
            axis = [d.name for d in edition.dimensions].index(place.name)
            inner = int(np.prod(shape[axis + 1 :]))
            outer = len(table.statistics) * int(np.prod(shape[:axis]))
            codes = areas_of(edition, table).codes
            if len(lines) != outer * len(codes) * inner + 2:
                continue
            places = [panel.area_index.get(c) for c in codes]
            for block in range(outer):
                for i, target in enumerate(places):
                    if target is not None:
                        start = 1 + (block * len(codes) + i) * inner
                        rows[target] += lines[start : start + inner]
    return [b"\r\n".join([header, *own, b""]) for own in rows]


def _near(panel: Panel, tiles: Layout | None) -> list[list[tuple[str, str]]]:
    """The nearest areas of each on the map, as (code, name)."""
    if tiles is None:
        return [[] for _ in panel.areas.codes]
    names = dict(zip(panel.areas.codes, panel.areas.names, strict=True))
    codes = [c for c in panel.areas.codes if c in tiles.tiles]
    centres = np.array([tiles.centre(c) for c in codes])
    found: list[list[tuple[str, str]]] = []
    for code in panel.areas.codes:
        if code not in tiles.tiles:
            found.append([])
            continue
        away = np.linalg.norm(centres - np.array(tiles.centre(code)), axis=1)
        order = np.argsort(away, kind="stable")[1 : NEAR + 1]
        found.append([(codes[i], names[codes[i]]) for i in order])
    return found


def _larger(view: ReleaseView, story: Outline, panel: Panel, own_depth: int) -> list[list[Group]]:
    """For each area, its rate and those of the larger areas it is part of; nothing where amounts cannot be compared."""
    statistic = story.rate or (story.metric if story.metric.kind in ("mean", "share", "quantile") else None)
    edition = view.latest.edition
    place = edition.geography
    if statistic is None or place is None or statistic.id not in panel.table.statistics:
        return [[] for _ in panel.areas.codes]
    others = {n: lvl for n, lvl in panel.table.levels.items() if n != place.name}
    chains: list[dict[str, Group]] = []
    maps = []
    for depth, level in enumerate(place.levels[own_depth + 1 :], start=own_depth + 1):
        table = next(
            (
                t
                for t in edition.tables
                if t.levels[place.name] == level.name
                and statistic.id in t.statistics
                and all(t.levels[n] == lvl for n, lvl in others.items())
            ),
            None,
        )
        own = view.panel(table.id, upto=view.latest) if table else None
        chains.append({g.code: g for g in own.by_area(statistic.id)} if own else {})
        maps.append(dict(zip(place.levels[depth - 1].codes, place.levels[depth - 1].parents, strict=False)))
    found = []
    for group in panel.by_area(statistic.id):
        chain, code = [group], group.code
        for parents, groups in zip(maps, chains, strict=True):
            code = parents.get(code, "")
            if code in groups and groups[code].name not in [g.name for g in chain]:
                chain.append(groups[code])
        found.append(chain if len(chain) > 1 else [])
    return found


def _page(
    site: Site,
    view: ReleaseView,
    story: Outline,
    panel: Panel,
    index: int,
    *,
    size: int,
    larger: list[Group],
    links: Links,
) -> None:
    texts, latest, metric = site.texts, view.latest, story.metric
    edition = latest.edition
    code, name = panel.areas.codes[index], panel.areas.names[index]
    series = panel.series(metric.id, index)
    decimals = numbers.decimals_for(series.figures)
    what = subject(texts, metric, name)
    finding = findings.of_series(texts, series, what=what)
    last = series.figure(-1)
    lead = finding
    if len(series) > 1 and last.known and series.figure(-2).known:
        lead = findings.of_change(
            texts,
            Change(series.figure(-2), last),
            what=what,
            before=series.labels[-2],
            after=series.labels[-1],
            decimals=decimals,
        )
    cards = [
        parts.figure_card(
            texts, f"{metric.title}, {panel.periods[-1]}", last, decimals=decimals, unit=unit_text(metric)
        )
    ]
    if story.rate and story.rate.id in panel.table.statistics:
        rate = panel.figure(story.rate.id, area=index)
        cards.append(
            parts.figure_card(
                texts,
                story.rate.title,
                rate,
                decimals=max(1, numbers.decimals_for([rate])),
                unit=unit_text(story.rate),
            )
        )
    if len(series) > 1 and last.known and series.figure(-2).known:
        cards.append(
            parts.change_card(
                texts, texts("area.since", period=panel.periods[-2]), Change(series.figure(-2), last), decimals=decimals
            )
        )
    typical = numbers.typical_margin(series.figures[-12:])
    margin = numbers.number(numbers.rounded(typical), decimals=0 if typical >= 10 else decimals)
    population = panel.areas.population[index] if panel.areas.population else None
    place = edition.geography
    parent = panel.areas.parents[index] if panel.areas.parents else ""
    above = place.levels[links.depth + 1] if place and len(place.levels) > links.depth + 1 else None
    parents = dict(zip(above.codes, above.names, strict=True)) if above else {}
    facts = []
    if parent in parents and len(parents) > 1:
        facts.append((texts("area.part_of"), parents[parent], f"{parent}.html" if parent in links.paged else ""))
    facts.append((texts("area.code"), code, ""))
    if population:
        facts.append((texts("area.people"), numbers.number(population), ""))
    below = place.levels[links.depth - 1] if place and links.depth else None
    inside = (
        sorted(
            (n, c)
            for c, n, up in zip(below.codes, below.names, below.parents, strict=True)
            if up == code and links.paged.get(c) == links.depth - 1
        )
        if below
        else []
    )
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
                Cell(numbers.number(f.value, decimals=decimals), n=True),
                Cell(texts.between(f, decimals=decimals), n=True),
                parts.note_cell(texts, f),
            ),
        )
        for label, f in list(zip(series.labels, series.figures, strict=True))[::-1][:120]
    ]
    page = f"{view.id}/areas/{code}.html"
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
            download=f"{view.id}/areas/{code}.csv",
        ),
        name=name,
        release=edition.release.title,
        finding=lead,
        trail=[
            (texts("site.home"), "../../index.html"),
            (edition.release.title, "../index.html"),
            (texts("release.areas"), "index.html"),
        ],
        facts=facts,
        cards=cards,
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
        compared=_compared(site, story, larger, panel, panel.periods[-1]),
        table=Rows(
            texts("area.table_caption", what=metric.title, area=name),
            head,
            rows,
            parts.marks_line(texts, series.figures),
        ),
        all=texts("area.table", area=name),
        csv={"href": f"{code}.csv", "text": texts("area.download", area=name, size=texts.file_size(size))},
        near=[{"href": f"{c}.html", "name": n} for c, n in links.near],
        inside={
            "title": texts("area.inside", area=texts.place(name)),
            "areas": [{"href": f"{c}.html", "name": n} for n, c in inside],
        }
        if inside
        else None,
        locator=trusted(svg.locator(links.tiles, code, links.every)) if links.tiles else "",
    )


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
            bars=texts("chart.bars_weak" if any(g.figure.weak for g in groups) else "chart.bars"),
        ),
        "svg": trusted(svg.dots("groups", groups, title=title, description=finding, zero=story.zero)),
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
        "sub": texts("area.compared_sub", what=what, period=period, bars=texts("chart.bars")),
        "svg": trusted(svg.dots("compared", larger, title=title, description=finding, zero=story.zero)),
        "finding": finding,
    }
