"""Every five minutes: tell at once, and once, of what is broken and stops only itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from dp_stats.airflow.alerts import alert
from dp_stats.airflow.steps import guarded
from dp_stats.airflow.upkeep_dag import upkeep_dag


def watch() -> DAG:
    """The DAG that looks for what is broken."""
    with upkeep_dag(
        "watch",
        title="Watch for what is broken",
        description="Tells at once of declarations that are broken and requests that cannot be read; all others go on.",
        manual=__doc__,
        schedule=timedelta(minutes=5),
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
