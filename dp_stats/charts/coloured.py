"""Areas of a map in the colours of their classes, whatever each is drawn as: the same words, groups and dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from dp_stats.charts.series import Group
from dp_stats.texts import numbers
from dp_stats.texts.words import Texts


class Mark(NamedTuple):
    """An area's element: its name, its attributes, and where its dot lies (``x y``)."""

    name: str
    attributes: str
    dot: str


def in_classes(marks: Mapping[str, Mark], groups: Sequence[Group], bounds: Sequence[float], texts: Texts) -> str:
    """The elements of areas, a group for each class, and a dot on those of low reliability.

    Args:
        marks: what each area is drawn as, by its code; areas without a mark are left out.
        groups: the areas with their figures. bounds: where each class but the first begins.
    """
    decimals = numbers.decimals_for(g.figure for g in groups)
    by_class: dict[str, list[str]] = {}
    dotted: list[str] = []
    for group in groups:
        mark = marks.get(group.code)
        if mark is None:
            continue
        css = f"k{int(np.searchsorted(bounds, group.figure.value, side='right'))}" if group.figure.known else "none"
        value = texts.number(group.figure.value, decimals=decimals)
        words = f"{group.name}: {value} ({texts.between(group.figure, decimals=decimals)})"
        by_class.setdefault(css, []).append(
            f"<{mark.name} {mark.attributes}><title>{escape(words)}</title></{mark.name}>"
        )
        if group.figure.weak:
            dotted.append(f"M{mark.dot}h0")
    drawn = [f'<g class="{css}">{"".join(by_class[css])}</g>' for css in sorted(by_class)]
    if dotted:
        drawn.append(f'<path class="unsure" d="{"".join(dotted)}"/>')
    return "".join(drawn)
