"""Areas drawn with their boundaries, straight into a page: each in the colour of its class, with its value in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from dp_stats.charts.series import Group
from dp_stats.charts.svg import opened
from dp_stats.texts import numbers
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
    decimals = numbers.decimals_for(g.figure for g in groups)
    by_class: dict[str, list[str]] = {}
    dotted: list[str] = []
    for group in groups:
        if group.code not in drawn["shapes"]:
            continue
        shape = drawn["shapes"][group.code]
        across, down = shape["at"]
        css = f"k{int(np.searchsorted(bounds, group.figure.value, side='right'))}" if group.figure.known else "none"
        value = texts.number(group.figure.value, decimals=decimals)
        words = f"{group.name}: {value} ({texts.between(group.figure, decimals=decimals)})"
        at = f"{across} {round(down * ROWS / max(height, 1))}"
        by_class.setdefault(css, []).append(
            f'<path d="{shape["d"]}" data-at="{at}"><title>{escape(words)}</title></path>'
        )
        if group.figure.weak:
            dotted.append(f"M{across} {down}h0")
    link = f' data-areas="{escape(areas)}"' if areas else ""
    box = f"-4 -4 {width + 8} {height + 8}"
    out = [opened(id, title, description, css="tiles true", attributes=f'viewBox="{box}"{link}')]
    out += [f'<g class="{css}">{"".join(by_class[css])}</g>' for css in sorted(by_class)]
    if dotted:
        out.append(f'<path class="unsure" d="{"".join(dotted)}"/>')
    out.append("</svg>")
    return "".join(out)
