"""Listed tables are dropped: by the edition's last step, by the nightly upkeep, or by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

from dp_stats.errors import DpStatsError, SourceError
from dp_stats.secure.in_place.tables import WorkTable, all_listed


def drop(tables: tuple[WorkTable, ...]) -> tuple[str, ...]:
    """Drop tables and forget those that are gone.

    Returns:
        For each that could not be dropped, why; its note stays.
    """
    if not tables:
        return ()
    from dp_stats.secure.in_place.session import explained  # a second to import

    faults = []
    for table in tables:
        try:
            explained(f"Table {table.place}", partial(_drop, table))
        except DpStatsError as error:
            faults.append(f"{table.edition}: {table.place}: {error}")
            continue
        table.note.unlink(missing_ok=True)
    return tuple(faults)


def drop_expired(secure: Path, *, after: timedelta) -> int:
    """Drop the tables of editions that no run has touched for ``after``; returns how many.

    Raises:
        SourceError: some could not be dropped; all others are.
    """
    limit = time.time() - after.total_seconds()
    old = tuple(table for table in all_listed(secure) if _touched(table.note.parent.parent) < limit)
    faults = drop(old)
    if faults:
        raise SourceError(
            "Tables with rows are still there. They are dropped with the next upkeep, or with dp-stats work-tables "
            "--drop:\n  " + "\n  ".join(faults)
        )
    return len(old)


def _drop(table: WorkTable) -> None:
    if table.source.kind == "parquet":
        from dp_stats.secure.in_place import cluster

        cluster.delete(table.source, f"{table.within}/{table.name}")
        return
    from dp_stats.secure.in_place.postgres import open_postgres
    from dp_stats.secure.in_place.session import place_of

    session = open_postgres(table.source, place_of(table.source))
    try:
        session.drop(table)
    finally:
        session.close()


def _touched(folder: Path) -> float:
    return max(_times(folder), default=0.0)


def _times(folder: Path) -> Iterator[float]:
    for path in (folder, *folder.rglob("*")):
        try:
            yield path.stat().st_mtime
        except FileNotFoundError:
            continue
