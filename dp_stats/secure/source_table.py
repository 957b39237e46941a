"""What every kind of source is opened with, and what it becomes: a SELECT over its wanted columns.

Column names may be told in an error; a value never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dp_stats.catalogue.models import Source
from dp_stats.catalogue.periods import Period
from dp_stats.errors import DpStatsError, SourceError
from dp_stats.settings import Settings


@dataclass(frozen=True)
class SourceTable:
    """The wanted columns of a source.

    Attributes:
        sql: a SELECT whose columns are named ``c0``, ``c1``, … in the order they were asked for.
        types: the DuckDB type of each.
        place: what an error should call this source.
        names: what the source calls each column.
        rows: how many rows the source has, where ``sql`` does not give them all because the database
            behind it already kept to the period; None where it does.
        broken: for a CSV, says where it is broken once a query over it has failed.
        changed: whether the file has been written to since it was opened.
    """

    sql: str
    types: tuple[str, ...]
    place: str
    names: tuple[str, ...] = ()
    rows: int | None = None
    broken: Callable[[], str | None] = lambda: None
    changed: Callable[[], bool] = lambda: False

    def require_unchanged(self) -> None:
        """Refuse what was read while somebody wrote to the file: it may be half of one delivery and half of the next.

        Raises:
            SourceError: the file changed.
        """
        if self.changed():
            raise SourceError(f"{self.place} changed while it was read. Run again when its delivery has ended.")

    def explain(self, error: str, text: str) -> DpStatsError:
        """The failure of a query over this source, as an error without values."""
        if self.changed():
            return SourceError(f"{self.place} changed while it was read. Run again when its delivery has ended.")
        fault = self.broken()
        if fault:
            return SourceError(f"{self.place}, {fault}.")
        if "No space left" in text:
            return SourceError(f"There is no space left for the rows of {self.place}. Free some in the state folder.")
        return SourceError(f"{self.place} cannot be read to its end ({error}). Check that the file is whole.")


@dataclass(frozen=True)
class DateFilter:
    """A wish to read only the rows dated in ``period`` (or not dated), for sources that can do it cheaply."""

    column: int
    period: Period


@dataclass(frozen=True)
class Opening:
    """What every kind of source needs in order to be opened.

    Attributes:
        connection: the DuckDB connection that will read it.
        source: its declaration. wanted: the source columns that may leave it; None for all, to look at them.
        scratch: a private folder for temporary copies. settings: for paths.
        date_filter: rows wanted, if not all.
    """

    connection: duckdb.DuckDBPyConnection
    source: Source
    wanted: Sequence[str] | None
    scratch: Path
    settings: Settings
    date_filter: DateFilter | None = None


def _others(wanted: Sequence[str], keys: Sequence[str], key: Callable[[str], str]) -> str:
    """What else there is, by declared names alone: without a line of headings, names would be the first person's row."""
    found = [f"'{name}'" for name in dict.fromkeys(wanted) if key(name) in keys]
    if not found:
        return (
            "None of the declared columns is there: its first line does not look like a line of column names. Add one, or "
            "change 'from' in the catalogue. What stands there is not shown, because it may be data."
        )
    others = len(keys) - len(found)
    return (
        f"It has {' and '.join(found)} and {others} other{'' if others == 1 else 's'}, whose names are not shown, because "
        "they may be data. Change 'from' in the catalogue, or the source."
    )


def match_columns(wanted: Sequence[str] | None, available: Sequence[str], *, place: str) -> list[int]:
    """The position of each wanted column among the available ones; of all where ``wanted`` is None.

    Raises:
        SourceError: one is missing, or stands twice.
    """

    def key(name: str) -> str:
        return name.strip().strip("\ufeff").strip().casefold()

    if wanted is None:
        return list(range(len(available)))
    keys = [key(name) for name in available]
    missing = [name for name in wanted if key(name) not in keys]
    if missing:
        these = " and ".join(f"'{name}'" for name in dict.fromkeys(missing))
        raise SourceError(f"{place} has no column {these}. {_others(wanted, keys, key)}")
    for name in wanted:
        if keys.count(key(name)) > 1:
            raise SourceError(
                f"{place} has the column '{name}' more than once (case and spaces do not count). Rename one."
            )
    return [keys.index(key(name)) for name in wanted]
