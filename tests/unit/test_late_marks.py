"""A row is known again by a keyed hash of what it says, its person and its block; an edition remembers each hash once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from typing import Any

import ibis
import pyarrow as pa
import pytest

from dp_stats.secure.engines import HASH_LENGTH
from dp_stats.secure.late import (
    MARK,
    MARKS,
    amounts,
    marks_of,
    remembered,
    told_apart,
    unseen,
    with_marks,
    without_repeats,
)
from dp_stats.secure.register import SCHEMA
from dp_stats.secure.rows import BLOCK, DAY, PERSON, RECORD, Rows

KEY = "a key"
MONDAY, TUESDAY = date(2021, 2, 15), date(2021, 2, 16)
FIRST = ("p", 0, MONDAY, "A", 3)
SAID: list[tuple[str, int, date, str, int | None]] = [
    FIRST, FIRST, FIRST, ("q", *FIRST[1:]), ("p", 1, *FIRST[2:]), ("p", 0, TUESDAY, "A", 3), ("p", 0, MONDAY, "B", 3),
    ("p", 0, MONDAY, "A", 30), ("p", 0, MONDAY, "A", None), ("p", 0, MONDAY, "A", None),
]  # fmt: skip
"""Person, block, day, area, steps: equal rows, and rows that differ in one thing."""


@pytest.fixture
def backend() -> Iterator[Any]:
    connection = ibis.duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def rows_of(said: list[Any], records: list[str | None] | None = None) -> Rows:
    person, block, day, area, steps = (list(column) for column in zip(*said, strict=True))
    columns: dict[str, Any] = {
        PERSON: pa.array(person), BLOCK: pa.array(block, pa.int32()), DAY: pa.array(day), "at_0": pa.array(area),
        "steps_0": pa.array(steps, pa.int64()),
    }  # fmt: skip
    if records is not None:
        columns[RECORD] = pa.array(records, pa.string())
    return Rows(
        ibis.memtable(pa.table(columns)), {"area": "at_0", "date": DAY}, {"amount": "steps_0"}, ("2021", "2022")
    )


def marked(backend: Any, rows: Rows) -> Rows:
    return told_apart(backend, rows, KEY, rows.table[PERSON].upper())


def mark(person: str, block: int, text: str) -> str:
    """A row's hash, as it is described."""
    whole = f"{KEY}{person.upper()}\x1f{('2021', '2022')[block]}\x1f{text}"
    return hashlib.sha256(whole.encode()).hexdigest()[:HASH_LENGTH]


def content(row: tuple[str, int, date, str, int | None], number: int) -> str:
    _, _, day, area, steps = row
    return "\x1f".join(["row", day.isoformat(), area, "" if steps is None else str(steps), str(number)])


def test_a_row_is_known_by_person_block_content_and_a_number_among_equal_ones(backend: Any) -> None:
    rows = rows_of(SAID)
    found = marked(backend, rows)
    assert found.table.columns == (*rows.table.columns, MARK)
    assert (found.coordinates, found.steps, found.blocks) == (rows.coordinates, rows.steps, rows.blocks)
    expected = [mark(row[0], row[1], content(row, SAID[:at].count(row))) for at, row in enumerate(SAID)]
    assert len(set(expected)) == len(SAID)
    assert sorted(found.table[MARK].to_pyarrow().to_pylist()) == sorted(expected)


def test_equal_rows_need_not_stand_together(backend: Any) -> None:
    first, second = (marked(backend, rows_of(said)) for said in (SAID, SAID[::-1]))
    assert sorted(first.table[MARK].to_pyarrow().to_pylist()) == sorted(second.table[MARK].to_pyarrow().to_pylist())


def test_a_record_is_known_by_its_id_whatever_it_says_and_by_its_content_where_it_has_none(backend: Any) -> None:
    said: list[Any] = [FIRST, ("p", 0, TUESDAY, "B", 7), FIRST, FIRST, FIRST, ("q", *FIRST[1:])]
    records = ["1", "2", None, None, "3", "1"]
    found = marked(backend, rows_of(said, records)).table.select(PERSON, RECORD, MARK).to_pyarrow().to_pylist()
    expected = [
        *((person, record, mark(person, 0, f"id\x1f{record}")) for person, record in ("p1", "p2", "p3", "q1")),
        *(("p", None, mark("p", 0, content(FIRST, number))) for number in (0, 1)),
    ]
    assert sorted((row[PERSON], row[RECORD] or "", row[MARK]) for row in found) == sorted(
        (person, record or "", one) for person, record, one in expected
    )


def test_what_another_edition_has_looked_at_is_left_out_and_nothing_else(backend: Any) -> None:
    rows = marked(backend, rows_of(SAID))
    everything = rows.table[MARK].to_pyarrow().to_pylist()
    seen = pa.table({"block": ["2021", "2021", "2022"], MARK: [everything[0], everything[4], "of another"]})
    left = unseen(backend, rows, seen)
    assert left.table.columns == rows.table.columns
    assert sorted(left.table[MARK].to_pyarrow().to_pylist()) == sorted({*everything} - {everything[0], everything[4]})
    assert unseen(backend, rows, MARKS.empty_table()) is rows


def test_rows_are_remembered_once_by_the_name_of_their_block_in_a_fixed_order(backend: Any) -> None:
    own, late = (marked(backend, rows_of(said)) for said in (SAID, [SAID[4], SAID[0], ("z", *FIRST[1:])]))
    found = marks_of([own, late])
    assert found.schema == MARKS
    listed = list(zip(*(found[name].to_pylist() for name in ("block", MARK)), strict=True))
    wanted = {
        (own.blocks[row[1]], mark(row[0], row[1], content(row, SAID[:at].count(row)))) for at, row in enumerate(SAID)
    }
    assert listed == sorted(wanted | {("2021", mark("z", 0, content(FIRST, 0)))})
    assert marks_of([late, own]).equals(found)


def test_the_union_of_nothing_is_nothing() -> None:
    assert without_repeats([]).equals(MARKS.empty_table())
    strange = pa.table({"block": pa.array(["b", "a", "b"], pa.large_string()), MARK: pa.array(["1", "2", "1"])})
    assert without_repeats([strange, MARKS.empty_table()]).to_pylist() == [
        {"block": "a", MARK: "2"},
        {"block": "b", MARK: "1"},
    ]


def test_a_file_holds_amounts_and_remembered_rows_and_gives_back_either() -> None:
    entry = pa.table(
        {"hash": ["h", "i"], "block": ["2021", "2022"], "kept": [2, 1], "truncated": [0, 3], "marked": [1, 0]}
    ).cast(SCHEMA)
    marks = pa.table({"block": ["2021", "2021"], MARK: ["x", "y"]}).cast(MARKS)
    assert amounts(entry).equals(entry)
    assert remembered(entry).equals(MARKS.empty_table())
    both = with_marks(entry, marks)
    assert both.column_names == [*entry.column_names, MARK]
    assert both.to_pylist()[2:] == [
        {"hash": "", "block": "2021", "kept": 0, "truncated": 0, "marked": 0, MARK: one} for one in ("x", "y")
    ]
    assert amounts(both).equals(entry)
    assert remembered(both).equals(marks)
    assert with_marks(entry, MARKS.empty_table()).drop([MARK]).equals(entry)
