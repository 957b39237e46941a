"""Links to the glossary from the first sentence of a page in which one of its terms stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from markupsafe import escape

from dp_stats.texts.words import Texts

PAGE = "glossary.html"
LINKED = frozenset({"release.html", "edition.html", "area.html", "methods.html"})
"""Templates of pages on which terms are linked: those with numbers."""
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[a-z0-9]+)(?P<more>[^>]*)>")
_WHOLE = frozenset({"svg", "table", "script", "nav", "footer", "header"})
"""Elements that hold no sentence: most of a page, over which one goes at once."""
_SENTENCES = frozenset({"p", "li"})
_OTHERS = frozenset({"a", "code", "pre", "button", "label", "title"})
_HIDDEN = re.compile(r'visually-hidden|aria-hidden="true"|class="big|data-copy')


def terms(texts: Texts) -> Mapping[str, Mapping[str, Any]]:
    """Id → the term, how it is written inside sentences, and what it means."""
    found: Mapping[str, Mapping[str, Any]] = texts.get("glossary.terms")
    return found


def with_links(page: str, texts: Texts, root: str) -> str:
    """A page in which each term leads to the glossary from the first sentence that it stands in.

    Args:
        root: what leads from the page to where the glossary is.
    """
    left = {id: _written(tuple(said["find"])) for id, said in terms(texts).items()}
    any_term = _written(tuple(word for said in terms(texts).values() for word in said["find"]))
    inside: list[tuple[str, str]] = []
    made, at = [], 0
    while (tag := _TAG.search(page, at)) is not None:
        text, end = page[at : tag.start()], tag.end()
        if text and inside and all(kind == "sentence" for _, kind in inside):
            text = _linked(text, left, root) if any_term.search(text) else text
        if tag["name"] in _WHOLE and not tag["end"]:
            closing = f"</{tag['name']}>"
            end = page.index(closing, end) + len(closing)
        else:
            _step(inside, tag)
        made += [text, page[tag.start() : end]]
        at = end
    return "".join([*made, page[at:]])


@lru_cache(maxsize=1024)
def _written(words: tuple[str, ...]) -> re.Pattern[str]:
    """How a term may be written, as a page has it."""
    return re.compile(rf"\b(?:{'|'.join(re.escape(str(escape(word))) for word in words)})\b")


def _step(inside: list[tuple[str, str]], tag: re.Match[str]) -> None:
    """Keep inside of which elements that matter one is."""
    end, name, attributes = tag["end"], tag["name"], tag["more"]
    if end:
        places = [at for at, (opened, _) in enumerate(inside) if opened == name]
        if places:
            del inside[places[-1] :]
    elif _HIDDEN.search(attributes) or name in _OTHERS:
        if not attributes.endswith("/"):
            inside.append((name, "other"))
    elif name in _SENTENCES or (name == "span" and inside):
        inside.append((name, "sentence"))


def _linked(text: str, left: dict[str, re.Pattern[str]], root: str) -> str:
    """A text with links from terms that none has led from yet."""
    found = [(match.start(), match.end(), id) for id, term in left.items() if (match := term.search(text))]
    made, at = [], 0
    for start, end, id in sorted(found):
        if start < at:
            continue  # inside of another term; the next place has it
        del left[id]
        made += [text[at:start], f'<a class="term" href="{escape(root)}{PAGE}#{id}">{text[start:end]}</a>']
        at = end
    return "".join([*made, text[at:]])
