"""The tables that are made in the work schema of a database: listed before they are made, and dropped whatever happens.

A table has a random name. Before it is made, a note of it lies in the private folder of its edition; the note goes only
once the table is dropped. So what a killed run has left is found by the next step that cleans up, or by the nightly upkeep.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from dp_stats.catalogue.models import Source
from dp_stats.errors import DpStatsError, SourceError
from dp_stats.secure.database import quoted
from dp_stats.secure.staging import LISTED, write_private

PREFIX = "dp_stats_"


@dataclass(frozen=True)
class WorkTable:
    """One listed table.

    Attributes:
        note: the file that lists it. source: the table that it was made of, in whose database it lies.
    """

    note: Path
    source: Source
    schema: str
    name: str

    @property
    def sql(self) -> str:
        """Its name in SQL."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def in_period(self) -> str:
        """The name of its view of the rows that are dated in the period."""
        return f"{self.name}_in"

    @property
    def edition(self) -> str:
        """The revision that it was made for, as its folder is named."""
        return "/".join(self.note.parent.parent.parts[-3:])


def listed_table(folder: Path, source: Source, schema: str, *, secure: Path) -> WorkTable:
    """List a table that is about to be made for the edition with this folder."""
    name = f"{PREFIX}{secrets.token_hex(16)}"
    note = folder / LISTED / f"{name}.json"
    content = {"schema": schema, "name": name, "source": source.model_dump(mode="json", exclude_defaults=True)}
    write_private(secure, note, (json.dumps(content, indent=1) + "\n").encode())
    return WorkTable(note, source, schema, name)


def listed_in(folder: Path) -> tuple[WorkTable, ...]:
    """The tables that are listed for the edition with this folder."""
    return tuple(_read(note) for note in sorted((folder / LISTED).glob("*.json")))


def all_listed(secure: Path) -> tuple[WorkTable, ...]:
    """Every table that is listed."""
    return tuple(table for folder in sorted((secure / "staging").glob("*/*/r*")) for table in listed_in(folder))


def drop(tables: tuple[WorkTable, ...]) -> tuple[str, ...]:
    """Drop tables and forget those that are gone.

    Returns:
        For each that could not be dropped, why; its note stays.
    """
    if not tables:
        return ()
    from dp_stats.secure.in_place.session import explained, open_session  # a second to import

    faults = []
    for table in tables:
        try:
            with open_session(table.source) as session:
                explained(f"Table {table.schema}.{table.name}", lambda: session.run(_dropping(table)))  # noqa: B023
        except DpStatsError as error:
            faults.append(f"{table.edition}: {table.schema}.{table.name}: {error}")
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
            "Tables with rows are still in a database. They are dropped with the next upkeep, or with dp-stats work-tables "
            "--drop:\n  " + "\n  ".join(faults)
        )
    return len(old)


def _dropping(table: WorkTable) -> str:
    return f"DROP VIEW IF EXISTS {quoted(table.schema)}.{quoted(table.in_period)}; DROP TABLE IF EXISTS {table.sql}"


def _touched(folder: Path) -> float:
    return max(_times(folder), default=0.0)


def _times(folder: Path) -> Iterator[float]:
    for path in (folder, *folder.rglob("*")):
        try:
            yield path.stat().st_mtime
        except FileNotFoundError:
            continue


def _read(note: Path) -> WorkTable:
    try:
        kept: dict[str, Any] = json.loads(note.read_bytes())
        return WorkTable(note, Source.model_validate(kept["source"]), str(kept["schema"]), str(kept["name"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise SourceError(
        f"{note} does not say which table it lists. Drop the tables {PREFIX}* of the work schema, then the file."
    )
