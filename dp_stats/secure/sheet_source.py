"""A sheet of a workbook (.xlsx, .xls, .ods): its cells as the text of a CSV, in the private folder of the run.

No formula is run and no macro; a cell is what the program that wrote the workbook last computed. A cell that is a date is
written as ISO 8601, a whole number without the '.0' that workbooks keep.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import python_calamine

from dp_stats.catalogue.models import Source
from dp_stats.errors import SourceError
from dp_stats.secure.csv_source import look_at_csv, open_csvs
from dp_stats.secure.source_table import Opening, SourceTable
from dp_stats.secure.staging import PRIVATE_FILE


def open_sheet(opening: Opening, path: Path, *, place: str) -> SourceTable:
    """Open the declared sheet of a workbook, or its only one; its first row holds the names of the columns.

    Raises:
        SourceError: it is no workbook, has no such sheet, or a column is missing.
    """
    copy = opening.scratch / "sheet.csv"
    copy.touch(mode=PRIVATE_FILE)
    with copy.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([_text(cell) for cell in row] for row in _rows(path, opening.source, place))
    as_csv = Source(kind="csv", path=str(copy))
    as_declared = replace(opening, source=as_csv)
    return open_csvs(as_declared, [look_at_csv(as_declared, copy, place=place)], place=place)


def _rows(path: Path, source: Source, place: str) -> Iterable[list[Any]]:
    """The rows of the sheet that is meant; the errors of the reader may quote names and are not passed on."""
    try:
        with python_calamine.load_workbook(str(path)) as book:
            names = book.sheet_names
            name = _meant(names, source, place)
            return book.get_sheet_by_name(name).to_python(skip_empty_area=True)
    except (python_calamine.CalamineError, OSError) as error:
        failure = type(error).__name__
    raise SourceError(
        f"{place} cannot be read as a workbook ({failure}). Check that it is a whole .xlsx, .xls or .ods file without a password."
    )


def _meant(names: list[str], source: Source, place: str) -> str:
    if source.sheet is None and len(names) == 1:
        return names[0]
    if source.sheet is None:
        raise SourceError(f"{place} has {len(names)} sheets. Say which one holds the rows: source.sheet.")
    found = [name for name in names if name.strip().casefold() == source.sheet.strip().casefold()]
    if not found:
        raise SourceError(
            f"{place} has no sheet '{source.sheet}'. It has {len(names)}, whose names are not shown, because they may be data. "
            "Change source.sheet, or the workbook."
        )
    return found[0]


def _text(cell: object) -> str:
    match cell:
        case bool():
            return "TRUE" if cell else "FALSE"
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case float():
            return repr(cell)
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case datetime() | date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell.total_seconds())
        case _:
            return str(cell)
