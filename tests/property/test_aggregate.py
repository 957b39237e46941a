"""Exact answers are those that a loop over the rows gives: everything that counts, minus what the bound drops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.periods import parse_period
from dp_stats.secure.aggregate import _merged, _needed, exact_answers
from dp_stats.secure.bound import Bounded
from dp_stats.secure.rows import Rows

PERIOD = parse_period("2021-01")

Row = tuple[str, int, str, int, int | None, bool, bool, bool]
"""Person, days after the first of the month, area, bin, steps; kept, counted as truncated, marked as truncated."""


def table_of(listed: Sequence[Row]) -> ibis.Table:
    persons, days, areas, bins, steps, *flags = zip(*listed, strict=True) if listed else [()] * 8
    return ibis.memtable(
        pa.table(
            {
                "person": pa.array(persons, pa.string()),
                "day": pa.array([PERIOD.start + timedelta(days=day) for day in days], pa.date32()),
                "at_0": pa.array(areas, pa.string()),
                "at_2": pa.array(bins, pa.int32()),
                "steps_0": pa.array(steps, pa.int64()),
                **{
                    name: pa.array(flag, pa.bool_())
                    for name, flag in zip(("kept", "truncation_counted", "truncation_marked"), flags, strict=True)
                },
            }
        )
    )


def bounded_of(listed: Sequence[Row]) -> Bounded:
    """Persons whose name begins with c are candidates; all rows of the others are kept."""
    everything = table_of(listed).drop("kept", "truncation_counted", "truncation_marked")
    rows = Rows(everything, {"area": "at_0", "day": "day", "size": "at_2"}, {"amount": "steps_0"}, ("2021",))
    return Bounded(rows, table_of([row for row in listed if row[0].startswith("c")]))


def cell(row: Row, levels: dict[str, str], grid: Grid, weekly: bool) -> tuple[int, ...]:
    """The cell of a row at some levels; January 2021 begins on a Friday."""
    _, day, area, size, *_ = row
    leaves = {"area": "ABC".index(area), "day": (day + 4) // 7 if weekly else day, "size": size}
    return tuple(int(d.level(levels[d.name]).group[leaves[d.name]]) for d in grid.dimensions)


def looped(listed: Sequence[Row], measurement: Any, grid: Grid, weekly: bool) -> NDArray[np.int64]:
    out = np.zeros(measurement.shape, dtype=np.int64)
    seen = set()
    for row in listed:
        person, _, _, _, steps, kept, counted, marked = row
        candidate = person.startswith("c")
        at = cell(row, measurement.levels, grid, weekly)
        if measurement.role != "statistic":
            out[at] += candidate and (counted if measurement.role == "truncated_rows" else marked)
        elif candidate and not kept:
            continue
        elif measurement.statistic == "people":
            out[at] += (person, at) not in seen
            seen.add((person, at))
        else:
            out[at] += 1 if measurement.statistic == "cases" else steps or 0
    return out


rows = st.tuples(
    st.sampled_from(["p1", "p2", "p3", "c1", "c2"]),
    st.integers(0, 30),
    st.sampled_from("ABC"),
    st.integers(0, 1),
    st.none() | st.integers(-8, 20),
    *[st.booleans()] * 3,
)
MANY: list[Row] = [
    (f"{'pc'[i % 2]}{i % 5}", i * 7 % 31, "ABC"[i * i % 3], i % 4 // 2, i - 9 if i % 6 else None, *flags)
    for i, flags in enumerate(
        [(True, False, False), (False, True, True), (False, True, False), (False, False, True)] * 9
    )
]


@settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(listed=MANY, weekly=True, unmeasured=set())
@example(listed=MANY, weekly=False, unmeasured=set())
@example(listed=[], weekly=False, unmeasured=set())
@given(listed=st.lists(rows, max_size=20), weekly=st.booleans(), unmeasured=st.sets(st.integers(0, 10), max_size=10))
def test_every_answer_is_what_a_loop_over_the_rows_gives(
    listed: list[Row], weekly: bool, unmeasured: set[int], fully_measured: Callable[..., Any]
) -> None:
    made = fully_measured(period="2021-01", calendar=("week",) if weekly else ("day", "month"), bins=True)
    wanted = {
        *(f"cases@{levels}" for levels in ("area.month.all", "all.FINE.bin", "all.month.all")),
        *(f"amount@{levels}" for levels in ("region.FINE.all", "region.month.bin")),
        *(f"people@{levels}" for levels in ("region.FINE.all", "all.month.all", "all.month.bin")),
        *("truncated_rows@region.FINE.all", "truncated_rows@all.month.bin", "truncated_persons@all.month.all"),
    }
    names = sorted(name.replace("FINE", "week" if weekly else "day") for name in wanted)
    names = [name for number, name in enumerate(names) if number not in unmeasured]
    measured = {m.id: m for m in made.plan.measurements}
    plan = made.plan.model_copy(update={"measurements": tuple(measured[name] for name in names)})
    answers = exact_answers(plan, bounded_of(listed), grid=made.grid, release=made.release, period=PERIOD)
    assert set(answers) == set(names)
    for name, values in answers.items():
        assert values.dtype == np.int64
        np.testing.assert_array_equal(values, looped(listed, measured[name], made.grid, weekly), err_msg=name)


@pytest.mark.parametrize("statistic", ["cases", "amount"])
def test_a_key_outside_the_grid_is_refused(statistic: str, fully_measured: Callable[..., Any]) -> None:
    """It was to be removed before the bound."""
    made = fully_measured(period="2021-01", calendar=("day", "month"), bins=True)
    few = tuple(m for m in made.plan.measurements if m.id == f"{statistic}@area.month.all")
    made = replace(made, plan=made.plan.model_copy(update={"measurements": few}))
    outside = bounded_of([("p1", 1, "Z", 0, 1, True, False, False)])
    with pytest.raises(LookupError, match="a key outside the grid was left in"):
        exact_answers(made.plan, outside, grid=made.grid, release=made.release, period=PERIOD)


def test_one_scan_answers_all_whose_dimensions_are_among_anothers() -> None:
    """Whatever the order; a scan of millions of rows is what answering costs."""
    wanted: dict[tuple[str, ...], list[Any]] = {
        (): ["all"],
        ("a",): ["a"],
        ("a", "b"): ["ab"],
        ("c",): ["c"],
        ("b",): ["b"],
    }
    scans = {frozenset(needed): sorted(found) for needed, found in _merged(wanted)}
    assert scans == {frozenset("ab"): ["a", "ab", "all", "b"], frozenset("c"): ["c"]}


def test_a_scan_groups_by_those_dimensions_only_that_are_told_apart(fully_measured: Callable[..., Any]) -> None:
    made = fully_measured(period="2021-01", calendar=("day", "month"), bins=True)
    needed = {m.id: _needed(made.grid, m) for m in made.plan.measurements}
    assert needed["cases@all.month.all"] == ()
    assert needed["cases@region.month.bin"] == ("area", "size")
