"""Requests as they are kept: the question and its release, as a declaration that later steps read."""

from __future__ import annotations

import json
from pathlib import Path

from dp_stats.catalogue import Release, yaml
from dp_stats.catalogue.load import read_model
from dp_stats.errors import CatalogueError
from dp_stats.files import replace_file
from dp_stats.requests.questions import Question, request_id
from dp_stats.settings import Settings


def save_request(release: Release, question: Question, settings: Settings) -> Path:
    """Keep a request: the release as a declaration, and the form beside it."""
    settings.requests.mkdir(parents=True, exist_ok=True)
    path = settings.requests / f"{release.id}.yaml"
    content = json.loads(release.model_dump_json(exclude_defaults=True, by_alias=True))
    replace_file(path.with_suffix(".form.json"), question.model_dump_json(indent=1).encode())
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
    form = path.with_suffix(".form.json")
    try:
        question = Question.model_validate_json(form.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise CatalogueError(f"{form} is missing or cannot be read. Ask again with the form.") from None
    release = read_model(path, Release)
    if request_id(question, requested_by=release.requested_by or "") != name or release.id != name:
        raise CatalogueError(f"The request '{name}' is not the form that was filled in under this id. Ask again.")
    if (release.purpose, release.audience) != (question.purpose, question.audience):
        raise CatalogueError(f"The purpose or audience of '{name}' is not what was asked under this id. Ask again.")
    return release, question
