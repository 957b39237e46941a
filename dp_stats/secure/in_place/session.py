"""A session in the database that holds the rows: what it makes for itself is temporary and goes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import ibis
import psycopg

from dp_stats.catalogue.models import Source
from dp_stats.errors import DpStatsError, SourceError
from dp_stats.secure.database import quoted
from dp_stats.secure.postgres_source import database_url

T = TypeVar("T")


class Session:
    """An open session: the Ibis backend and its connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.backend: Any = ibis.postgres.from_connection(connection)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute a statement, and return what it answers."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def columns(self, table: str) -> list[tuple[str, int]]:
        """Name and number of the type of each column; no row is read."""
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table} LIMIT 0")
            return [(column.name, column.type_code) for column in cursor.description or ()]

    def written(self, expression: ibis.Table) -> str:
        """The SQL of an expression, once the tables in memory that it is built on are in the database."""
        self.backend._run_pre_execute_hooks(expression)
        return str(self.backend.compile(expression))

    def upload(self, texts: Iterable[str], *, column: str) -> ibis.Table:
        """A temporary table of one column of texts; streamed, as there may be millions."""
        name = f"uploaded_{column}"
        with self.connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMPORARY TABLE {name} ({quoted(column)} text)")
            with cursor.copy(f"COPY {name} FROM STDIN") as copy:
                for text in texts:
                    copy.write_row((text,))
        self.run(f"ANALYZE {name}")
        table: ibis.Table = self.backend.table(name)
        return table


def place_of(source: Source) -> str:
    """What an error should call the table."""
    via = f"connection '{source.connection}'" if source.connection else f"environment variable {source.url_env}"
    return f"PostgreSQL table {source.table} ({via})"


@contextmanager
def open_session(source: Source) -> Iterator[Session]:
    """Connect to a source's database.

    Raises:
        SourceError: it cannot be reached.
    """
    url = database_url(source)
    arguments = url.translate_connect_args(username="user", database="dbname")
    options: dict[str, Any] = {key: str(value) for key, value in url.query.items()}
    failure, connection = "", None
    try:
        connection = psycopg.connect(
            **arguments, **options, application_name="dp-stats", connect_timeout=15, autocommit=True
        )
        session = Session(connection)
        session.run("SET default_transaction_read_only = off")  # its own tables only: it has no right to change others
        session.run("SET lock_timeout = '60s'")
        encoding = session.run("SHOW server_encoding")[0][0]
    except psycopg.Error as error:
        failure = type(error).__name__
        if connection is not None:
            connection.close()
    if connection is None or failure:
        raise SourceError(
            f"{place_of(source)} cannot be reached ({failure}). Check that the server runs, the address, the user and the "
            "password."
        )
    try:
        if encoding != "UTF8":
            raise SourceError(
                f"{place_of(source)}: the database is not encoded in UTF8. Use engine: duckdb, which reads it."
            )
        yield session
    finally:
        connection.close()


def explained(place: str, work: Callable[[], T]) -> T:
    """Do ``work``; what the database says of a failure may quote values, so only its kind is told.

    Raises:
        SourceError: it failed. Errors of ours pass as they are, with nothing attached.
    """
    ours: DpStatsError | None = None
    reason = ""
    try:
        return work()
    except DpStatsError as error:
        ours = type(error)(*error.args)
    except psycopg.errors.InsufficientPrivilege:
        reason = (
            "cannot be worked on: a right is missing. Grant SELECT on it, USAGE and CREATE on the work schema, and TEMPORARY on "
            "the database"
        )
    except psycopg.errors.UndefinedTable:
        reason = "does not exist there, or what was made of it is gone. Write source.table as schema.table; run the pull step"
    except psycopg.errors.InvalidSchemaName:
        reason = "cannot be worked on: there is no such work schema. Make it, or change work_schema"
    except psycopg.Error as error:
        reason = f"cannot be worked on ({type(error).__name__}, SQLSTATE {error.sqlstate or 'none'}). Ask whoever runs the database"
    except Exception as error:
        reason = f"cannot be worked on ({type(error).__name__}; details are withheld because they may hold values)"
    raise ours or SourceError(f"{place} {reason}.")
