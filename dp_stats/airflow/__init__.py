"""How dp_stats lives inside Airflow: DAG makers, operators, guarded steps, approvals, roles, alerts and the budget page.

A DAG file needs two lines; makers and operators are imported only when asked for, so that a process that wants one part of
this package does not pay for the others::

    from dp_stats.airflow import scheduled_releases  # Airflow looks for the word DAG
    globals().update(scheduled_releases())

Every maker takes ``catalogue``, the folder of the declarations where it is not that of ``DP_STATS_CATALOGUE``: in a bundle
from Git, which holds DAG files and declarations of one commit, ``Path(__file__).parent / "catalogue"``. A run then reads the
declarations of the version of the bundle that it was made with, and what it seals and publishes names that version.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from dp_stats.airflow.operators import MeasureOperator, PublishOperator, ReleaseTaskGroup


def scheduled_releases(dataset: str | None = None, *, catalogue: Path | None = None) -> dict[str, DAG]:
    """One DAG for each scheduled release of the catalogue, by DAG id; ``dataset``: for each of this one alone.

    With hundreds of releases, a DAG file for each dataset is read in a second, and reads nothing of the others.
    """
    from dp_stats.airflow import scheduled

    use_catalogue(catalogue)
    return scheduled.scheduled_releases(dataset)


def refuse_broken(*, catalogue: Path | None = None) -> None:
    """Show in Airflow what is wrong with declarations that are broken; makes no DAG."""
    from dp_stats.airflow import scheduled

    use_catalogue(catalogue)
    scheduled.refuse_broken()


def adhoc_releases(dataset: str | None = None, *, catalogue: Path | None = None) -> dict[str, DAG]:
    """For each dataset, or only this, the DAG by which analysts ask for figures and custodians decide, by DAG id."""
    from dp_stats.airflow import adhoc

    use_catalogue(catalogue)
    return adhoc.adhoc_releases(dataset)


def maintenance(*, catalogue: Path | None = None) -> DAG:
    """The DAG of nightly upkeep."""
    from dp_stats.airflow import nightly

    use_catalogue(catalogue)
    return nightly.maintenance()


def watch(*, catalogue: Path | None = None) -> DAG:
    """The DAG that tells at once of what is broken."""
    from dp_stats.airflow import watching

    use_catalogue(catalogue)
    return watching.watch()


def use_catalogue(folder: Path | None) -> None:
    """Let this process (a DAG file being read, a task that runs) take its declarations from ``folder``, and say of which version
    they are; None: as the deployment has it. For DAG files that use the operators; the makers do it themselves."""
    if folder is not None:
        from dp_stats.airflow import bundles

        bundles.use_catalogue(folder)


__all__ = [
    "MeasureOperator",
    "PublishOperator",
    "ReleaseTaskGroup",
    "adhoc_releases",
    "maintenance",
    "refuse_broken",
    "scheduled_releases",
    "use_catalogue",
    "watch",
]


def __getattr__(name: str) -> Any:
    """Import the operators only for those who use them."""
    if name not in __all__:
        raise AttributeError(f"module 'dp_stats.airflow' has no attribute '{name}'")
    from dp_stats.airflow import operators

    return getattr(operators, name)
