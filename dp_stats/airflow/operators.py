"""Operators for DAGs of one's own: measure an edition, publish it, or both with every step as a task.

They call what the scheduled DAGs call, in the same order. Nothing but names, hashes and checksums passes between tasks, and
nothing private can: each operator works out its edition from the run itself, and what may be measured the ledger decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator, TaskGroup

from dp_stats.airflow import one_step
from dp_stats.airflow.names import scheduled_dag
from dp_stats.airflow.one_step import AirflowRun
from dp_stats.airflow.release_runs import declared, defaults, edition_of, edition_run, editions_of, rows_of
from dp_stats.airflow.steps import guarded, pipeline_steps, tell_assets


class _EditionOperator(BaseOperator):
    """A task that does several steps of one edition.

    Args:
        release: of the catalogue. period: such as ``2021-W07``, or a template of one; by default the last period that had
            settled when the run was due.
    """

    template_fields = ("period",)

    def __init__(self, *, release: str, period: str | None = None, **kwargs: Any) -> None:
        catalogue, found = declared(release)
        self.release, self.period = release, period

        def edition(context: Mapping[str, Any]) -> str:
            return edition_of(
                release, context, period=context["task"].period
            )  # that of the run, with its template filled in

        super().__init__(**{**defaults(catalogue.dataset_of(found), edition), **kwargs})
        self.show_return_value_in_logs = False

    def _run(self, context: Mapping[str, Any]) -> AirflowRun:
        return edition_run(self.release, context, period=self.period)


class MeasureOperator(_EditionOperator):
    """Pull the rows of an edition, check them, set its budget aside and store its noisy measurements; then delete the rows.

    What is paid for is not paid again and what is drawn not drawn again, however often it runs. It returns edition, revision and
    the hash of the plan.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        catalogue, found = declared(self.release)
        self.inlets.append(rows_of(catalogue.dataset_of(found)))

    def execute(self, context: Any) -> dict[str, Any]:
        """Every step that rows are needed for."""
        return guarded(lambda: _measured(self._run(context)))


class PublishOperator(_EditionOperator):
    """Estimate and publish an edition that has been measured; its asset's event says which, with revision and checksum.

    It reads no rows, so that it may run where none can be reached.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outlets.append(editions_of(declared(self.release)[1]))

    def execute(self, context: Any) -> dict[str, Any]:
        """Every step after the measurements."""
        done = guarded(lambda: _published(self._run(context)))
        tell_assets([editions_of(declared(self.release)[1])], done)
        return done


def _measured(run: AirflowRun) -> dict[str, Any]:
    try:
        for step in (one_step.pull, one_step.check):
            step(run)
        reserved = one_step.reserve(run)
        one_step.measure(run)
    finally:
        one_step.clean_up(run)
    return {name: reserved[name] for name in ("edition", "revision", "plan")}


def _published(run: AirflowRun) -> dict[str, Any]:
    one_step.estimate(run)
    return one_step.publish(run)


class ReleaseTaskGroup(TaskGroup):
    """All steps of an edition as tasks of a group, as a scheduled release has them; ``clean_up`` runs whatever happens.

    Args:
        release: of the catalogue. period: such as ``2021-W07``, or a template of one; by default the last period that had
            settled when the run was due. group_id: the name of the group (default: the release's).
    """

    def __init__(self, release: str, *, period: str | None = None, group_id: str | None = None, **kwargs: Any) -> None:
        catalogue, found = declared(release)
        dataset = catalogue.dataset_of(found)

        def named(context: Mapping[str, Any]) -> str | None:
            return context["task"].render_template(period, context) if period else None

        def run_of(context: Mapping[str, Any]) -> AirflowRun:
            return edition_run(release, context, period=named(context))

        def edition(context: Mapping[str, Any]) -> str:
            return edition_of(release, context, period=named(context))

        own = {**defaults(dataset, edition), **kwargs.pop("default_args", {})}
        super().__init__(group_id=group_id or scheduled_dag(release), default_args=own, **kwargs)
        with self:
            steps = pipeline_steps(run_of, inlets=[rows_of(dataset)], outlets=[editions_of(found)])
            steps.last >> steps.clean_up.as_teardown()  # of no setup: rows that a failed pull left are deleted, too
