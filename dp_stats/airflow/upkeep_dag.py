"""What the DAGs of upkeep have in common: one run at a time, never caught up, and people are told of a step that failed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from dp_stats.airflow.alerts import step_failed
from dp_stats.airflow.steps import task_options


def upkeep_dag(id: str, *, title: str, description: str, manual: str | None, schedule: str | timedelta) -> DAG:
    """A DAG without tasks, which runs from the start.

    Args:
        title: its name for people, in lists and letters. manual: what its page says.
    """
    return DAG(
        dag_id=id,
        dag_display_name=title,
        description=description,
        doc_md=manual,
        schedule=schedule,
        start_date=datetime(2025, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags=["upkeep"],
        default_args={
            "owner": "engineers",
            "on_failure_callback": step_failed(lambda _: title),
            **task_options(),
        },
    )
