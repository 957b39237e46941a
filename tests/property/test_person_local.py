"""Whatever steps are declared, what comes out for a person is made of that person's rows: steps(D ∪ u) = steps(D) ∪ steps(u)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.models import LinkedTable
from dp_stats.secure.links import UNLINKED, persons
from dp_stats.secure.steps import apply, expressions, joins, order, single
from tests.linked_examples import (
    EVERYTHING,
    FIRST,
    PERSONS,
    TABLES,
    Json,
    Load,
    Rows,
    arrow,
    counted,
    is_person_local,
    outcome,
    outcomes,
    some_rows,
    some_steps,
    without,
)


@pytest.fixture
def load(duck: ibis.BaseBackend) -> Load:
    numbers = count()

    def load(table: pa.Table) -> tuple[ibis.BaseBackend, ibis.Table]:
        return duck, duck.create_table(f"given_{next(numbers)}", table, overwrite=True)

    return load


def day(number: int) -> Any:
    return FIRST + timedelta(days=number)


def fixed_rows() -> Rows:
    """People who share wards, areas and days, some of them in rows that are equal but for the person."""
    stays = [
        {"patient": person, "start": day(start), "end": end and day(end), "ward": ward, "cost": Decimal(cost)}
        for person in PERSONS[:3]
        for start, end, ward, cost in ((0, 2, "a", 1), (1, 4, "b", 2), (6, None, "a", 3), (6, None, "a", 3))
    ]
    homes = [
        {"who": person, "since": day(since), "area": area, "rooms": Decimal(since)}
        for person in (*PERSONS[:2], PERSONS[3])
        for since, area in ((-9, "N"), (1, "S"), (1, "N"))
    ]
    return {"stays": stays, "homes": homes}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=some_steps(), rows=some_rows(), person=st.sampled_from(PERSONS))
def test_removing_a_person_removes_what_the_steps_made_of_that_person_and_nothing_else(
    load: Load, steps: list[Json], rows: Rows, person: str
) -> None:
    assert is_person_local(counted(steps), rows, [person], load)


def test_rows_in_another_order_give_the_same(load: Load) -> None:
    rows = fixed_rows()
    turned = {name: list(reversed(listed)) for name, listed in rows.items()}
    first, second = outcomes(counted(EVERYTHING), [rows, turned], load)
    assert first == second


def test_every_step_together_is_person_local(load: Load) -> None:
    rows = fixed_rows()
    assert is_person_local(counted(EVERYTHING), rows, PERSONS, load)
    assert outcome(counted(EVERYTHING), rows, load)


LINK = {
    "source": {"kind": "csv", "path": "nowhere.csv"},
    "own": "Own",
    "person": "Person",
    "identifier": {"pattern": "[0-9]+"},
    "custodian": "The linkage service",
    "version": "1",
    "quality": "Drawn.",
}
OWN = ("01", "02", "03", "04", "05", "06")
"""Identifiers of the hospitals' own; of those that no entry names each is a person by itself."""

SOME_LINKS = st.dictionaries(st.sampled_from(OWN), st.sampled_from(PERSONS), max_size=5)


def linked_stays(rows: Rows, entries: set[tuple[str, str]], folder: Path) -> Rows:
    """Stays under the hospitals' own identifiers, as reading them through a link table makes them: with persons."""
    table = LinkedTable.model_validate({**TABLES["stays"], "link": LINK})
    pairs = sorted(entries)
    links = pa.table({"own": [own for own, _ in pairs], "person": [person for _, person in pairs]}, schema=LINKS)
    pq.write_table(links, folder / "links.parquet")
    with duckdb.connect() as connection:
        connection.register("given", arrow(TABLES["stays"], rows["stays"]))
        sql = persons("SELECT * FROM given", table, folder / "links.parquet")
        made = connection.execute(sql).to_arrow_table()
    return {**rows, "stays": made.drop_columns(["linked"]).to_pylist()}


LINKS = pa.schema([("own", pa.string()), ("person", pa.string())])


def holds_with_links(steps: list[Json], rows: Rows, entries: set[tuple[str, str]], folder: Path, load: Load) -> bool:
    """Whether removing a person, with the entries that name her and the records under these, removes her rows alone; tried with
    two people."""
    whole = linked_stays(rows, entries, folder)
    everybody = {row["patient"] for row in whole["stays"]} | {row["who"] for row in rows["homes"]}
    for person in sorted(everybody - {None})[:2]:
        hers = {(own, whose) for own, whose in entries if whose == person}
        owns = {own for own, _ in hers} | ({person.removeprefix(UNLINKED)} if person.startswith(UNLINKED) else set())
        parts = []
        for mine in (False, True):
            stays = [row for row in rows["stays"] if (row["patient"] in owns) is mine]
            homes = [row for row in rows["homes"] if (row["who"] == person) is mine]
            known = hers if mine else entries - hers
            parts.append(linked_stays({"stays": stays, "homes": homes}, known, folder))
        together, others, theirs = outcomes(steps, [whole, *parts], load)
        if together != others + theirs:
            return False
    return True


def own_stays(rows: Rows) -> Rows:
    """The same stays under identifiers of the hospitals' own."""
    names = dict(zip(PERSONS, OWN, strict=False))
    return {**rows, "stays": [{**row, "patient": names.get(row["patient"], OWN[-1])} for row in rows["stays"]]}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=some_steps(), rows=some_rows(), links=SOME_LINKS)
def test_removing_a_person_with_her_links_removes_her_rows_alone_whatever_the_link_table(
    load: Load, tmp_path: Path, steps: list[Json], rows: Rows, links: dict[str, str]
) -> None:
    assert holds_with_links(counted(steps), own_stays(rows), set(links.items()), tmp_path, load)


def test_a_link_table_that_gives_one_identifier_to_two_persons_would_break_it(load: Load, tmp_path: Path) -> None:
    """Which is why such a table is refused before anything is read through it."""
    rows, entries = own_stays(fixed_rows()), set(zip(OWN, PERSONS, strict=False))
    as_of = {"day": "start", "since": "since"}
    steps = counted([{"step": "join", "of": "stays", "with": "homes", "columns": ["area"], "as_of": as_of}])
    assert holds_with_links(steps, rows, entries, tmp_path, load)
    assert not holds_with_links(steps, rows, {*entries, (OWN[0], PERSONS[2])}, tmp_path, load)


def _window_over_others(monkeypatch: pytest.MonkeyPatch) -> None:
    numbered = order.numbered
    monkeypatch.setattr(single, "numbered", lambda table, within, by, name: numbered(table, within[1:], by, name=name))


def _list_from_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep(step: Any, table: ibis.Table, shape: Any, compiler: Any) -> ibis.Table:
        frequent = table.group_by("day").aggregate(rows=table.count())
        return table.semi_join(frequent.filter(frequent["rows"] > 3), "day")

    monkeypatch.setattr(apply, "keep", keep)


def _join_that_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    equal = joins._equal
    monkeypatch.setattr(joins, "_equal", lambda *given: equal(*given)[1:] or [ibis.literal(True)])


def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = lambda day: ibis.now().epoch_seconds() * 0 + ibis.now().microsecond() + day.month() * 0  # noqa: E731
    monkeypatch.setitem(expressions._FUNCTIONS, "month", now)  # type: ignore[arg-type]


def _float_key(monkeypatch: pytest.MonkeyPatch) -> None:
    whose = apply._whose

    def read(table: ibis.Table, shape: Any) -> ibis.Table:
        found = whose(table, shape)
        return found.mutate(**{shape.person: found[shape.person].cast(dt.float64).cast(dt.string)})

    monkeypatch.setattr(apply, "_whose", read)


ON_SPARK = ("derive", "sessions", "spread", "keep")
"""With the join as of a day, every form of query that steps are made of: expressions, windows, groups, a public list."""

BREAKS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a window over others": _window_over_others,
    "a list from the data": _list_from_the_data,
    "a join that multiplies": _join_that_multiplies,
    "a clock": _clock,
    "a float key": _float_key,
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_step_that_is_not_person_local_is_caught(broken: str, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    BREAKS[broken](monkeypatch)
    assert not is_person_local(counted(EVERYTHING), fixed_rows(), PERSONS, load)


@pytest.mark.slow
def test_postgres_makes_the_same_of_random_steps_and_is_person_local(
    postgres: Load, duck: ibis.BaseBackend, load: Load
) -> None:
    @settings(max_examples=8, deadline=None, database=None, phases=[Phase.generate])
    @given(steps=some_steps(), rows=some_rows(), person=st.sampled_from(PERSONS))
    def holds(steps: list[Json], rows: Rows, person: str) -> None:
        parts = [rows, without(rows, person), without(rows, person, only=True)]
        together, others, theirs = (outcome(counted(steps), part, postgres) for part in parts)
        assert together == others + theirs
        assert together == outcome(counted(steps), rows, load)

    holds()
    assert outcome(counted(EVERYTHING), fixed_rows(), postgres) == outcome(counted(EVERYTHING), fixed_rows(), load)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="PySpark needs Java")
def test_spark_makes_the_same_of_steps_and_is_person_local(spark: Load, load: Load) -> None:
    """One run of few steps, because Spark plans windows slowly: all together there, each part by itself on DuckDB."""
    steps = counted([step for step in EVERYTHING if step["step"] in ON_SPARK or "as_of" in step])
    rows, person = fixed_rows(), PERSONS[0]
    others, theirs = outcomes(steps, [without(rows, person), without(rows, person, only=True)], load)
    assert outcome(steps, rows, spark) == others + theirs


def test_the_examples_are_what_reading_gives() -> None:
    assert arrow(TABLES["stays"], fixed_rows()["stays"]).num_rows == 12
