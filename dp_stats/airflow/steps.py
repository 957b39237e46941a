"""Steps of the pipeline as Airflow tasks: which edition a run makes, and errors that never quote a value."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from airflow.sdk import Asset, ExceptionRetryPolicy, RetryAction, RetryRule, chain, get_current_context, task
from airflow.sdk.exceptions import AirflowException

from dp_stats.airflow import one_step
from dp_stats.airflow.one_step import AirflowRun
from dp_stats.errors import DpStatsError, need_a_person
from dp_stats.files import storage_error
from dp_stats.settings import load_settings

T = TypeVar("T")

Stopped = Callable[[Mapping[str, Any], str], object]
"""Tells people, of a run by its context, in which words it was stopped."""

NEED_A_PERSON = tuple(need_a_person())
"""Errors of dp_stats that no retry mends."""

RETRIES = {
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    # A source or a ledger out of reach may come back; these failures stay until a person acts.
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception=[f"{kind.__module__}.{kind.__qualname__}" for kind in NEED_A_PERSON],
                action=RetryAction.FAIL,
                reason="a person must act first",
            )
        ]
    ),
}


def task_options() -> dict[str, Any]:
    """What every task of ours has: when it is tried again, and the queue of the workers that may see rows, where there is one."""
    queue = load_settings().queue
    return {**RETRIES, **({"queue": queue} if queue else {})}


class StepFailedError(Exception):
    """A step failed in a way dp_stats does not know; names the kind of error and the place, nothing else."""


def run_name(context: Mapping[str, Any]) -> str:
    """``dag/run``: what the ledger keeps of a run, so that page and charge find each other."""
    run = context["dag_run"]
    return f"{run.dag_id}/{run.run_id}"


def requester(context: Mapping[str, Any]) -> str:
    """The user who started the run, or ``schedule``."""
    return getattr(context["dag_run"], "triggering_user_name", None) or "schedule"


def moment(context: Mapping[str, Any]) -> datetime:
    """When the run is due: the end of its data interval, or the time it was asked for."""
    when: datetime = context.get("data_interval_end") or context["dag_run"].run_after
    return when


def guarded(function: Callable[[], T], *, stopped: Callable[[str], object] | None = None) -> T:
    """Call ``function``; raise afresh, outside ``except``, so that no traceback or cause carries a value.

    Errors of dp_stats keep their message, which names files, columns and rules. Any other error is
    reduced to its type and the line of our code it came from.

    Args:
        stopped: is told the words of an error that no retry mends.

    Raises:
        DpStatsError: as the function raised it, without its cause.
        StepFailedError: for every other error.
    """
    failure: Exception
    try:
        return function()
    except DpStatsError as error:
        failure = type(error)(str(error))
    except (AirflowException, ImportError):
        raise
    except Exception as error:
        said = storage_error(error) if isinstance(error, OSError) else None
        place = "unknown place"
        for frame in traceback.extract_tb(error.__traceback__):
            if "dp_stats" in frame.filename:
                place = f"{Path(frame.filename).name}, line {frame.lineno}"
        failure = said or StepFailedError(
            f"{type(error).__name__} at {place}. Its message is kept back because it may quote data; "
            "run the step with dp-stats on the secure side to see it."
        )
    if stopped is not None and isinstance(failure, NEED_A_PERSON):
        stopped(str(failure))
    raise failure


def step(
    run_of: Callable[[Mapping[str, Any]], AirflowRun], *, stopped: Stopped | None = None, **options: Any
) -> Callable[[Callable[[AirflowRun], Any]], Any]:
    """Make a task of a one-line call of the pipeline.

    Nothing passes between tasks: each works out its edition from the run itself, so that nobody can
    turn a run to another edition by writing an XCom. What the call returns (ids, counts of cells,
    checksums) is stored by the backend of :mod:`dp_stats.airflow.xcom`, and not logged.
    """

    def decorate(function: Callable[[AirflowRun], Any]) -> Any:
        def call() -> Any:
            context = get_current_context()
            tell = (lambda words: stopped(context, words)) if stopped else None
            return guarded(lambda: function(run_of(context)), stopped=tell)

        call.__name__ = function.__name__
        call.__doc__ = function.__doc__
        decorated = task(task_id=function.__name__, doc_md=function.__doc__, show_return_value_in_logs=False, **options)
        return decorated(call)()

    return decorate


def tell_assets(outlets: Sequence[Asset], done: Mapping[str, Any]) -> None:
    """Let the events of assets say which edition was published, at which revision, and the checksum of all its files."""
    events = get_current_context()["outlet_events"]
    for asset in outlets:
        events[asset].extra.update({name: done[name] for name in ("edition", "revision", "path", "sha256")})


@dataclass(frozen=True)
class PipelineSteps:
    """The tasks of the pipeline, chained: ``first`` pulls, ``last`` publishes, ``clean_up`` is for the caller to place."""

    first: Any
    last: Any
    clean_up: Any


def pipeline_steps(
    run_of: Callable[[Mapping[str, Any]], AirflowRun],
    *,
    inlets: Sequence[Asset] = (),
    outlets: Sequence[Asset] = (),
    stopped: Stopped | None = None,
) -> PipelineSteps:
    """The steps of an edition as tasks, alike for scheduled and ad hoc runs and for one's own DAGs: pull → check → reserve → …
    → publish."""
    told = partial(step, run_of, stopped=stopped)

    def publish(run: AirflowRun) -> dict[str, Any]:
        done = one_step.publish(run)
        tell_assets(outlets, done)
        return done

    publish.__doc__ = one_step.publish.__doc__
    pulled = told(inlets=list(inlets))(one_step.pull)
    published = told(outlets=list(outlets))(publish)
    between = [told()(each) for each in (one_step.check, one_step.reserve, one_step.measure, one_step.estimate)]
    chain(pulled, *between, published)
    return PipelineSteps(first=pulled, last=published, clean_up=told()(one_step.clean_up))
