"""*My requests*: how everything stands that somebody has asked for or tried, what she may still spend, and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, RedirectResponse
from sqlalchemy import select

from dp_stats import written
from dp_stats.airflow import budget_view
from dp_stats.airflow.cards import LIMITS, fits
from dp_stats.airflow.names import asking_dag
from dp_stats.airflow.notes import change_run
from dp_stats.airflow.web import custodians, is_staff, page, require_own_page
from dp_stats.catalogue import Dataset, Release
from dp_stats.errors import ApprovalError, CatalogueError
from dp_stats.ledger import Ledger
from dp_stats.ledger.amounts import cap_of
from dp_stats.ledger.amounts import epsilon as epsilon_of
from dp_stats.ledger.budget import limits
from dp_stats.ledger.records import BlockBudget
from dp_stats.plan.accounting import delta_of
from dp_stats.requests.kept import load_request
from dp_stats.requests.preflight import part_of
from dp_stats.requests.standing import OPEN, Standing, requests_of, standing
from dp_stats.requests.tried import KeptQuote, tried_by
from dp_stats.requests.unread import unread_of
from dp_stats.settings import Settings, load_settings

MOST_SHOWN = 100
"""Requests of one person on her page."""
MOST_TRIED, MOST_BLOCKS = 10, 4

router = APIRouter(prefix="/requests")


@router.get("/")
def my_requests(user: GetUserDep) -> Any:
    """How everything stands that this user has asked for or tried, and what she may still spend."""
    settings, catalogue = load_settings(), budget_view.catalogue()
    name, ledger = user.get_name(), budget_view.open_ledger(settings)
    found = requests_of(name, ledger=ledger, settings=settings)
    return page(
        "requests.html",
        requests=[_shown(one, settings) for one in _still(found[:MOST_SHOWN], ledger=ledger, settings=settings)],
        tried=[_quote(one) for one in tried_by(name, settings=settings)[:MOST_TRIED]],
        datasets=[
            {
                "title": d.title,
                "ask": f"/dags/{asking_dag(d.id)}",
                "unit": d.privacy_unit.per,
                "left": _left(d, ledger, name),
            }
            for d in catalogue.datasets.values()
        ],
        unread=[
            {"when": written.moment(one.when), "why": one.why, "run_link": budget_view.run_link(one.run)}
            for one in unread_of(name, settings=settings)[:MOST_TRIED]
        ],
        user=name,
        older=len(found[MOST_SHOWN:]),
    )


@router.post("/{name}/withdraw")
def withdraw(name: str, user: GetUserDep, request: Request) -> RedirectResponse:
    """Take back a request that waits, and end its run."""
    from dp_stats import requests

    require_own_page(request)
    try:
        run = requests.withdraw(name, by=user.get_name())
    except ApprovalError as error:
        raise HTTPException(409, str(error)) from None
    dag, slash, run_id = run.partition("/")
    if slash:
        change_run(dag, run_id, {"state": "failed", "note": "**Withdrawn** by who asked. Nothing was spent."})
    return RedirectResponse("../", status_code=303)


@router.get("/{name}")
def request_answer(name: str, user: GetUserDep) -> Any:
    """The answer to an ad hoc request: its edition, or the figures that were given for free."""
    release = _own(name, user)
    from dp_stats.requests.asked_release import period_of_request

    settings = load_settings()
    path = f"{name}/{period_of_request(release)}/r1"
    if budget_view.edition_folder(settings, path) is not None:
        return RedirectResponse(f"../editions/{path}/")
    return _file(name, settings)


@router.get("/{name}/answer.csv")
def own_file(name: str, user: GetUserDep) -> FileResponse:
    """The figures that were asked for and no others, where not all of the table were, or it was free."""
    _own(name, user)
    return _file(name, load_settings())


def _own(name: str, user: Any) -> Release:
    """The request, for those who may see its answer.

    Raises:
        HTTPException: there is none, or it is not this user's.
    """
    settings = load_settings()
    try:
        release, _ = load_request(name, settings)
    except CatalogueError:
        raise HTTPException(404, "There is no such request.") from None
    own = user.get_name() in {release.requested_by, *custodians(release.dataset)}
    if not own and not is_staff(user, release.dataset):
        raise HTTPException(403, "Only the person who asked, custodians and engineers can see this.")
    return release


def _file(name: str, settings: Settings) -> FileResponse:
    path = settings.requests / name / "answer.csv"
    if not path.is_file():
        raise HTTPException(404, "It has not been answered yet.")
    return FileResponse(path, filename=f"{name}.csv", headers={"Cache-Control": "no-store"})


def _still(found: Sequence[Standing], *, ledger: Ledger | None, settings: Settings) -> list[Standing]:
    """How requests stand, where the run of some may have ended (or been deleted) without an answer."""
    open_ = {one.asked.run for one in found if one.state in OPEN and "/" in one.asked.run}
    over = _ended(open_) if open_ else set()
    told = []
    for one in found:
        if one.state in OPEN and one.asked.run in over:  # what it did at last may have been noted since
            now = standing(one.asked, ledger=ledger, settings=settings)
            told.append(replace(now, state="over") if now.state in OPEN else now)
        else:
            told.append(one)
    return told


def _ended(runs: set[str]) -> set[str]:
    """Those of ``dag/run`` that Airflow has ended, or does not know any more."""
    with create_session() as session:
        query = select(DagRun.dag_id, DagRun.run_id).where(
            DagRun.run_id.in_([run.partition("/")[2] for run in runs]), DagRun.state.not_in(["success", "failed"])
        )
        return runs - {f"{dag}/{run}" for dag, run in session.execute(query)}


def _shown(one: Standing, settings: Settings) -> dict[str, Any]:
    return {
        "id": one.asked.id,
        "title": one.asked.title,
        "purpose": one.asked.purpose,
        "when": written.moment(one.asked.when),
        "until": written.moment(one.asked.when + timedelta(hours=settings.approval_hours)),
        "state": one.state,
        "waits_for": ", ".join(one.waits_for),
        "by": one.by,
        "why": one.why,
        "approved": [{"by": made.by, "why": made.reason} for made in one.approved],
        "run_link": budget_view.run_link(one.asked.run),
        "ask_link": f"/dags/{one.asked.run.partition('/')[0]}" if "/" in one.asked.run else "",
    }


WHAT_FOLLOWS = {
    "free": "It would be answered at once, at no cost, from what is published.",
    "approval": "It would wait for the custodians.",
    "allowed": "It would be measured at once: it is below what needs an approval.",
}


def _quote(one: KeptQuote) -> dict[str, Any]:
    return {
        "title": one["title"],
        "when": written.moment(budget_view.moment_of(one["at"])),
        "follows": WHAT_FOLLOWS.get(one["way"], ""),
        "points": [
            {
                "epsilon": written.epsilon(p["epsilon"]),
                "margin": "" if p["margin"] is None else f"±{written.number(p['margin'])}",
                "share": written.share(p["share"]),
                "fits": p["fits"],
                "asked": p["asked"],
            }
            for p in one["points"]
        ],
        "left": [
            f"{LIMITS[left['of']]}: {written.share(left['share'])} of the budget of {left['block']} "
            f"(ε {written.epsilon(left['epsilon'])})"
            for left in one["left"]
        ],
        "free": "" if one["free_margin"] is None else f"±{written.number(one['free_margin'])} from {one['free_from']}",
        "fits": fits(one) if one["refusals"] else "",
        "run_link": budget_view.run_link(one["run"]),
    }


def _left(dataset: Dataset, ledger: Ledger | None, user: str) -> list[dict[str, str]]:
    """What ``user`` may still spend in the newest blocks that were charged, and in any other."""
    cap, delta = cap_of(dataset.budget), delta_of(dataset.budget)
    charged = ledger.blocks(dataset.id) if ledger is not None else []
    known = {state.block: state for state in charged}
    blocks = [known[name] for name in sorted(known, reverse=True)[:MOST_BLOCKS]]
    if dataset.privacy_unit.per != "lifetime" or not blocks:
        blocks.append(BlockBudget(dataset.id, "any other" if blocks else "any", cap, cap - cap, cap - cap, cap, delta))
    rows = []
    for state in blocks:
        found = limits(state, budget=dataset.budget, category="adhoc", requested_by=user)
        mine = min(limit.left for limit in found)
        all_asked = min(limit.left for limit in found if limit.of != "analyst")
        rows.append(
            {
                "block": state.block,
                "mine": f"{written.share(part_of(mine, state.cap))} (ε {written.epsilon(epsilon_of(mine, delta))})",
                "all": f"{written.share(part_of(all_asked, state.cap))} (ε {written.epsilon(epsilon_of(all_asked, delta))})",
            }
        )
    return rows
