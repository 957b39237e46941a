"""Links to the glossary from the first sentence of a page in which one of its terms stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import escape

from dp_stats.texts.words import Texts

PAGE = "glossary.html"
LINKED = frozenset({"release.html", "edition.html", "area.html", "methods.html"})
"""Templates of pages on which terms are linked: those with numbers."""
_TAG = re.compile(r"(<[^>]*>)")
_NAME = re.compile(r"<(/?)([a-z0-9]+)([^>]*)>")
_SENTENCES = frozenset({"p", "li"})
_OTHERS = frozenset(
    {"a", "svg", "script", "nav", "footer", "header", "code", "pre", "button", "label", "title", "table"}
)
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
    left = {
        id: re.compile(rf"\b(?:{'|'.join(re.escape(str(escape(word))) for word in said['find'])})\b")
        for id, said in terms(texts).items()
    }
    inside: list[tuple[str, str]] = []
    made = []
    for part in _TAG.split(page):
        tag = _NAME.match(part)
        if tag is not None:
            _step(inside, tag)
        elif {kind for _, kind in inside} == {"sentence"}:
            part = _linked(part, left, root)
        made.append(part)
    return "".join(made)


def _step(inside: list[tuple[str, str]], tag: re.Match[str]) -> None:
    """Keep inside of which elements that matter one is."""
    end, name, attributes = tag.groups()
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
