"""Ask for figures that no scheduled release has: a form, a pre-flight card, approval, then the usual steps.

Wiring only. Every task finds its request from the run's form and its user, so nothing that decides
about privacy passes through Airflow's own state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from airflow.providers.standard.exceptions import HITLRejectException, HITLTimeoutError
from airflow.sdk import DAG, get_current_context, get_parsing_context, task
from airflow.sdk.exceptions import AirflowSkipException

from dp_stats.airflow.alerts import step_failed
from dp_stats.airflow.approval import CustodianApproval, form_of, only_tries, request_of, request_stopped
from dp_stats.airflow.form import form
from dp_stats.airflow.names import asking_dag, dataset_of, is_asking
from dp_stats.airflow.notes import tell_answered, tell_tried
from dp_stats.airflow.one_step import AirflowRun
from dp_stats.airflow.release_runs import declarations_of
from dp_stats.airflow.steps import NEED_A_PERSON, guarded, pipeline_steps, requester, run_name, task_options
from dp_stats.catalogue import Catalogue, Dataset
from dp_stats.errors import AgreementError, ApprovalError, BudgetError, CatalogueError, NotDerivableError, NotDueError
from dp_stats.settings import load_settings

ANSWERS = (
    *(AgreementError, ApprovalError, BudgetError, CatalogueError, NotDerivableError, NotDueError),
    *(HITLRejectException, HITLTimeoutError),
)
"""How a run ends that answers its analyst (a typing error, a refusal, nobody who decided in time): no alert."""

MOST_OPEN = 100_000
"""Requests of one dataset that may be open at once: they wait for people, and a waiting one may not keep others out."""

T = TypeVar("T")


def or_tell(function: Callable[[], T]) -> T:
    """Call ``function``; who asked is told in words what stops it."""
    return guarded(function, stopped=partial(request_stopped, get_current_context()))


def run_of(context: Mapping[str, Any]) -> AirflowRun:
    """The edition that answers the request."""
    from dp_stats import requests

    found = requests.request(request_of(context))
    return AirflowRun(found.edition, revision=1, reason="", requested_by=requester(context), link=run_name(context))


alerted = step_failed(lambda context: run_of(context).edition, expected=ANSWERS)

FAULT = (
    "A fault that is not yours stopped it at the step '{}'. The engineers have been told; when they have mended it, it goes on "
    "where it stopped, and nothing is paid twice. You need do nothing."
)


def failed(context: Mapping[str, Any]) -> None:
    """Alert the engineers of a fault, and tell who asked that it is none of hers; what she can mend she has been told."""
    alerted(context)
    if not isinstance(context.get("exception"), (*ANSWERS, *NEED_A_PERSON)):
        request_stopped(context, FAULT.format(context["task_instance"].task_id))


def adhoc_releases(dataset: str | None = None) -> dict[str, DAG]:
    """For each dataset, or only this, the DAG by which analysts ask and custodians decide, by its id."""
    return read_forms(get_parsing_context().dag_id, dataset=dataset)[0]


def read_forms(only: str | None = None, *, dataset: str | None = None) -> tuple[dict[str, DAG], list[str]]:
    """The asking DAGs by id, and what is wrong with those that cannot be made.

    Args:
        only: the id of the one that is wanted, as in a task. dataset: the one whose form is wanted.
    """
    if dataset is None and only is not None:
        if not is_asking(only):
            return {}, []
        dataset = dataset_of(only)
    catalogue = declarations_of(dataset)
    made: dict[str, DAG] = {}
    refused: list[str] = []
    for declared in catalogue.datasets.values():
        name = asking_dag(declared.id)
        if only not in (None, name) or dataset not in (None, declared.id):  # holders of its records are read, too
            continue
        try:
            made[name] = adhoc_release(catalogue, declared)
        except Exception as error:  # one dataset that Airflow refuses may not take away the others
            refused.append(
                f"datasets/{declared.id}.yaml: Airflow cannot make its form. {type(error).__name__}: {error}"
            )
    return made, refused


def adhoc_release(catalogue: Catalogue, dataset: Dataset) -> DAG:
    """The DAG by which analysts ask for figures of one dataset."""
    settings = load_settings()
    with DAG(
        dag_id=asking_dag(dataset.id),
        dag_display_name=f"Ask for figures: {dataset.title}",
        description="A form for analysts; custodians see what it costs and decide.",
        doc_md=__doc__,
        schedule=None,
        start_date=datetime(2020, 1, 1),  # noqa: DTZ001  Airflow reads it as UTC
        catchup=False,
        is_paused_upon_creation=False,
        max_active_runs=MOST_OPEN,
        tags=["ad hoc", f"dataset:{dataset.id}"],
        params=form(catalogue, dataset),
        default_args={"owner": "analysts", "on_failure_callback": failed, **task_options()},
    ) as dag:

        @task(show_return_value_in_logs=False)
        def ask() -> dict[str, Any]:
            """Check the form; only quote, or answer for free at once, or say who decides."""
            from dp_stats import requests

            run = get_current_context()
            if only_tries(run):
                tell_tried(run, or_tell(lambda: requests.try_out(form_of(run), requested_by=requester(run))))
                raise AirflowSkipException("Only tried. Nobody was asked, nothing was filed or spent.")
            made = or_tell(lambda: requests.ask(form_of(run), requested_by=requester(run), run=run_name(run)))
            if made.path == "free":
                or_tell(lambda: requests.answer(made.id))
                tell_answered(run, made.id)
            return {"request": made.id, "edition": made.edition, "path": made.path}

        @task(show_return_value_in_logs=False)
        def custodians() -> list[dict[str, str]]:
            """Name the custodians who must decide; none for a free answer or below the allowance."""
            from dp_stats import requests

            name = or_tell(lambda: request_of(get_current_context()))
            found = or_tell(lambda: requests.request(name))
            needed = or_tell(lambda: requests.card(name)).approvers if found.path == "approval" else ()
            return [{"custodian": user} for user in needed]

        @task(trigger_rule="none_failed", show_return_value_in_logs=False)
        def authorise() -> None:
            """Go on only if the ledger holds every custodian's approval of exactly this plan."""
            from dp_stats import requests

            context = get_current_context()
            if only_tries(context) or not or_tell(lambda: requests.authorise(request_of(context))):
                raise AirflowSkipException("Not approved, only tried, or answered for free. Nothing was spent.")

        @task(show_return_value_in_logs=False)
        def hand_over() -> dict[str, Any]:
            """Keep of the table only the areas and bands that were asked for, if not all were."""
            from dp_stats import requests

            name = or_tell(lambda: request_of(get_current_context()))
            or_tell(lambda: requests.hand_over(name))
            tell_answered(get_current_context(), name)
            return {"request": name, "download": f"/budget/requests/{name}"}

        asked, named, go = ask(), custodians(), authorise()
        approve = CustodianApproval.partial(
            task_id="approve",
            response_timeout=timedelta(hours=settings.approval_hours),
            retries=0,
            map_index_template="{{ task.custodian }}",
        ).expand_kwargs(named)
        asked >> named
        steps = pipeline_steps(run_of, stopped=request_stopped)
        approve >> go >> steps.first
        steps.last >> hand_over() >> steps.clean_up.as_teardown(setups=go)
    return dag
