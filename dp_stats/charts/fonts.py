"""The fonts that charts are written in: our own, then whatever is installed for the scripts that it lacks.

An SVG keeps its text, which the reader's browser writes; a PNG shows what the fonts of this machine can draw.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache

from matplotlib import font_manager, ft2font

SHIPPED = "DejaVu Sans"
"""Comes with matplotlib: Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian, Georgian and some more."""

PROBES = "한漢あกकবதతಕമගខမአᠠ🏥"
"""A character of each script that a fallback is looked for: if a font has it, it has the script."""


@cache
def families(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Families to write charts in, in the order they are tried for each character; all are installed.

    Args:
        wanted: families by preference; the first that is installed is the one that charts look like.
    """
    installed = {font.name: font.fname for font in sorted(font_manager.fontManager.ttflist, key=lambda f: f.fname)}
    chosen = [*[name for name in wanted if name in installed][:1], SHIPPED]
    covered = {c for name in chosen for c in PROBES if has(installed.get(name, ""), c)}
    for name, path in sorted(installed.items()):
        new = {c for c in PROBES if c not in covered and has(path, c)}
        if new and "LastResort" not in path:
            chosen.append(name)
            covered |= new
    return tuple(dict.fromkeys(chosen))


def has(path: str, character: str) -> bool:
    """Whether a font's file has a glyph for a character."""
    return bool(path) and ord(character) in _characters(path)


def without_font(texts: Iterable[str]) -> list[str]:
    """Scripts of ``texts`` (the first word of their characters' names, as ``HANGUL``) that no installed family can write."""
    paths = [font_manager.findfont(name) for name in families(())]
    lacking = {c for c in {c for text in texts for c in text} if c.isprintable() and not any(has(p, c) for p in paths)}
    return sorted({unicodedata.name(c, f"U+{ord(c):04X}").split()[0] for c in lacking})


@cache
def _characters(path: str) -> frozenset[int]:
    try:
        return frozenset(ft2font.FT2Font(path).get_charmap())
    except RuntimeError:  # a font of a kind that FreeType cannot read
        return frozenset()
