"""Where published files are: an address on the web, or a folder on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dp_stats.errors import PublishedError

_SECONDS = 60.0


def is_address(place: str) -> bool:
    """Whether a place is an address on the web, and no path."""
    return place.startswith(("http://", "https://"))


def fetched(place: str) -> bytes | None:
    """The content of a file; None if there is none.

    Raises:
        PublishedError: the address cannot be reached, or answers with an error.
    """
    if not is_address(place):
        path = Path(place)
        return path.read_bytes() if path.is_file() else None
    import httpx

    try:
        answered = httpx.get(place, follow_redirects=True, timeout=_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PublishedError(f"{place} cannot be reached ({type(error).__name__}). Check the address.") from error
    if answered.status_code in (403, 404):  # object stores say 403 of what they do not have
        return None
    if answered.is_error:
        raise PublishedError(f"{place} answers with {answered.status_code}. Try again later.")
    return answered.content


def document(place: str) -> dict[str, Any] | None:
    """A JSON document; None if there is none, or something else.

    Raises:
        PublishedError: the address cannot be reached.
    """
    content = fetched(place)
    try:
        found = json.loads(content) if content is not None else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def folder_of(place: str) -> str:
    """An address or path of a page or folder without what stands for the page itself, and without a slash at the end."""
    plain = place.partition("#")[0].partition("?")[0] if is_address(place) else place
    return plain.removesuffix("index.html").rstrip("/")


def beside(place: str, name: str) -> str:
    """A file in the folder that a file is in."""
    folder, slash, _ = place.rpartition("/")
    return f"{folder}{slash}{name}"
