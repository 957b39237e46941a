"""Words of another language inside a text: marked where they are put in, said to be so in a page, and plain elsewhere.

The marks are signs of no alphabet, so a marked text can be filled into another, shortened and joined like any other.
"""

from __future__ import annotations

import re

_OPEN, _NAMED, _CLOSE = "\ue010", "\ue011", "\ue012"
_BEGIN = re.compile(f"{_OPEN}([A-Za-z-]*){_NAMED}")
_MARKS = re.compile(f"{_OPEN}[A-Za-z-]*{_NAMED}|{_CLOSE}")
_TAG = re.compile(r"(<[^>]*>)")
_IMAGE = re.compile(r"^<img(?= )")
_NO_MARKUP = frozenset({"title", "script", "option", "svg", "style", "textarea"})
"""Elements whose text may hold no ``<span>``."""


def foreign(text: str, language: str) -> str:
    """``text`` marked as being in another language than what it stands in."""
    return f"{_OPEN}{language}{_NAMED}{text}{_CLOSE}" if text else text


def plain(text: str) -> str:
    """``text`` without marks, for files that cannot say of a part in which language it is."""
    return _MARKS.sub("", text) if _CLOSE in text else text


def in_html(page: str) -> str:
    """A page in which marked words stand in elements with their ``lang``; in attributes of a picture the picture has it."""
    if _CLOSE not in page:
        return page
    inside: list[str] = []
    made = []
    for part in _TAG.split(page):
        if part.startswith("<"):
            made.append(_tag(part))
            name = part.strip("</>").split(maxsplit=1)[0].casefold() if part.strip("</>") else ""
            if name in _NO_MARKUP and not part.endswith("/>"):
                if not part.startswith("</"):
                    inside.append(name)
                elif inside and inside[-1] == name:
                    inside.pop()
        elif inside:
            made.append(plain(part))
        else:
            made.append(_BEGIN.sub(r'<span lang="\1">', part).replace(_CLOSE, "</span>"))
    return "".join(made)


def _tag(tag: str) -> str:
    """A tag without marks; an image of which some are in an attribute says the language."""
    found = _BEGIN.search(tag)
    if found is None:
        return tag
    return _IMAGE.sub(rf'\g<0> lang="{found[1]}"', plain(tag))
