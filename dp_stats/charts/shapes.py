"""Areas drawn with their boundaries, straight into a page: each in the colour of its class, with its value in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dp_stats.charts.coloured import Mark, in_classes
from dp_stats.charts.series import Group
from dp_stats.charts.svg import opened
from dp_stats.texts.words import Texts

ROWS = 40
"""Rows of areas that the keyboard goes through from the top to the bottom of a map."""


def areas(
    id: str,
    drawn: Mapping[str, Any],
    groups: Sequence[Group],
    bounds: Sequence[float],
    texts: Texts,
    *,
    title: str,
    description: str,
    areas: str = "",
) -> str:
    """One path per area in the colour of its class; those of low reliability carry a dot, so that colour is not the only sign.

    Args:
        drawn: ``size`` and ``shapes``, as ``outlets.shapes.drawings`` makes them.
    """
    width, height = drawn["size"]
    marks = {}
    for code, shape in drawn["shapes"].items():
        across, down = shape["at"]
        at = f"{across} {round(down * ROWS / max(height, 1))}"
        marks[code] = Mark("path", f'd="{shape["d"]}" data-at="{at}"', f"{across} {down}")
    link = f' data-areas="{escape(areas)}"' if areas else ""
    box = f"-4 -4 {width + 8} {height + 8}"
    out = opened(id, title, description, css="tiles true", attributes=f'viewBox="{box}"{link}')
    return f"{out}{in_classes(marks, groups, bounds, texts)}</svg>"
