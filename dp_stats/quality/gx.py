"""The one place that calls Great Expectations: columns in, met or not met out, and nothing else leaves.

GX's results hold values of the data; so do its warnings and the errors it raises. All of it is dropped here.
Its import takes seconds, so it happens only when something is evaluated.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from dp_stats.errors import QualityError

Table: TypeAlias = Any
"""A Parquet file (its path), a pyarrow table, a ``DatabaseTable`` or a ``SparkTable``."""


@dataclass(frozen=True)
class DatabaseTable:
    """A table or view in a database, where its rows stay: Great Expectations asks for aggregates of it.

    Attributes:
        url: SQLAlchemy URL, with whatever it takes to connect. columns: names of its columns.
    """

    url: str = field(repr=False)
    schema: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class SparkTable:
    """A frame of a Spark cluster, where its rows stay: Great Expectations asks for aggregates of it.

    Attributes:
        frame: Spark's own. columns: names of its columns.
    """

    frame: Any = field(repr=False)
    columns: tuple[str, ...]


Elsewhere: TypeAlias = DatabaseTable | SparkTable

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
    if isinstance(table, Elsewhere):
        return list(table.columns)
    import pyarrow.parquet as pq

    return list(pq.read_schema(table).names if isinstance(table, Path) else table.schema.names)


def is_large(table: Table) -> bool:
    """Whether a table is too large to hold more of it than an expectation needs."""
    import pyarrow.parquet as pq

    return isinstance(table, Path) and pq.read_metadata(table).num_rows >= LARGE


def load(table: Table, columns: Sequence[str], *, rows: bool = True, equality: bool = False) -> Any:
    """A table as a pandas frame: all of a small one; of a large one the ``columns``, or what it takes to count rows.

    In a large one, texts that repeat much become categories. Other texts stay texts, unless ``equality``
    says that only equal and missing matter: then they become 53-bit hashes (among 10 million different
    texts one pair in a hundred such files would be taken for equal).

    Args:
        rows: whether rows are needed, or the names of all columns are enough.
    """
    if isinstance(table, Elsewhere):
        return table
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = column_names(table)
    if not rows and is_large(table):
        return pq.read_schema(table).empty_table().to_pandas()
    if not isinstance(table, Path):
        arrow = table
    elif not is_large(table):
        arrow = pq.read_table(table)
    else:
        wanted = [name for name in dict.fromkeys(columns) if name in names] or names[:1]
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
    """The text columns of a file → whether their values repeat much (the writer made dictionaries of them)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
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
    """Evaluate expectations on a frame, or on a table in a database.

    Args:
        expectations: number → ``type`` and ``kwargs``, as in GX's JSON.

    Returns:
        Number → met; a number is missing where its expectation could not be evaluated.
    """
    with _quiet_gx() as gx:
        met: dict[int, bool] = {}
        suites = _suites(gx, expectations)
        with _batch(frame) as batch:
            while suites:
                suite = suites.pop()
                try:
                    results = batch.validate(suite, result_format="BOOLEAN_ONLY").results
                except Exception:  # what GX raises may quote values; a missing number says enough
                    if len(suite.expectations) > 1:
                        suites += [gx.ExpectationSuite(name="suite", expectations=[one]) for one in suite.expectations]
                    continue
                met |= {
                    result.expectation_config.meta["number"]: bool(result.success)
                    for result in results
                    if not _raised(result.exception_info)
                }
        return met


@contextmanager
def _batch(frame: Any) -> Iterator[Any]:
    """A frame as GX takes it; afterwards GX holds an empty one in its place, as it would keep the last one for ever."""
    if isinstance(frame, DatabaseTable):
        with _database_batch(frame) as batch:
            yield batch
        return
    if isinstance(frame, SparkTable):
        yield _spark_batch(frame)
        return
    frames = _frames()
    try:
        yield frames.get_batch({"dataframe": frame})
    finally:
        empty = frames.get_batch({"dataframe": type(frame)()})  # without columns: GX hashes each
        frames.data_asset.datasource.get_execution_engine().batch_manager.load_batch_list([empty])


@contextmanager
def _database_batch(table: DatabaseTable) -> Iterator[Any]:
    """A table in a database as GX takes it. It must be a table or a view: of a query GX would fetch every row."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source, failure = None, ""
    try:
        source = context.data_sources.add_sql("rows", connection_string=table.url)
        asset = source.add_table_asset("rows", table_name=table.name, schema_name=table.schema)
        batch = asset.add_batch_definition_whole_table("rows").get_batch()
    except Exception as error:  # it may quote the address, with its password
        failure = type(error).__name__
    try:
        if failure:
            raise QualityError(
                f"The rows in schema {table.schema} could not be checked ({failure}). Check that the database can be reached, and "
                "run the pull step again."
            )
        yield batch
    finally:
        if source is not None:
            source.get_engine().dispose()


def _spark_batch(table: SparkTable) -> Any:
    """A frame of Spark as GX takes it, in the session that it is of."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_spark("rows", force_reuse_spark_context=True, persist=False)
    asset = source.add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("rows").get_batch({"dataframe": table.frame})


_made = threading.local()


def _frames() -> Any:
    """What makes a batch of a frame: made once in a thread, as making it takes as long as a suite."""
    if not hasattr(_made, "frames"):
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
        _made.frames = asset.add_batch_definition_whole_dataframe("rows")
    return _made.frames


def unknown(expectations: Mapping[int, Mapping[str, Any]]) -> list[int]:
    """Numbers of the expectations that GX does not know, or not with these arguments; nothing is evaluated."""
    with _quiet_gx() as gx:
        return [number for number, one in expectations.items() if not _suites(gx, {number: one})]


def _suites(gx: Any, expectations: Mapping[int, Mapping[str, Any]]) -> list[Any]:
    """One suite of all expectations that GX knows with these arguments."""
    known = []
    for number, expectation in expectations.items():
        config = {"type": expectation["type"], "kwargs": dict(expectation["kwargs"]), "meta": {"number": number}}
        try:
            known += gx.ExpectationSuite(name="suite", expectations=[config]).expectations
        except Exception:  # noqa: S112 - misspelt or wrong arguments; its number will be missing
            continue
    return [gx.ExpectationSuite(name="suite", expectations=known)] if known else []


def _raised(information: Any) -> bool:
    """Whether GX caught an error while it evaluated (it nests this by metric if it did)."""
    if isinstance(information, dict) and "raised_exception" in information:
        return bool(information["raised_exception"])
    return bool(information)


@contextmanager
def _quiet_gx() -> Iterator[Any]:
    """Great Expectations without telemetry and without a word in the logs."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import great_expectations as gx  # quiet, too: it says something of each of its classes

            yield gx
    finally:
        logging.disable(before)
