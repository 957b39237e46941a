"""The maps of a release: where its tiles come from, and one moment drawn on them, or on true boundaries, with its key."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from dp_stats.charts import findings, hexagons, shapes
from dp_stats.charts.outline import Outline
from dp_stats.charts.panels import Panel
from dp_stats.charts.series import Group
from dp_stats.charts.tilemap import Layout, classes, layout
from dp_stats.charts.wording import lower_first
from dp_stats.editions.edition import Edition, TableFacts
from dp_stats.texts.words import Texts


@dataclass(frozen=True)
class KeyEntry:
    """One class of a map's key: its style, its limits in words, and how many areas are in it."""

    css: str
    text: str
    count: int


@dataclass(frozen=True)
class TileMap:
    """A drawn map. ``rate`` says whether a rate is mapped; counts of places of unequal size are hard to compare."""

    title: str
    svg: str
    key: tuple[KeyEntry, ...]
    finding: str
    groups: tuple[Group, ...]
    rate: bool


def layout_of(edition: Edition, table: TableFacts, *, kept: Path) -> Layout | None:
    """The tiles of a table's areas: a layout in the folder ``kept`` that covers them, or one computed from their centroids."""
    place = edition.geography
    if place is None or table.levels[place.name] != place.levels[0].name:
        return None
    codes = [c for c in place.levels[0].codes if c != place.unknown]
    for path in sorted(kept.glob("*.csv")):
        drawn = Layout.load(path)
        if drawn.covers(codes):
            return drawn.of(codes)
    if place.longitude is None or place.latitude is None:
        return None
    parents = place.levels[0].parents or ("",) * len(place.levels[0].codes)
    known = [
        (c, x, y, p)
        for c, x, y, p in zip(place.levels[0].codes, place.longitude, place.latitude, parents, strict=True)
        if x is not None and y is not None
    ]
    if len(known) < 0.9 * len(codes) or len(known) < 4:
        return None
    return layout([k[0] for k in known], [k[1] for k in known], [k[2] for k in known], groups=[k[3] for k in known])


def tile_map(texts: Texts, panel: Panel, story: Outline, tiles: Layout, *, areas: str) -> TileMap:
    """The map of one moment with its key; rates are mapped where there are any, for they compare places fairly."""

    def draw(groups: Sequence[Group], bounds: Sequence[float], title: str, finding: str) -> str:
        return hexagons.tiles("map", tiles, groups, bounds, texts, title=title, description=finding, areas=areas)

    return _map(texts, panel, story, tiles.tiles, draw)


def true_map(texts: Texts, panel: Panel, story: Outline, drawn: Mapping[str, Any], *, areas: str) -> TileMap:
    """The same on the boundaries of areas (``outlets.shapes.drawings``)."""

    def draw(groups: Sequence[Group], bounds: Sequence[float], title: str, finding: str) -> str:
        return shapes.areas("map", drawn, groups, bounds, texts, title=title, description=finding, areas=areas)

    return _map(texts, panel, story, drawn["shapes"], draw)


def _map(
    texts: Texts,
    panel: Panel,
    story: Outline,
    there: Collection[str],
    draw: Callable[[Sequence[Group], Sequence[float], str, str], str],
) -> TileMap:
    """Classes, key and words of a map that has the areas ``there``."""
    rate = story.rate is not None and story.rate.id in panel.table.statistics
    statistic = story.rate if rate and story.rate else story.metric
    groups = panel.by_area(statistic.id)
    bounds = classes([g.figure.value for g in groups if g.code in there])
    decimals = 0 if all(float(b).is_integer() for b in bounds) else 1
    what = statistic.title + (f" {statistic.unit}" if rate else "")
    key: list[KeyEntry] = []
    edges = [-math.inf, *bounds, math.inf]
    for index, (low, high) in enumerate(pairwise(edges)):
        count = sum(low <= g.figure.value < high for g in groups if g.code in there)
        if not bounds:
            text = what
        elif index == 0:
            text = texts("release.key_first", bound=texts.number(high, decimals=decimals))
        elif index == len(bounds):
            text = texts("release.key_open", bound=texts.number(low, decimals=decimals))
        else:
            text = texts(
                "release.key_between",
                low=texts.number(low, decimals=decimals),
                high=texts.number(high, decimals=decimals),
            )
        key.append(KeyEntry(f"k{index}", text, count))
    finding = findings.of_groups(texts, groups, what=what, when=panel.labels[-1])
    title = texts("release.map_title", what=what, level=lower_first(panel.areas.title))
    return TileMap(
        title=title,
        svg=draw(groups, bounds, title, finding),
        key=tuple(key),
        finding=finding,
        groups=groups,
        rate=rate,
    )
