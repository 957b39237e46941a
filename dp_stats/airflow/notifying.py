"""Airflow's notifiers, made from what a deployment configures, each with a subject and a text wherever it takes one."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.bases.notifier import BaseNotifier
from airflow.sdk.module_loading import import_string

from dp_stats.errors import SettingsError
from dp_stats.settings import Notifier

log = logging.getLogger(__name__)

TEXT_ARGUMENTS = {"subject": "subject", "title": "subject", "html_content": "text", "message": "text", "text": "text"}


def made_of(configured: Sequence[Notifier], subject: str, text: str) -> list[BaseNotifier]:
    """The configured notifiers, each with this subject and text wherever it takes one.

    Raises:
        SettingsError: a notifier cannot be imported, or not made with its arguments.
    """
    made = []
    for one in configured:
        try:
            notifier = import_string(one.path)
            taken = inspect.signature(notifier).parameters
            words = {"subject": subject, "text": text}
            texts = {name: words[word] for name, word in TEXT_ARGUMENTS.items() if name in taken}
            made.append(notifier(**{**texts, **one.arguments}))
        except (ValueError, KeyError, TypeError, ImportError) as error:
            raise SettingsError(
                f"Notifiers: {one.path} cannot be made with these arguments. Give its import path and what it takes."
            ) from error
    return made


def notify(configured: Sequence[Notifier], subject: str, text: str, context: Mapping[str, Any] | None = None) -> None:
    """Send a subject and a text by every notifier. One that fails is logged by its kind and stops nothing."""
    for notifier in made_of(configured, subject, text):
        try:
            # Without the DAG: the one that a callback is given cannot render templates, and no letter would go out.
            notifier({name: value for name, value in (context or {}).items() if name != "dag"})
        except Exception as error:
            log.error("%s failed with %s", type(notifier).__name__, type(error).__name__)
