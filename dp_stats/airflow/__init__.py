"""How dp_stats lives inside Airflow: DAG makers, guarded steps, approvals, roles, alerts and the budget page.

A DAG file needs two lines; the makers are imported only when asked for, so that a process that wants one part of
this package does not pay for the others::

    from dp_stats.airflow import scheduled_releases  # Airflow looks for the word DAG
    globals().update(scheduled_releases())
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import DAG


def scheduled_releases() -> dict[str, DAG]:
    """One DAG for each scheduled release of the catalogue, by DAG id."""
    from dp_stats.airflow import scheduled

    return scheduled.scheduled_releases()


def refuse_broken() -> None:
    """Show in Airflow what is wrong with declarations that are broken; makes no DAG."""
    from dp_stats.airflow import scheduled

    scheduled.refuse_broken()


def adhoc_releases() -> dict[str, DAG]:
    """For each dataset the DAG by which analysts ask for figures and custodians decide, by DAG id."""
    from dp_stats.airflow import adhoc

    return adhoc.adhoc_releases()


def maintenance() -> DAG:
    """The DAG of nightly upkeep."""
    from dp_stats.airflow import nightly

    return nightly.maintenance()


def watch() -> DAG:
    """The DAG that tells at once of what is broken."""
    from dp_stats.airflow import watching

    return watching.watch()


__all__ = ["adhoc_releases", "maintenance", "refuse_broken", "scheduled_releases", "watch"]
