"""The contribution bound, on rows that are placed already: which rows of a person count, and which are dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.periods import parse_period
from dp_stats.secure.bound import (
    Bound,
    Bounded,
    _candidates_by_count,
    _candidates_by_mark,
    _row_text,
    apply_bound,
    repeated_values,
)
from dp_stats.secure.engines import fast_hash
from dp_stats.secure.rows import Rows

PERIOD = parse_period("2021-01")
FRIDAY = PERIOD.start

Placed = tuple[str, int, int, str, int | None]
"""Person, index of the block, days after the first of the month, area, steps."""

Left = Mapping[tuple[str, int], tuple[int, int, int]]
"""Person and block → rows, truncated rows and marks that are left."""


def rows_of(listed: Sequence[Placed]) -> Rows:
    persons, blocks, days, areas, steps = zip(*listed, strict=True) if listed else [()] * 5
    columns = {
        "person": pa.array(persons, pa.string()),
        "block": pa.array(blocks, pa.int32()),
        "day": pa.array([FRIDAY + timedelta(days=day) for day in days], pa.date32()),
        "at_0": pa.array(areas, pa.string()),
        "steps_0": pa.array(steps, pa.int64()),
    }
    table = ibis.memtable(pa.table(columns))
    return Rows(table, {"area": "at_0", "day": "day"}, {"amount": "steps_0"}, ("first", "second"))


def allowances_of(left: Left) -> ibis.Table:
    columns = {
        "person": pa.array([person for person, _ in left], pa.string()),
        "block": pa.array([block for _, block in left], pa.int32()),
        **{
            name: pa.array([amounts[at] for amounts in left.values()], pa.int64())
            for at, name in enumerate(("rows_left", "truncated_left", "mark_left"))
        },
    }
    return ibis.memtable(pa.table(columns))


def placed(row: Mapping[str, Any]) -> Placed:
    return (row["person"], row["block"], (row["day"] - FRIDAY).days, row["at_0"], row["steps_0"])


def week(row: Placed) -> tuple[str, date]:
    """The cell of a grid of areas by weeks."""
    day = FRIDAY + timedelta(days=row[2])
    return row[3], day - timedelta(days=day.weekday())


@pytest.fixture(scope="module")
def grids(fully_measured: Callable[..., Any]) -> dict[str, Grid]:
    return {leaf: fully_measured(period="2021-01", calendar=(leaf,)).grid for leaf in ("day", "week")}


def chosen(candidates: ibis.Table, rows: Rows, bound: Bound, backend: ibis.BaseBackend) -> list[dict[str, Any]]:
    """The candidates in the order in which they are chosen."""
    choice = fast_hash(backend, _row_text(candidates, rows, bound.key))
    found: list[dict[str, Any]] = backend.to_pyarrow(candidates.mutate(choice=choice)).to_pylist()
    return sorted(found, key=lambda row: (row["person"], row["block"], row["choice"]))


def check_one(own: list[dict[str, Any]], bound: Bound, left: tuple[int, int, int], leaf: str) -> None:
    """The rows of one person in one block, in the order of choice: the first ones count, and the next ones are dropped."""
    cells = [placed(row)[2:4] if leaf == "day" else week(placed(row)) for row in own]
    first_in_cell = [not bound.one_per_cell or cells.index(cell) == at for at, cell in enumerate(cells)]
    may_count = [placed(row) for row, first in zip(own, first_in_cell, strict=True) if first]
    assert [placed(row) for row in own if row["kept"]] == may_count[: left[0]]
    dropped = [row for row in own if not row["kept"]]
    for column, most in (("truncation_counted", left[1]), ("truncation_marked", left[2])):
        assert [placed(row) for row in dropped if row[column]] == [placed(row) for row in dropped[:most]]
        assert not any(row[column] for row in own if row["kept"])


people = st.sampled_from(["p1", "p2", "p3"])
lists = st.lists(
    st.tuples(people, st.integers(0, 1), st.integers(0, 8), st.sampled_from("AB"), st.none() | st.integers(0, 1)),
    max_size=16,
)
amounts_left = st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 1))
MANY: list[Placed] = [
    *[("p1", 0, day % 9, "AB"[day % 2], day % 3 or None) for day in range(11)],
    *[("p1", 1, 3, "A", 1)] * 5,
    *[("p2", 0, day, "B", 2) for day in (0, 1, 2, 3, 3, 4)],
    *[("p2", 1, day, "B", 2) for day in (7, 8)],
    ("p3", 0, 1, "A", 0),
    ("p3", 0, 5, "B", 0),
    ("p4", 1, 1, "A", None),
    *[("p5", block, 1, "A", 3) for block in (0, 1) for _ in range(2)],
    ("p6", 1, 1, "A", 3),
]


@settings(
    max_examples=15,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(listed=MANY, k=3, cap=2, one_per_cell=False, leaf="day", left=None)
@example(listed=MANY, k=2, cap=3, one_per_cell=True, leaf="week", left=None)
@example(
    listed=MANY,
    k=3,
    cap=4,
    one_per_cell=True,
    leaf="day",
    left={("p1", 0): (1, 3, 0), ("p1", 1): (0, 2, 1), ("p4", 1): (0, 1, 1), ("p5", 0): (0, 0, 0)},
)
@given(
    listed=lists,
    k=st.integers(1, 3) | st.just(30),
    cap=st.integers(1, 4),
    one_per_cell=st.booleans(),
    leaf=st.sampled_from(["day", "week"]),
    left=st.none() | st.dictionaries(st.tuples(people, st.integers(0, 1)), amounts_left, max_size=4),
)
def test_the_first_rows_of_a_person_by_the_keyed_hash_count_as_many_as_are_left_in_the_block(
    listed: list[Placed],
    k: int,
    cap: int,
    one_per_cell: bool,
    leaf: str,
    left: Left | None,
    grids: dict[str, Grid],
    duck: ibis.BaseBackend,
) -> None:
    rows, bound = rows_of(listed), Bound(k, one_per_cell, cap, key="secret")
    allowances = None if left is None else allowances_of(left)
    bounded = apply_bound(duck, rows, bound, grid=grids[leaf], period=PERIOD, allowances=allowances)
    assert bounded.rows is rows
    assert bounded.candidates.columns == (
        *("person", "block", "day", "at_0", "steps_0"),
        *("kept", "truncation_counted", "truncation_marked"),
    )
    found = chosen(bounded.candidates, rows, bound, duck)
    most, people = 1 if one_per_cell else k, {row["person"] for row in found}
    assert Counter(map(placed, found)) == Counter(row for row in listed if row[0] in people)
    with_allowance = {person for person, _ in left or ()} & {row[0] for row in listed}
    of_person = Counter(row[0] for row in listed)  # in all blocks: short hashes of persons are fast to compare
    assert people == with_allowance | {person for person, number in of_person.items() if number > most}
    for at, own in groupby(found, key=lambda row: (row["person"], row["block"])):
        check_one(list(own), bound, (left or {}).get(at, (k, cap, 1)), leaf)


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("left", [None, {("p4", 1): (0, 0, 0), ("p4", 0): (0, 0, 0), ("p9", 0): (1, 1, 1)}])
def test_candidates_are_all_rows_of_those_with_more_or_with_an_allowance(
    most: int, left: Left | None, duck: ibis.BaseBackend
) -> None:
    """Found by short hashes, those are among them who have more in all blocks together."""
    table = rows_of(MANY).table
    allowances = None if left is None else allowances_of(left)
    by_count = _candidates_by_count(table, most=most, allowances=allowances)
    by_mark = _candidates_by_mark(duck, table, most=most, allowances=allowances)
    for found, counted in ((by_count, Counter(row[:2] for row in MANY)), (by_mark, Counter(row[:1] for row in MANY))):
        wanted = {who[0] for who, number in counted.items() if number > most} | {person for person, _ in left or ()}
        assert found.columns == table.columns
        assert Counter(map(placed, duck.to_pyarrow(found).to_pylist())) == Counter(r for r in MANY if r[0] in wanted)


def test_the_text_that_a_rows_choice_depends_on_is_the_key_and_all_that_it_contributes(duck: ibis.BaseBackend) -> None:
    """A retry after an upgrade must choose the same rows; and what is not in the text would let others be worded for."""
    rows = rows_of([("p1", 1, 2, "A", 3), ("p1", 0, 2, "A", None)])
    texts = duck.to_pyarrow(rows.table.select(text=_row_text(rows.table, rows, "key")))["text"].to_pylist()
    assert [text.split("\x1f") for text in texts] == [
        ["key", "p1", "2021-01-03", "A", "3"],
        ["key", "p1", "2021-01-03", "A", ""],
    ]


def kept_days(bounded: Bounded, backend: ibis.BaseBackend) -> Counter[tuple[str, date]]:
    kept = bounded.candidates.filter(bounded.candidates["kept"])
    return Counter((row["person"], row["day"]) for row in backend.to_pyarrow(kept).to_pylist())


def test_nobody_elses_rows_decide_which_of_mine_are_kept(grids: dict[str, Grid], duck: ibis.BaseBackend) -> None:
    bound = Bound(1, one_per_cell=False, truncated_rows=3, key="secret")
    mine: list[Placed] = [("p1", 0, i, "ABC"[i % 3], i) for i in range(7)]
    others: list[Placed] = [("p2", 0, 0, "A", 1)] * 4 + [("p3", 0, 0, "C", 2)] * 2
    alone, without_me, together = (
        kept_days(apply_bound(duck, rows_of(rows), bound, grid=grids["day"], period=PERIOD), duck)
        for rows in (mine, others, others + mine)
    )
    assert together == alone + without_me


@pytest.mark.parametrize("one_per_cell", [False, True])
def test_rows_whose_hashes_collide_are_chosen_alike_whoever_else_is_there(
    grids: dict[str, Grid], duck: ibis.BaseBackend, monkeypatch: pytest.MonkeyPatch, one_per_cell: bool
) -> None:
    monkeypatch.setattr("dp_stats.secure.bound.fast_hash", lambda *_: ibis.literal(7, type="uint64"))
    bound = Bound(2, one_per_cell, truncated_rows=3, key="secret")
    mine: list[Placed] = [("p1", 0, i % 5, "AB"[i % 2], i) for i in range(12)]
    others: list[Placed] = [("p2", 0, i % 3, "B", i) for i in range(9)]
    orders = [
        mine,
        mine[::-1],
        others + mine[5:] + mine[:5],
        [row for pair in zip(mine, others, strict=False) for row in pair],
    ]
    orders[-1] += mine[len(others) :]
    kept = [
        Counter(
            (row["day"], row["at_0"], row["steps_0"], row["kept"], row["truncation_counted"], row["truncation_marked"])
            for row in duck.to_pyarrow(
                apply_bound(duck, rows_of(rows), bound, grid=grids["week"], period=PERIOD).candidates
            ).to_pylist()
            if row["person"] == "p1"
        )
        for rows in orders
    ]
    assert all(found == kept[0] for found in kept)


def test_the_choice_of_rows_depends_on_the_secret_key(grids: dict[str, Grid], duck: ibis.BaseBackend) -> None:
    rows = rows_of([(f"p{i}", 0, day, "A", 1) for i in range(30) for day in range(7)])
    bound = Bound(1, one_per_cell=False, truncated_rows=3, key="one")
    kept = [
        kept_days(apply_bound(duck, rows, replace(bound, key=key), grid=grids["day"], period=PERIOD), duck)
        for key in ("one", "two", "three")
    ]
    assert len({frozenset(days) for days in kept}) == 3
    assert {days.total() for days in kept} == {30}


@given(
    values=st.lists(st.integers(0, 2**32 - 1) | st.sampled_from([0, 7, 2**31, 2**32 - 1]), max_size=12),
    k=st.integers(1, 30),
)
def test_repeated_values_are_those_that_occur_more_often(values: list[int], k: int) -> None:
    found = repeated_values(np.array(values, dtype=np.uint32), k)
    assert sorted(found.tolist()) == sorted(value for value in set(values) if values.count(value) > k)
