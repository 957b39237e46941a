"""Every five minutes: tell at once, and once, of what is broken and stops only itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, task

from dp_stats.airflow.alerts import alert, step_failed
from dp_stats.airflow.steps import RETRIES, guarded


def watch() -> DAG:
    """The DAG that looks for what is broken."""
    with DAG(
        dag_id="watch",
        dag_display_name="Watch for what is broken",
        description="Tells at once of declarations that are broken and requests that cannot be read; all others go on.",
        doc_md=__doc__,
        schedule=timedelta(minutes=5),
        start_date=datetime(2025, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags=["upkeep"],
        default_args={
            "owner": "engineers",
            "on_failure_callback": step_failed(lambda _: "Watch for what is broken"),
            **RETRIES,
        },
    ) as dag:

        @task(show_return_value_in_logs=False)
        def look() -> dict[str, Any]:
            """Look for what is broken, keep it for the budget page, and tell of what is new."""
            from dp_stats.airflow.adhoc import read_forms
            from dp_stats.airflow.scheduled import refused_releases
            from dp_stats.operations import faults

            found = guarded(lambda: faults.faults(refused=[*refused_releases(), *read_forms()[1]]))
            new = guarded(lambda: faults.keep_faults(found))
            for one in new:
                alert(one.subject, one.text)
            return {"broken": len(found), "new": len(new)}

        look()
    return dag
