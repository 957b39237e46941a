"""The maps of a release as the template shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dp_stats.charts import hexagons, maps
from dp_stats.charts.outline import Outline
from dp_stats.charts.panels import Panel
from dp_stats.charts.tilemap import Layout
from dp_stats.site.frame import Site, trusted


def tile_map(site: Site, panel: Panel, story: Outline, tiles: Layout, *, areas: str) -> dict[str, Any]:
    """The map of one moment with its key; tiles lead to ``areas``."""
    drawn = maps.tile_map(site.texts, panel, story, tiles, areas=areas)
    return _shown(site, panel, drawn, "release.map_sub", "release.map_note", areas)


def true_map(site: Site, panel: Panel, story: Outline, shapes: Mapping[str, Any], *, areas: str) -> dict[str, Any]:
    """The same on the boundaries of areas."""
    drawn = maps.true_map(site.texts, panel, story, shapes, areas=areas)
    return _shown(site, panel, drawn, "map.sub", "map.note", areas)


def _shown(site: Site, panel: Panel, drawn: maps.TileMap, sub: str, note: str, areas: str) -> dict[str, Any]:
    return {
        "title": drawn.title,
        "sub": site.texts(sub, period=panel.periods[-1]),
        "note": site.texts(note),
        "svg": trusted(drawn.svg),
        "key": [{"css": entry.css, "text": entry.text, "count": site.texts.number(entry.count)} for entry in drawn.key],
        "hexagon": hexagons.HEXAGON,
        "unsure": any(g.figure.weak for g in drawn.groups),
        "finding": drawn.finding,
        "counts": not drawn.rate,
        "areas": areas,
        "all": site.texts("release.all_areas", count=site.texts.number(len(drawn.groups))),
    }
