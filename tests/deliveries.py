"""One table of text, delivered in any of the ways a source may be: each writes files and says how to declare them."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

Rows = Sequence[Sequence[str]]
"""A header and the rows below it."""


def as_csv(rows: Rows, *, encoding: str = "utf-8") -> bytes:
    """Rows as a CSV file."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode(encoding)


def _csv(folder: Path, rows: Rows) -> dict[str, Any]:
    (folder / "records.csv").write_bytes(as_csv(rows))
    return {"kind": "csv", "path": "records.csv"}


def _daily(folder: Path, rows: Rows) -> dict[str, Any]:
    """Three files, in a folder below, one of them compressed and one without a row."""
    half = 1 + len(rows) // 2
    (folder / "daily" / "2024").mkdir(parents=True)
    (folder / "daily" / "2024" / "a.csv").write_bytes(as_csv(rows[:half]))
    (folder / "daily" / "2024" / "b.csv.gz").write_bytes(gzip.compress(as_csv([rows[0], *rows[half:]])))
    (folder / "daily" / "c.csv").write_bytes(as_csv(rows[:1]))
    return {"kind": "csv", "path": "daily"}


def _zip(folder: Path, rows: Rows) -> dict[str, Any]:
    with zipfile.ZipFile(folder / "records.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export/records.csv", as_csv(rows, encoding="utf-16"))
    return {"kind": "csv", "path": "records.zip", "encoding": "utf-16"}


def _lake(folder: Path, rows: Rows) -> dict[str, Any]:
    """Parquet in two partitions that no column is declared for."""
    half = 1 + len(rows) // 2
    for part, lines in enumerate((rows[1:half], rows[half:])):
        (folder / "lake" / f"part={part}").mkdir(parents=True)
        columns = {name: pa.array([line[i] for line in lines], pa.string()) for i, name in enumerate(rows[0])}
        pq.write_table(pa.table(columns), folder / "lake" / f"part={part}" / "0.parquet")
    return {"kind": "parquet", "path": "lake"}


def _workbook(folder: Path, rows: Rows) -> dict[str, Any]:
    with xlsxwriter.Workbook(str(folder / "records.xlsx"), {"strings_to_numbers": False}) as book:
        book.add_worksheet("Notes").write_string(0, 0, "nothing")
        sheet = book.add_worksheet("Rows")
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                sheet.write_string(number, place, cell)
    return {"kind": "spreadsheet", "path": "records.xlsx", "sheet": "rows"}


WAYS: dict[str, Callable[[Path, Rows], dict[str, Any]]] = {
    "csv": _csv,
    "daily": _daily,
    "zip": _zip,
    "lake": _lake,
    "workbook": _workbook,
}
"""How a delivery comes → writes it below a folder and returns its ``source``, with paths from that folder on."""
