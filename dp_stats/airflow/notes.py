"""The note of a run: a few lines that everybody sees beside it.

A task cannot write to Airflow's database, so the note goes through Airflow's API, with the account in
the connection ``dp_stats_recorder`` (see ``roles``). Without that connection there is no note.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException

from dp_stats.airflow.letters import link, write_to
from dp_stats.airflow.steps import requester, run_name
from dp_stats.settings import load_settings

if TYPE_CHECKING:
    from dp_stats.requests.trying import Tried

log = logging.getLogger(__name__)

CONNECTION = "dp_stats_recorder"
LONGEST = 1000
PAGE = "/plugin/my-requests"
MINE = f"[My requests]({PAGE})"
"""Where whoever asked sees how everything stands."""


def tell_answered(context: Mapping[str, Any], name: str) -> None:
    """Say in the note of a request's run, and in a letter, where the answer is."""
    write_note(context, f"**Answered.** [Figures and files](/budget/requests/{name}). {MINE}")
    _letter(context, "Your figures are there", f"Your request is answered: {link(f'/budget/requests/{name}')}")


def tell_tried(context: Mapping[str, Any], tried: Tried) -> None:
    """Say in the note of a run what a question would cost, and keep the whole quote for who tried it."""
    from dp_stats.airflow.cards import quote_note
    from dp_stats.requests.tried import keep_tried, kept_quote

    quote = kept_quote(tried, run=run_name(context))
    keep_tried(quote, user=requester(context), settings=load_settings())
    write_note(context, f"{quote_note(quote)}\n\n{MINE}")


def tell_stopped(context: Mapping[str, Any], words: str, *, name: str = "", answered_by: str = "") -> None:
    """Say in the note of a request's run, and on the page of who asked, why it goes no further.

    Args:
        name: of the request; empty where the form made none. answered_by: whose answer did not count, if that is why.
    """
    from dp_stats.airflow.cards import escape
    from dp_stats.requests.standing import keep_stopped
    from dp_stats.requests.unread import keep_unread

    write_note(context, f"**Stopped.** {escape(words)[:800]}\n\n{MINE}")
    _letter(context, "Your request was stopped", f"{words}\n{link(PAGE)}")
    if name and keep_stopped(name, words, answered_by=answered_by, settings=load_settings()):
        return
    keep_unread(run_name(context), words, user=requester(context), settings=load_settings())


def tell_ended(context: Mapping[str, Any], *, by: str, decision: str, reason: str) -> None:
    """Say in the note of a request's run who refused it and why, or that there was no answer."""
    from dp_stats.airflow.cards import escape

    said = f"**Refused** by {escape(by)}: {escape(reason)[:700]}"
    late = f"**Ended**: {escape(by)} has not answered in time."
    write_note(context, f"{said if decision == 'refused' else late} Nothing was spent. {MINE}")
    short = f"{by} has {'refused it: ' + reason if decision == 'refused' else 'not answered in time.'}"
    _letter(context, "Your request has ended", f"{short} Nothing was spent. {link(PAGE)}")


def _letter(context: Mapping[str, Any], subject: str, text: str) -> None:
    """Tell who asked, unless it was only tried, whose answer she waits for."""
    run = context["dag_run"]
    asked = {**dict(context["params"]), **(run.conf or {})}
    if not asked.get("try_it"):
        write_to(requester(context), subject, text)


def write_note(context: Mapping[str, Any], text: str) -> bool:
    """Set the note of this run; a note that cannot be written stops nothing."""
    run = context["dag_run"]
    return change_run(run.dag_id, run.run_id, {"note": text[:LONGEST]})


def close_waiting(dag: str, run: str, task: str, indexes: Iterable[int]) -> None:
    """Skip those of a mapped task that still wait for somebody's answer; what cannot be changed stops nothing."""
    for index in indexes:
        path = f"/api/v2/dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances/{task}/{index}"
        with _recorder() as client:
            if client is not None:
                waits = client.get(path).raise_for_status().json()["state"] in WAITING
                if waits:
                    client.patch(path, json={"new_state": "skipped"}).raise_for_status()


WAITING = ("awaiting_input", "deferred", "scheduled", "queued", None)
"""States of a task that somebody has yet to answer."""


def change_run(dag: str, run: str, change: Mapping[str, str]) -> bool:
    """Change note or state of a run as the recorder; what cannot be changed stops nothing.

    Returns:
        Whether it was changed.
    """
    changed = False
    with _recorder() as client:
        if client is not None:
            path = f"/api/v2/dags/{dag}/dagRuns/{quote(run, safe='')}"
            client.patch(path, params={"update_mask": list(change)}, json=dict(change)).raise_for_status()
            changed = True
    return changed


@contextmanager
def _recorder() -> Iterator[httpx.Client | None]:
    """A client that is logged in as the recorder, or None without one; a failure of Airflow's API is noted and passes."""
    client = _logged_in()
    if client is None:
        yield None
        return
    try:
        with closing(client):  # which is open since it logged in
            yield client
    except httpx.HTTPError as error:
        _note(error)


def _logged_in() -> httpx.Client | None:
    """The client; None where there is no account, or it cannot log in."""
    try:
        account = BaseHook.get_connection(CONNECTION)
    except (AirflowException, ImportError):
        log.info("There is no connection %s, so the run stays as it is.", CONNECTION)
        return None
    client = httpx.Client(base_url=f"{account.schema or 'http'}://{account.host}:{account.port}", timeout=10)
    try:
        login = client.post("/auth/token", json={"username": account.login, "password": account.password})
        token = login.raise_for_status().json()["access_token"]
    except httpx.HTTPError as error:
        client.close()
        _note(error)
        return None
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def _note(error: httpx.HTTPError) -> None:
    log.warning("The run could not be changed (%s).", type(error).__name__)
