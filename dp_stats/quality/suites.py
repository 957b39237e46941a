"""Quality gates: run a suite of expectations and say which failed, never on what value.

Suites are Great Expectations' own JSON in ``expectations/``. An expectation's ``severity`` decides: ``critical``
(the default) is a gate and stops the run; ``warning`` and ``info`` do not. Its ``meta`` may say which ``table``
it is about (``rows``, the default, or ``source``) and ``if_present``, to leave it out where a column is missing.
Values that belong to the catalogue are written as GX parameters, ``{"$PARAMETER": "area"}``, and filled in from
there, so that no list stands in two places.

A gate that fails on secret data is itself a signal to those who see it: the docs say which checks gate.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from dp_stats.errors import CatalogueError, QualityError
from dp_stats.quality.gx import EQUALITY, Table, column_names, evaluate, is_large, load, unknown
from dp_stats.settings import Settings

GATE = "critical"
SEVERITIES = (GATE, "warning", "info")
ROWS = "rows"
PUBLISHED_KEYS = ("metric", "geography_type", "date", "period")

Parameters: TypeAlias = Mapping[str, object]


@dataclass(frozen=True)
class Failure:
    """One expectation that was not met.

    Attributes:
        suite: the suite's file. position: of the expectation in it, from 1.
        expectation: GX's name of it. columns: which it is about.
        broken: it could not be evaluated at all.
    """

    suite: str
    position: int
    expectation: str
    columns: tuple[str, ...]
    broken: bool = False

    def __str__(self) -> str:
        about = f" of {', '.join(self.columns)}" if self.columns else ""
        what = (
            "could not be evaluated; check its spelling, its columns and their types" if self.broken else "was not met"
        )
        return f"{self.suite}, expectation {self.position} ({self.expectation}{about}) {what}"


@dataclass(frozen=True)
class QualityReport:
    """What a suite found. ``evaluated`` counts expectations, not data."""

    evaluated: int
    failed_gates: tuple[Failure, ...] = ()
    warnings: tuple[Failure, ...] = ()

    def enforce(self) -> QualityReport:
        """This report, if every gate passed.

        Raises:
            QualityError: naming each failed gate by suite, position, expectation and columns.
        """
        if self.failed_gates:
            listed = "\n".join(f"  {failure}" for failure in self.failed_gates)
            raise QualityError(
                f"A quality gate failed, so nothing goes on from here:\n{listed}\n"
                "Look for the reason in the source with its custodian. Change the suite only if what it expects is wrong."
            )
        return self


@dataclass(frozen=True)
class Expectation:
    """One expectation of a suite, its parameters filled in."""

    position: int
    type: str
    kwargs: Mapping[str, Any]
    severity: str
    table: str
    if_present: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it is about; none for one about the whole table."""
        single = [self.kwargs[key] for key in ("column", "column_A", "column_B") if key in self.kwargs]
        return (*single, *self.kwargs.get("column_list", ()))

    @property
    def needs(self) -> tuple[str, bool, bool, tuple[str, ...]]:
        """The table, whether its rows, whether only equality of values, and the columns it takes to evaluate it."""
        return self.table, not self.type.startswith("expect_table_column"), self.type in EQUALITY, self.columns


def check(tables: Mapping[str, Table], *, suite: Path, parameters: Parameters | None = None) -> QualityReport:
    """Run a suite.

    Args:
        tables: Parquet files or pyarrow tables, by the name that ``meta.table`` gives.
        suite: the JSON file. parameters: what ``{"$PARAMETER": name}`` stands for.

    Raises:
        QualityError: the suite is missing, is no GX suite, or names a table or parameter that there is not.
    """
    expectations = read_suite(suite, tables=tuple(tables), parameters=parameters or {})
    there = {name: set(column_names(table)) for name, table in tables.items()}
    expectations = [one for one in expectations if not one.if_present or set(one.columns) <= there[one.table]]
    met: dict[int, bool] = {}
    large = {name for name, table in tables.items() if is_large(table)}

    def needs(one: Expectation) -> tuple[str, bool, bool, tuple[str, ...]]:
        """What is loaded for it; of a large table only its columns are in memory."""
        return one.needs if one.table in large else (one.table, True, False, ())

    for (name, rows, equality, columns), group in groupby(sorted(expectations, key=needs), key=needs):
        wanted = {one.position: {"type": one.type, "kwargs": one.kwargs} for one in group}
        met |= evaluate(load(tables[name], columns, rows=rows, equality=equality), wanted)
    failed = [
        (one.severity, Failure(suite.name, one.position, one.type, one.columns, one.position not in met))
        for one in expectations
        if not met.get(one.position)
    ]
    return QualityReport(
        len(expectations),
        tuple(failure for severity, failure in failed if severity == GATE),
        tuple(failure for severity, failure in failed if severity != GATE),
    )


def review(suite: Path, *, columns: Mapping[str, Collection[str]], parameters: Parameters) -> None:
    """Read a suite as ``check`` will, without any table: it must be able to pass or fail.

    Args:
        columns: the columns of each table that there will be, by its name.

    Raises:
        QualityError: as ``check``; or an expectation names a column that there will not be, or GX does not know it.
    """
    expectations = read_suite(suite, tables=tuple(columns), parameters=parameters)
    for one in expectations:
        lacking = [name for name in one.columns if name not in columns[one.table]]
        if lacking and not one.if_present:
            raise QualityError(
                f"{suite}, expectation {one.position}: there is no column '{lacking[0]}' in the table '{one.table}'. "
                f"It has: {', '.join(columns[one.table])}. Correct it, or set meta.if_present."
            )
    strange = unknown({one.position: {"type": one.type, "kwargs": one.kwargs} for one in expectations})
    if strange:
        raise QualityError(
            f"{suite}, expectation {strange[0]}: Great Expectations does not know this type with these 'kwargs'. "
            "Check its spelling in the expectation gallery."
        )


def check_published(table: Table, *, settings: Settings, lowest: float = 0.0) -> QualityReport:
    """Run ``published.json`` on a tidy table that is about to be published.

    Args:
        table: a pyarrow table in the published shape. settings: say where suites are.
        lowest: the least value there can be; below zero for sums of numbers that may be negative.

    Raises:
        QualityError: a gate failed; the table must not be published.
    """
    keys = [name for name in column_names(table) if name in PUBLISHED_KEYS or name.endswith("_code")]
    parameters = {"key_columns": keys, "lowest_value": lowest}
    return check({ROWS: table}, suite=find_suite("published.json", settings=settings), parameters=parameters).enforce()


def find_suite(name: str, *, settings: Settings) -> Path:
    """The file of a suite: in the catalogue's own folder ``expectations``, or else in the project's.

    Raises:
        CatalogueError: it is in neither.
    """
    folders = (settings.catalogue / "expectations", settings.expectations)
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    searched = " or ".join(str(folder) for folder in folders)
    raise CatalogueError(
        f"There is no suite '{name}' in {searched}. Write one, or change 'expectations' in the dataset."
    )


def read_suite(suite: Path, *, tables: tuple[str, ...], parameters: Parameters) -> list[Expectation]:
    """The expectations of a suite, in order.

    Raises:
        QualityError: naming the file and the expectation that is wrong.
    """
    try:
        content = json.loads(suite.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise QualityError(f"{suite} cannot be read as JSON. Save a suite as Great Expectations writes it.") from error
    listed = content.get("expectations") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise QualityError(f"{suite}: needs 'expectations', a list of at least one, as Great Expectations writes it.")
    return [
        _expectation(item, i, f"{suite}, expectation {i}", tables, parameters) for i, item in enumerate(listed, start=1)
    ]


def _expectation(item: Any, position: int, where: str, tables: tuple[str, ...], parameters: Parameters) -> Expectation:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str) or not isinstance(item.get("kwargs"), dict):
        raise QualityError(f"{where}: needs 'type' and 'kwargs'.")
    severity = item.get("severity", GATE)
    if severity not in SEVERITIES:
        raise QualityError(f"{where}: severity must be one of {', '.join(SEVERITIES)}; '{GATE}' stops the run.")
    meta = item.get("meta") or {}
    table = meta.get("table", ROWS)
    if table not in tables:
        raise QualityError(f"{where}: meta.table must be one of {', '.join(tables)}.")
    kwargs = {key: _filled(value, parameters, where) for key, value in item["kwargs"].items()}
    return Expectation(position, item["type"], kwargs, severity, table, bool(meta.get("if_present")))


def _filled(value: Any, parameters: Parameters, where: str) -> Any:
    if not isinstance(value, dict) or "$PARAMETER" not in value:
        return value
    name = value["$PARAMETER"]
    if name not in parameters:
        raise QualityError(f"{where}: there is no parameter '{name}'. There are: {', '.join(sorted(parameters))}.")
    return parameters[name]
