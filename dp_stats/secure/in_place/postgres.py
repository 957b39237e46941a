"""PostgreSQL as a session: an unlogged table in the work schema, and temporary tables for all else."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import psycopg

from dp_stats.catalogue.models import Dataset, Source
from dp_stats.catalogue.periods import Period
from dp_stats.errors import SourceError
from dp_stats.secure.canonical import in_period_sql
from dp_stats.secure.database import literal, quoted
from dp_stats.secure.in_place.canonical import Raw
from dp_stats.secure.in_place.tables import Listed, WorkTable
from dp_stats.secure.postgres_source import FLOATS, REFUSED, database_url, pushed_down
from dp_stats.secure.source_table import DateFilter, match_columns

TYPED = {1082: dt.Date(), 1114: dt.Timestamp(), 1184: dt.Timestamp(timezone="UTC")}


class PostgresSession:
    """An open session: the Ibis backend and its connection."""

    def __init__(self, connection: psycopg.Connection[Any], place: str) -> None:
        self.connection, self.place = connection, place
        self.backend: Any = ibis.postgres.from_connection(connection)

    def close(self) -> None:
        """What was not committed is gone."""
        self.connection.close()

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute a statement, and return what it answers."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def one_state(self) -> AbstractContextManager[Any]:
        """A transaction."""
        self.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return self.connection.transaction()

    def raw(self, dataset: Dataset, period: Period) -> tuple[Raw, int]:
        """As in ``Session``."""
        assert dataset.source is not None
        table = ".".join(quoted(part) for part in (dataset.source.table or "").split("."))
        there = self._columns(table)
        names, oids = [name for name, _ in there], [oid for _, oid in there]
        wanted = [column.source for column in dataset.columns.values()]
        found = match_columns(wanted, names, place=self.place)
        for index in found:
            if oids[index] in REFUSED:
                raise SourceError(
                    f"{self.place}: column '{names[index]}' has type {REFUSED[oids[index]]}; make it text, number or date."
                )
        chosen, kinds = [], {}
        for position, index in enumerate(found):
            kind = dt.Float64() if oids[index] in FLOATS else TYPED.get(oids[index], dt.String())
            cast = {dt.Float64(): "::text::double precision", dt.String(): "::text"}.get(kind, "")
            chosen.append(f"{quoted(names[index])}{cast} AS c{position}")
            kinds[f"c{position}"] = kind
        wish = DateFilter(list(dataset.columns).index(dataset.date_column), period)
        condition = pushed_down(wish, found, names, oids)
        total = int(self.run(f"SELECT count(*) FROM {table}")[0][0])
        raw = self.backend.sql(f"SELECT {', '.join(chosen)} FROM {table}{condition}", schema=ibis.schema(kinds))
        return Raw(raw, self.place, tuple(names[index] for index in found)), total

    def _columns(self, table: str) -> list[tuple[str, int]]:
        """Name and number of the type of each column; no row is read."""
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table} LIMIT 0")
            return [(column.name, column.type_code) for column in cursor.description or ()]

    def upload(self, texts: Iterable[str], *, column: str) -> ir.Table:
        """A temporary table; streamed, as there may be millions."""
        name = f"uploaded_{column}"
        with self.connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMPORARY TABLE {name} ({quoted(column)} text)")
            with cursor.copy(f"COPY {name} FROM STDIN") as copy:
                for text in texts:
                    copy.write_row((text,))
        self.run(f"ANALYZE {name}")
        table: ir.Table = self.backend.table(name)
        return table

    def make(self, table: WorkTable, rows: ir.Table, dataset: Dataset, period: Period) -> None:
        """As in ``Session``."""
        name = self.name_of(table)
        self.run(f"CREATE UNLOGGED TABLE {name} AS {self._written(rows)}")
        about = literal(f"dp_stats, {table.edition}: rows; dropped when the edition is published or failed")
        self.run(f"COMMENT ON TABLE {name} IS {about}")
        columns = ", ".join(quoted(name) for name in dataset.columns)
        inside = f"SELECT {columns} FROM {name} WHERE {in_period_sql(dataset, period)}"
        self.run(f"CREATE VIEW {quoted(table.within)}.{quoted(table.in_period)} AS {inside}")

    def name_of(self, table: Listed) -> str:
        """As in ``Session``."""
        return f"{quoted(table.within)}.{quoted(table.name)}"

    def query(self, sql: str) -> ir.Table:
        """As in ``Session``."""
        found: ir.Table = self.backend.sql(sql)
        return found

    def pinned(self, rows: ir.Table) -> ir.Table:
        """A temporary table."""
        name = f"pinned_{secrets.token_hex(8)}"
        self.run(f"CREATE TEMPORARY TABLE {name} AS {self._written(rows)}")
        self.run(f"ANALYZE {name}")
        table: ir.Table = self.backend.table(name)
        return table

    def drop(self, table: Listed) -> None:
        """Drop a listed table and its view, whether they are there or not."""
        self.run(
            f"DROP VIEW IF EXISTS {quoted(table.within)}.{quoted(table.in_period)}; "
            f"DROP TABLE IF EXISTS {self.name_of(table)}"
        )

    def _written(self, expression: ir.Table) -> str:
        """The SQL of an expression, once the tables in memory that it is built on are in the database."""
        self.backend._run_pre_execute_hooks(expression)
        return str(self.backend.compile(expression))


def open_postgres(source: Source, place: str) -> PostgresSession:
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
        session = PostgresSession(connection, place)
        session.run("SET default_transaction_read_only = off")  # its own tables only: it has no right to change others
        session.run("SET lock_timeout = '60s'")
        encoding = session.run("SHOW server_encoding")[0][0]
    except psycopg.Error as error:
        failure = type(error).__name__
        if connection is not None:
            connection.close()
    if connection is None or failure:
        raise SourceError(
            f"{place} cannot be reached ({failure}). Check that the server runs, the address, the user and the password."
        )
    if encoding != "UTF8":
        session.close()
        raise SourceError(f"{place}: the database is not encoded in UTF8. Use engine: duckdb, which reads it.")
    return session


def reason(error: Exception) -> str:
    """What went wrong, by the error's class alone."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return (
            "cannot be worked on: a right is missing. Grant SELECT on it, USAGE and CREATE on the work schema, and TEMPORARY on "
            "the database"
        )
    if isinstance(error, psycopg.errors.UndefinedTable):
        return "does not exist there, or what was made of it is gone. Write source.table as schema.table; run the pull step"
    if isinstance(error, psycopg.errors.InvalidSchemaName):
        return "cannot be worked on: there is no such work schema. Make it, or change work_schema"
    state = getattr(error, "sqlstate", None) or "none"
    return f"cannot be worked on ({type(error).__name__}, SQLSTATE {state}). Ask whoever runs the database"
