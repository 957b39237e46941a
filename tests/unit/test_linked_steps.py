"""What each step makes of rows, worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import ibis
import pytest

from dp_stats.secure.steps.apply import apply_steps
from tests.linked_examples import DAYS, PERSON, TABLES, arrow, dataset

JAN = [date(2024, 1, day) for day in range(1, 32)]
STAYS = [
    {"patient": "1", "start": JAN[0], "end": JAN[2], "ward": "a", "cost": Decimal("1.5")},
    {"patient": "1", "start": JAN[2], "end": JAN[5], "ward": "b", "cost": Decimal(2)},
    {"patient": "1", "start": JAN[9], "end": None, "ward": "a", "cost": None},
    {"patient": "2", "start": JAN[2], "end": JAN[2], "ward": None, "cost": Decimal(3)},
    {"patient": "2", "start": None, "end": JAN[2], "ward": "a", "cost": Decimal(3)},
    {"patient": None, "start": JAN[0], "end": JAN[1], "ward": "a", "cost": Decimal(1)},
]
HOMES = [
    {"who": "1", "since": date(2020, 1, 1), "area": "N", "rooms": Decimal(1)},
    {"who": "1", "since": JAN[2], "area": "S", "rooms": Decimal(2)},
    {"who": "3", "since": JAN[2], "area": "S", "rooms": Decimal(2)},
]


@pytest.fixture(scope="module")
def duck() -> Iterator[ibis.BaseBackend]:
    backend = ibis.duckdb.connect(":memory:", threads=1)
    yield backend
    backend.disconnect()


def made(duck: ibis.BaseBackend, steps: list[dict[str, Any]], *columns: str, person: str = "patient") -> list[Any]:
    """Some columns of what steps give, in order; every row has its person first."""
    last = steps[-1].get("to", steps[-1]["of"])
    dated = {"step": "derive", "of": last, "columns": {"dated": "period_start"}}
    declared = dataset(
        [*steps, dated],
        columns={"patient": {**PERSON, "from": person}, "day": {"from": "dated", "type": "date"}},
    )
    tables = {name: ibis.memtable(arrow(TABLES[name], rows)) for name, rows in (("stays", STAYS), ("homes", HOMES))}
    found = apply_steps(duck, tables, dataset=declared, public_days=DAYS).to_pyarrow().to_pylist()
    return sorted(([row[name] for name in (person, *columns)] for row in found), key=lambda row: [*map(str, row)])


def test_rows_that_name_nobody_are_nobodys(duck: ibis.BaseBackend) -> None:
    assert len(made(duck, [{"step": "keep", "of": "stays", "where": "true"}])) == 5


def test_a_condition_that_is_null_keeps_nothing(duck: ibis.BaseBackend) -> None:
    assert made(duck, [{"step": "keep", "of": "stays", "where": "end >= start"}], "start") == [
        ["1", JAN[0]], ["1", JAN[2]], ["2", JAN[2]],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("years_between(DATE '2000-02-29', DATE '2024-02-28')", 23),
        ("years_between(DATE '2000-02-29', DATE '2024-02-29')", 24),
        ("years_between(DATE '2000-02-29', DATE '2023-03-01')", 23),
        ("days_between(DATE '2024-02-01', DATE '2024-03-01')", 29),
        ("plus_days(DATE '2024-02-28', 2)", date(2024, 3, 1)),
        ("plus_days(DATE '2199-12-31', 1)", None),
        ("plus_days(DATE '2024-01-01', 999999999999)", None),
        ("weekday(DATE '2024-01-01')", 1),
        ("weekday(DATE '2024-01-07')", 7),
        ("999999999999 + 1", None),
        ("999999999999 - 1", 999999999998),
        ("999999999999 * 1000000", None),
        ("-3 * 4", -12),
        ("0.1 + 0.2", Decimal("0.300000")),
        ("floor(-1.5)", -2),
        ("left('F321', 3)", "F32"),
        ("starts_with('F321', 'F3')", True),
        ("starts_with('F', 'F3')", False),
        ("case when end is null then 'open' when ward = 'a' then 'a' end", None),
        ("coalesce(cost, 7)", Decimal("3.000000")),
        ("least(start, end, period_end)", JAN[2]),
        ("greatest(start, DATE '2024-01-20')", JAN[19]),
        ("period_start", JAN[0]),
        ("not (ward = 'a' or cost > 2)", False),
    ],
)
def test_expressions(duck: ibis.BaseBackend, text: str, value: object) -> None:
    steps = [
        {"step": "keep", "of": "stays", "where": "ward is null"},
        {"step": "derive", "of": "stays", "columns": {"made": text}},
    ]
    assert made(duck, steps, "made") == [["2", value]]


def test_a_value_that_would_leave_its_range_is_null_and_stops_nothing(duck: ibis.BaseBackend) -> None:
    largest = {"made": "floor(cost) * 1000000 * 1000000 + 1"}
    assert all(row[1] is None for row in made(duck, [{"step": "derive", "of": "stays", "columns": largest}], "made"))


def test_the_state_on_a_day(duck: ibis.BaseBackend) -> None:
    join = {
        "step": "join",
        "of": "stays",
        "with": "homes",
        "columns": ["area"],
        "as_of": {"day": "start", "since": "since"},
    }
    assert made(duck, [join], "start", "area") == [
        ["1", JAN[0], "N"], ["1", JAN[2], "S"], ["1", JAN[9], "S"], ["2", JAN[2], None], ["2", None, None],
    ]  # fmt: skip
    assert len(made(duck, [{**join, "required": True}], "area")) == 3


def test_many_rows_to_one_stay_as_many(duck: ibis.BaseBackend) -> None:
    join = {"step": "join", "of": "stays", "with": "homes", "columns": {"home": "area"}}
    assert len(made(duck, [join], "home")) == 5
    assert len(made(duck, [{**join, "required": True}], "home")) == 3


def test_many_with_many_is_bounded_on_each_side(duck: ibis.BaseBackend) -> None:
    join = {"step": "join", "of": "stays", "with": "homes", "columns": ["area"], "required": True}
    assert len(made(duck, [{**join, "most": {"of": 9, "with": 9}}], "area")) == 6
    assert len(made(duck, [{**join, "most": {"of": 2, "with": 9}}], "area")) == 4
    assert len(made(duck, [{**join, "most": {"of": 2, "with": 1}}], "area")) == 2


def test_more_than_the_person_may_have_to_be_equal(duck: ibis.BaseBackend) -> None:
    join = {"step": "join", "of": "stays", "with": "homes", "columns": ["area"], "on": {"start": "since"}}
    assert [row for row in made(duck, [join], "start", "area") if row[2]] == [["1", JAN[2], "S"]]


def test_first_and_last_of_a_person_and_of_a_record(duck: ibis.BaseBackend) -> None:
    first = {"step": "first", "of": "stays", "by": ["start"]}
    assert made(duck, [first], "start") == [["1", JAN[0]], ["2", JAN[2]]]
    assert made(duck, [{**first, "step": "last"}], "start") == [["1", JAN[9]], ["2", JAN[2]]]
    assert made(duck, [{**first, "step": "last", "per": ["ward"]}], "start", "ward") == [
        ["1", JAN[2], "b"], ["1", JAN[9], "a"], ["2", JAN[2], None], ["2", None, "a"],
    ]  # fmt: skip


def test_a_stay_becomes_its_days_and_no_more_than_may_be(duck: ibis.BaseBackend) -> None:
    spread = {"step": "spread", "of": "stays", "from": "start", "until": "end", "day": "day", "most": 365}
    assert made(duck, [spread], "day") == [
        ["1", JAN[0]], ["1", JAN[1]], ["1", JAN[2]], ["1", JAN[2]], ["1", JAN[3]], ["1", JAN[4]], ["1", JAN[5]], ["2", JAN[2]],
    ]  # fmt: skip
    assert [row[1] for row in made(duck, [{**spread, "most": 2}], "day")] == [JAN[0], JAN[1], JAN[2], JAN[3], JAN[2]]


def test_episodes_that_follow_each_other_are_one(duck: ibis.BaseBackend) -> None:
    sessions = {
        "step": "sessions", "of": "stays", "from": "start", "until": "end", "gap": 1, "first": ["ward"], "last": ["cost"],
        "count": "episodes",
    }  # fmt: skip
    columns = ("start", "end", "ward", "cost", "episodes")
    assert made(duck, [sessions], *columns) == [
        ["1", JAN[0], JAN[5], "a", Decimal("2.000000"), 2],
        ["1", JAN[9], JAN[9], "a", None, 1],
        ["2", JAN[2], JAN[2], None, Decimal("3.000000"), 1],
    ]
    assert made(duck, [{**sessions, "gap": 5}], "start", "end", "episodes")[0] == ["1", JAN[0], JAN[9], 3]
    assert made(duck, [{**sessions, "gap": 4}], "start", "end", "episodes")[0] == ["1", JAN[0], JAN[5], 2]
    apart = made(duck, [{**sessions, "first": [], "per": ["ward"]}], "start", "ward", "episodes")
    assert apart == [["1", JAN[0], "a", 1], ["1", JAN[2], "b", 1], ["1", JAN[9], "a", 1], ["2", JAN[2], None, 1]]


def test_an_episode_within_another_does_not_end_it(duck: ibis.BaseBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = [
        {"patient": "1", "start": JAN[0], "end": JAN[9]},
        {"patient": "1", "start": JAN[1], "end": JAN[2]},
        {"patient": "1", "start": JAN[8], "end": JAN[11]},
    ]
    monkeypatch.setitem(globals(), "STAYS", inside)
    sessions = {"step": "sessions", "of": "stays", "from": "start", "until": "end", "gap": 1}
    assert made(duck, [sessions], "start", "end") == [["1", JAN[0], JAN[11]]]


def test_a_count_is_told_up_to_its_bound(duck: ibis.BaseBackend) -> None:
    count = {"step": "count", "of": "stays", "to": "n", "as": "stays", "most": 2}
    assert made(duck, [count], "stays") == [["1", 2], ["2", 2]]
    join = {"step": "join", "of": "homes", "with": "n", "columns": ["stays"]}
    none = {"step": "derive", "of": "homes", "columns": {"stays": "coalesce(stays, 0)"}}
    assert made(duck, [count, join, none], "stays", person="who") == [["1", 2], ["1", 2], ["3", 0]]
