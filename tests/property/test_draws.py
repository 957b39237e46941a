"""What a linked charge costs where its records are held: no less than what taking them away can do, and no more than needed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import ibis
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.linked.needed import needed_tables
from dp_stats.catalogue.linked.steps import Join
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import BlockKind, block_of
from dp_stats.plan.draws import draws_of, most_blocks, times_of
from tests.builders import declared_release
from tests.linked_examples import PERSONS, TABLES, counted, dataset, outcome, some_rows, some_steps

QUICK = settings(max_examples=60, deadline=None)
RELEASE: dict[str, Any] = declared_release(
    "stays",
    dataset="stays",
    dimensions=[{"name": "date", "column": "day", "levels": ["day"]}],
    tables=[{"id": "all", "levels": {}}],
    statistics=[{"id": "n"}],
)
numbers = iter(range(10**9))


def release(**fields: Any) -> Release:
    return Release.model_validate({**RELEASE, **fields})


def duck() -> Any:
    backend = ibis.duckdb.connect()
    return lambda table: (backend, backend.create_table(f"t{next(numbers)}", table))


# Which tables are needed


def somebody_counts_without(rows: Any, steps: Any, needs: Any = needed_tables) -> bool:
    """Whether a person has a row that counts and no record in some table that is said to be needed."""
    declared = counted(steps)
    for table in needs(declared.tables, declared.steps, declared.counted):
        for person in PERSONS:
            gone = {n: [r for r in rs if n != table or r[TABLES[n]["person"]] != person] for n, rs in rows.items()}
            if any(person in row for row in outcome(declared, gone, duck())):
                return True
    return False


@settings(max_examples=25, deadline=None)
@given(rows=some_rows(), steps=some_steps())
def test_nobody_has_a_row_that_counts_without_a_record_in_every_needed_table(rows: Any, steps: Any) -> None:
    assert not somebody_counts_without(rows, steps)


JOINED = [{"step": "join", "of": "stays", "with": "homes", "columns": ["area"]}]


def test_the_table_that_is_joined_is_needed_only_where_rows_without_a_match_go() -> None:
    for required, wanted in ((False, {"stays"}), (True, {"stays", "homes"})):
        declared = counted([{**JOINED[0], "required": required}])
        assert needed_tables(declared.tables, declared.steps, declared.counted) == wanted
    many = {"step": "count", "of": "homes", "to": "number", "as": "n", "most": 2}
    other = counted([many, JOINED[0]])
    assert needed_tables(other.tables, other.steps, "number") == {"homes"}
    assert needed_tables(other.tables, other.steps, other.counted) == {"stays"}


def test_a_join_that_is_taken_for_one_that_needs_both_is_caught() -> None:
    rows = {
        "stays": [{"patient": "12", "start": date(2024, 1, 1), "end": None, "ward": "a", "cost": None}],
        "homes": [{"who": "12", "since": date(2024, 1, 1), "area": "a", "rooms": None}],
    }

    def every(tables: Any, steps: Any, name: str) -> frozenset[str]:
        required = [step.model_copy(update={"required": True}) if isinstance(step, Join) else step for step in steps]
        return needed_tables(tables, required, name)

    assert not somebody_counts_without(rows, JOINED)
    assert somebody_counts_without(rows, JOINED, needs=every)


# How often the loss of one block


def loss(moved: np.ndarray, mechanism: str, bound: int) -> float:
    """zCDP loss of editions and tables (last axis: cells) where one block may move them by ``bound`` at a loss of 1."""
    norm = np.abs(moved).sum() if mechanism == "discrete_laplace" else np.sqrt((moved**2).sum())
    return float((norm / bound) ** 2)


def within(vectors: np.ndarray, mechanism: str, bound: int) -> np.ndarray:
    """Shrunk until all editions together keep the bound of one block."""
    norm = np.abs(vectors).sum() if mechanism == "discrete_laplace" else np.sqrt((vectors**2).sum())
    return vectors * min(1.0, bound / norm) if norm else vectors


@QUICK
@given(
    seed=st.integers(0, 2**32 - 1),
    mechanism=st.sampled_from(["discrete_laplace", "discrete_gaussian"]),
    signed=st.booleans(),
    is_needed=st.booleans(),
    blocks=st.integers(1, 4),
    crossing=st.integers(1, 3),
)
def test_the_loss_of_all_editions_is_within_what_the_holder_pays(
    seed: int, mechanism: Any, signed: bool, is_needed: bool, blocks: int, crossing: int
) -> None:
    """Editions are intervals of up to ``crossing`` blocks; in each block a person's rows go, or change into others."""
    random, bound = np.random.default_rng(seed), 3
    editions = [(first, min(first + int(random.integers(1, crossing + 1)), blocks)) for first in range(blocks)]
    together = max(last - first for first, last in editions)
    low = -1.0 if signed else 0.0
    moved = np.zeros((len(editions), 4))
    for block in range(blocks):
        own = np.array([float(first <= block < last) for first, last in editions])[:, None]
        gone, came = (within(random.uniform(low, 1, moved.shape) * own, mechanism, bound) for _ in range(2))
        moved += -gone if is_needed else came - gone
    total = sum(loss(edition, mechanism, bound) for edition in moved)
    steps = [{**JOINED[0], "required": is_needed}]
    tables = {**TABLES, "homes": {**TABLES["homes"], "budget_of": "homes"}}
    declared = dataset(steps, tables=tables)
    sums = [{"id": "n", "kind": "sum", "column": "cost", "lower": -1 if signed else 0, "upper": 1}]
    times = times_of(release(statistics=sums), declared, "homes", mechanism)
    assert total <= times * together * blocks + 1e-9


@pytest.mark.parametrize(
    ("mechanism", "gone", "came", "times"),
    [
        ("discrete_laplace", [3, 0], [0, 0], 1),
        ("discrete_gaussian", [3, 0], [0, 0], 1),
        ("discrete_gaussian", [3, 0], [0, 3], 2),
        ("discrete_laplace", [3, 0], [0, 3], 4),
        ("discrete_gaussian", [3, 0], [-3, 0], 4),
    ],
)
@pytest.mark.parametrize("together", [1, 2])
def test_a_smaller_charge_would_be_too_small(
    mechanism: str, gone: list[int], came: list[int], times: int, together: int
) -> None:
    moved = (np.array(came) - np.array(gone)) * together  # one edition, with rows of every block in the same cells
    assert loss(moved, mechanism, 3) == pytest.approx(times * together * together)


# How many blocks an edition touches


@QUICK
@given(
    period=st.sampled_from(["day", "week", "month", "quarter", "year", "financial-year"]),
    kind=st.sampled_from(["lifetime", "year", "quarter", "month", "week"]),
    back=st.integers(0, 3),
    first=st.dates(date(2001, 1, 1), date(2099, 1, 1)),
)
def test_no_edition_touches_more_blocks_than_its_kind_is_said_to(
    period: Any, kind: BlockKind, back: int, first: date
) -> None:
    late = {"late": {"periods": back}} if back else {}
    declared = release(period=period, **late)
    last = declared.calendar.period_of(first, period)
    start = last.start
    for _ in range(back):
        start = declared.calendar.period_of(start - timedelta(days=1), period).start
    days = [start + timedelta(days=n) for n in range((last.end - start).days + 1)]
    assert len({block_of(day, kind) for day in days}) <= most_blocks(declared, kind)


def test_the_most_blocks_are_reached() -> None:
    assert most_blocks(release(period="week"), "year") == 2
    assert most_blocks(release(period="week"), "lifetime") == 1
    assert most_blocks(release(period="month"), "year") == 1
    assert most_blocks(release(period="month"), "week") == 6
    assert most_blocks(release(period="range", end="2022-02-01"), "year") == 2


def test_each_holder_pays_for_its_tables_and_an_edition_alone_for_its_own_blocks() -> None:
    tables = {name: {**table, "budget_of": name} for name, table in TABLES.items()}
    declared = dataset(JOINED, tables=tables, privacy_unit={"column": "patient", "per": "year"})
    weekly, alone = release(), release(series=False)
    paid = {d.dataset: d.times for d in draws_of(weekly, declared, mechanism="discrete_laplace", blocks=["2021"])}
    assert paid == {"stays": 2, "homes": 8}
    paid = {d.dataset: d.times for d in draws_of(alone, declared, mechanism="discrete_laplace", blocks=["2021"])}
    assert paid == {"stays": 1, "homes": 4}
    assert not draws_of(weekly, dataset(JOINED), mechanism="discrete_laplace", blocks=["2021"])
