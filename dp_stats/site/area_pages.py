"""A page and a download for each area of a release."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dp_stats.charts import hexagons
from dp_stats.charts.chart_data import csvs_of
from dp_stats.charts.outline import Outline, area_levels
from dp_stats.charts.panels import Panel, areas_of
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.series import Group
from dp_stats.charts.tilemap import Layout
from dp_stats.editions.moments import shape_of
from dp_stats.files import segment
from dp_stats.site.area_page import Area, Links, area_page
from dp_stats.site.combine_page import own_figures
from dp_stats.site.common import areas_together, areas_with_pages, shown_together
from dp_stats.site.frame import Site

NEAR = 6


def area_pages(
    site: Site, view: ReleaseView, story: Outline, tiles: Layout | None, *, most: int | None = None
) -> Iterator[str]:
    """Write the page and the CSV of every area, or of the first ``most`` of a kind; yields each one's code when it is done."""
    paged = areas_with_pages(view, story)
    every = hexagons.spots(tiles) if tiles else ""
    place = view.latest.edition.geography
    by = place.name if place and own_figures(site, view) else ""
    together = frozenset(areas_together(view, story))
    for depth, own in area_levels(view.latest.edition, story):
        panel = view.panel(own.areas.id) if own.areas else None
        if panel is None or shown_together(view, depth):
            continue
        finest = own is story
        downloads = area_csv(view, panel)
        near = _near(panel, tiles if finest else None)
        larger = _larger(view, own, panel, depth)
        beside = csvs_of(larger)
        moved = panel.latest_changes(own.metric.id)
        for index, code in enumerate(panel.areas.codes[:most]):
            if paged.get(code) != depth:
                continue
            csv = downloads[index]
            if not site.tree:  # data are one for all languages
                site.writer.write(f"{view.id}/areas/{segment(code)}.csv", csv)
            links = Links(depth, paged, near[index], tiles if finest else None, every, by, together)
            area = Area(site, view, own, panel, index, moved.get(code))
            area_page(area, size=len(csv), larger=larger[index], beside=beside[index], links=links)
            yield code


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
            if table.across is not None and revision is not view.current[-1]:
                continue  # the newest edition's rows reach back by themselves
            lines = (revision.folder / table.file(".csv").path).read_bytes().split(b"\r\n")
            header = lines[0]
            shape = shape_of(edition, table)
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
