"""Every night: verify what must never change, delete what must not stay, and warn before something runs out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, task

from dp_stats.airflow.alerts import alert_new
from dp_stats.airflow.steps import guarded
from dp_stats.airflow.upkeep_dag import upkeep_dag


def maintenance() -> DAG:
    """The DAG of nightly upkeep."""
    with upkeep_dag(
        "maintenance",
        title="Nightly upkeep",
        description="Verifies ledger and published files, purges old rows, rebuilds the site, warns.",
        manual=__doc__,
        schedule="30 3 * * *",
    ) as dag:

        @task(show_return_value_in_logs=False)
        def verify_ledger() -> dict[str, Any]:
            """Recompute the ledger's chain; keep its head, which belongs in a backup elsewhere."""
            from dp_stats.operations import upkeep

            return {"head": guarded(upkeep.verify_ledger)}

        @task(show_return_value_in_logs=False)
        def verify_published() -> dict[str, Any]:
            """Check published files against their checksums and the ledger: new ones every night, older ones in turn."""
            from dp_stats.operations import upkeep

            return {"editions": guarded(lambda: upkeep.verify_published(night=datetime.now(UTC).date()))}

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
            return {"alerts": guarded(lambda: alert_new(found, of="warn"))}

        @task(show_return_value_in_logs=False)
        def rebuild_site() -> dict[str, Any]:
            """Build all pages again from the edition folders; warn of releases that cannot be shown."""
            from dp_stats.operations import upkeep

            found = guarded(upkeep.rebuild_site)
            return {"alerts": guarded(lambda: alert_new(found, of="site"))}

        verify_ledger() >> verify_published() >> rebuild_site()
        purge_staging()
        warn()
    return dag
