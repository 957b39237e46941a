"""The budget page in Airflow's UI, the answers to requests, and published editions for people who are logged in.

Reads the ledger and published files only. Every route asks for Airflow's own login.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse

from dp_stats import written
from dp_stats.airflow import budget_view
from dp_stats.airflow.decisions_page import router as decisions
from dp_stats.airflow.files_page import router as files
from dp_stats.airflow.names import scheduled_dag
from dp_stats.airflow.requests_page import router as requests
from dp_stats.airflow.web import FOLDER, custodians, is_staff, kind_of, page, require_insider, size_of
from dp_stats.editions.edition import Edition
from dp_stats.operations import faults
from dp_stats.settings import load_settings

app = FastAPI(title="Privacy budget", docs_url=None, redoc_url=None, openapi_url=None)
app.include_router(requests, dependencies=[Depends(require_insider)])
app.include_router(decisions, dependencies=[Depends(require_insider)])
app.include_router(files)
INSIDE = [Depends(require_insider)]


@app.get("/", dependencies=INSIDE)
def budget(dag: str | None = None) -> HTMLResponse:
    """The budget of every dataset, or of the one a DAG's release is made from."""
    catalogue = budget_view.catalogue()
    ids = {scheduled_dag(release.id): release.dataset for release in catalogue.releases.values()}
    return page(
        "budget.html",
        datasets=budget_view.datasets(ids.get(dag or "")),
        broken=_broken() if dag is None else [],
        dag=dag if dag in ids else None,
    )


@app.get("/summary", dependencies=INSIDE)
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
    return FileResponse(str(FOLDER / "card.js"), media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@app.get("/frame.js", dependencies=[Depends(get_user)])
def frame() -> FileResponse:
    """What lets links to Airflow's pages work in the frame in which Airflow shows ours."""
    return FileResponse(str(FOLDER / "frame.js"), media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@app.get("/editions/{release}/{period}/{revision}/", dependencies=INSIDE)
def edition(release: str, period: str, revision: str, user: GetUserDep) -> HTMLResponse:
    """One published revision: what it is and its files."""
    folder, facts = _edition(f"{release}/{period}/{revision}", user)
    files = [
        {"name": file.name, "size": size_of(file.stat().st_size), "what": kind_of(file.name)}
        for file in sorted(folder.iterdir())
        if file.is_file()
    ]
    runs = _runs(f"{release}/{period}")
    own = load_settings().requests / release / "answer.csv"
    mine = f"../../../../requests/{release}/answer.csv" if facts.release.requested_by and own.is_file() else ""
    return page("edition.html", edition=facts, files=files, runs=runs, mine=mine)


@app.get("/editions/{release}/{period}/{revision}/{file}", dependencies=INSIDE)
def edition_file(release: str, period: str, revision: str, file: str, user: GetUserDep) -> FileResponse:
    """One file of a published revision, as a download."""
    folder, _ = _edition(f"{release}/{period}/{revision}", user)
    if file not in {found.name for found in folder.iterdir() if found.is_file()}:
        raise HTTPException(404, "This edition has no such file.")
    return FileResponse(folder / file, filename=f"{release}_{period}_{file}", headers={"Cache-Control": "no-store"})


def _broken() -> list[str]:
    """What is broken: declarations and requests as they are now, and what Airflow refused when it was last looked."""
    refused = [one for one in faults.kept_faults() if one.subject == faults.REFUSED]
    found = [*faults.faults(), *refused]
    return list(dict.fromkeys(f"{one.subject}. {one.text}" for one in found))


def _edition(path: str, user: Any) -> tuple[Path, Edition]:
    if ".." in path or (folder := budget_view.edition_folder(load_settings(), path)) is None:
        raise HTTPException(404, "There is no such edition.")
    facts = Edition.load(folder)
    release = facts.release
    own = release.audience == "public" or release.requested_by == user.get_name()
    if not own and user.get_name() not in custodians(facts.dataset.id) and not is_staff(user, facts.dataset.id):
        raise HTTPException(403, "This edition is for the person who asked for it and the custodians only.")
    return folder, facts


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
        for r in ledger.reservations(edition=edition_id)
        if r.state != "void"
    ]
