"""The tile map of a release as the template shows it."""

from __future__ import annotations

from typing import Any

from dp_stats.charts import hexagons, maps
from dp_stats.charts.outline import Outline
from dp_stats.charts.panels import Panel
from dp_stats.charts.tilemap import Layout
from dp_stats.site.frame import Site, trusted


def tile_map(site: Site, panel: Panel, story: Outline, tiles: Layout, *, areas: str) -> dict[str, Any]:
    """The map of one moment with its key; tiles lead to ``areas``."""
    drawn = maps.tile_map(site.texts, panel, story, tiles, areas=areas)
    return {
        "title": drawn.title,
        "sub": site.texts("release.map_sub", period=panel.periods[-1]),
        "svg": trusted(drawn.svg),
        "key": [{"css": entry.css, "text": entry.text, "count": site.texts.number(entry.count)} for entry in drawn.key],
        "hexagon": hexagons.HEXAGON,
        "unsure": any(g.figure.weak for g in drawn.groups),
        "finding": drawn.finding,
        "counts": not drawn.rate,
        "areas": areas,
        "all": site.texts("release.all_areas", count=site.texts.number(len(drawn.groups))),
    }
