"""Neighbouring tables: whatever rows there are, removing a person moves no measurement further than the plan says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from math import prod
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.periods import block_of

MONDAY = date(2021, 2, 15)
FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

people = st.sampled_from(["p1", "p2", "p3", None])
days = st.one_of(st.none(), st.integers(-1, 8).map(lambda i: MONDAY + timedelta(days=i)))
areas = st.sampled_from(["A", "B", "C", "Z", None])
decimals = st.one_of(st.none(), st.decimals(min_value=-99, max_value=99, places=2))
floats = st.one_of(st.none(), st.floats(), st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e308, -0.0]))


def lists_of(amounts: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    row = st.tuples(people, days, areas, amounts)
    return st.lists(row, max_size=10).flatmap(
        lambda rows: st.permutations(rows + rows[: len(rows) // 2])  # duplicates, and any order
    )


shapes = st.fixed_dictionaries(
    {
        "k": st.integers(1, 3),
        "cap": st.integers(1, 4),
        "one_per_cell": st.booleans(),
        "unknown": st.booleans(),
        "bins": st.booleans(),
        "block": st.sampled_from(["lifetime", "day"]),
        "calendar": st.sampled_from([("day", "week"), ("week",)]),
    }
)
some = st.lists(st.integers(0, 10**6), min_size=5, max_size=5)


def measuring(fully_measured: Any, some: list[int]) -> Any:
    """The fully_measured with a few of its measurements, to keep an example short."""
    chosen = {i % len(fully_measured.plan.measurements) for i in some}
    few = tuple(m for i, m in enumerate(fully_measured.plan.measurements) if i in chosen)
    return replace(fully_measured, plan=fully_measured.plan.model_copy(update={"measurements": few}))


def movements(
    fully_measured: Any, backend: ibis.BaseBackend, rows: list[tuple[Any, ...]], kind: pa.DataType | None, table: Any
) -> Any:
    """For each person and block: how far removing it moves each measurement, as (measurement, L1, L2²)."""
    full = fully_measured.answer(backend, ibis.memtable(table(rows, kind)))
    blocks = {
        (r[0], block_of(r[1], fully_measured.plan.block_kind)) for r in rows if r[0] is not None and r[1] is not None
    }
    for person, block in sorted(blocks):
        others = [
            r for r in rows if r[0] != person or r[1] is None or block_of(r[1], fully_measured.plan.block_kind) != block
        ]
        without = fully_measured.answer(backend, ibis.memtable(table(others, kind)))
        assert without.keys() == full.keys()
        for measurement in fully_measured.plan.measurements:
            assert without[measurement.id].shape == measurement.shape
            moved = (full[measurement.id] - without[measurement.id]).astype(object).ravel()
            yield measurement, sum(abs(v) for v in moved), sum(v * v for v in moved)


@pytest.mark.slow
@FEW
@given(rows=lists_of(decimals), shape=shapes, some=some)
def test_removing_a_person_moves_no_measurement_beyond_its_sensitivity(
    rows: list[tuple[Any, ...]],
    shape: dict[str, Any],
    some: list[int],
    fully_measured: Callable[..., Any],
    duck: ibis.BaseBackend,
    table: Any,
) -> None:
    for measurement, l1, l2_squared in movements(measuring(fully_measured(**shape), some), duck, rows, None, table):
        assert l1 <= measurement.l1, measurement.id
        assert l2_squared <= measurement.l2_squared, measurement.id


@pytest.mark.slow
@FEW
@given(rows=lists_of(floats), shape=shapes, some=some)
def test_nan_infinities_and_huge_numbers_move_nothing_further(
    rows: list[tuple[Any, ...]],
    shape: dict[str, Any],
    some: list[int],
    fully_measured: Callable[..., Any],
    duck: ibis.BaseBackend,
    table: Any,
) -> None:
    for measurement, l1, l2_squared in movements(
        measuring(fully_measured(**shape), some), duck, rows, pa.float64(), table
    ):
        assert l1 <= measurement.l1, measurement.id
        assert l2_squared <= measurement.l2_squared, measurement.id


def reached(
    fully_measured: Any, backend: ibis.BaseBackend, table: Any, rows: list[tuple[Any, ...]]
) -> dict[str, tuple[int, int]]:
    """How far the only person of a table moves each measurement: the answers themselves, as nobody leaves zeros."""
    answers = fully_measured.answer(backend, ibis.memtable(table(rows)))
    moved = {name: values.astype(object).ravel() for name, values in answers.items()}
    return {name: (sum(abs(v) for v in values), sum(v * v for v in values)) for name, values in moved.items()}


@pytest.mark.slow
@pytest.mark.parametrize("one_per_cell", [False, True])
def test_some_person_reaches_every_sensitivity(
    one_per_cell: bool, fully_measured: Callable[..., Any], duck: ibis.BaseBackend, table: Any
) -> None:
    """The bounds are tight: each is reached by the worst person for it."""
    w = fully_measured(k=3, cap=4, one_per_cell=one_per_cell)
    same_cell = [("p1", MONDAY, "A", 99)] * 9
    spread = [("p1", MONDAY + timedelta(days=i), area, 99) for i in range(3) for area in ("A", "B", "C")]
    together = [("p1", MONDAY + timedelta(days=i), "A", 99) for i in range(7)]
    apart = [("p1", MONDAY + timedelta(days=i), "ABC"[i], 99) for i in range(3)]
    found = [reached(w, duck, table, rows) for rows in (same_cell, spread, together, apart)]
    for cells in ((0, 1, 2), (0, 1, 3), (0, 2, 5)):
        rows = [("p1", MONDAY + timedelta(days=i // 3), "ABC"[i % 3], 9) for i in cells]
        found.append(reached(w, duck, table, rows))
    for m in w.plan.measurements:
        # persons are bounded for code lists that may grow: here a person reaches as many cells as there are
        l1, l2 = (
            (min(m.l1, prod(m.shape)), min(m.l2_squared, prod(m.shape)))
            if m.statistic == "people"
            else (m.l1, m.l2_squared)
        )
        assert max(f[m.id][0] for f in found) == l1, m.id
        assert max(f[m.id][1] for f in found) == l2, m.id


def test_an_ignored_bound_is_caught(fully_measured: Callable[..., Any], duck: ibis.BaseBackend, table: Any) -> None:
    """The property above has power: without the bound, one person moves a count too far."""
    w = fully_measured(k=2)
    rows = [("p1", MONDAY, "A", 1)] * 5 + [("p2", MONDAY, "B", 1)]
    full = w.answer(duck, ibis.memtable(table(rows)), bound=replace(w.bound, rows=10**6))
    without = w.answer(duck, ibis.memtable(table(rows[5:])), bound=replace(w.bound, rows=10**6))
    count = next(m for m in w.plan.measurements if m.id == "cases@area.day")
    assert abs(full[count.id] - without[count.id]).sum() > count.l1
