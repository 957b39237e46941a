"""The one place that calls Great Expectations: columns in, met or not met out, and nothing else leaves.

GX's results hold values of the data; so do its warnings and the errors it raises. All of it is dropped here.
Its import takes seconds, so it happens only when something is evaluated.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

Table: TypeAlias = Any
"""A Parquet file (its path) or a pyarrow table."""

LARGE = 1_000_000
"""From this many rows on, columns are held in forms that take a fraction of the memory."""

EQUALITY = frozenset(
    {
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_unique_value_count_to_be_between",
        "expect_column_values_to_be_null",
        "expect_column_values_to_be_unique",
        "expect_column_values_to_not_be_null",
        "expect_compound_columns_to_be_unique",
    }
)
"""Expectations that only ask whether values are missing or equal; a hash of a text answers as well as the text."""


def column_names(table: Table) -> list[str]:
    """The columns of a table, without reading its rows."""
    import pyarrow.parquet as pq

    return list(pq.read_schema(table).names if isinstance(table, Path) else table.schema.names)


def load(table: Table, columns: Sequence[str], *, rows: bool = True, equality: bool = False) -> Any:
    """Some columns as a pandas frame; without ``columns`` one that it takes to count the rows.

    In a large file, texts that repeat much become categories. Other texts stay texts, unless ``equality``
    says that only equal and missing matter: then they become 53-bit hashes (among 10 million different
    texts one pair in a hundred such files would be taken for equal).

    Args:
        rows: whether rows are needed, or the names of all columns are enough.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = column_names(table)
    if not rows:
        schema = pq.read_schema(table) if isinstance(table, Path) else table.schema
        return schema.empty_table().to_pandas()
    wanted = [name for name in dict.fromkeys(columns) if name in names] or names[:1]
    if not isinstance(table, Path):
        arrow = table.select(wanted)
    else:
        texts = _texts(table)
        hashed = [name for name in wanted if equality and texts.get(name) is False]
        repeated = [name for name in wanted if texts.get(name)]
        arrow = (
            _hashed(table, wanted, hashed) if hashed else pq.read_table(table, columns=wanted, read_dictionary=repeated)
        )
    for index, column in enumerate(arrow.schema):
        if pa.types.is_decimal(column.type):
            arrow = arrow.set_column(index, column.name, arrow.column(index).cast(pa.float64()))
        elif pa.types.is_date(column.type):
            arrow = arrow.set_column(index, column.name, arrow.column(index).cast(pa.timestamp("s")))
    return arrow.to_pandas(split_blocks=True, self_destruct=isinstance(table, Path))


def _texts(path: Path) -> dict[str, bool]:
    """The text columns of a large file → whether their values repeat much (the writer made dictionaries of them)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows < LARGE:
            return {}
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        return {
            name: all(group.column(index).has_dictionary_page for group in groups)
            for index, name in enumerate(file.schema_arrow.names)
            if pa.types.is_string(file.schema_arrow.field(name).type)
        }


def _hashed(path: Path, columns: Sequence[str], hashed: Sequence[str]) -> Any:
    import duckdb

    chosen = ", ".join(
        f'CASE WHEN "{name}" IS NOT NULL THEN (hash("{name}") >> 11)::BIGINT END AS "{name}"'
        if name in hashed
        else f'"{name}"'
        for name in columns
    )
    with duckdb.connect(config={"autoload_known_extensions": False, "memory_limit": "500MB"}) as connection:
        return connection.execute(f"SELECT {chosen} FROM read_parquet(?)", [str(path)]).to_arrow_table()


def evaluate(frame: Any, expectations: Mapping[int, Mapping[str, Any]]) -> dict[int, bool]:
    """Evaluate expectations on a frame.

    Args:
        expectations: number → ``type`` and ``kwargs``, as in GX's JSON.

    Returns:
        Number → met; a number is missing where its expectation could not be evaluated.
    """
    with _quiet_gx() as gx:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
        batch = asset.add_batch_definition_whole_dataframe("rows").get_batch({"dataframe": frame})
        met: dict[int, bool] = {}
        for number, expectation in expectations.items():
            try:
                config = {"type": expectation["type"], "kwargs": dict(expectation["kwargs"])}
                suite = gx.ExpectationSuite(name="suite", expectations=[config])
                (result,) = batch.validate(suite, result_format="BOOLEAN_ONLY").results
                if not _raised(result.exception_info):
                    met[number] = bool(result.success)
            except Exception:  # noqa: S112 - what GX raises may quote values; a missing number says enough
                continue
        return met


def _raised(information: Any) -> bool:
    """Whether GX caught an error while it evaluated (it nests this by metric if it did)."""
    if isinstance(information, dict) and "raised_exception" in information:
        return bool(information["raised_exception"])
    return bool(information)


@contextmanager
def _quiet_gx() -> Iterator[Any]:
    """Great Expectations without telemetry and without a word in the logs."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield gx
    finally:
        logging.disable(before)
