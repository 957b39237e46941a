"""A custodian's approval: shows the pre-flight card, and writes the answer into our ledger.

Airflow's own state of the task decides nothing. A task marked as success by hand, or an answer by
somebody else, leaves the ledger without an approval, and the next step stops.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import TaskAwaitingInput
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

from dp_stats.airflow.letters import TO_DECIDE, declared_people, link, write_to
from dp_stats.airflow.names import dataset_of
from dp_stats.airflow.notes import MINE, close_waiting, tell_ended, tell_stopped, write_note
from dp_stats.airflow.steps import guarded, requester

if TYPE_CHECKING:
    from dp_stats.requests.preflight import Card

log = logging.getLogger(__name__)

SHORTEST_REASON = 5
TRY = "try_it"
APPROVE, REFUSE = "Approve", "Refuse"
REASON = {
    "reason": Param(
        None,
        type="string",
        minLength=SHORTEST_REASON,
        title="Reason",
        description=f"At least {SHORTEST_REASON} letters, kept in the ledger with your name and decision.",
    )
}


class CustodianApproval(HITLOperator):
    """Ask one custodian; ``custodian`` is a user name in Airflow.

    A refusal or no answer in time is an answer too: the task succeeds, and what follows is skipped.
    """

    template_fields = ()

    def __init__(self, *, custodian: str, response_timeout: timedelta, **kwargs: Any) -> None:
        self.custodian = custodian
        kwargs.pop(
            "params", None
        )  # a mapped task is handed the fields of the DAG's form, which are not the custodian's
        super().__init__(
            subject="May this be published?",
            options=[APPROVE, REFUSE],
            params={
                "reason": Param(None, type=["null", "string"])
            },  # Airflow looks for a value before anybody is asked
            response_timeout=response_timeout,
            **kwargs,
        )

    def execute(self, context: Any) -> Any:
        """Show the card to the custodian and wait."""
        from dp_stats import requests
        from dp_stats.airflow.cards import card_markdown, card_note, cost_of
        from dp_stats.requests.showing import show
        from dp_stats.settings import load_settings
        from dp_stats.texts.words import Texts

        def prepare() -> None:
            name = request_of(context)
            made = requests.card(name)
            requests.may_decide(made, self.custodian)
            self.subject = (
                f"{self.custodian}: {made.release.requested_by} asks for {made.release.title} ({cost_of(made)}). "
                "May it be published?"
            )
            seen = show(
                made, card_markdown(made, Texts.of(load_settings())), approver=self.custodian, place=place(context)
            )
            self.body = seen.text
            self.assigned_users = [{"id": user, "name": user} for user in (self.custodian, *self._deputies(made))]
            write_note(context, f"{card_note(made)}\n\n{MINE}")
            self._tell(context, made)

        guarded(prepare, stopped=partial(request_stopped, context))
        self.params = ParamsDict(REASON)  # which the form may not leave empty
        return super().execute(context)

    def _tell(self, context: Any, made: Card) -> None:
        """Write to the custodian that a request waits for her, unless letters are gathered (see ``watching``)."""
        from dp_stats.settings import load_settings

        if load_settings().digest_hours:
            return
        run, index = context["dag_run"], context["task_instance"].map_index
        where = f"/dags/{run.dag_id}/runs/{quote(run.run_id, safe='')}/tasks/approve/mapped/{index}/required_actions"
        text = f"{made.release.requested_by} asks for: {made.release.title}. What for: {made.release.purpose} {link(where)}"
        for user in (self.custodian, *self._deputies(made)):
            write_to(user, "A request waits for your decision", text, known=made.dataset.custodians)

    def _deputies(self, made: Card) -> tuple[str, ...]:
        """Who may answer in the custodian's place today."""
        today = datetime.now(UTC).date()
        found = (one for one in made.dataset.custodians if one.answers_as == self.custodian)
        return tuple(user for one in found for user in one.deputies_on(today))

    def execute_complete(self, context: Any, event: dict[str, Any]) -> dict[str, str]:
        """Record what the custodian answered, or that there was no answer."""
        if "error" not in event and len(_reason_of(event)) < SHORTEST_REASON:
            self._ask_again(context, _answered_by(event))
        return guarded(lambda: self._record(context, event), stopped=partial(self._not_counted, context, event))

    def _ask_again(self, context: Any, by: str) -> None:
        """Take back an answer without a reason, which Airflow lets through over REST, and wait for another: nothing is decided."""
        log.warning("%s answered without a reason, so that it does not count. The same card waits for an answer.", by)
        if by:
            words = f"An answer needs a reason of {SHORTEST_REASON} letters at least, so that yours does not count. It waits on."
            write_to(by, "Your answer does not count", f"{words} {link(TO_DECIDE)}", known=declared_people())
        # It takes the answer back; of a card that has been shown Airflow changes nothing else.
        upsert_hitl_detail(context["task_instance"].id, self.options, self.subject, params={})
        raise TaskAwaitingInput(method_name="execute_complete", timeout=self.response_timeout)

    def _not_counted(self, context: Any, event: Mapping[str, Any], words: str) -> None:
        """Tell who asked, and who answered: Airflow's page has thanked her before her answer was looked at."""
        by = _answered_by(event)
        request_stopped(context, words, answered_by=by)
        if by:
            write_to(by, "Your answer does not count", f"{words} {link(TO_DECIDE)}", known=declared_people())

    def _record(self, context: Any, event: Mapping[str, Any]) -> dict[str, str]:
        from dp_stats import requests
        from dp_stats.errors import ApprovalError
        from dp_stats.ledger.records import in_place_of
        from dp_stats.requests.showing import shown

        name = request_of(context)
        seen = shown(name, approver=self.custodian, place=place(context))
        decision: Literal["approved", "refused", "expired"]
        by, instead_of = self.custodian, ""
        if "error" in event:
            decision, reason = "expired", "no answer in time"
        else:
            by = _answered_by(event)
            if by not in (self.custodian, *self._deputies(requests.card(name))):
                raise ApprovalError(f"Only {self.custodian} can answer here, or a declared deputy today. Ask again.")
            reason = _reason_of(event)
            decision = "approved" if event["chosen_options"] == [APPROVE] else "refused"
            instead_of = "" if by == self.custodian else self.custodian
        requests.decide(name, approver=by, decision=decision, reason=reason, shown=seen, instead_of=instead_of)
        if decision != "approved":
            tell_ended(context, by=in_place_of(by, instead_of), decision=decision, reason=reason)
            self._close_others(context, len(requests.card(name).approvers))
        return {"approver": by, "decision": decision}

    def _close_others(self, context: Any, custodians: int) -> None:
        """Take the question from those who have not answered yet: one refusal has decided it."""
        run, task = context["dag_run"], context["task_instance"]
        others = (index for index in range(custodians) if index != task.map_index)
        close_waiting(run.dag_id, run.run_id, task.task_id, others)


def _answered_by(event: Mapping[str, Any]) -> str:
    """The user name of who answered, for an id is a number where FAB keeps the users; empty if nobody did."""
    return str((event.get("responded_by_user") or {}).get("name") or "")


def _reason_of(event: Mapping[str, Any]) -> str:
    return str((event.get("params_input") or {}).get("reason") or "").strip()


def place(context: Mapping[str, Any]) -> str:
    """Where a card is shown: the one attempt of a task that Airflow keeps card and answer of, also when it resumes."""
    return str(context["task_instance"].id)


def form_of(context: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked: the form's defaults with what the run was given, unknown keys included so that they are refused.

    Raises:
        CatalogueError: it names another dataset than the DAG's.
    """
    from dp_stats.errors import CatalogueError

    form = _filled_in(context)
    form.pop(TRY, None)
    dataset = dataset_of(context["dag_run"].dag_id)
    if form.setdefault("dataset", dataset) != dataset:
        raise CatalogueError(
            f"dataset: this is the form for '{dataset}'. Leave 'dataset' out, or use the other one's form."
        )
    return form


def only_tries(context: Mapping[str, Any]) -> bool:
    """Whether the form only asks what it would cost."""
    return _filled_in(context).get(TRY) is True


def _filled_in(context: Mapping[str, Any]) -> dict[str, Any]:
    return {**dict(context["params"]), **(context["dag_run"].conf or {})}


def request_of(context: Mapping[str, Any]) -> str:
    """The id of the request that a run is about."""
    from dp_stats import requests

    return requests.name_of(form_of(context), requested_by=requester(context))


def request_stopped(context: Mapping[str, Any], words: str, *, answered_by: str = "") -> None:
    """Tell who asked, and whose answer did not count, if that is why, why the run of a request goes no further."""
    from dp_stats.errors import DpStatsError

    name = ""
    with suppress(DpStatsError):  # a form that cannot be read makes no request
        name = request_of(context)
    tell_stopped(context, words, name=name, answered_by=answered_by)
