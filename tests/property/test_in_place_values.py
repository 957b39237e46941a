"""A value is read in place, on any engine, exactly as DuckDB reads it from a file: what a further engine must prove.

Give an engine the functions of ``in_place.primitives``, and run these tests on it as ``tests/engines.py`` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.models import Column
from dp_stats.secure.canonical import canonical_sql
from dp_stats.secure.database import open_database
from dp_stats.secure.in_place.canonical import Raw, canonical_rows
from dp_stats.secure.source_table import SourceTable
from tests.builders import code_list
from tests.engines import SPARK, engines

ENGINES = engines("duckdb", "postgres", SPARK)
LISTS = {
    "codes": code_list("codes", ["01001", "56045", "1", "N", "Straße", "ÉTÉ", "İ", "ΟΔΟΣ", "ǆ", ""]),
    "bands": code_list("bands", ["0-17", "18-64", "65+", "odd"], lower=[0, 18, 65, -7.25], upper=[17, 64, "", -3.5]),
}
KINDS = {pa.string(): "VARCHAR", pa.date32(): "DATE", pa.float64(): "DOUBLE"}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder: Path = tmp_path_factory.mktemp("values")
    with open_database(folder) as connection:
        yield connection


@pytest.fixture(params=ENGINES, scope="module")
def loaded(request: pytest.FixtureRequest) -> Any:
    """Puts an Arrow table into an engine."""
    if request.param == "duckdb":
        backend = ibis.duckdb.connect(":memory:", threads=1)
        backend.raw_sql("SET TimeZone = 'UTC'")
        return lambda rows: (backend, ibis.memtable(rows))
    return request.getfixturevalue(request.param)


def both(
    database: Any, loaded: Any, column: dict[str, Any], values: Sequence[Any], kind: pa.DataType
) -> tuple[Any, Any]:
    """The values of one column and how each was read: by DuckDB from a file, and in place."""
    declared = {"value": Column.model_validate({"from": "value", **column})}
    rows = pa.table({"c0": pa.array(values, kind), "place": pa.array(range(len(values)), pa.int64())})
    with database.cursor() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("written", rows)
        named = KINDS.get(kind) or ("TIMESTAMP WITH TIME ZONE" if kind.tz else "TIMESTAMP")
        sql = canonical_sql(connection, declared, SourceTable("SELECT * FROM written", (named,), "values"), LISTS)
        expected = connection.execute(f"{sql.replace('SELECT ', 'SELECT place, ', 1)} ORDER BY place").fetchall()
    backend, table = loaded(rows)
    try:
        with database.cursor() as connection:
            raw = Raw(table, "values", ("value",))
            columns = {**declared, "place": Column.model_validate({"from": "place", "type": "number"})}
            raw = Raw(table.rename(c1="place"), "values", ("value", "place"))
            read = canonical_rows(backend, connection, columns, raw, LISTS)
        found = read.select("place", "value", "_read_0").order_by("place").to_pyarrow()
    finally:
        if backend.name == "postgres":
            backend.raw_sql(f'DROP TABLE "{table.get_name()}" CASCADE')
    return [tuple(row.values()) for row in found.to_pylist()], [(int(place), *rest) for place, *rest in expected]


def same(*arguments: Any) -> None:
    found, expected = both(*arguments)
    assert [(int(place), *rest) for place, *rest in found] == expected


MANY = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SPACE = st.sampled_from(["", "", " ", "\t", "\u00a0", "\u200b", "\n", "\ufeff "])
ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


def listed(written: st.SearchStrategy[str]) -> st.SearchStrategy[list[str | None]]:
    """Texts in a declared way, spoilt ones, any others, and nothing."""
    around = st.builds(lambda before, text, after: before + text + after, SPACE, written, SPACE)
    return st.lists(st.one_of(around, around, ANY, st.none()), min_size=20, max_size=80)


NHS = st.sampled_from(
    ["9434765919", "943 476 5919", "943-476-5919", "9434765918", "9434765919.0", "9.434765919e9", "9434765919."]
)
WORDS = st.text(st.sampled_from("ABKSIiklsſıKéÉ019 .-+e"), max_size=5)


@MANY
@given(
    st.one_of(listed(st.one_of(NHS, st.from_regex("[0-9]{10}(.0)?", fullmatch=True))), listed(WORDS)),
    st.sampled_from(
        [
            {"kind": "nhs_number"},
            {"pattern": "[A-Z]{1,2}[0-9]*|[a-z0-9]+", "remove": " -.", "case": "upper"},
            {"pattern": "(k|s|i)+[0-9]{0,2}", "case": "lower"},
            {"pattern": "[0-9]*"},
        ]
    ),
)
def test_identifiers(database: Any, loaded: Any, texts: list[str | None], identifier: dict[str, Any]) -> None:
    same(database, loaded, {"type": "person", "identifier": identifier}, texts, pa.string())


WRITTEN_CODES = st.sampled_from(
    ["1001", "1001.0", "01001.", "56045.00", "n", "N", "STRASSE", "straße", "STRAẞE", "été", "E\u0301TE\u0301", "i̇", "İ", "i",
     "οδοσ", "οδος", "ΟΔΟΣ", "Ǆ", "ǅ", "ǆ", "north", "North ", "unknown", "1", "1.0", "00001", "abc"]
)  # fmt: skip


@MANY
@given(
    listed(WRITTEN_CODES),
    st.booleans(),
    st.sampled_from([{}, {"values": {"NORTH": "N", "": "1"}}]),
    st.sampled_from([{"type": "code", "codes": "codes"}, {"type": "code", "codes": "codes", "digits": 5},
                     {"type": "band", "codes": "bands"}]),
)  # fmt: skip
def test_codes(database: Any, loaded: Any, texts: list[str | None], unknown: bool, values: Any, kind: Any) -> None:
    values = {} if kind["type"] == "band" else values
    same(database, loaded, {**kind, **values, "unknown": unknown}, texts, pa.string())


NUMBERS = st.one_of(
    st.decimals(-(10**13), 10**13, allow_nan=False, allow_infinity=False).map(str),
    st.decimals(-100, 100, places=7).map(str),
    st.from_regex(r"[+-]?[0-9]{0,14}[.]?[0-9]{0,9}([eE][+-]?[0-9]{1,5})?", fullmatch=True),
    st.sampled_from(
        ["NaN", "inf", "1_000", "1e999999999", "0e99999", "-0", "999999999999.9999995", "999999999999.9999994"]
    ),
)


@MANY
@given(listed(NUMBERS), st.sampled_from([{"type": "number"}, {"type": "band", "codes": "bands", "unknown": True}]))
def test_numbers_written_as_text(database: Any, loaded: Any, texts: list[str | None], kind: Any) -> None:
    same(database, loaded, kind, texts, pa.string())


@MANY
@given(
    st.lists(
        st.one_of(st.floats(), st.floats(-200, 200), st.integers(-(10**9), 10**9).map(lambda n: n * 5e-7), st.none()),
        min_size=1,
    ),
    st.sampled_from([{"type": "number"}, {"type": "band", "codes": "bands"}]),
)
def test_binary_fractions(database: Any, loaded: Any, values: list[float | None], kind: Any) -> None:
    same(database, loaded, kind, values, pa.float64())


@MANY
@given(st.lists(st.one_of(st.dates(), st.dates(date(1899, 12, 25), date(1900, 1, 5)), st.none()), min_size=1))
def test_dates(database: Any, loaded: Any, days: list[date | None]) -> None:
    same(database, loaded, {"type": "date"}, days, pa.date32())


ZONES = ("UTC", "Europe/London", "America/St_Johns", "Pacific/Auckland")
TIMES = st.datetimes(*map(datetime.fromisoformat, ("1895-01-01", "2210-01-01")))
RECENT = st.datetimes(*map(datetime.fromisoformat, ("1980-01-01", "2036-01-01")))


@MANY
@given(
    st.lists(st.one_of(RECENT, st.none()), min_size=1),
    st.lists(TIMES, max_size=5),
    st.sampled_from([None, *ZONES]),
    st.sampled_from(ZONES),
)
def test_times(database: Any, loaded: Any, times: Any, far: Any, zone: str | None, written: str) -> None:
    moments = [None if time is None else time.replace(tzinfo=UTC) for time in times]
    same(database, loaded, {"type": "date", "timezone": zone or "UTC"}, moments, pa.timestamp("us", "UTC"))
    if zone is None:
        same(database, loaded, {"type": "date"}, [*times, *far], pa.timestamp("us"))
        return
    told = [time for time in times if time is None or _once(time, written)]
    declared = {"type": "date", "timezone": zone, "source_timezone": written}
    same(database, loaded, declared, told or [None], pa.timestamp("us"))


def _once(time: datetime, zone: str) -> bool:
    """Whether the clocks of a zone show a time exactly once."""
    moments = {time.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)}
    return len(moments) == 1 and timedelta() == max(moments) - min(moments)


@MANY
@given(listed(ANY))
def test_records(database: Any, loaded: Any, texts: list[str | None]) -> None:
    same(database, loaded, {"type": "record"}, texts, pa.string())
