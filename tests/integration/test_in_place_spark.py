"""A real Spark cluster of two workers reads a Parquet folder: what is published, and what never comes to the driver."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from dp_stats import pipeline
from dp_stats.catalogue.models import Source
from dp_stats.cli.main import app
from dp_stats.errors import SourceError
from dp_stats.secure.in_place import tables
from dp_stats.secure.in_place.cluster import delete, open_cluster
from dp_stats.secure.in_place.spark import SparkSession
from dp_stats.secure.intake import IntakeReport
from dp_stats.settings import load_settings
from tests.killing import dying_in
from tests.planted import COLUMNS, WORDS, expect, report_of, with_rows, without_noise
from tests.spark_cluster import spark_cluster
from tests.warm_python import python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java"),
]
RUN = "pipeline.pull(arguments[0])"
STEPS = (pipeline.pull, pipeline.reserve, pipeline.measure)
FIRST, SECOND = "visits/2024-W02", "visits/2024-W03"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with spark_cluster(tmp_path_factory.mktemp("cluster")) as address:
        yield address


class Lake:
    """Shared storage: a folder of Parquet files, a year of them in a partition, and a folder for work."""

    def __init__(self, folder: Path, address: str) -> None:
        self.rows, self.work = folder / "visits", folder / "work"
        self.source = Source(kind="parquet", path=str(self.rows), url_env="LAKE_SPARK")
        os.environ["LAKE_SPARK"] = address
        self.work.mkdir(parents=True)
        for number in range(3):
            part = self.rows / "year=2024"
            part.mkdir(parents=True, exist_ok=True)
            pq.write_table(_visits(number, 400), part / f"{number}.parquet")
        part = self.rows / "year=2023"
        part.mkdir()
        nobody = [("canary-1", None), ("", 9), ("can ary", 9), ("canary-1", 60)]
        rows = [(who, None if day is None else _moment(day), "north", Decimal(1), "") for who, day in nobody]
        pq.write_table(_table(rows), part / "late.parquet")
        (self.rows / "_notes.txt").write_text("not a row")

    def made(self) -> list[str]:
        """What is in the work folder."""
        return sorted(path.name for path in self.work.iterdir())


def _moment(day: int) -> datetime:
    return datetime(2024, 1, 1, 0, 30, tzinfo=UTC) + timedelta(days=day - 1)


def _visits(start: int, rows: int) -> pa.Table:
    places = ["north", "SOUTH ", "east", "West", "kanarie-place", None]
    return _table(
        [
            (f"Canary-{n % 97}", _moment(8 + n % 14), places[n % 6], Decimal("4096.25"), "5550199")
            for n in range(start, 3 * rows, 3)
        ]
    )


def _table(rows: list[Any]) -> pa.Table:
    names = ("Patient", "Day", "Clinic", "Cost", "Telephone")
    kinds = (pa.string(), pa.timestamp("us", "UTC"), pa.string(), pa.decimal128(9, 2), pa.string())
    return pa.table({name: pa.array([row[at] for row in rows], kinds[at]) for at, name in enumerate(names)})


@pytest.fixture
def lake(cluster: str, clinic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """The source of the clinic's dataset is worked on in place."""
    monkeypatch.setenv("LAKE_SPARK", cluster)
    made = Lake(tmp_path / "lake", cluster)
    (clinic.folder / "opt-outs.csv").write_text("patient\nCANARY-3\ncanary-5000\n")
    source = made.source.model_dump(exclude_defaults=True)
    clinic.change("datasets/visits.yaml", source=source, engine="source", work_folder=str(made.work), columns=COLUMNS)
    clinic.change("releases/visits.yaml", contribution={"rows": 20})
    expect(
        clinic,
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 100}},
        {
            "type": "expect_column_values_to_match_regex",
            "kwargs": {"column": "patient", "regex": "^[a-z]+[0-9]+$", "mostly": 0.9},
        },
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "cost", "min_value": 0, "max_value": 5000}},
    )
    return made


def test_the_same_is_counted_and_no_row_comes_to_the_driver(
    lake: Lake, clinic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = without_noise(monkeypatch)
    around = tmp_path / "around"
    around.mkdir()
    monkeypatch.setenv("TMPDIR", str(around))
    found: list[str] = []

    def look(step: str) -> None:
        places = (clinic.settings.home, around, Path.cwd() / "spark-warehouse", Path.cwd() / "artifacts")
        found.extend(f"before {step}: {path}" for folder in places for path in with_rows(folder))

    fetched = what_is_fetched(monkeypatch)
    delete(lake.source, str(lake.work / "nothing"))  # its way to the storage has other rights than the session's
    _, closing = open_cluster(lake.source, "the lake", settings=clinic.settings)
    with closing:
        done = pipeline.run_edition(FIRST, settings=clinic.settings, progress=look)
        assert (clinic.settings.public_dir / done["path"] / "edition.json").is_file()
        assert lake.made() == []
        refuses_a_delivery_that_changes(lake, clinic, monkeypatch)
        look("the second")
        measures_what_was_pulled_alone(lake, clinic)
        look("the end")
        pipeline.clean_up(SECOND, settings=clinic.settings)
        assert lake.made() == []
    assert found == []
    assert len(fetched) > 20
    assert not [text for text in fetched if any(word.decode() in text for word in WORDS)]
    assert not list((clinic.settings.secure / "staging").rglob("*.json"))
    in_place, report = counted[:], report_of(clinic.settings)
    counted.clear()
    clinic.change("datasets/visits.yaml", engine="duckdb", work_folder=None)
    monkeypatch.setenv("DP_STATS_HOME", str(tmp_path / "other"))
    other = load_settings()
    for edition in (FIRST, SECOND):
        for step in STEPS:
            step(edition, settings=other)
    pipeline.check(FIRST, settings=other)
    assert in_place == counted
    assert max(map(np.sum, counted)) > 500
    assert of_the_period(report) == of_the_period(report_of(other))


def what_is_fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that comes from the cluster, as text."""
    from pyspark.sql.classic.dataframe import DataFrame

    fetched: list[str] = []
    for name in ("collect", "_collect_as_arrow"):
        monkeypatch.setattr(DataFrame, name, noting(getattr(DataFrame, name), fetched))
    return fetched


def noting(real: Callable[..., Any], fetched: list[str]) -> Callable[..., Any]:
    """The same function, with what it returns noted."""

    def noted(*arguments: Any, **named: Any) -> Any:
        found = real(*arguments, **named)
        rows = [batch.to_pylist() for batch in found] if real.__name__ == "_collect_as_arrow" else found
        fetched.append(str(rows).casefold())
        return found

    return noted


def of_the_period(report: IntakeReport) -> tuple[Any, ...]:
    """What a report says of the period; of other rows it says less where they were not read."""
    columns = {name: column for name, column in report.columns.items() if name != "day"}
    return report.counted, report.in_period, report.empty_days, columns, report.lost["no clinic"]


def refuses_a_delivery_that_changes(lake: Lake, clinic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    late = lake.rows / "year=2024" / "4.parquet"
    upload = SparkSession.upload

    def changing(*arguments: Any, **named: Any) -> Any:
        pq.write_table(_visits(0, 3), late)
        return upload(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(SparkSession, "upload", changing)
        with pytest.raises(SourceError, match="changed while it was read") as caught:
            pipeline.pull(SECOND, settings=clinic.settings)
    assert "anary" not in str(caught.value)
    assert lake.made() == []
    late.unlink()


def measures_what_was_pulled_alone(lake: Lake, clinic: Any) -> None:
    for step in STEPS[:-1]:
        step(SECOND, settings=clinic.settings)
    (folder,) = lake.work.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    part = max(folder.glob("part-*.parquet"), key=lambda path: path.stat().st_size)
    rows = pq.read_table(part)
    persons = ["canary4" if person == "canary6" else person for person in rows["patient"].to_pylist()]
    assert persons != rows["patient"].to_pylist()
    pq.write_table(rows.set_column(rows.column_names.index("patient"), "patient", pa.array(persons)), part)
    (folder / f".{part.name}.crc").unlink()
    with pytest.raises(SourceError, match="another digest"):
        pipeline.measure(SECOND, settings=clinic.settings)
    for path, content in whole.items():
        path.write_bytes(content)
    for step in STEPS[1:]:
        step(SECOND, settings=clinic.settings)


def test_what_a_killed_run_leaves_is_listed_and_dropped(cluster: str, lake: Lake, clinic: Any, tmp_path: Path) -> None:
    call = "dp_stats.secure.in_place.spark.SparkSession.make"
    environment = {**clinic.environment, "LAKE_SPARK": cluster.replace("spark.cores.max=2", "spark.cores.max=1")}
    died = python(dying_in(RUN), call, "after", FIRST, environment=environment, folder=tmp_path)
    assert died.returncode == -signal.SIGKILL, died.stdout.decode()
    assert b"anary" not in died.stdout
    (listed,) = tables.all_listed(clinic.settings.secure)
    assert lake.made() == [listed.name]
    assert with_rows(clinic.settings.home) == []
    ran = CliRunner().invoke(app, ["work-tables"])
    assert listed.name in ran.stdout
    ran = CliRunner().invoke(app, ["work-tables", "--drop"])
    assert "Dropped 1." in ran.stdout
    assert lake.made() == []
    assert tables.all_listed(clinic.settings.secure) == ()
