"""Which areas and groups an edition counts otherwise than the one before, in sentences: what its marks ``b`` are about."""

from __future__ import annotations

from collections.abc import Iterator

from dp_stats.charts.reading import ReleaseView
from dp_stats.editions.edition import DimensionFacts, Edition
from dp_stats.texts.words import Texts

MOST = 40
"""Changes that are told one by one before the rest is counted."""


def boundary_changes(texts: Texts, view: ReleaseView, edition: Edition) -> list[str]:
    """What was merged, split, added or ended with an edition, and which larger areas hold other places; nothing else."""
    before = [r.edition for r in view.history if r.edition.period.end < edition.period.start]
    said = [
        sentence
        for dimension in edition.dimensions
        if any(level.breaks for level in dimension.levels)
        for sentence in _of(texts, dimension, before[-1] if before else None)
    ]
    more = len(said) - MOST
    return said if more <= 0 else [*said[:MOST], texts("boundaries.more", count=texts.number(more))]


def _of(texts: Texts, dimension: DimensionFacts, before: Edition | None) -> Iterator[str]:
    leaf = dimension.levels[0]
    there = next((d.levels[0] for d in before.dimensions if d.name == dimension.name), None) if before else None
    old = dict(zip(there.codes, there.names, strict=True)) if there else {}
    names = dict(zip(leaf.codes, leaf.names, strict=True))
    came: dict[str, list[str]] = {}
    for code in old:
        for successor in dimension.replaced.get(code, ()):
            came.setdefault(successor, []).append(code)
    for code in leaf.breaks:
        if code in came:
            yield texts("boundaries.replaces", name=names[code], others=texts.listed([old[c] for c in came[code]]))
        elif code in old:
            yield texts("boundaries.changed", name=names[code])
        else:
            yield texts("boundaries.new", name=names[code])
    for code, name in old.items():
        if code not in names and not set(dimension.replaced.get(code, ())) & set(names):
            yield texts("boundaries.ended", name=name)
    for level in dimension.levels[1:]:
        for code, name in zip(level.codes, level.names, strict=True):
            if code in level.breaks and code != dimension.unknown:
                yield texts("boundaries.changed", name=name)
