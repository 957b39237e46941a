"""Published CSV reads back as what was written, whatever the names and numbers are."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.editions.formats import csv_bytes, parquet_bytes
from dp_stats.files import is_formula, plain_text

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.none() | st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(st.tuples(TEXT, NUMBERS, WHOLE), max_size=20)


def table(rows: list[tuple[str, float | None, int | None]]) -> pa.Table:
    names, numbers, whole = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return pa.table(
        {
            "name, with comma": pa.array(names, pa.string()),
            "x": pa.array(numbers, pa.float64()),
            "n": pa.array(whole, pa.int64()),
        }
    )


@settings(deadline=None)  # the first Parquet file takes long
@given(ROWS)
def test_every_table_reads_back(rows: list[tuple[str, float | None, int | None]]) -> None:
    text = csv_bytes(table(rows)).decode("utf-8")
    header, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == ["name, with comma", "x", "n"]
    found = [(line[0], float(line[1]) if line[1] else None, int(line[2]) if line[2] else None) for line in lines]
    assert found == [(plain_text(name), x, n) for name, x, n in rows]
    assert not any(is_formula(name) for name, _, _ in found)


@settings(deadline=None)  # the first Parquet file takes long
@given(ROWS)
def test_equal_tables_give_equal_bytes(rows: list[tuple[str, float | None, int | None]]) -> None:
    assert csv_bytes(table(rows)) == csv_bytes(table(list(rows)))
    assert parquet_bytes(table(rows)) == parquet_bytes(table(list(rows)))
