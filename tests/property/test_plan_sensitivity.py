"""No person moves a measured table by more than the plan says, and some person reaches it."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.catalogue import Grid
from dp_stats.catalogue.calendar import ISO, Calendar
from dp_stats.catalogue.models import Contribution, Statistic
from dp_stats.catalogue.periods import BlockKind, PeriodKind, blocks_of, parse_period
from dp_stats.plan import sensitivity
from dp_stats.plan.sensitivity import Sensitivity
from tests.plan_examples import BASIC, dimension, release

GRID = Grid((dimension("area", [0, 0, 0, 1, 1]), dimension("day", [0, 0, 1, 1, 1, 1, 2])))
LEVELS = [{"area": a, "day": d} for a in ("area", "area1", "all") for d in ("day", "day1", "all")]
COST = Statistic.model_validate(
    {"id": "cost", "kind": "sum", "column": "cost", "lower": "-2.5", "upper": "7.3", "resolution": "0.5"}
)
COUNT = Statistic(id="visits", kind="count")
PERSONS = Statistic(id="people", kind="persons")

cells = st.tuples(st.integers(0, 4), st.integers(0, 6))
rows = st.lists(st.tuples(cells, st.fractions(-20, 20)), max_size=12)


def answer(statistic: Statistic, kept: list[tuple[tuple[int, int], Fraction]], levels: dict[str, str]) -> np.ndarray:
    """One person's own answer: the difference that removing the person makes."""
    table = np.zeros(GRID.shape(), dtype=np.int64)
    if statistic.kind == "persons":
        area, day = (GRID[name].level(levels[name]).group for name in ("area", "day"))
        at = {(int(area[a]), int(day[d])) for (a, d), _ in kept}
        return np.ones(len(at), dtype=np.int64)
    for cell, value in kept:
        if statistic.kind == "sum":
            assert statistic.lower is not None
            assert statistic.upper is not None
            table[cell] += round(min(max(value, statistic.lower), statistic.upper) / statistic.resolution)
        else:
            table[cell] += 1
    return GRID.roll_up(table, levels).ravel()


def claimed(statistic: Statistic, k: int, one_per_cell: bool, levels: dict[str, str]) -> Sensitivity:
    contribution = Contribution(rows=k, one_per_cell=one_per_cell)
    return sensitivity.of(
        statistic, "statistic", contribution=contribution, cap=4, grids=[GRID], levels=levels, joint=False
    )


@settings(max_examples=300, deadline=None)
@given(person=rows, k=st.integers(1, 6), one_per_cell=st.booleans(), level=st.sampled_from(LEVELS))
def test_no_person_moves_a_table_by_more(
    person: list[tuple[tuple[int, int], Fraction]], k: int, one_per_cell: bool, level: dict[str, str]
) -> None:
    kept = list({cell: (cell, value) for cell, value in person}.values()) if one_per_cell else person
    for statistic in (COUNT, PERSONS, COST):
        moved = answer(statistic, kept[:k], level)
        bound = claimed(statistic, k, one_per_cell, level)
        assert int(np.abs(moved).sum()) <= bound.l1
        assert int((moved * moved).sum()) <= bound.l2_squared


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: "-".join(level.values()))
@pytest.mark.parametrize("one_per_cell", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_some_person_moves_a_count_and_a_sum_by_exactly_as_much(
    level: dict[str, str], one_per_cell: bool, k: int
) -> None:
    grouped: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for a in range(5):
        for d in range(7):
            home = (int(GRID["area"].level(level["area"]).group[a]), int(GRID["day"].level(level["day"]).group[d]))
            grouped.setdefault(home, []).append((a, d))
    cells = [cell for group in sorted(grouped.values(), key=len, reverse=True) for cell in group]
    place = cells[:k] if one_per_cell else [(0, 0)] * k
    for statistic in (COUNT, COST):
        moved = answer(statistic, [(cell, Fraction(99)) for cell in place], level)
        bound = claimed(statistic, k, one_per_cell, level)
        assert int(np.abs(moved).sum()) == bound.l1
        sizes = Counter(len(group) for group in grouped.values())
        largest = max(sizes)
        if not one_per_cell or k <= largest or sizes[largest] >= ceil(k / largest):
            assert int((moved * moved).sum()) == bound.l2_squared


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: "-".join(level.values()))
@pytest.mark.parametrize("k", [1, 2, 3])
def test_some_person_is_counted_in_as_many_cells_as_the_rule_allows(level: dict[str, str], k: int) -> None:
    bound = claimed(PERSONS, k, False, level)
    spread = [((i % 5, (3 * i) % 7), Fraction(0)) for i in range(35)]
    distinct: list[tuple[tuple[int, int], Fraction]] = []
    for row in spread:
        if len(answer(PERSONS, [*distinct, row], level)) > len(answer(PERSONS, distinct, level)) and len(distinct) < k:
            distinct.append(row)
    reached = len(answer(PERSONS, distinct, level))
    assert bound.l1 == bound.l2_squared == (reached if level["area"] == "all" else k)  # a list of areas may grow


def test_a_dimension_that_a_table_does_not_name_is_added_up() -> None:
    contribution = Contribution(rows=3)
    found = [
        sensitivity.of(PERSONS, "statistic", contribution=contribution, cap=4, grids=[GRID], levels=levels, joint=False)
        for levels in ({}, {"day": "all"}, {"area": "all"}, {"area": "all", "day": "all"})
    ]
    assert found == [Sensitivity(1, 1)] * 4


def test_a_person_of_a_series_can_be_counted_in_every_edition() -> None:
    contribution = Contribution(rows=3)
    whole = {"area": "all", "day": "all"}
    alone, shared = (
        sensitivity.of(PERSONS, "statistic", contribution=contribution, cap=4, grids=[GRID], levels=whole, joint=joint)
        for joint in (False, True)
    )
    assert alone == Sensitivity(1, 1)
    assert shared == Sensitivity(3, 3)


def test_truncated_rows_are_capped_and_truncated_persons_are_one() -> None:
    of = {
        role: sensitivity.of(
            COUNT, role, contribution=Contribution(rows=2), cap=8, grids=[GRID], levels=LEVELS[0], joint=True
        )
        for role in ("truncated_rows", "truncated_persons")
    }
    assert of == {"truncated_rows": Sensitivity(8, 64), "truncated_persons": Sensitivity(1, 1)}


def test_late_rows_are_as_many_as_rows_may_count_and_may_share_a_cell() -> None:
    for one_per_cell in (False, True):
        contribution = Contribution(rows=3, one_per_cell=one_per_cell)
        found = sensitivity.of(
            COUNT, "late_rows", contribution=contribution, cap=8, grids=[GRID], levels=LEVELS[0], joint=True
        )
        assert found == Sensitivity(3, 9)


@pytest.mark.parametrize(
    ("declared", "block", "shared"),
    [
        ({"series": False}, "year", False),
        ({}, "year", True),
        ({}, "week", False),
        ({"late": {"periods": 2}}, "week", True),
        ({"late": {"periods": 2}}, "year", True),
    ],
)
def test_editions_of_a_series_share_a_block_that_several_of_them_or_late_rows_fall_in(
    declared: dict[str, Any], block: BlockKind, shared: bool
) -> None:
    one = release(BASIC, period="week", **declared)
    assert sensitivity.shared_blocks(one, block) is shared
    assert sensitivity.everybody_counts(one, block) is not shared
    assert sensitivity.everybody_counts(one.model_copy(update={"period": "range"}), block)


def test_a_sum_counts_from_zero_even_where_its_lower_bound_is_above() -> None:
    dear = COST.model_copy(update={"lower": Fraction(100), "upper": Fraction(101)})
    assert sensitivity.steps(dear) == 202


FEBRUARY = date(2020, 2, 27)
"""Around it lie a leap day, a 53rd week, and weeks that months and years cut in two."""


@pytest.mark.parametrize("period", get_args(PeriodKind))
@pytest.mark.parametrize("block", get_args(BlockKind))
@pytest.mark.parametrize(
    "calendar",
    [ISO, Calendar(week_starts="sunday", financial_year_starts="07-01"), Calendar(financial_year_starts="04-06")],
)
def test_editions_share_a_block_unless_it_lies_inside_one(
    period: PeriodKind, block: BlockKind, calendar: Calendar
) -> None:
    """The rule says of every pair of kinds what the calendar says: whether two editions ever have a block in common."""
    if period == "range":  # two ranges that are declared may overlap
        editions = {parse_period("2020-02-27--2020-03-02"), parse_period("2020-03-01--2020-03-01")}
    else:
        editions = {calendar.period_of(FEBRUARY + timedelta(days=days), period) for days in range(700)}
    blocks = Counter(one for edition in editions for one in blocks_of(edition, block))
    assert sensitivity.one_edition_per_block(period, block, calendar) is (max(blocks.values()) == 1)
