"""A pool per dataset, made when the scheduler starts, or when the first run of a dataset begins that was added since: runs of
one dataset queue instead of running all at once. Airflow lets tasks wait for ever whose pool there is not."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from airflow.listeners import hookimpl

from dp_stats.airflow.names import POOLS, pool_of

SLOTS = 2


@hookimpl
def on_starting(component: Any) -> None:
    """Add the pools that are missing when a scheduler starts; sizes that somebody changed stay."""
    # The component does not say yet what it is, but a task that the scheduler has forked does; that may not reach the database.
    if "scheduler" in sys.argv and type(component).__name__ != "TaskRunnerMarker":
        add_pools()


@hookimpl
def on_dag_run_running(dag_run: Any, msg: str) -> None:
    """Add the pools that a run needs, in the scheduler's own transaction: a dataset may be newer than the scheduler's start, or
    be declared in a bundle."""
    from sqlalchemy.orm import object_session

    ours = {task.pool for task in getattr(dag_run.dag, "tasks", ()) if str(task.pool).startswith(POOLS)}
    session = object_session(dag_run)
    if ours and session is not None:
        _add_missing(ours, session)


def add_pools() -> None:
    """Add a pool for every dataset of the catalogue that has none."""
    from airflow.utils.session import create_session

    from dp_stats.catalogue import read_catalogue
    from dp_stats.settings import load_settings

    with create_session() as session:
        _add_missing(map(pool_of, read_catalogue(load_settings().catalogue).datasets), session)


def _add_missing(names: Iterable[str], session: Any) -> None:
    """Add the pools that are not there, in one statement: a scheduler commits when it wants to, and another may add the same."""
    from airflow.models.pool import Pool
    from sqlalchemy import select
    from sqlalchemy.dialects import postgresql, sqlite

    missing = set(names) - set(session.scalars(select(Pool.pool)))
    if not missing:
        return
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    session.execute(
        insert(Pool)
        .values(
            [
                {
                    "pool": n,
                    "slots": SLOTS,
                    "description": f"Runs on '{n.removeprefix(POOLS)}'",
                    "include_deferred": False,
                }
                for n in sorted(missing)
            ]
        )
        .on_conflict_do_nothing(index_elements=["pool"])
    )
