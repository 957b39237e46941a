"""Run a Great Expectations suite and say which expectations failed, never on what value.

Suites are GX's own JSON in ``expectations/``. An expectation's ``severity`` decides: ``critical`` (GX's default)
is a gate and stops the run, ``warning`` and ``info`` do not. Which table it looks at is said by its ``meta.table``:
``rows`` (the default) or ``source``. Values that belong to the catalogue are written as GX parameters, e.g.
``{"$PARAMETER": "area"}``, and supplied by the caller, so that no list stands in two places.

A gate that fails on secret data is itself a signal: docs say which checks gate.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from dp_stats.errors import QualityError

GATE = "critical"
SEVERITIES = (GATE, "warning", "info")
ROWS = "rows"

Parameters: TypeAlias = Mapping[str, object]
Table: TypeAlias = Any
"""A Parquet file (its path), a pyarrow table or a pandas frame."""


@dataclass(frozen=True)
class Failure:
    """One expectation that was not met.

    Attributes:
        suite: the suite's file. position: of the expectation in it, from 1.
        expectation: GX's name of it. columns: which it is about. broken: it could not be evaluated at all.
    """

    suite: str
    position: int
    expectation: str
    columns: tuple[str, ...]
    broken: bool = False

    def __str__(self) -> str:
        about = f" on {', '.join(self.columns)}" if self.columns else ""
        fault = " could not be evaluated (check its spelling and columns)" if self.broken else " was not met"
        return f"{self.suite}: expectation {self.position}, {self.expectation}{about},{fault}"


@dataclass(frozen=True)
class QualityReport:
    """What a suite found. ``evaluated`` counts expectations, not data."""

    evaluated: int
    failed_gates: tuple[Failure, ...] = ()
    failed_warnings: tuple[Failure, ...] = ()

    def enforce(self) -> QualityReport:
        """This report, if every gate passed.

        Raises:
            QualityError: naming each failed gate by suite, position, expectation and column.
        """
        if self.failed_gates:
            listed = "\n".join(f"  {failure}" for failure in self.failed_gates)
            raise QualityError(
                f"{len(self.failed_gates)} quality gate(s) failed; nothing was charged or published:\n{listed}\n"
                "Look at the source with its custodian. Change the suite only if the expectation is wrong."
            )
        return self


@dataclass(frozen=True)
class _Expectation:
    position: int
    severity: str
    table: str
    config: dict[str, Any] = field(compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        kwargs = self.config["kwargs"]
        named = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
        return (*named, *kwargs.get("column_list", ()), *kwargs.get("column_set", ()))


def check(tables: Mapping[str, Table], *, suite: Path, parameters: Parameters | None = None) -> QualityReport:
    """Run the suite on the tables.

    Args:
        tables: by the name an expectation's ``meta.table`` gives. suite: the JSON file.
        parameters: what ``{"$PARAMETER": name}`` stands for.

    Raises:
        QualityError: the suite is missing, is no GX suite, or names a table or parameter that there is not.
    """
    expectations = _read(suite, tables, parameters or {})
    failures: list[tuple[_Expectation, Failure]] = []

    def by_columns(expectation: _Expectation) -> tuple[str, tuple[str, ...]]:
        return expectation.table, expectation.columns

    # One pass per set of columns keeps only those columns in memory.
    for (table, columns), group in groupby(sorted(expectations, key=by_columns), key=by_columns):
        wanted = list(group)
        passed = _evaluate(_frame(tables[table], columns), wanted, parameters or {})
        for expectation in wanted:
            met = passed.get(expectation.position)
            if not met:
                failures.append((expectation, _failure(suite, expectation, broken=met is None)))
    failures.sort(key=lambda pair: pair[0].position)
    return QualityReport(
        len(expectations),
        tuple(failure for expectation, failure in failures if expectation.severity == GATE),
        tuple(failure for expectation, failure in failures if expectation.severity != GATE),
    )


def _failure(suite: Path, expectation: _Expectation, *, broken: bool) -> Failure:
    return Failure(suite.name, expectation.position, expectation.config["type"], expectation.columns, broken)


def _read(suite: Path, tables: Mapping[str, Table], parameters: Parameters) -> list[_Expectation]:
    try:
        content = json.loads(suite.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise QualityError(f"There is no suite {suite}. Write one, or change 'expectations' in the dataset.") from None
    except (OSError, ValueError) as error:
        raise QualityError(f"{suite} is no JSON: {error}. Save a suite as Great Expectations writes it.") from error
    listed = content.get("expectations") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise QualityError(
            f"{suite}: needs 'expectations', a list of at least one. Save a suite as Great Expectations writes it."
        )
    read = []
    for position, item in enumerate(listed, start=1):
        where = f"{suite.name}: expectation {position}"
        if (
            not isinstance(item, dict)
            or not isinstance(item.get("type"), str)
            or not isinstance(item.get("kwargs"), dict)
        ):
            raise QualityError(f"{where}: needs 'type' and 'kwargs'.")
        severity = item.get("severity", GATE)
        if severity not in SEVERITIES:
            raise QualityError(f"{where}: severity must be one of {', '.join(SEVERITIES)} ('{GATE}' stops the run).")
        table = (item.get("meta") or {}).get("table", ROWS)
        if table not in tables:
            raise QualityError(f"{where}: meta.table must be one of {', '.join(tables)}.")
        for value in item["kwargs"].values():
            name = value.get("$PARAMETER") if isinstance(value, dict) else None
            if name is not None and name not in parameters:
                raise QualityError(
                    f"{where}: there is no parameter '{name}'. There are: {', '.join(sorted(parameters))}."
                )
        read.append(_Expectation(position, severity, table, item))
    return read


def _frame(table: Table, columns: Sequence[str]) -> Any:
    """The columns as pandas sees them cheaply: texts as categories, decimals as floats, missing as missing."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(table, pd.DataFrame):
        return table
    if isinstance(table, pa.Table):
        arrow = table
    else:
        schema = pq.read_schema(table)
        present = [name for name in dict.fromkeys(columns) if name in schema.names] or schema.names[:1]
        texts = [name for name in present if pa.types.is_string(schema.field(name).type)]
        arrow = pq.read_table(table, columns=present, read_dictionary=texts)
    for index, column in enumerate(arrow.schema):
        if pa.types.is_decimal(column.type):
            arrow = arrow.set_column(index, column.name, arrow.column(index).cast(pa.float64()))
        elif pa.types.is_date(column.type):
            arrow = arrow.set_column(index, column.name, arrow.column(index).cast(pa.timestamp("s")))
    return arrow.to_pandas(self_destruct=True, split_blocks=True)


def _evaluate(frame: Any, expectations: Sequence[_Expectation], parameters: Parameters) -> dict[int, bool | None]:
    """Position → met (None: raised an error). All else that GX says about the data is thrown away here."""
    with _quiet_gx() as gx:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
        batch = asset.add_batch_definition_whole_dataframe("rows").get_batch({"dataframe": frame})
        met: dict[int, bool | None] = {}
        for expectation in expectations:
            config = {key: expectation.config[key] for key in ("type", "kwargs")}
            try:
                suite = gx.ExpectationSuite(name="suite", expectations=[config])
                result = batch.validate(suite, result_format="BOOLEAN_ONLY", expectation_parameters=dict(parameters))
                raised = any(_raised(one.exception_info) for one in result.results)
                met[expectation.position] = None if raised else bool(result.success)
            except Exception:  # its text may quote values; that it could not be evaluated is all that is told
                met[expectation.position] = None
        return met


def _raised(information: Any) -> bool:
    if not isinstance(information, dict):
        return False
    if "raised_exception" in information:
        return bool(information["raised_exception"])
    return bool(information)


@contextmanager
def _quiet_gx() -> Iterator[Any]:
    """Great Expectations (seconds to import) without telemetry, progress bars or logging."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    loggers = [logging.getLogger(name) for name in ("great_expectations", "py.warnings")]
    before = [logger.disabled for logger in loggers]
    levels = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield gx
    finally:
        logging.disable(levels)
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
