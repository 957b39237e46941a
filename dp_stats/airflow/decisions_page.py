"""*To decide*: every request that waits for this custodian, each with its card, and one answer to those that she ticks.

Each answer goes to the one card that the page showed, as it would from Airflow's own page of that task; one that does not count any
more is refused in words and stops no other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from fastapi import APIRouter, Form, HTTPException, Request
from markdown_it import MarkdownIt
from sqlalchemy import select

from dp_stats import requests, written
from dp_stats.airflow import budget_view
from dp_stats.airflow.approval import APPROVE, REFUSE, SHORTEST_REASON
from dp_stats.airflow.names import ASKING
from dp_stats.airflow.web import page, require_own_page
from dp_stats.errors import ApprovalError, DpStatsError
from dp_stats.ledger.amounts import cap_of
from dp_stats.ledger.budget import who
from dp_stats.ledger.cards import ShownCard
from dp_stats.requests.preflight import part_of
from dp_stats.requests.showing import card_in, places, request_of
from dp_stats.requests.standing import asked_as, not_counted
from dp_stats.settings import load_settings

MOST_SHOWN = 50
"""Requests on the page at once, those that wait longest first."""

WAITS_ON = "If it still stands below, it waits on: refuse it, and who asked reads your reason and may ask again."
MOST_TOLD = 10
"""Answers that did not count which the page tells of."""

router = APIRouter(prefix="/decisions")
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True)
class Waiting:
    """One card that waits for an answer: where it was shown (the id of the task's attempt), to whom, and where it is kept."""

    place: str
    dag: str
    run: str
    index: int
    custodian: str
    kept: Path

    @cached_property
    def card(self) -> ShownCard:
        """What it says."""
        return card_in(self.kept)


@router.get("/")
def to_decide(user: GetUserDep) -> Any:
    """What waits for this user."""
    return _page(user.get_name(), [])


@router.post("/")
def decide(
    user: GetUserDep,
    request: Request,
    choice: Annotated[str, Form()],
    reason: Annotated[str, Form()] = "",
    place: Annotated[list[str] | None, Form()] = None,
) -> Any:
    """Answer every ticked card alike; one that cannot be answered any more stops no other."""
    require_own_page(request)
    if choice not in (APPROVE, REFUSE):
        raise HTTPException(400, "An answer is Approve or Refuse.")
    if len(reason.strip()) < SHORTEST_REASON:
        return _page(
            user.get_name(), [("", f"Nothing was answered: a reason needs {SHORTEST_REASON} letters at least.")]
        )
    if not place:
        return _page(user.get_name(), [("", "Nothing was answered: tick the requests that the answer is for.")])
    known = {one.place: one for one in waiting_for(user.get_name())}
    told, answered = [], set()
    for each in dict.fromkeys(place):
        one = known.get(each)
        if one is None:
            told.append(("", "One of them does not wait for you any more: it was answered, withdrawn or asked anew."))
            continue
        try:
            _answer(one, user, choice=choice, reason=reason.strip())
        except (DpStatsError, HTTPException) as error:
            told.append((titled(one), error.detail if isinstance(error, HTTPException) else f"{error} {WAITS_ON}"))
        else:
            answered.add(each)
            told.append((titled(one), f"{'Approved' if choice == APPROVE else 'Refused'}, as you said."))
    return _page(user.get_name(), told, answered=answered)


def waiting_for(user: str) -> list[Waiting]:
    """The cards that wait for an answer of a user, her own or as a deputy, those that wait longest first."""
    shown = places(load_settings())
    with create_session() as session:
        query = (
            select(TaskInstance, HITLDetail.assignees)
            .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
            .where(TaskInstance.state == "awaiting_input", HITLDetail.responded_at.is_(None))
            .where(TaskInstance.dag_id.startswith(ASKING, autoescape=True))
            .order_by(HITLDetail.created_at)
        )
        found = []
        for instance, assignees in session.execute(query):
            place, names = str(instance.id), [str(one["name"]) for one in assignees or ()]
            if who(user) in map(who, names) and place in shown:
                at = (instance.dag_id, instance.run_id, instance.map_index)
                found.append(Waiting(place, *at, custodian=names[0], kept=shown[place]))
    return found


def _answer(one: Waiting, user: Any, *, choice: str, reason: str) -> None:
    """Answer one card, as Airflow's own route does.

    Raises:
        ApprovalError: the answer would not count, in words. HTTPException: the user may not answer, or somebody has.
    """
    details = DagDetails(id=one.dag)
    entity = DagAccessEntity.HITL_DETAIL
    if not get_auth_manager().is_authorized_dag(method="PUT", access_entity=entity, details=details, user=user):
        raise HTTPException(403, "You may not answer requests. Ask an administrator for the role of a custodian.")
    by = user.get_name()
    requests.would_count(
        request_of(one.kept),
        approver=by,
        decision="approved" if choice == APPROVE else "refused",
        shown=one.card,
        instead_of="" if who(by) == who(one.custodian) else one.custodian,
        ledger=budget_view.open_ledger(load_settings()),
    )
    with create_session() as session:
        held = session.get(TaskInstance, UUID(one.place), with_for_update={"of": TaskInstance})
        if held is None or held.state != "awaiting_input":  # asked anew: another card, which nobody has seen here
            raise ApprovalError("It does not wait for this answer any more. Look again.")
        update_hitl_detail(
            dag_id=one.dag,
            dag_run_id=one.run,
            task_id=held.task_id,
            update_hitl_detail_payload=UpdateHITLDetailPayload(
                chosen_options=[choice], params_input={"reason": reason}
            ),
            user=user,
            session=session,
            map_index=one.index,
        )


def _page(user: str, told: list[tuple[str, str]], *, answered: Collection[str] = ()) -> Any:
    found = [one for one in waiting_for(user) if one.place not in answered]
    in_vain = not_counted(user, settings=load_settings())
    cards = []
    for one in found[:MOST_SHOWN]:
        try:
            cards.append(_shown(one, user))
        except DpStatsError as error:  # one card that cannot be read may not keep the others from being decided
            told = [*told, ("", f"One request cannot be shown, and waits on: {error} Its run is {one.dag}/{one.run}.")]
    return page(
        "decisions.html",
        user=user,
        told=told,
        shortest=SHORTEST_REASON,
        cards=cards,
        more=len(found[MOST_SHOWN:]),
        not_counted=[(asked.title, asked.purpose, why) for asked, why in in_vain[:MOST_TOLD]],
    )


def titled(one: Waiting) -> str:
    """What is asked for, in words."""
    asked = asked_as(request_of(one.kept), settings=load_settings())
    return asked.title if asked is not None else one.card.edition


def _shown(one: Waiting, user: str) -> dict[str, Any]:
    """One card's facts, ready to print, and its whole text."""
    dataset = budget_view.catalogue().datasets.get(one.dag.removeprefix(ASKING))
    card = one.card
    cost = f"ρ {written.rho(card.rho)}"
    if dataset is not None:
        cap = cap_of(dataset.budget)
        cost = f"{written.share(part_of(card.rho, cap))} of the budget of each block ({cost})"
        left = [
            f"{written.share(part_of(floor, cap))} of {block}"
            for block, floor in card.floors.items()
            if ":" not in block
        ]
    else:
        left = []
    return {
        "place": one.place,
        "title": titled(one),
        "by": card.requested_by,
        "purpose": card.purpose,
        "audience": card.audience,
        "cost": cost,
        "left": ", ".join(left),
        "instead_of": one.custodian if who(user) != who(one.custodian) else "",
        "card": _markdown.render(card.text),
    }
