"""CSV, Parquet, DuckDB and PostgreSQL hold the same table; the same snapshot must come of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dp_stats.errors import SourceError
from tests import ledger_examples

ROWS = [
    ("p1", "2020-03-09", "A1", "9", "1.5"),
    ("p1", "2020-03-15", "a2", "70", None),
    (" p2", "2020-03-10", "Old Town", None, "0.1"),
    ("p3", "2020-03-16", "A1", "30", "2"),
    ("p4", "2020-03-08", "A1", "30", "2"),
    ("p5", None, "A1", "30", "2"),
    (None, "2020-03-11", "A1", "30", "2"),
    ("p6", "2020-03-11", "A9", "30", "2"),
    ("p7", "2020-03-11", "A1", "30", "2"),
    ('quo"ted, p8', "2020-03-11", "ß3", "40", "-3.25"),
]
NAMES = ("Patient ID", "Visit Date", "Area", "Age", "Nights")
SECRET = "SECRET diagnosis"


def as_table(connection: Any, *, date: str = "DATE", text: str = "VARCHAR", number: str = "DOUBLE") -> None:
    columns = (
        f'"Patient ID" {text}, "Visit Date" {date}, "Area" {text}, "Age" INTEGER, "Nights" {number}, "diagnosis" {text}'
    )
    connection.execute(f"CREATE TABLE visits ({columns})")


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with ledger_examples.postgres() as database:
        yield database()


@pytest.fixture
def filled(postgres: str, visits: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The table in PostgreSQL, with a real date column, and a connection to bend it."""
    import psycopg2

    connection = psycopg2.connect(postgres)
    connection.autocommit = True
    with connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS visits")
        as_table(cursor, text="text", number="double precision")
        for row in ROWS:
            cursor.execute("INSERT INTO visits VALUES (%s, %s, %s, %s, %s, %s)", (*row, SECRET))
    monkeypatch.setenv("CLINIC_URL", postgres)
    visits.declared["source"] = {"kind": "postgres", "table": "visits", "url_env": "CLINIC_URL"}
    yield connection.cursor()
    connection.close()


def csv_rows(visits: Any) -> list[Any]:
    def field(value: str | None) -> str:
        return "" if value is None else '"' + value.replace('"', '""') + '"'

    visits.source("\n".join([",".join(NAMES), *(",".join(map(field, row)) for row in ROWS)]) + "\n")
    return visits.rows()


@pytest.fixture
def expected(visits: Any) -> Any:
    before = dict(visits.declared["source"])
    visits.opt_outs("Patient ID\nP7\n")
    rows = csv_rows(visits)
    assert sorted(row[0] for row in rows) == ["p1", "p1", "p2", 'quo"ted, p8']
    visits.declared["source"] = before
    return rows


@pytest.mark.parametrize("date", ["DATE", "TIMESTAMP", "TIMESTAMPTZ", "VARCHAR"])
def test_a_parquet_file_gives_the_same_rows(visits, expected, date):
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        as_table(connection, date=date)
        connection.executemany("INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?)", [(*row, SECRET) for row in ROWS])
        target = visits.write("home/visits.parquet", "")
        connection.execute(f"COPY visits TO '{target}' (FORMAT parquet)")
    visits.declared["source"] = {"kind": "parquet", "path": "${DP_STATS_HOME}/visits.parquet"}
    if date == "TIMESTAMPTZ":
        visits.declared["columns"]["day"]["timezone"] = "America/New_York"
    assert visits.rows() == expected


@pytest.mark.parametrize("table", ["visits", "VISITS", "clinic.visits"])
def test_a_duckdb_file_gives_the_same_rows(visits, expected, table):
    target = visits.write("home/visits.duckdb", "")
    target.unlink()
    with duckdb.connect(str(target)) as connection:
        if "." in table:
            connection.execute("CREATE SCHEMA clinic; USE clinic")
        as_table(connection)
        connection.executemany("INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?)", [(*row, SECRET) for row in ROWS])
    visits.declared["source"] = {"kind": "duckdb", "path": "${DP_STATS_HOME}/visits.duckdb", "table": table}
    assert visits.rows() == expected


@pytest.mark.parametrize("date", ["date", "timestamp", "timestamptz", "text"])
def test_a_postgres_table_gives_the_same_rows_and_facts(visits, filled, expected, date):
    filled.execute("SET TimeZone = 'Pacific/Auckland'")
    filled.execute(f'ALTER TABLE visits ALTER "Visit Date" TYPE {date} USING "Visit Date"::text::{date}')
    if date == "timestamptz":
        with pytest.raises(SourceError, match=r"holds moments .* Declare columns\.day\.timezone"):
            visits.pull()
        visits.declared["columns"]["day"]["timezone"] = "Pacific/Auckland"
    filled.execute("SET TimeZone = 'America/New_York'")
    assert visits.rows() == expected
    in_period, empty_days, behind, unreadable, without_person = visits.rows("source")[0]
    assert (in_period, empty_days, behind, without_person) == (6, 3, 0, 1)
    assert unreadable == pytest.approx(1 / 9 if date == "text" else 1 / 10), "the server counts who opted out as well"


def test_postgres_sends_only_the_period_where_the_date_is_a_real_date(visits, filled, monkeypatch):
    from dp_stats.secure import postgres_source

    seen = []
    copied = postgres_source._copy

    def spying(session, opening, place):
        table = copied(session, opening, place)
        seen.append((opening.scratch / "source.csv").read_text())
        return table

    monkeypatch.setattr(postgres_source, "_copy", spying)
    visits.pull()
    assert "p3" not in seen[0], "dated outside the period"
    assert "p4" not in seen[0]
    assert "p5" in seen[0], "undated rows are counted as such"
    assert SECRET not in seen[0]
    assert not list(visits.staging.glob("*.csv")), "the copy is gone when the pull ends"


def test_an_airflow_connection_serves_as_well_as_a_url(visits, filled, postgres, monkeypatch, expected):
    monkeypatch.setenv("AIRFLOW_CONN_CLINIC", postgres)
    visits.declared["source"] = {"kind": "postgres", "table": "visits", "connection": "clinic"}
    assert visits.rows() == expected


def test_an_unknown_airflow_connection_is_named(visits):
    visits.declared["source"] = {"kind": "postgres", "table": "visits", "connection": "no_such_clinic"}
    with pytest.raises(SourceError, match="no Airflow connection 'no_such_clinic'"):
        visits.pull()


def test_a_missing_postgres_column_or_table_is_named(visits, filled):
    filled.execute('ALTER TABLE visits RENAME "Area" TO postcode')
    with pytest.raises(SourceError, match=r"no column 'Area'\. It has 'Patient ID' and .* 2 others") as caught:
        visits.pull()
    assert "postcode" not in str(caught.value)
    visits.declared["source"]["table"] = "clinic.visits"
    with pytest.raises(SourceError, match=r"clinic\.visits .* does not exist"):
        visits.pull()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://nurse:hunter2@127.0.0.1:1/clinic", "cannot be reached"),
        ("mysql://nurse:hunter2@127.0.0.1/clinic", "holds no PostgreSQL address"),
        ("hunter2", "holds no PostgreSQL address"),
        ("", "is not set"),
    ],
)
def test_an_unreachable_database_is_named_without_its_password(visits, monkeypatch, url, said):
    monkeypatch.setenv("CLINIC_URL", url)
    visits.declared["source"] = {"kind": "postgres", "table": "visits", "url_env": "CLINIC_URL"}
    with pytest.raises(SourceError, match=said) as caught:
        visits.pull()
    assert "CLINIC_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_failing_query_in_the_database_says_no_value(visits, filled):
    filled.execute("CREATE OR REPLACE VIEW broken AS SELECT *, ('x' || \"Patient ID\")::int AS n FROM visits")
    visits.declared["source"]["table"] = "broken"
    visits.declared["columns"]["nights"]["from"] = "n"
    with pytest.raises(SourceError, match="SQLSTATE 22P02") as caught:
        visits.pull()
    assert "p1" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("kind", ["parquet", "duckdb"])
def test_a_file_of_another_kind_is_refused(visits, kind):
    visits.write("home/visits", "this is no table, SECRET\n")
    visits.declared["source"] = {"kind": kind, "path": "${DP_STATS_HOME}/visits", "table": "visits"}
    with pytest.raises(SourceError, match="visits") as caught:
        visits.pull()
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_missing_duckdb_table_is_named_without_those_that_are_there(visits):
    target: Path = visits.write("home/visits.duckdb", "")
    target.unlink()
    with duckdb.connect(str(target)) as connection:
        connection.execute('CREATE TABLE "SECRET Ann" (a INTEGER)')
    visits.declared["source"] = {"kind": "duckdb", "path": "${DP_STATS_HOME}/visits.duckdb", "table": "visits"}
    with pytest.raises(SourceError, match=r"no table 'visits'\. It has 1 table") as caught:
        visits.pull()
    assert "SECRET" not in str(caught.value)
