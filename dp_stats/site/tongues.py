"""The site in each language: where its pages are, how a page leads to itself in another, and to data that is one for all."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dp_stats.texts.words import Texts

_ADDRESS = re.compile(r'(?<= )(href|src|srcset|action)="([^"]*)"')
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|[/#?]|$", re.IGNORECASE)
"""Addresses that do not depend on where a page is."""


@dataclass(frozen=True)
class Tongue:
    """A language of the site.

    Attributes:
        name: what it calls itself. tree: folder of its pages below the public folder, with a slash at the end; none for the first.
    """

    language: str
    name: str
    tree: str

    @classmethod
    def each(cls, texts: Texts, further: Sequence[Texts]) -> tuple[Tongue, ...]:
        """The languages of a site, the first of them at its root."""
        own = cls(texts.language, texts("site.language"), "")
        return (own, *(cls(t.language, t("site.language"), f"{t.language}/") for t in further))


def from_page(tree: str, path: str) -> str:
    """What leads from the page at ``path`` of a language to the public folder."""
    return "../" * (path.count("/") + tree.count("/"))


def towards_data(html: str, path: str, *, tree: str, own: Callable[[str], bool]) -> str:
    """A page of a further language, whose addresses of what that language has not lead to what is one for all.

    Args:
        path: where the page is below the language's folder. own: whether that folder has a file.
    """
    here, up = posixpath.dirname(path), from_page(tree, path)

    def led(found: re.Match[str]) -> str:
        name, address = found[1], found[2]
        if _ELSEWHERE.match(address):
            return found[0]
        place, mark, rest = re.match(r"([^?#]*)([?#]?)(.*)", address).groups()  # type: ignore[union-attr]
        target = posixpath.normpath(posixpath.join(here, place))
        if target.startswith("..") or target.endswith(".html") or own(target):
            return found[0]
        return f'{name}="{up}{target}{mark}{rest}"'

    return _ADDRESS.sub(led, html)
