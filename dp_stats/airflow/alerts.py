"""Telling people: alerts go to the log, to a file in the state folder, and to any Airflow notifier configured.

``DP_STATS_NOTIFIERS`` holds a JSON list of notifiers, for example::

    [{"class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
      "arguments": {"to": "data-team@agency.example", "smtp_conn_id": "smtp"}}]

``subject`` and ``message`` are set here unless the arguments name them. An alert never holds a value
from the data.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dp_stats.airflow.notifying import notify
from dp_stats.airflow.steps import StepFailedError, run_name
from dp_stats.errors import DpStatsError
from dp_stats.settings import load_settings

if TYPE_CHECKING:
    from dp_stats.operations.upkeep import Alert

log = logging.getLogger(__name__)


def alert(subject: str, text: str, context: Mapping[str, Any] | None = None) -> None:
    """Send one alert everywhere. A notifier that fails is logged by its kind and stops nothing, nor does a state folder that
    cannot be written: of a step whose worker was lost Airflow's DAG processor tells, which has none of ours."""
    log.warning("%s: %s", subject, text)
    file = load_settings().home / "alerts.jsonl"
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "subject": subject, "text": text}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as error:
        log.error("The alert is not kept in %s (%s).", file, type(error).__name__)
    notify(load_settings().notifiers, subject, text, context)


def alert_new(found: Sequence[Alert], *, of: str) -> int:
    """Tell of what was not found the last time that was looked for ``of``; returns how much was found."""
    from dp_stats.operations.faults import keep_faults

    for one in keep_faults(found, of=of):
        alert(one.subject, one.text)
    return len(found)


def step_failed(
    edition_of: Callable[[Mapping[str, Any]], str] = run_name, *, expected: tuple[type[BaseException], ...] = ()
) -> Callable[[Mapping[str, Any]], None]:
    """Airflow's callback when a step has failed for good: one alert, with edition, step, cause, what to do and link.

    It runs where the step ran, so that it reaches what the step reached; only of a step whose worker was lost it runs in
    Airflow's DAG processor. Steps that were never begun because of this one alert nobody.

    Args:
        edition_of: what a run is about, from its context. expected: failures that are answers to a person, no faults.
    """

    def failed(context: Mapping[str, Any]) -> None:
        error, instance = context.get("exception"), context["task_instance"]
        if isinstance(error, expected):
            return
        try:
            edition = edition_of(context)
        except DpStatsError:  # a request that cannot be read has no edition; its run has a name
            edition = run_name(context)
        subject = f"{edition}: the step {instance.task_id} failed"
        text = f"{cause_of(error)} When that is mended, clear the step in Airflow: nothing is paid or drawn twice."
        alert(subject, f"{text} {getattr(instance, 'log_url', '')}".rstrip(), context)

    return failed


def cause_of(error: object) -> str:
    """What a step failed with, in our own words; of an error that is not ours only its kind."""
    if isinstance(error, DpStatsError | StepFailedError):
        return str(error)
    if isinstance(error, BaseException):
        return f"{type(error).__name__}; its message is kept back because it may quote data. See the step's log."
    return "It ended without a word: it was stopped, or its worker was lost or ran out of memory."
