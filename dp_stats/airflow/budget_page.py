"""The budget page in Airflow's UI, the answers to requests, and published editions for people who are logged in.

Reads the ledger and published files only. Every route asks for Airflow's own login.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader

from dp_stats import written
from dp_stats.airflow import budget_view
from dp_stats.catalogue import read_catalogue
from dp_stats.editions.edition import Edition
from dp_stats.errors import CatalogueError
from dp_stats.requests.kept import load_request
from dp_stats.requests.standing import requests_of
from dp_stats.settings import load_settings

PAGES = resources.files("dp_stats.airflow") / "pages"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'",
}
MOST_SHOWN = 100
"""Requests of one person on her page."""
DESCRIPTIONS = {
    ".csv": "Table, for any program",
    ".parquet": "Table, with types",
    ".xlsx": "Workbook",
    ".svg": "Chart",
    ".png": "Chart",
    ".json": "Facts, for programs",
    ".html": "Page",
}

templates = Environment(loader=PackageLoader("dp_stats.airflow", "pages"), autoescape=True)
app = FastAPI(title="Privacy budget", docs_url=None, redoc_url=None, openapi_url=None)


def page(name: str, **facts: Any) -> HTMLResponse:
    """Fill in one of ``pages/``."""
    return HTMLResponse(templates.get_template(name).render(**facts), headers=HEADERS)


@app.get("/", dependencies=[Depends(get_user)])
def budget(dag: str | None = None) -> HTMLResponse:
    """The budget of every dataset, or of the one a DAG's release is made from."""
    catalogue = budget_view.catalogue()
    ids = {release.id.replace("-", "_"): release.dataset for release in catalogue.releases.values()}
    return page(
        "budget.html",
        datasets=budget_view.datasets(ids.get(dag or "")),
        broken=list(catalogue.broken.values()) if dag is None else [],
        dag=dag if dag in ids else None,
    )


@app.get("/summary", dependencies=[Depends(get_user)])
def summary() -> list[dict[str, Any]]:
    """The newest block of every dataset, for the card on Airflow's home page."""
    return [
        {
            "dataset": view.title,
            "block": view.blocks[0].block,
            "left": view.blocks[0].left,
            "cap": view.blocks[0].cap,
            "spent_share": view.blocks[0].spent_share,
            "reserved_share": view.blocks[0].reserved_share,
            "level": view.blocks[0].level,
        }
        for view in budget_view.datasets()
        if view.blocks
    ]


@app.get("/card.js", dependencies=[Depends(get_user)])
def card() -> FileResponse:
    """The card on Airflow's home page."""
    return FileResponse(str(PAGES / "card.js"), media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@app.get("/editions/{release}/{period}/{revision}/")
def edition(release: str, period: str, revision: str, user: GetUserDep) -> HTMLResponse:
    """One published revision: what it is and its files."""
    folder, facts = _edition(f"{release}/{period}/{revision}", user)
    files = [
        {
            "name": file.name,
            "size": f"{written.count(max(1, round(file.stat().st_size / 1000)))} kB",
            "what": DESCRIPTIONS.get(file.suffix, ""),
        }
        for file in sorted(folder.iterdir())
        if file.is_file()
    ]
    runs = _runs(f"{release}/{period}")
    return page("edition.html", edition=facts, files=files, runs=runs)


@app.get("/editions/{release}/{period}/{revision}/{file}")
def edition_file(release: str, period: str, revision: str, file: str, user: GetUserDep) -> FileResponse:
    """One file of a published revision, as a download."""
    folder, _ = _edition(f"{release}/{period}/{revision}", user)
    if file not in {found.name for found in folder.iterdir() if found.is_file()}:
        raise HTTPException(404, "This edition has no such file.")
    return FileResponse(folder / file, filename=f"{release}_{period}_{file}", headers={"Cache-Control": "no-store"})


@app.get("/requests/")
def my_requests(user: GetUserDep) -> HTMLResponse:
    """How everything stands that this user has asked for."""
    settings = load_settings()
    found = requests_of(user.get_name(), ledger=budget_view.open_ledger(settings), settings=settings)
    rows = [
        {
            "id": one.asked.id,
            "title": one.asked.title,
            "purpose": one.asked.purpose,
            "when": written.moment(one.asked.when),
            "state": one.state,
            "waits_for": ", ".join(one.waits_for),
            "by": one.by,
            "why": one.why,
            "run_link": budget_view.run_link(one.asked.run),
        }
        for one in found[:MOST_SHOWN]
    ]
    return page("requests.html", requests=rows, user=user.get_name(), older=len(found[MOST_SHOWN:]))


@app.get("/requests/{name}")
def request_answer(name: str, user: GetUserDep) -> Any:
    """The answer to an ad hoc request: its edition, or the figures that were given for free."""
    settings = load_settings()
    try:
        release, _ = load_request(name, settings)
    except CatalogueError:
        raise HTTPException(404, "There is no such request.") from None
    if (
        not _staff(user)
        and release.requested_by != user.get_name()
        and user.get_name() not in _custodians(release.dataset)
    ):
        raise HTTPException(403, "Only the person who asked, custodians and engineers can see this.")
    free = settings.requests / name / "answer.csv"
    if free.is_file():
        return FileResponse(free, filename=f"{name}.csv", headers={"Cache-Control": "no-store"})
    from dp_stats.requests.asked_release import period_of_request

    path = f"{name}/{period_of_request(release)}/r1"
    if budget_view.edition_folder(settings, path) is None:
        raise HTTPException(404, "It has not been answered yet.")
    return RedirectResponse(f"../editions/{path}/")


def _edition(path: str, user: Any) -> tuple[Path, Edition]:
    if ".." in path or (folder := budget_view.edition_folder(load_settings(), path)) is None:
        raise HTTPException(404, "There is no such edition.")
    facts = Edition.load(folder)
    release = facts.release
    allowed = release.audience == "public" or _staff(user) or release.requested_by == user.get_name()
    if not allowed and user.get_name() not in _custodians(facts.dataset.id):
        raise HTTPException(403, "This edition is for the person who asked for it and the custodians only.")
    return folder, facts


def _custodians(dataset: str) -> set[str]:
    declared = read_catalogue(load_settings().catalogue).datasets.get(dataset)
    return {person.user or person.name for person in declared.custodians} if declared else set()


def _staff(user: Any) -> bool:
    """Engineers: whoever may clear tasks of the ad hoc DAG."""
    return get_auth_manager().is_authorized_dag(
        method="PUT", access_entity=DagAccessEntity.TASK_INSTANCE, details=DagDetails(id="adhoc_release"), user=user
    )


def _runs(edition_id: str) -> list[dict[str, str]]:
    ledger = budget_view.open_ledger(load_settings())
    if ledger is None:
        return []
    return [
        {
            "run": r.run,
            "link": budget_view.run_link(r.run),
            "by": r.requested_by,
            "when": written.moment(r.at),
            "state": r.state,
        }
        for r in ledger.reservations()
        if r.edition == edition_id and r.state != "void"
    ]
