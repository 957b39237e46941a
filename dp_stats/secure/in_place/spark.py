"""Spark on a cluster as a session: a Parquet folder in the work folder, and blocks of the executors for all else."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import timedelta
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from dp_stats.catalogue.models import Dataset, Source
from dp_stats.catalogue.periods import Period
from dp_stats.errors import SourceError
from dp_stats.secure.canonical import in_period_sql
from dp_stats.secure.database import quoted
from dp_stats.secure.in_place.canonical import Raw
from dp_stats.secure.in_place.cluster import open_cluster
from dp_stats.secure.in_place.tables import Listed, WorkTable
from dp_stats.secure.postgres_source import ZONES_APART
from dp_stats.secure.source_files import LAKE_LOGS, filled, lake_table
from dp_stats.secure.source_table import match_columns
from dp_stats.settings import Settings

READ = {"mergeSchema": "true", "pathGlobFilter": "*.{parquet,pq,PARQUET,PQ}"}
"""Columns that only some of the files have are found, and files of other kinds are left alone, as DuckDB does."""
LISTED = {"recursiveFileLookup": "true", "pathGlobFilter": READ["pathGlobFilter"]}
DAY = timedelta(1)
SMALL = 100_000
"""Rows up to which a table that was made here, such as a code list, is sent to every executor."""


class SparkSession:
    """An open session: the Ibis backend and Spark's own session."""

    def __init__(self, session: Any, closing: ExitStack, place: str, *, settings: Settings) -> None:
        self.session, self.place, self.settings = session, place, settings
        self._closing = closing
        self._before: tuple[Any, ...] = ()
        self._path = ""
        self.backend: Any = ibis.pyspark.connect(session)
        self.backend._register_in_memory_table = self._given

    def close(self) -> None:
        """Its blocks go with it."""
        self._closing.close()

    def one_state(self) -> AbstractContextManager[Any]:
        """Files have no transactions: ``make`` refuses what was read while they changed."""
        return nullcontext()

    def raw(self, dataset: Dataset, period: Period) -> tuple[Raw, int]:
        """As in ``Session``."""
        assert dataset.source is not None
        self._path = filled(dataset.source.path or "", self.settings)
        self._refuse_a_lake_table()
        self._before = self._delivery()
        frame = self.session.read.options(**READ).parquet(self._path)
        if len(frame.inputFiles()) != self._before[0]:
            raise SourceError(
                f"{self.place}: there are files in folders of other names than column=value, which Spark would leave out. Put all "
                "files into the folder itself, or into folders that are named so."
            )
        total = int(frame.count())
        wanted = [column.source for column in dataset.columns.values()]
        found = match_columns(wanted, frame.columns, place=self.place)
        names = tuple(frame.columns[index] for index in found)
        fields = (frame[f"`{name.replace('`', '``')}`"].alias(f"c{at}") for at, name in enumerate(names))
        table = with_moments(self._named(chosen := frame.select(*fields)), chosen)
        rows = table.select(**{f"c{at}": self._taken(table[f"c{at}"], name) for at, name in enumerate(names)})
        return Raw(_near(rows, list(dataset.columns).index(dataset.date_column), period), self.place, names), total

    def _refuse_a_lake_table(self) -> None:
        """A folder of a table format has files that are no part of the table any more."""
        spark = self.session.sparkContext
        for log in LAKE_LOGS:
            path = spark._jvm.org.apache.hadoop.fs.Path(f"{self._path.rstrip('/')}/{log}")
            if path.getFileSystem(spark._jsc.hadoopConfiguration()).exists(path):
                raise lake_table(self.place)

    def _taken(self, value: ir.Value, name: str) -> ir.Value:
        """A column as it is read: a date, a time or a fraction, and all else as text."""
        kind = value.type()
        if kind.is_date() or kind.is_timestamp():
            return value
        if kind.is_floating():
            return value.cast("string").cast("float64")  # a short one as it is written, as in other engines
        if kind.is_string() or kind.is_integer() or kind.is_decimal() or kind.is_boolean():
            return value.cast("string")
        raise SourceError(f"{self.place}: column '{name}' has a type that is not read; make it text, number or date.")

    def _delivery(self) -> tuple[Any, ...]:
        """How many files the source has, and what changes when one is written to, added or removed."""
        listed = self.session.read.format("binaryFile").options(**LISTED).load(self._path)
        texts = listed.selectExpr("xxhash64(path, length, modificationTime) AS mark")
        return tuple(texts.selectExpr("count(*)", "sum(CAST(mark AS DECIMAL(38, 0)))").head())

    def upload(self, texts: Iterable[str], *, column: str) -> ir.Table:
        """As in ``Session``; through the memory of this process, as the list is."""
        return self._named(self.session.createDataFrame(pa.table({column: pa.array(texts, pa.string())})))

    def make(self, table: WorkTable, rows: ir.Table, dataset: Dataset, period: Period) -> None:
        """As in ``Session``.

        Raises:
            SourceError: the source changed meanwhile.
        """
        self._frame(rows).write.mode("error").parquet(f"{table.within}/{table.name}")
        if self._delivery() != self._before:
            raise SourceError(f"{self.place} changed while it was read. Run again when its delivery has ended.")

    def name_of(self, table: Listed) -> str:
        """A view of the folder."""
        self.session.read.parquet(f"{table.within}/{table.name}").createOrReplaceTempView(table.name)
        return quoted(table.name)

    def query(self, sql: str) -> ir.Table:
        """As in ``Session``."""
        found: ir.Table = self.backend.sql(sql, dialect="duckdb")
        return found

    def pinned(self, rows: ir.Table) -> ir.Table:
        """Blocks of the executors that nothing is computed anew for: if one is lost, what needs it fails."""
        return self._named(self._frame(rows).localCheckpoint())

    def inside(self, table: Listed, dataset: Dataset, period: Period) -> Any:
        """A frame of the rows of a listed table that are dated in the period."""
        columns = ", ".join(quoted(name) for name in dataset.columns)
        rows = self.query(f"SELECT {columns} FROM {self.name_of(table)} WHERE {in_period_sql(dataset, period)}")
        return self._frame(rows)

    def _frame(self, rows: ir.Table) -> Any:
        self.backend._run_pre_execute_hooks(rows)
        return self.session.sql(self.backend.compile(rows))

    def _named(self, frame: Any) -> ir.Table:
        name = f"named_{secrets.token_hex(8)}"
        frame.createOrReplaceTempView(name)
        table: ir.Table = self.backend.table(name)
        return table

    def _given(self, op: ops.InMemoryTable) -> None:
        """A table that was made here. A small one is sent to every executor: it is public, or came from here anyhow."""
        table = op.data.to_pyarrow(op.schema)
        frame = self.session.createDataFrame(table)
        (frame.hint("broadcast") if table.num_rows <= SMALL else frame).createOrReplaceTempView(op.name)


def with_moments(table: ir.Table, frame: Any) -> ir.Table:
    """The table of a frame, with moments told from times of a clock, which Ibis takes for one."""
    told = dict(frame.dtypes)
    moments = {name: table[name].cast(dt.Timestamp(timezone="UTC")) for name in told if told[name] == "timestamp"}
    return table.mutate(**moments) if moments else table


def _near(rows: ir.Table, position: int, period: Period) -> ir.Table:
    """The rows of the period and those without a date, where the files know days; some more where they know moments."""
    day = rows[f"c{position}"]
    if not isinstance(day, ir.DateValue | ir.TimestampValue):
        return rows
    apart = timedelta(0 if isinstance(day, ir.DateValue) else ZONES_APART)
    start, end = (ibis.literal(str(one)).cast(day.type()) for one in (period.start - apart, period.end + apart + DAY))
    return rows.filter(((day >= start) & (day < end)) | day.isnull())


def open_spark(source: Source, place: str, *, settings: Settings) -> SparkSession:
    """Connect to a source's cluster.

    Raises:
        SourceError: it cannot be reached.
    """
    session, closing = open_cluster(source, place, settings=settings)
    return SparkSession(session, closing, place, settings=settings)
