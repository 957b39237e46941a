"""A made-up table of a declared dataset: right columns and spellings, invented people. Nothing in it comes from rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.columns import EXCEL, EXCEL_1904, ISO
from dp_stats.catalogue.identifiers import Identifier
from dp_stats.catalogue.models import Column, Dataset
from dp_stats.errors import CatalogueError

PERSONS = 0.8
"""Persons per row: most people have one row, some a few."""

OUTSIDE = 0.02
"""Share of fields that a real extract would not have filled in."""

OLDEST = 100.0

LETTERS = (*ascii_uppercase, *ascii_lowercase, "AB", "ABC")
"""What may stand before the digits of an identifier."""

LONGEST = 65
"""Digits of the longest identifier that is tried, plus one: as many as a SHA-256 has in hexadecimal."""

FORMS = tuple(f"{letters}{{:0{digits}}}" for letters in ("", *LETTERS) for digits in range(1, LONGEST))
"""Ways to write a number as an identifier, in the order in which they are tried."""


def make_dummy(
    catalogue: Catalogue, dataset: str, target: Path, *, rows: int, start: date, days: int, table: str = ""
) -> None:
    """Write ``rows`` invented rows of a dataset's columns, dated in ``days`` days from ``start``.

    Args:
        target: a file that is not there yet, .csv or .parquet. table: which of the dataset's tables, where it has several;
            those of one dataset are about the same invented people.

    Raises:
        CatalogueError: there is no such dataset or table, or the file is there; an identifier's pattern cannot be invented.
    """
    if dataset not in catalogue.datasets:
        raise CatalogueError(f"There is no dataset '{dataset}'. There are: {', '.join(catalogue.datasets) or 'none'}.")
    if target.suffix not in (".csv", ".parquet"):
        raise CatalogueError(f"{target}: write to a file that ends in .csv or .parquet.")
    if target.exists():
        raise CatalogueError(f"{target} is there already, and may hold real rows. Choose another name.")
    rng = np.random.default_rng()
    catalogue = catalogue.on(start + timedelta(days=max(days, 1) - 1))
    columns: dict[str, list[str]] = {}
    for name, column in _declared(catalogue.datasets[dataset], table).items():
        codes = catalogue.codes[column.codes] if column.codes else None
        columns[column.source] = _filled(rng, name, column, codes, rows=rows, start=start, days=days)
    made = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    if target.suffix == ".csv":
        pc.write_csv(made, target)
    else:
        pq.write_table(made, target)


def _declared(dataset: Dataset, table: str) -> Mapping[str, Column]:
    if table not in (dataset.tables or ("",)):
        known = ", ".join(dataset.tables) or "one table without a name"
        raise CatalogueError(
            f"Dataset '{dataset.id}' has {known}. Write --table with one of its names, if it has several."
        )
    return dataset.tables[table].columns if table else dataset.columns


def _filled(
    rng: np.random.Generator, name: str, column: Column, codes: CodeList | None, *, rows: int, start: date, days: int
) -> list[str]:
    match column.type:
        case "person":
            return _persons(rng, column.identifier, rows, name)
        case "date":
            return [_dated(start + timedelta(days=int(day)), column) for day in rng.integers(0, days, rows)]
        case "number":
            return [f"{value:.2f}".replace(".", column.decimal) for value in rng.gamma(2.0, 10.0, rows)]
        case "record":
            return [f"R{number:08d}" for number in range(rows)]
        case "text":
            return _with_gaps(rng, [f"text {number}" for number in rng.integers(0, 10, rows)])
        case "band":
            assert codes is not None
            return _with_gaps(rng, _in_bands(rng, codes, rows))
        case "code":
            assert codes is not None
            shares = rng.gamma(2.0, 1.0, len(codes.codes))
            chosen = rng.choice(len(codes.codes), rows, p=shares / shares.sum())
            return _with_gaps(rng, [codes.codes[i] for i in chosen])


def _dated(day: date, column: Column) -> str:
    """A day, written in the first way that the column declares; at noon where a time belongs to it."""
    form = column.written_dates[0]
    if form == ISO:
        return day.isoformat()
    if form in (EXCEL, EXCEL_1904):
        return str((day - (date(1904, 1, 1) if form == EXCEL_1904 else date(1899, 12, 30))).days)
    return datetime.combine(day, time(12), ZoneInfo(column.timezone or "UTC")).strftime(form)


def _in_bands(rng: np.random.Generator, codes: CodeList, rows: int) -> list[str]:
    lower, upper = np.array(codes.numbers("lower")), np.array(codes.numbers("upper"))
    upper = np.where(np.isnan(upper), np.maximum(lower + 1, OLDEST), upper)
    band = rng.integers(0, len(lower), rows)
    return [str(int(value)) for value in rng.uniform(lower[band], upper[band])]


def _with_gaps(rng: np.random.Generator, values: Sequence[str]) -> list[str]:
    return ["" if gap else value for value, gap in zip(values, rng.random(len(values)) < OUTSIDE, strict=True)]


def _persons(rng: np.random.Generator, identifier: Identifier | None, rows: int, name: str) -> list[str]:
    """Persons' numbers, written as the dataset says that identifiers are; the form that fitted the last one is tried first."""
    people = max(1, round(PERSONS * rows))
    numbers = [int(number) for number in rng.integers(0, people, rows)]
    if identifier is None:
        return [f"dummy-{number}" for number in numbers]
    rule, made, last = identifier.spelt_out, [], FORMS[0]
    fits = re.compile(rule.pattern or "").fullmatch
    for number in numbers:
        checked = _mod11(number) if rule.check == "mod11" else ""
        if checked and fits(checked):
            made.append(checked)
            continue
        form = next((form for form in chain((last,), FORMS) if fits(form.format(number))), None)
        if form is None:
            raise CatalogueError(
                f"columns.{name}.identifier: no identifier can be invented for the pattern {rule.pattern}. "
                "Write the dummy with a copy of the dataset that leaves 'identifier' out."
            )
        made.append(form.format(number))
        last = form
    return made


def _mod11(number: int) -> str:
    """Ten digits with their check digit; 999 begins numbers that are never issued."""
    while True:
        nine = f"999{number % 1_000_000:06}"
        check = 11 - sum((10 - i) * int(digit) for i, digit in enumerate(nine)) % 11
        if check != 10:
            return f"{nine}{0 if check == 11 else check}"
        number += 500_009
