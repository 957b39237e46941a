"""A pool per dataset, made when the scheduler starts: runs of one dataset queue instead of running all at once."""

from __future__ import annotations

import sys
from typing import Any

from airflow.listeners import hookimpl

SLOTS = 2


@hookimpl
def on_starting(component: Any) -> None:
    """Add the pools that are missing when a scheduler starts; sizes that somebody changed stay."""
    # The component does not say yet what it is, but a task that the scheduler has forked does; that may not reach the database.
    if "scheduler" in sys.argv and type(component).__name__ != "TaskRunnerMarker":
        add_pools()


def add_pools() -> None:
    """Add a pool for every dataset of the catalogue that has none."""
    from airflow.models.pool import Pool

    from dp_stats.airflow.steps import POOL
    from dp_stats.catalogue import read_catalogue
    from dp_stats.settings import load_settings

    known = {pool.pool for pool in Pool.get_pools()}
    for dataset in read_catalogue(load_settings().catalogue).datasets.values():
        name = POOL.format(dataset.id)
        if name not in known:
            Pool.create_or_update_pool(
                name=name, slots=SLOTS, description=f"Runs on '{dataset.title}'", include_deferred=False
            )
