"""Requests as they are kept: the question and its release, as a declaration that later steps read."""

from __future__ import annotations

import json
from pathlib import Path

from dp_stats.catalogue import Release, yaml
from dp_stats.catalogue.asked import form_beside, read_asked
from dp_stats.errors import CatalogueError
from dp_stats.files import replace_file
from dp_stats.requests.questions import Question
from dp_stats.settings import Settings


def save_request(release: Release, question: Question, settings: Settings) -> Path:
    """Keep a request: the release as a declaration, and the form beside it."""
    settings.requests.mkdir(parents=True, exist_ok=True)
    path = settings.requests / f"{release.id}.yaml"
    content = json.loads(release.model_dump_json(exclude_defaults=True, by_alias=True))
    replace_file(form_beside(path), question.model_dump_json(indent=1).encode())
    replace_file(path, yaml.write(content).encode())
    return path


def load_request(name: str, settings: Settings) -> tuple[Release, Question]:
    """A request that was kept.

    Raises:
        CatalogueError: there is none of that id, or its files are not what was asked under it.
    """
    path = settings.requests / f"{name}.yaml"
    if not path.exists():
        raise CatalogueError(f"There is no request '{name}'. Ask again with the form.")
    release, form = read_asked(path), form_beside(path)
    try:
        return release, Question.model_validate_json(form.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise CatalogueError(f"{form} is missing or cannot be read. Ask again with the form.") from None
