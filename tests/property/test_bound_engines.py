"""The same rows on DuckDB, PostgreSQL and PySpark: equal answers where nobody exceeds the bound, bounded everywhere."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dp_stats.catalogue.periods import parse_period
from dp_stats.ledger import Ledger
from dp_stats.secure import register as registering
from dp_stats.secure.aggregate import exact_answers
from dp_stats.secure.bound import apply_bound
from dp_stats.secure.engines import sha256_hex
from dp_stats.secure.entries import MARK, SCHEMA, fetched, read, remembered
from dp_stats.secure.late import marks_of, told_apart, unseen
from dp_stats.secure.register import Register
from tests.engines import SPARK, engines

MONDAY = date(2021, 2, 15)
MEASURED = (
    "cases@area.day.bin",
    "amount@region.week.all",
    "people@all.week.all",
    "people@region.day.all",
    "truncated_rows@area.week.all",
    "truncated_persons@all.week.all",
)

ENGINES = engines("postgres", SPARK)


@pytest.fixture(scope="module")
def everything_measured(fully_measured: Callable[..., Any]) -> Callable[..., Any]:
    def made(**shape: Any) -> Any:
        w = fully_measured(bins=True, **shape)
        few = tuple(m for m in w.plan.measurements if m.id in MEASURED)
        assert len(few) == len(MEASURED)
        return replace(w, plan=w.plan.model_copy(update={"measurements": few}))

    return made


MESSY = [
    ("p1", MONDAY, "A", "1.13"),
    ("p1", MONDAY, "A", "1.13"),
    ("p2", MONDAY + timedelta(days=1), "B", "-0.12"),
    ("p3", MONDAY + timedelta(days=6), "C", "0.38"),
    ("p3", MONDAY + timedelta(days=6), "Z", "3"),
    ("p4", MONDAY + timedelta(days=7), "A", "3"),
    (None, MONDAY, "A", "3"),
    ("p5", None, "A", "3"),
    ("p6", MONDAY, None, "3"),
    ("p7", MONDAY, "B", "99.99"),
    ("p8", MONDAY, "B", "-99.99"),
    ("p9", MONDAY, "C", None),
]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_tells_rows_apart_by_the_same_marks(
    engine: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    everything_measured: Any,
    table: Any,
    duck: ibis.BaseBackend,
) -> None:
    w = everything_measured(k=2, unknown=True)

    def told(backend: ibis.BaseBackend, found: ibis.Table) -> Any:
        rows = w.rows(backend, found)
        return told_apart(backend, rows, "key", sha256_hex(backend, rows.table["person"]))

    def marks(rows: Any) -> list[bytes]:
        return sorted(UUID(mark).bytes for mark in fetched(marks_of([rows]))[MARK].to_pylist())

    expected = marks(told(duck, ibis.memtable(table(MESSY))))
    backend, found = request.getfixturevalue(engine)(table(MESSY))
    rows = told(backend, found)
    assert marks(rows) == expected
    assert len(expected) == 8
    path = tmp_path / "entry.parquet"
    some = pa.table({"block": ["lifetime"] * 4, MARK: expected[:4]})
    columns = [some[n] if n in some.column_names else pa.nulls(4, SCHEMA.field(n).type) for n in SCHEMA.names]
    pq.write_table(pa.table(columns, schema=SCHEMA), path)
    entry = read(backend, [path], blocks=("lifetime",))
    assert entry is not None
    left = unseen(backend, rows, remembered(entry))
    assert marks(left) == expected[4:]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_engines_agree_where_nobody_exceeds_the_bound(
    engine: str, request: pytest.FixtureRequest, everything_measured: Any, table: Any, duck: ibis.BaseBackend
) -> None:
    w = everything_measured(k=2, unknown=True)
    expected = w.answer(duck, ibis.memtable(table(MESSY)))
    found = w.answer(*request.getfixturevalue(engine)(table(MESSY)))
    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in expected.items()
    }
    assert expected["cases@area.day.bin"].sum() == 8  # not: p4, nobody, p5, p9; Z and null are unknown


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("one_per_cell", [False, True])
def test_every_engine_keeps_the_bound(
    engine: str, one_per_cell: bool, request: pytest.FixtureRequest, everything_measured: Any, table: Any
) -> None:
    w = everything_measured(k=2, cap=3, one_per_cell=one_per_cell, calendar=("day", "week"))
    rows = [("p1", MONDAY + timedelta(days=i % 7), "ABC"[i % 3], "5") for i in range(9)] + [
        ("p2", MONDAY, "A", "1")
    ] * 9
    found = w.answer(*request.getfixturevalue(engine)(table(rows)))
    assert found["cases@area.day.bin"].sum() == (3 if one_per_cell else 4)
    assert found["truncated_rows@area.week.all"].sum() == 6
    assert found["truncated_persons@all.week.all"].sum() == 2
    assert found["people@all.week.all"].sum() == 2


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_keeps_the_bound_over_the_editions_of_a_series(
    engine: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    fully_measured: Any,
    table: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first week uses up two of p1's three rows and all of p2's; the second reads a sum, and has what is left."""
    monkeypatch.setattr(registering, "SUMMED_AT", 1)
    opened, ledger = request.getfixturevalue(engine), Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    totals = []
    for week, monday, found in (
        ("2021-W07", MONDAY, {"p1": 2, "p2": 5, "p3": 1}),
        ("2021-W08", MONDAY + timedelta(days=7), {"p1": 2, "p2": 2, "p4": 5}),
    ):
        w = fully_measured(k=3, series=True, period=week, statistics=fully_measured().release.statistics[:1])
        few = tuple(m for m in w.plan.measurements if m.id in ("cases@all.week", "truncated_rows@all.week"))
        w = replace(w, plan=w.plan.model_copy(update={"measurements": few}))
        listed = [(person, monday + timedelta(days=i), "A", "1") for person, n in found.items() for i in range(n)]
        backend, held = opened(table(listed))
        reservation = ledger.reserve(w.sealed, dataset=w.dataset, category="scheduled", requested_by="-", reason="-")
        register = Register(tmp_path / "secure", ledger=ledger, reservation=reservation, plan=w.plan, key=b"key")
        rows, period = w.rows(backend, held), parse_period(week)
        bounded = partial(apply_bound, backend, rows, w.bound, grid=w.grid, period=period)
        kept = register.enter(backend, rows, lambda left, bounded=bounded: bounded(allowances=left))
        answers = exact_answers(w.plan, kept, grid=w.grid, release=w.release, period=period)
        totals.append((answers["cases@all.week"].sum(), answers["truncated_rows@all.week"].sum()))
        ledger.spend(reservation)
        ledger.store(reservation, b"noisy")
        register.close()
    assert totals == [(2 + 3 + 1, 2), (1 + 0 + 3, 1 + 1 + 2)]
    assert len([*(tmp_path / "secure" / "register-sums").rglob("*.parquet")]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rows", [0, 1, 3, 5, 12])
def test_every_engine_answers_small_tables_whatever_the_bound(
    engine: str,
    rows: int,
    request: pytest.FixtureRequest,
    fully_measured: Callable[..., Any],
    table: Any,
    duck: ibis.BaseBackend,
) -> None:
    opened = request.getfixturevalue(engine)
    held = table([(f"p{i % 2}", MONDAY, "A", "1") for i in range(rows)])
    for k in (1, 4, 30):
        w = fully_measured(k=k, statistics=fully_measured().release.statistics[:1])
        few = tuple(m for m in w.plan.measurements if m.id == "cases@all.week")
        w = replace(w, plan=w.plan.model_copy(update={"measurements": few}))
        kept = min((rows + 1) // 2, k) + min(rows // 2, k)
        assert w.answer(duck, ibis.memtable(held))["cases@all.week"].sum() == kept
        assert w.answer(*opened(held))["cases@all.week"].sum() == kept


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_persons_hash_is_the_same_on_every_engine(
    engine: str, request: pytest.FixtureRequest, table: Any, duck: ibis.BaseBackend
) -> None:
    """A series may change its engine: the register still knows everybody."""
    rows = table([("Zoë", MONDAY, "A", "1")])

    def hashes(backend: ibis.BaseBackend, found: ibis.Table) -> list[str]:
        digest = sha256_hex(backend, ibis.literal("key") + found["person"])
        return list(found.select(digest=digest).to_pyarrow()["digest"].to_pylist())

    assert hashes(*request.getfixturevalue(engine)(rows)) == hashes(duck, ibis.memtable(rows))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="PySpark needs Java")
def test_spark_prints_nothing_of_what_fails(spark: Any, table: Any) -> None:
    backend, _ = spark(table(MESSY))
    said: list[logging.LogRecord] = []
    listening = logging.Handler()
    listening.emit = said.append  # type: ignore[method-assign]
    loggers = [logging.getLogger(), *map(logging.getLogger, ("SQLQueryContextLogger", "DataFrameQueryContextLogger"))]
    for logger in loggers:
        logger.addHandler(listening)
    try:
        with pytest.raises(Exception, match="canary"):
            backend._session.sql("SELECT CAST(concat('canary-', id) AS INT) FROM range(3)").collect()
    finally:
        for logger in loggers:
            logger.removeHandler(listening)
    assert not [record for record in said if "canary" in record.getMessage()]
    java = backend._session.sparkContext._jvm.org.apache.logging.log4j.LogManager
    assert str(java.getRootLogger().getLevel()) == "OFF"
