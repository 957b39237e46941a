"""Every five minutes: tell at once, and once, of what is broken and stops only itself; and custodians of what waits, gathered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from dp_stats.airflow.alerts import alert_new
from dp_stats.airflow.steps import guarded
from dp_stats.airflow.upkeep_dag import upkeep_dag

MOST_LISTED = 50
"""Requests that one letter lists."""


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
            return {"broken": guarded(lambda: alert_new(found, of=faults.BROKEN))}

        @task(show_return_value_in_logs=False)
        def tell_custodians() -> dict[str, Any]:
            """Send each custodian for whom requests wait one letter that lists them, where letters are gathered."""
            from dp_stats.airflow.letters import TO_DECIDE, declared_people, link, write_to
            from dp_stats.operations import digests

            due, known = guarded(digests.due), declared_people()
            for user, asked in due.items():
                lines = "\n".join(f"- {one.title} ({one.requested_by}: {one.purpose})" for one in asked[:MOST_LISTED])
                more = f"\nand {len(asked) - MOST_LISTED} more" if len(asked) > MOST_LISTED else ""
                subject = f"{len(asked)} request{'s wait' if len(asked) > 1 else ' waits'} for your decision"
                write_to(user, subject, f"{lines}{more}\n{link(TO_DECIDE)}", known=known)
            if due:
                guarded(lambda: digests.keep_told(list(due)))
            return {"told": len(due)}

        look()
        tell_custodians()
    return dag
