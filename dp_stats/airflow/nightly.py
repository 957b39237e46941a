"""Every night: verify what must never change, delete what must not stay, and warn before something runs out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, task

from dp_stats.airflow.alerts import alert, step_failed
from dp_stats.airflow.steps import RETRIES, guarded


def maintenance() -> DAG:
    """The DAG of nightly upkeep."""
    with DAG(
        dag_id="maintenance",
        dag_display_name="Nightly upkeep",
        description="Verifies ledger and published files, purges old rows, rebuilds the site, warns.",
        doc_md=__doc__,
        schedule="30 3 * * *",
        start_date=datetime(2025, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags=["upkeep"],
        default_args={
            "owner": "engineers",
            "on_failure_callback": step_failed(lambda _: "Nightly upkeep"),
            **RETRIES,
        },
    ) as dag:

        @task(show_return_value_in_logs=False)
        def verify_ledger() -> dict[str, Any]:
            """Recompute the ledger's chain; keep its head, which belongs in a backup elsewhere."""
            from dp_stats.operations import upkeep

            return {"head": guarded(upkeep.verify_ledger)}

        @task(show_return_value_in_logs=False)
        def verify_published() -> dict[str, Any]:
            """Check every published file against its checksum and the ledger."""
            from dp_stats.operations import upkeep

            return {"editions": guarded(upkeep.verify_published)}

        @task(show_return_value_in_logs=False)
        def purge_staging() -> dict[str, Any]:
            """Delete rows that a stopped run left behind."""
            from dp_stats.operations import upkeep

            return {"purged": guarded(upkeep.purge_staging)}

        @task(trigger_rule="all_done", show_return_value_in_logs=False)
        def warn() -> dict[str, Any]:
            """Bring abandoned corrections to an end; warn of budgets that run out and editions that are late."""
            from dp_stats.operations import upkeep

            watched = (upkeep.unfinished_corrections, upkeep.budget_alerts, upkeep.late_editions)
            found = [one for watch in watched for one in guarded(watch)]
            for one in found:
                alert(one.subject, one.text)
            return {"alerts": len(found)}

        @task(show_return_value_in_logs=False)
        def rebuild_site() -> dict[str, Any]:
            """Build all pages again from the edition folders; warn of releases that cannot be shown."""
            from dp_stats.operations import upkeep

            found = guarded(upkeep.rebuild_site)
            for one in found:
                alert(one.subject, one.text)
            return {"alerts": len(found)}

        verify_ledger() >> verify_published() >> rebuild_site()
        purge_staging()
        warn()
    return dag
