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
