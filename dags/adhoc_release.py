"""Ask for figures that no scheduled release has: a form, a pre-flight card, approval, then the usual steps.

Wiring only. Every task finds its request from the run's form and its user, so nothing that decides
about privacy passes through Airflow's own state.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException
from dp_stats_airflow.alerts import run_failed
from dp_stats_airflow.approval import CustodianApproval, form_of
from dp_stats_airflow.form import form
from dp_stats_airflow.steps import RETRIES, Run, guarded, requester, run_name, step

from dp_stats import pipeline
from dp_stats.catalogue import load_catalogue
from dp_stats.settings import load_settings

WAIT = timedelta(hours=float(os.environ.get("DP_STATS_APPROVAL_HOURS", "168")))
"""How long custodians have to answer."""


def request_of(context: Mapping[str, Any]) -> str:
    """The id of the request that this run is about."""
    from dp_stats import adhoc

    return adhoc.name_of(form_of(context), requested_by=requester(context))


def run_of(context: Mapping[str, Any]) -> Run:
    """The edition that answers the request."""
    from dp_stats import adhoc

    found = adhoc.request(request_of(context))
    return Run(found.edition, revision=1, reason="", requested_by=requester(context), link=run_name(context))


with DAG(
    dag_id="adhoc_release",
    dag_display_name="Ask for figures (ad hoc release)",
    description="A form for analysts; custodians see what it costs and decide.",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2020, 1, 1),  # noqa: DTZ001  Airflow reads it as UTC
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=16,
    tags=["ad hoc"],
    params=form(load_catalogue(load_settings().catalogue)),
    on_failure_callback=run_failed,
    default_args={"owner": "analysts", **RETRIES},
) as dag:

    @task(show_return_value_in_logs=False)
    def ask() -> dict[str, Any]:
        """Check the form and say what happens next: a free answer, an approval, or straight on."""
        from dp_stats import adhoc

        context = get_current_context()
        made = guarded(lambda: adhoc.ask(form_of(context), requested_by=requester(context)))
        return {"request": made.id, "edition": made.edition, "path": made.path}

    @task(show_return_value_in_logs=False)
    def custodians() -> list[dict[str, str]]:
        """Name the custodians who must decide; none for a free answer or below the allowance."""
        from dp_stats import adhoc

        name = guarded(lambda: request_of(get_current_context()))
        found = guarded(lambda: adhoc.request(name))
        needed = guarded(lambda: adhoc.card(name)).approvers if found.path == "approval" else ()
        return [{"custodian": user} for user in needed]

    @task(trigger_rule="none_failed", show_return_value_in_logs=False)
    def authorise() -> None:
        """Go on only if the ledger holds every custodian's approval of exactly this plan."""
        from dp_stats import adhoc

        if not guarded(lambda: adhoc.authorise(request_of(get_current_context()))):
            raise AirflowSkipException("Not approved, or answered from what is published. Nothing was spent.")

    @task(show_return_value_in_logs=False)
    def answer_for_free() -> dict[str, Any]:
        """Give the published tables that answer the request."""
        from dp_stats import adhoc

        name = guarded(lambda: request_of(get_current_context()))
        if guarded(lambda: adhoc.request(name)).path != "free":
            raise AirflowSkipException("No published table answers it.")
        guarded(lambda: adhoc.answer(name))
        return {"request": name, "download": f"/budget/requests/{name}"}

    @step(run_of)
    def pull(run: Run) -> dict[str, Any]:
        """Copy the declared columns of the rows into the secure store, without people who opted out."""
        return pipeline.pull(run.edition)

    @step(run_of)
    def check(run: Run) -> dict[str, Any]:
        """Hold the rows against the dataset's expectations."""
        return pipeline.check(run.edition)

    @step(run_of)
    def reserve(run: Run) -> dict[str, Any]:
        """Set the privacy budget aside; the ledger looks for the approvals itself."""
        return pipeline.reserve(run.edition, requested_by=run.requested_by, run=run.link)

    @step(run_of)
    def measure(run: Run) -> dict[str, Any]:
        """Bound, aggregate, pay, add noise once, store."""
        return pipeline.measure(run.edition)

    @step(run_of)
    def estimate(run: Run) -> dict[str, Any]:
        """Turn noisy measurements into values with intervals; sees no rows."""
        return pipeline.estimate(run.edition)

    @step(run_of)
    def publish(run: Run) -> dict[str, Any]:
        """Write the edition and, if it is public, bring the site up to date."""
        return pipeline.publish(run.edition)

    @task(show_return_value_in_logs=False)
    def hand_over() -> dict[str, Any]:
        """Cut the table to the areas and bands that were asked for, if not all were."""
        from dp_stats import adhoc

        name = guarded(lambda: request_of(get_current_context()))
        guarded(lambda: adhoc.hand_over(name))
        return {"request": name, "download": f"/budget/requests/{name}"}

    @step(run_of)
    def clean_up(run: Run) -> dict[str, Any]:
        """Delete the staged rows, whether the run succeeded or failed."""
        return pipeline.clean_up(run.edition)

    asked, named, go = ask(), custodians(), authorise()
    approve = CustodianApproval.partial(
        task_id="approve", response_timeout=WAIT, retries=0, map_index_template="{{ task.custodian }}"
    ).expand_kwargs(named)
    asked >> [named, answer_for_free()]
    (
        approve
        >> go
        >> pull
        >> check
        >> reserve
        >> measure
        >> estimate
        >> publish
        >> hand_over()
        >> clean_up.as_teardown(setups=go)
    )
