"""PostgreSQL: copy only the declared columns, and only the period's rows where the server can tell them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg2  # type: ignore[import-untyped]
import psycopg2.errors  # type: ignore[import-untyped]
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from dp_stats.catalogue.models import Source
from dp_stats.errors import SourceError
from dp_stats.secure.database import literal, quoted
from dp_stats.secure.source_table import DateFilter, Opening, SourceTable, match_columns
from dp_stats.secure.staging import make_private

# Type numbers of PostgreSQL that DuckDB should not see as text (pg_type.dat).
DATES = {1082: "DATE", 1114: "TIMESTAMP", 1184: "TIMESTAMP WITH TIME ZONE"}
FLOATS = {700, 701}
SEEN_AS = {**DATES, **dict.fromkeys(FLOATS, "DOUBLE")}
ZONES_APART = 2
"""Days by which a time may lie outside the period on the server's clock and in it on another."""
REFUSED = {17: "bytea", 114: "json", 3802: "jsonb"}


def open_postgres(opening: Opening) -> SourceTable:
    """Copy the wanted columns into the private scratch folder, from where DuckDB streams them.

    Everything is read in one read-only transaction. Where the date column is a real date or timestamp, rows
    of other periods stay in the database; which day a time belongs to is decided later, as the column declares.

    Raises:
        SourceError: the database or the table cannot be reached or read, or a column is missing.
    """
    source = opening.source
    place = f"PostgreSQL table {source.table} ({_name(source)})"
    session = _connect(database_url(source), place)
    failure = ""
    try:
        return _copy(session, opening, place)
    except psycopg2.Error as error:
        failure = _reason(error)
    except OSError as error:
        failure = f"cannot be copied to the state folder ({error.strerror})"
    finally:
        session.close()
    raise SourceError(f"{place} {failure}.")


def _copy(session: Any, opening: Opening, place: str) -> SourceTable:
    target = opening.scratch / ("source.csv" if opening.date_filter else "list.csv")
    target.touch(mode=0o600)
    make_private(target)
    with session.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL extra_float_digits = 1")
        table = ".".join(quoted(part) for part in (opening.source.table or "").split("."))
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        described = cursor.description or ()
        names = [column.name for column in described]
        oids = [column.type_code for column in described]
        found = match_columns(opening.wanted, names, place=place)
        if opening.wanted is None:
            found = [index for index in found if oids[index] not in REFUSED]
        for index in found:
            if oids[index] in REFUSED:
                raise SourceError(
                    f"{place}: column '{names[index]}' has type {REFUSED[oids[index]]}; make it text, number or date."
                )
        condition = pushed_down(opening.date_filter, found, names, oids)
        total = _rows_of(cursor, table) if condition else None
        chosen = ", ".join(f"{quoted(names[index])}::text" for index in found)
        with target.open("w", encoding="utf-8", newline="") as out:
            cursor.copy_expert(
                f"COPY (SELECT {chosen} FROM {table}{condition}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')", out
            )
    kinds = tuple(SEEN_AS.get(oids[index], "VARCHAR") for index in found)
    return SourceTable(_reader(target, kinds), kinds, place, tuple(names[index] for index in found), rows=total)


def pushed_down(wish: DateFilter | None, found: list[int], names: list[str], oids: list[int]) -> str:
    """The WHERE clause that keeps to the period and to rows without a date; empty where the server cannot tell them."""
    if wish is None or oids[found[wish.column]] not in DATES:
        return ""
    column = quoted(names[found[wish.column]])
    start, end = literal(str(wish.period.start)), literal(str(wish.period.end))
    apart = 0 if oids[found[wish.column]] == 1082 else ZONES_APART
    return f" WHERE ({column} >= date {start} - {apart} AND {column} < date {end} + {apart + 1}) OR {column} IS NULL"


def _rows_of(cursor: Any, table: str) -> int:
    """How many rows there are, whatever their dates."""
    cursor.execute(f"SELECT count(*) FROM {table}")
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def _reader(path: Path, kinds: tuple[str, ...]) -> str:
    """A SELECT over the copy. PostgreSQL's CSV writes null as nothing and quotes what needs it."""
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(kinds)))
    chosen = ", ".join(
        f"c{i}" if kind == "VARCHAR" else f"TRY_CAST(c{i} AS {kind}) AS c{i}" for i, kind in enumerate(kinds)
    )
    return (
        f"SELECT {chosen} FROM read_csv({literal(str(path))}, auto_detect = false, header = false, delim = ',', "
        f"quote = '\"', escape = '\"', new_line = '\\n', columns = {{{columns}}})"
    )


def _name(source: Source) -> str:
    return f"connection '{source.connection}'" if source.connection else f"environment variable {source.url_env}"


def database_url(source: Source) -> URL:
    """The database's address, from an environment variable or an Airflow connection.

    Raises:
        SourceError: it is not set, or no PostgreSQL address.
    """
    if source.connection:
        return _airflow_url(source.connection)
    import os

    text = os.environ.get(source.url_env or "", "")
    if not text:
        raise SourceError(
            f"The environment variable {source.url_env} is not set. Set it to postgresql://user@host/database."
        )
    try:
        url = make_url(text)
        fits = url.get_backend_name() in ("postgresql", "postgres")
    except (ArgumentError, ValueError):
        fits = False
    if not fits:
        raise SourceError(
            f"The environment variable {source.url_env} holds no PostgreSQL address. Write postgresql://user@host/database."
        )
    return url


def _airflow_url(name: str) -> URL:
    from airflow.sdk import Connection as AirflowConnection  # seconds to import: only where it is used

    found: Any = None
    try:
        found = AirflowConnection.get(name)
    except Exception as error:  # Airflow raises what its secrets backend raised, which may quote the secret
        del error
    if found is None:
        raise SourceError(
            f"There is no Airflow connection '{name}' here. Add it in Airflow (Admin, Connections), or use url_env."
        )
    return URL.create(
        "postgresql",
        username=found.login or None,
        password=found.password or None,
        host=found.host or None,
        port=found.port or None,
        database=found.schema or None,
        query={
            key: str(value)
            for key, value in (found.extra_dejson or {}).items()
            if key.startswith(("ssl", "host", "options"))
        },
    )


def _connect(url: URL, place: str) -> Any:
    arguments = {key: value for key, value in url.translate_connect_args(username="user", database="dbname").items()}
    failure = ""
    try:
        return psycopg2.connect(
            **arguments, **{k: str(v) for k, v in url.query.items()}, application_name="dp-stats", connect_timeout=15
        )
    except psycopg2.Error as error:
        failure = type(error).__name__
    raise SourceError(
        f"{place} cannot be reached ({failure}). Check that the server runs, the address, the user and the password."
    )


def _reason(error: Any) -> str:
    """What went wrong, by the error's class alone: the server's text may quote values."""
    if isinstance(error, psycopg2.errors.UndefinedTable):
        return "does not exist there. Write source.table as schema.table"
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return "may not be read by this user. Grant SELECT on it"
    return f"cannot be read ({type(error).__name__}, SQLSTATE {error.pgcode or 'none'}). Ask whoever runs the database"
