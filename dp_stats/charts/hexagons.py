"""Maps of one hexagon per area, drawn straight into a page: every area in its class, one area's place, or the land's shape."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from dp_stats.charts.coloured import Mark, in_classes
from dp_stats.charts.series import Group
from dp_stats.charts.svg import opened
from dp_stats.charts.tilemap import Layout
from dp_stats.texts.words import Texts

SCALE = 20
HEXAGON = "M0-11l9.5 5.5v11L0 11l-9.5-5.5v-11z"


def tiles(
    id: str,
    layout: Layout,
    groups: Sequence[Group],
    bounds: Sequence[float],
    texts: Texts,
    *,
    title: str,
    description: str,
    areas: str = "",
) -> str:
    """One hexagon per area in the colour of its class, with its value and interval for a pointer that rests on it.

    Areas of low reliability carry a dot, so that colour is not the only sign.
    """
    width, height = layout.size
    box = f"-12 -12 {width * SCALE + 24:.0f} {height * SCALE + 24:.0f}"
    marks = {}
    for code in layout.tiles:
        across, down = (v * SCALE for v in layout.centre(code))
        attributes = f'href="#{id}-h" x="{across:.0f}" y="{down:.0f}"'
        marks[code] = Mark("use", attributes, f"{across:.0f} {down:.0f}")
    link = f' data-areas="{escape(areas)}"' if areas else ""
    out = opened(id, title, description, css="tiles", attributes=f'viewBox="{box}"{link}')
    hexagon = f'<defs><path id="{id}-h" d="{HEXAGON}"/></defs>'
    return f"{out}{hexagon}{in_classes(marks, groups, bounds, texts)}</svg>"


def spots(layout: Layout) -> str:
    """Every tile as a dot, as the data of a path."""
    return "".join(f"M{x * SCALE:.0f} {y * SCALE:.0f}h0" for x, y in layout.centres.values())


def locator(layout: Layout, code: str, every: str) -> str:
    """A small picture of all tiles (``every``: their ``spots``) with one marked; the page says the same in words."""
    if code not in layout.tiles:
        return ""
    width, height = layout.size
    x, y = (v * SCALE for v in layout.centre(code))
    return (
        f'<svg class="locator" viewBox="-22 -22 {width * SCALE + 44:.0f} {height * SCALE + 44:.0f}" '
        'aria-hidden="true" focusable="false">'
        f'<path class="all" d="{every}"/><circle cx="{x:.0f}" cy="{y:.0f}" r="19"/></svg>'
    )


def silhouette(layout: Layout, groups: Sequence[Group], bounds: Sequence[float]) -> str:
    """The map without words, as an ornament: one path of dots per class."""
    width, height = layout.size
    paths: dict[int, str] = {}
    for group in groups:
        if group.code in layout.tiles and group.figure.known:
            x, y = (v * SCALE for v in layout.centre(group.code))
            index = int(np.searchsorted(bounds, group.figure.value, side="right"))
            paths[index] = paths.get(index, "") + f"M{x:.0f} {y:.0f}h0"
    drawn = "".join(f'<path class="s{index}" d="{path}"/>' for index, path in sorted(paths.items()))
    return (
        f'<svg class="silhouette" viewBox="-12 -12 {width * SCALE + 24:.0f} {height * SCALE + 24:.0f}" aria-hidden="true" '
        f'focusable="false">{drawn}</svg>'
    )
