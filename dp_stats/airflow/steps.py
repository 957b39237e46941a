"""Steps of the pipeline as Airflow tasks: which edition a run makes, and errors that never quote a value."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from airflow.sdk import Asset, ExceptionRetryPolicy, RetryAction, RetryRule, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from dp_stats import pipeline
from dp_stats.errors import DpStatsError, need_a_person
from dp_stats.files import storage_error

if TYPE_CHECKING:
    from dp_stats.run import Kind

T = TypeVar("T")

Stopped = Callable[[Mapping[str, Any], str], object]
"""Tells people, of a run by its context, in which words it was stopped."""

POOL = "dataset-{}"
"""Runs of one dataset queue here; what keeps them from paying twice is the ledger's transaction."""

NEED_A_PERSON = tuple(kind.__name__ for kind in need_a_person())
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
                exception=[f"dp_stats.errors.{name}" for name in NEED_A_PERSON],
                action=RetryAction.FAIL,
                reason="a person must act first",
            )
        ]
    ),
}


class StepFailedError(Exception):
    """A step failed in a way dp_stats does not know; names the kind of error and the place, nothing else."""


@dataclass(frozen=True)
class AirflowRun:
    """One Airflow run, as the pipeline sees it.

    Attributes:
        edition: ``release/period``. revision: 1, or the number of a correction.
        reason: why a correction is made. requested_by: who started it.
        link: where the run is found, kept with the charge.
        new_series: a yes to charging blocks again where an edit has ended the series they were paid for.
        kind: ``edition``, or that of a revision. only_say: whether to do no more than say what it costs.
    """

    edition: str
    revision: int
    reason: str
    requested_by: str
    link: str
    new_series: bool = False
    kind: Kind | Literal["edition"] = "edition"
    only_say: bool = False

    @property
    def measures(self) -> bool:
        """Whether records are read and measured."""
        return self.kind in ("edition", "correction") and not self.only_say


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
    if stopped is not None and type(failure).__name__ in NEED_A_PERSON:
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
    """The steps of an edition as tasks, alike for scheduled and ad hoc runs: pull → check → reserve → … → publish."""
    told = partial(step, stopped=stopped)

    @told(run_of, inlets=list(inlets))
    def pull(run: AirflowRun) -> dict[str, Any]:
        """Copy the declared columns of the rows into the secure store, without people who opted out."""
        if not run.measures:
            raise AirflowSkipException("No records are read for this. Nothing was spent.")
        return pipeline.pull(run.edition, revision=run.revision)

    @told(run_of)
    def check(run: AirflowRun) -> dict[str, Any]:
        """Hold the rows against the dataset's expectations; a failed gate stops before any budget is used."""
        return pipeline.check(run.edition, revision=run.revision)

    @told(run_of)
    def reserve(run: AirflowRun) -> dict[str, Any]:
        """Set the privacy budget aside in the ledger, which looks for the approvals itself, or stop."""
        return pipeline.reserve(
            run.edition,
            revision=run.revision,
            reason=run.reason,
            requested_by=run.requested_by,
            run=run.link,
            new_series=run.new_series,
        )

    @told(run_of)
    def measure(run: AirflowRun) -> dict[str, Any]:
        """Bound, aggregate, pay, add noise once, store. A repeat returns what is stored."""
        return pipeline.measure(run.edition, revision=run.revision)

    @told(run_of)
    def estimate(run: AirflowRun) -> dict[str, Any]:
        """Turn noisy measurements into consistent values with intervals; sees no rows."""
        return pipeline.estimate(run.edition, revision=run.revision)

    @told(run_of, outlets=list(outlets))
    def publish(run: AirflowRun) -> dict[str, Any]:
        """Write the edition's folder, check it, move it into place and, if it is public, build the site."""
        done = pipeline.publish(run.edition, revision=run.revision)
        tell_assets(outlets, done)
        return done

    @told(run_of)
    def clean_up(run: AirflowRun) -> dict[str, Any]:
        """Delete the staged rows, whether the run succeeded or failed."""
        return pipeline.clean_up(run.edition, revision=run.revision)

    pull >> check >> reserve >> measure >> estimate >> publish
    return PipelineSteps(first=pull, last=publish, clean_up=clean_up)
