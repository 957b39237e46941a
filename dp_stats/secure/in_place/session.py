"""A session where the rows are: what it makes for itself is gone with it. What differs between engines is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

import ibis.expr.types as ir
import psycopg

from dp_stats.catalogue.models import Dataset, Source
from dp_stats.catalogue.periods import Period
from dp_stats.errors import DpStatsError, SourceError
from dp_stats.secure.in_place import cluster, postgres
from dp_stats.secure.in_place.canonical import Raw
from dp_stats.secure.in_place.postgres import open_postgres
from dp_stats.secure.in_place.spark import open_spark
from dp_stats.secure.in_place.tables import Listed, WorkTable
from dp_stats.settings import Settings

T = TypeVar("T")


class Session(Protocol):
    """An open session.

    Attributes:
        backend: the Ibis backend.
    """

    backend: Any

    def one_state(self) -> AbstractContextManager[Any]:
        """Everything in the block sees one state of the source; what it makes is there once the block has ended."""

    def raw(self, dataset: Dataset, period: Period) -> tuple[Raw, int]:
        """The wanted columns of the rows of the period, and how many rows the source has.

        Raises:
            SourceError: a column is missing, or of a kind that is not read.
        """

    def upload(self, texts: Iterable[str], *, column: str) -> ir.Table:
        """A table of one column of texts, for this session."""

    def make(self, table: WorkTable, rows: ir.Table, dataset: Dataset, period: Period) -> None:
        """Make a listed table of canonical rows, and what quality checks look at: those that are dated in the period."""

    def name_of(self, table: Listed) -> str:
        """What SQL of this session calls a listed table."""

    def query(self, sql: str) -> ir.Table:
        """What a query gives; it is SQL that DuckDB reads, of the common core alone."""

    def pinned(self, rows: ir.Table) -> ir.Table:
        """A copy of rows that nobody else sees or changes, and that is gone with the session."""

    def close(self) -> None:
        """End it, and with it all that was not finished."""


def place_of(source: Source) -> str:
    """What an error should call the table."""
    if source.kind == "parquet":
        return f"Parquet folder {source.path} (cluster of environment variable {source.url_env})"
    via = f"connection '{source.connection}'" if source.connection else f"environment variable {source.url_env}"
    return f"PostgreSQL table {source.table} ({via})"


@contextmanager
def open_session(source: Source, *, settings: Settings) -> Iterator[Session]:
    """Connect to what holds a source's rows.

    Raises:
        SourceError: it cannot be reached.
    """
    session: Session
    if source.kind == "parquet":
        session = open_spark(source, place_of(source), settings=settings)
    else:
        session = open_postgres(source, place_of(source))
    try:
        yield session
    finally:
        session.close()


def explained(place: str, work: Callable[[], T]) -> T:
    """Do ``work``; what the engine says of a failure may quote values, so only its kind is told.

    Raises:
        SourceError: it failed. Errors of ours pass as they are, with nothing attached.
    """
    ours: DpStatsError | None = None
    reason = ""
    try:
        return work()
    except DpStatsError as error:
        ours = type(error)(*error.args)
    except Exception as error:
        reason = _reason(error)
    raise ours or SourceError(f"{place} {reason}.")


def _reason(error: Exception) -> str:
    if isinstance(error, psycopg.Error):
        return postgres.reason(error)
    if cluster.is_of_spark(error):
        return cluster.reason(error)
    return f"cannot be worked on ({type(error).__name__}; details are withheld because they may hold values)"
