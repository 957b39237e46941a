"""The note of a run: a few lines that everybody sees beside it.

A task cannot write to Airflow's database, so the note goes through Airflow's API, with the account in
the connection ``dp_stats_recorder`` (see ``roles``). Without that connection there is no note.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException

log = logging.getLogger(__name__)

CONNECTION = "dp_stats_recorder"
LONGEST = 1000
MINE = "[My requests](/plugin/my-requests)"
"""Where whoever asked sees how everything stands."""


def tell_answered(context: Mapping[str, Any], name: str) -> None:
    """Say in the note of a request's run where the answer is."""
    write_note(context, f"**Answered.** [Figures and files](/budget/requests/{name}). {MINE}")


def tell_stopped(context: Mapping[str, Any], words: str, *, name: str = "") -> None:
    """Say in the note of a request's run, and on the page of who asked, why it goes no further.

    Args:
        name: of the request; empty where the form made none.
    """
    from dp_stats.airflow.cards import escape
    from dp_stats.requests.standing import keep_stopped
    from dp_stats.settings import load_settings

    write_note(context, f"**Stopped.** {escape(words)[:800]}\n\n{MINE}")
    if name:
        keep_stopped(name, words, settings=load_settings())


def tell_ended(context: Mapping[str, Any], *, approver: str, decision: str, reason: str) -> None:
    """Say in the note of a request's run who refused it and why, or that there was no answer."""
    from dp_stats.airflow.cards import escape

    said = f"**Refused** by {escape(approver)}: {escape(reason)[:700]}"
    late = f"**Ended**: {escape(approver)} has not answered in time."
    write_note(context, f"{said if decision == 'refused' else late} Nothing was spent. {MINE}")


def write_note(context: Mapping[str, Any], text: str) -> bool:
    """Set the note of this run; a note that cannot be written stops nothing."""
    try:
        account = BaseHook.get_connection(CONNECTION)
    except (AirflowException, ImportError):
        log.info("There is no connection %s, so the run gets no note.", CONNECTION)
        return False
    run = context["dag_run"]
    base = f"{account.schema or 'http'}://{account.host}:{account.port}"
    try:
        with httpx.Client(base_url=base, timeout=10) as client:
            login = client.post("/auth/token", json={"username": account.login, "password": account.password})
            login.raise_for_status()
            done = client.patch(
                f"/api/v2/dags/{run.dag_id}/dagRuns/{quote(run.run_id, safe='')}",
                params={"update_mask": "note"},
                json={"note": text[:LONGEST]},
                headers={"Authorization": f"Bearer {login.json()['access_token']}"},
            )
            done.raise_for_status()
    except httpx.HTTPError as error:
        log.warning("The run's note could not be written (%s).", type(error).__name__)
        return False
    return True
