"""A custodian's approval: shows the pre-flight card, and writes the answer into our ledger.

Airflow's own state of the task decides nothing. A task marked as success by hand, or an answer by
somebody else, leaves the ledger without an approval, and the next step stops.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict

from dp_stats.airflow.notes import write_note
from dp_stats.airflow.steps import guarded, requester
from dp_stats.files import replace_file

APPROVE, REFUSE = "Approve", "Refuse"
REASON = {
    "reason": Param(
        "",
        type="string",
        title="Reason",
        description="Kept in the ledger with your name and decision.",
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
            params=REASON,
            response_timeout=response_timeout,
            **kwargs,
        )

    def execute(self, context: Any) -> Any:
        """Show the card to the custodian and wait."""
        from dp_stats import requests
        from dp_stats.airflow.cards import card_markdown, card_note
        from dp_stats.settings import load_settings
        from dp_stats.texts.words import Texts

        def prepare() -> None:
            name = requests.name_of(form_of(context), requested_by=requester(context))
            made = requests.card(name)
            requests.may_decide(made, self.custodian)
            self.subject = f"{self.custodian}: may this be published? {made.release.title}"
            self.body = card_markdown(made, Texts.of(load_settings()))
            self.assigned_users = [{"id": self.custodian, "name": self.custodian}]
            seen = {"plan": made.plan.hash, "shown": {block: str(rho) for block, rho in made.shown.items()}}
            replace_file(_shown(name, self.custodian), json.dumps(seen).encode())
            write_note(context, card_note(made))

        guarded(prepare)
        self.params = ParamsDict(REASON)
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> dict[str, str]:
        """Record what the custodian answered, or that there was no answer."""
        return guarded(lambda: self._record(context, event))

    def _record(self, context: Any, event: Mapping[str, Any]) -> dict[str, str]:
        from dp_stats import requests
        from dp_stats.errors import ApprovalError

        name = requests.name_of(form_of(context), requested_by=requester(context))
        seen = json.loads(_shown(name, self.custodian).read_text())
        shown = {block: Fraction(rho) for block, rho in seen["shown"].items()}
        decision: Literal["approved", "refused", "expired"]
        if "error" in event:
            decision, reason = "expired", "no answer in time"
        else:
            user = (event.get("responded_by_user") or {}).get("id")
            if user != self.custodian:
                raise ApprovalError(f"Only {self.custodian} can answer here. Ask again.")
            reason = str((event.get("params_input") or {}).get("reason", "")).strip()
            if len(reason) < 5:
                raise ApprovalError(
                    "The decision came without a reason, so it does not count. Ask again, and answer with one."
                )
            decision = "approved" if event["chosen_options"] == [APPROVE] else "refused"
        requests.decide(
            name,
            approver=self.custodian,
            decision=decision,
            reason=reason,
            plan=seen["plan"],
            shown=shown,
        )
        return {"approver": self.custodian, "decision": decision}


def _shown(name: str, custodian: str) -> Path:
    """Where it is kept what a custodian was shown: an answer is to that, whatever has changed since."""
    from dp_stats.settings import load_settings

    return load_settings().requests / f"{name}.{custodian}.shown.json"


def form_of(context: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked: the form's defaults with what the run was given, unknown keys included so that they are refused."""
    return {**dict(context["params"]), **(context["dag_run"].conf or {})}
