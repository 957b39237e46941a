"""A real PostgreSQL, a role that may read one table and make tables in one schema: what is published, and what never leaves."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pytest

from dp_stats import pipeline
from dp_stats.errors import QualityError, SourceError
from dp_stats.operations import upkeep
from dp_stats.secure.in_place import dropping, tables
from tests import ledger_examples
from tests.killing import dying_in
from tests.planted import COLUMNS, expect, report_of, with_rows, without_noise
from tests.warm_python import python

RUN = "pipeline.run_edition(arguments[0])"


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with ledger_examples.postgres() as database:
        yield database


class Warehouse:
    """The clinic's visits in a database of their own, and a connection of whoever runs it."""

    def __init__(self, url: str) -> None:
        connection = psycopg2.connect(url)
        connection.autocommit = True
        self.admin = connection.cursor()
        self.url = url.replace("postgresql://postgres:@", "postgresql://reader@")
        assert self.url != url
        self.admin.execute(
            "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
            "CREATE SCHEMA clinic; CREATE SCHEMA dp_stats_work; GRANT USAGE ON SCHEMA clinic TO reader;"
            "GRANT USAGE, CREATE ON SCHEMA dp_stats_work TO reader;"
            "CREATE TABLE clinic.visits"
            ' ("Patient" text, "Day" timestamptz, "Clinic" text, "Cost" numeric, "Telephone" text);'
            "GRANT SELECT ON clinic.visits TO reader; ALTER ROLE reader SET default_transaction_read_only = on"
        )

    def made(self) -> list[str]:
        """What is in the work schema."""
        self.admin.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'dp_stats_work'::regnamespace AND relkind <> 't'"
        )
        return [name for (name,) in self.admin.fetchall()]


@pytest.fixture
def warehouse(server: Any, clinic: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """The source of the clinic's dataset is worked on in place."""
    made = Warehouse(server())
    made.admin.execute(
        "INSERT INTO clinic.visits SELECT 'Canary-' || n % 97, timestamptz '2024-01-08 00:30+00' + n % 7 * interval '1 day', "
        "(ARRAY['north', 'SOUTH ', 'east', 'West', 'kanarie-place', NULL])[1 + n % 6], 4096.25, '5550199' "
        "FROM generate_series(1, 600) AS n;"
        "INSERT INTO clinic.visits VALUES ('canary-1', NULL, 'north', 1, ''), ('', '2024-01-09', 'north', 1, ''), "
        "('can ary', '2024-01-09', 'north', 1, ''), ('canary-1', '2024-02-09', 'north', 1, '')"
    )
    (clinic.folder / "opt-outs.csv").write_text("patient\nCANARY-3\ncanary-5000\n")
    clinic.change(
        "datasets/visits.yaml",
        source={"kind": "postgres", "table": "clinic.visits", "url_env": "CLINIC_URL"},
        engine="source",
        work_schema="dp_stats_work",
        columns=COLUMNS,
    )
    clinic.change("releases/visits.yaml", contribution={"rows": 10})
    expect(clinic, {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 100}})
    monkeypatch.setenv("CLINIC_URL", made.url)
    yield made
    made.admin.connection.close()


@pytest.mark.slow
def test_the_same_is_counted_and_no_row_is_on_a_disk_here(
    warehouse: Warehouse, clinic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = without_noise(monkeypatch)
    around = tmp_path / "around"
    around.mkdir()
    monkeypatch.setenv("TMPDIR", str(around))
    found: list[str] = []

    def look(step: str) -> None:
        found.extend(
            f"before {step}: {path}" for folder in (clinic.settings.home, around) for path in with_rows(folder)
        )

    done = pipeline.run_edition("visits/2024-W02", settings=clinic.settings, progress=look)
    look("the end")
    assert found == []
    assert (clinic.settings.public_dir / done["path"] / "edition.json").is_file()
    assert warehouse.made() == []
    assert not list((clinic.settings.secure / "staging").rglob("*.json"))
    in_place, report = counted[:], report_of(clinic.settings)
    counted.clear()
    clinic.change("datasets/visits.yaml", engine="duckdb", work_schema=None)
    monkeypatch.setenv("DP_STATS_HOME", str(tmp_path / "other"))
    from dp_stats.settings import load_settings

    other = load_settings()
    pipeline.run_edition("visits/2024-W02", settings=other)
    assert in_place == counted
    assert max(map(np.sum, counted)) > 500
    assert report == report_of(other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "when", "left"),
    [
        ("dp_stats.secure.in_place.pulling.digest_of", "before", 0),
        ("dp_stats.secure.measure.answer", "after", 2),
    ],
)
def test_what_a_killed_run_leaves_is_listed_and_dropped(
    warehouse: Warehouse, clinic: Any, tmp_path: Path, call: str, when: str, left: int
) -> None:
    environment = {**clinic.environment, "CLINIC_URL": warehouse.url}
    died = python(dying_in(RUN), call, when, "visits/2024-W02", environment=environment, folder=tmp_path)
    assert died.returncode == -signal.SIGKILL, died.stdout.decode()
    assert len(warehouse.made()) == left
    (listed,) = tables.all_listed(clinic.settings.secure)
    assert listed.edition == "visits/2024-W02/r1"
    assert set(warehouse.made()) == ({listed.name, listed.in_period} if left else set())
    assert upkeep.purge_staging(settings=clinic.settings) == 0, "it may be running still"
    assert len(tables.all_listed(clinic.settings.secure)) == 1
    assert dropping.drop_expired(clinic.settings.secure, after=timedelta()) == 1
    assert warehouse.made() == []
    assert tables.all_listed(clinic.settings.secure) == ()


def test_a_table_that_cannot_be_dropped_stays_listed(
    warehouse: Warehouse, clinic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.pull("visits/2024-W02", settings=clinic.settings)
    assert len(warehouse.made()) == 2
    monkeypatch.setenv("CLINIC_URL", "postgresql://reader:hunter2@127.0.0.1:1/none")
    pipeline.clean_up("visits/2024-W02", settings=clinic.settings)
    (listed,) = tables.all_listed(clinic.settings.secure)
    with pytest.raises(SourceError, match="are still there") as caught:
        dropping.drop_expired(clinic.settings.secure, after=timedelta())
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("CLINIC_URL", warehouse.url)
    pipeline.clean_up("visits/2024-W02", settings=clinic.settings)
    assert warehouse.made() == []
    assert not listed.note.exists()


def test_rows_that_are_not_those_that_were_pulled_are_not_measured(warehouse: Warehouse, clinic: Any) -> None:
    for step in (pipeline.pull, pipeline.check, pipeline.reserve):
        step("visits/2024-W02", settings=clinic.settings)
    (listed,) = tables.all_listed(clinic.settings.secure)
    warehouse.admin.execute(
        f"UPDATE {listed.place} SET patient = 'canary4' WHERE patient = 'canary6' AND clinic = 'north'"
    )
    with pytest.raises(SourceError, match="another digest"):
        pipeline.measure("visits/2024-W02", settings=clinic.settings)
    pipeline.pull("visits/2024-W02", settings=clinic.settings)
    assert len(warehouse.made()) == 2, "the table of the earlier pull is gone"
    pipeline.reserve("visits/2024-W02", settings=clinic.settings)
    pipeline.measure("visits/2024-W02", settings=clinic.settings)
    pipeline.clean_up("visits/2024-W02", settings=clinic.settings)


def test_gates_are_asked_of_the_database_and_fetch_no_row(warehouse: Warehouse, clinic: Any) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    asked: list[int] = []

    def after(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "dp_stats_work" in statement:
            asked.append(cursor.rowcount)

    expect(
        clinic,
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "patient", "mostly": 0.9}},
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "patient", "regex": "^canary"}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "cost", "min_value": 0, "max_value": 5000}},
        {
            "type": "expect_compound_columns_to_be_unique",
            "kwargs": {"column_list": ["patient", "day"]},
            "severity": "warning",
        },
        {"type": "expect_table_columns_to_match_set", "kwargs": {"column_set": {"$PARAMETER": "columns"}}},
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "rows_in_period", "min_value": 100},
            "meta": {"table": "source"},
        },
        {"type": "expect_column_max_to_be_between", "kwargs": {"column": "cost", "max_value": 1}},
    )
    pipeline.pull("visits/2024-W02", settings=clinic.settings)
    event.listen(Engine, "after_cursor_execute", after)
    try:
        with pytest.raises(QualityError) as caught:
            pipeline.check("visits/2024-W02", settings=clinic.settings)
    finally:
        event.remove(Engine, "after_cursor_execute", after)
        pipeline.clean_up("visits/2024-W02", settings=clinic.settings)
    assert "expect_column_max_to_be_between of cost) was not met" in str(caught.value)
    assert str(caught.value).count("was not met") == 1
    assert asked
    assert max(asked) <= 1, "aggregates alone"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("REVOKE SELECT ON clinic.visits FROM reader", "a right is missing"),
        ("REVOKE CREATE ON SCHEMA dp_stats_work FROM reader", "a right is missing"),
        ("DROP SCHEMA dp_stats_work CASCADE", "no such work schema"),
        ('ALTER TABLE clinic.visits RENAME "Clinic" TO place', "no column 'clinic'"),
        ('ALTER TABLE clinic.visits ALTER "Day" TYPE text', "must be stored as a date or a timestamp"),
        ('ALTER TABLE clinic.visits ALTER "Clinic" TYPE float USING 1.5', "fractions, but holds codes"),
    ],
)
def test_what_is_missing_is_named(warehouse: Warehouse, clinic: Any, spoil: str, said: str) -> None:
    warehouse.admin.execute(spoil)
    with pytest.raises(SourceError, match=said) as caught:
        pipeline.pull("visits/2024-W02", settings=clinic.settings)
    assert "anary" not in str(caught.value)
    assert caught.value.__context__ is None
    assert tables.all_listed(clinic.settings.secure) == ()
    assert os.environ["CLINIC_URL"] not in str(caught.value)
