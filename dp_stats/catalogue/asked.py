"""Ad hoc releases as they are kept: a declaration beside the form that it was made of, under a name that is a digest of both.

Whoever reads one, from the first step to the last, reads it here: a purpose, an audience or an analyst that was changed
since would be another name.
"""

from __future__ import annotations

import json
from base64 import b32encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from dp_stats.catalogue.load import read_model
from dp_stats.catalogue.models import Release
from dp_stats.errors import CatalogueError


def form_beside(declaration: Path) -> Path:
    """Where the form is kept that a declaration was made of."""
    return declaration.with_suffix(".form.json")


def asked_name(form: Mapping[str, Any], *, requested_by: str) -> str:
    """The id of the release that answers this analyst's form: 130 bits of all that it says.

    Purpose, audience and what is handed over are part of it, so that a request approved for one purpose cannot
    stand for another.
    """
    asked = dict(form)
    asked["by"] = sorted("/".join(entry.split("/")[-2:]) for entry in asked["by"])
    asked["only"] = sorted(asked["only"])
    text = json.dumps({**asked, "requested_by": requested_by}, sort_keys=True, separators=(",", ":"))
    return f"adhoc-{b32encode(sha256(text.encode()).digest()).decode().lower()[:26]}"


def read_asked(path: Path) -> Release:
    """The ad hoc release that is kept in a file.

    Raises:
        CatalogueError: it, or the form beside it, cannot be read, or they are not what was asked under this name.
    """
    form, name = form_beside(path), path.stem
    try:
        asked = json.loads(form.read_text(encoding="utf-8"))
        release = read_model(path, Release)
        known = asked_name(asked, requested_by=release.requested_by or "")
        told = (asked["purpose"], asked["audience"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise CatalogueError(f"{form} is missing or cannot be read. Ask again with the form.") from None
    if known != name or release.id != name:
        raise CatalogueError(f"The request '{name}' is not the form that was filled in under this id. Ask again.")
    if (release.purpose, release.audience) != told:
        raise CatalogueError(f"The purpose or audience of '{name}' is not what was asked under this id. Ask again.")
    return release
