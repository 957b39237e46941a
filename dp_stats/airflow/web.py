"""Our pages in Airflow: how they are filled in, with which headers, and who may see what."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader

from dp_stats import written
from dp_stats.airflow.names import RECORDER, asking_dag
from dp_stats.catalogue import read_catalogue
from dp_stats.handing_out import organisation_of
from dp_stats.settings import load_settings

FOLDER = resources.files("dp_stats.airflow") / "pages"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; script-src 'self'; "
    "form-action 'self'; frame-ancestors 'self'",
}

KINDS = {
    "csv": "Table, for any program",
    "parquet": "Table, with types",
    "xlsx": "Workbook",
    "svg": "Chart",
    "png": "Chart",
    "json": "Facts, for programs",
    "md": "How to read it",
    "html": "Page",
}
NAMED = {
    "labels.csv": "What everything is called",
    "measurements.parquet": "What was measured, with its noise",
    "SHA256SUMS": "Checksums of all files",
}
"""Files that are no table of the release, though they may end as tables do."""

templates = Environment(loader=PackageLoader("dp_stats.airflow", "pages"), autoescape=True)


def kind_of(file: str) -> str:
    """What a file of an edition is, in words, by its name or the end of it."""
    return NAMED.get(file) or KINDS.get(file.rpartition(".")[2], "")


def size_of(octets: int) -> str:
    """How large a file is, in words."""
    return f"{written.count(max(1, round(octets / 1000)))} kB"


def page(name: str, **facts: Any) -> HTMLResponse:
    """Fill in one of ``pages/``."""
    return HTMLResponse(templates.get_template(name).render(**facts), headers=HEADERS)


def custodians(dataset: str) -> set[str]:
    """The users who are custodians of a dataset, or deputies of one today."""
    declared = read_catalogue(load_settings().catalogue).datasets.get(dataset)
    today = datetime.now(UTC).date()
    people = declared.custodians if declared else ()
    return {user for person in people for user in (person.answers_as, *person.deputies_on(today))}


def require_insider(user: GetUserDep) -> None:
    """Keep people of organisations that get figures to their own page: what others spend and get is not for them.

    Raises:
        HTTPException: the user is one.
    """
    if organisation_of(user.get_name(), load_settings()) is not None:
        raise HTTPException(403, "Your files are on the page 'My files'.")


def is_staff(user: Any, dataset: str) -> bool:
    """Engineers: whoever may clear tasks of the dataset's asking DAG, but the account that closes questions."""
    return user.get_name() != RECORDER and get_auth_manager().is_authorized_dag(
        method="PUT", access_entity=DagAccessEntity.TASK_INSTANCE, details=DagDetails(id=asking_dag(dataset)), user=user
    )


def require_own_page(request: Request) -> None:
    """Refuse a form that another site has sent in the name of who is logged in.

    Raises:
        HTTPException: it comes from elsewhere.
    """
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(403, "This can only be sent from the page itself.")
