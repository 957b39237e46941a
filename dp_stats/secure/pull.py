"""Pull the declared columns of a source into a private Parquet snapshot, without the people who opted out.

These files lie in the edition's folder afterwards:

- ``snapshot.parquet``: the canonical rows that count in this edition; the only one that is measured.
- ``intake.parquet``: all rows dated in the period, unreadable values null, for the quality checks.
- ``source.parquet``: one row of facts about the source as a whole, for the quality checks.
- ``table-NAME.parquet``: of a dataset with several tables, the canonical rows of each, for the quality checks.
- ``report.json``: the intake report, how each column was read and what took rows out.

The snapshot lies there under the digest of its bytes, too: by it the measuring step knows that it was pulled whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Dataset
from dp_stats.catalogue.periods import Period
from dp_stats.errors import SourceError
from dp_stats.files import replaced
from dp_stats.plan.sealed import reading_hash
from dp_stats.secure.canonical import canonical_sql, counts_sql, in_period_sql
from dp_stats.secure.database import literal, open_database, quoted, run
from dp_stats.secure.intake import FILE, TableIntake, facts_sql, parquet, take_in
from dp_stats.secure.linked import open_linked, read_as, table_file
from dp_stats.secure.opt_outs import without_opted_out
from dp_stats.secure.snapshots import keep
from dp_stats.secure.source_table import DateFilter, Opening, SourceTable
from dp_stats.secure.sources import open_source
from dp_stats.secure.staging import PRIVATE_FILE, secure_below, write_private
from dp_stats.settings import Settings

Progress = Callable[[str], None]
FACTS = ("rows_in_period", "days_without_rows", "days_behind", "unreadable_dates", "rows_without_person")
"""Columns of ``source.parquet``, the one row of facts about the whole source that suites may set limits to."""
PARQUET = "FORMAT parquet, COMPRESSION snappy, USE_TMP_FILE false"
MAPPING = "dp_stats_reading"
"""Key of the snapshot file's own metadata under which it carries the hash of how its rows were read."""


@dataclass(frozen=True)
class Snapshot:
    """The staged rows of one edition.

    Attributes:
        path: ``snapshot.parquet``. digest: HMAC-SHA-256 of edition and bytes under this installation's secret key.
    """

    path: Path
    digest: str

    @property
    def intake(self) -> Path:
        """All rows of the period, as the quality checks see them."""
        return self.path.with_name("intake.parquet")

    @property
    def report(self) -> Path:
        """The intake report."""
        return self.path.with_name(FILE)

    @property
    def source(self) -> Path:
        """One row of facts about the whole source: rows, share of unreadable dates, days behind."""
        return self.path.with_name("source.parquet")


def pull(
    dataset: Dataset,
    *,
    catalogue: Catalogue,
    period: Period,
    earlier: Sequence[Period] = (),
    folder: Path,
    settings: Settings,
    progress: Progress = lambda phase: None,
) -> Snapshot:
    """Stream the dataset's rows of ``period`` into ``folder``; an earlier snapshot there is replaced whole.

    Memory stays flat: DuckDB streams within its limit and spills into the private folder.

    Args:
        dataset: what to pull. catalogue: for the code lists. period: whose rows count.
        earlier: periods whose rows are kept in the snapshot, too, as some of them may be late; no check looks at them.
        folder: the edition's private folder (see ``staging.staging_folder``). settings: for paths and the key.
        progress: told the name of each phase; never a number.

    Raises:
        SourceError: the source, a column or a line cannot be read. OptOutError: the opt-out list cannot.
        DpStatsError: ``folder`` is not private, or lies outside the secure store.
    """
    secure_below(settings.secure, folder)
    catalogue = catalogue.on(period.end)
    for old in (
        *folder.glob("*.parquet"),
        folder / FILE,
    ):  # also where this pull fails: someone may have opted out since
        old.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="pull-", dir=folder) as own:  # another attempt may pull at the same time
        work = Path(own)
        with open_database(work) as connection:
            progress("opening the source")
            span = replace(period, start=min(p.start for p in (period, *earlier)))
            table, tables = _opened(connection, dataset, catalogue, period, span=span, work=work, settings=settings)
            rows = canonical_sql(connection, read_as(dataset), table, catalogue.codes)
            kept = without_opted_out(connection, rows, dataset, scratch=work, settings=settings)
            progress("reading the rows")
            _write(connection, kept, work / "rows.parquet", table)
            delivered = table.rows
            if delivered is None and dataset.intake.manifest is not None:
                delivered = _all_rows(connection, table)
            table.require_unchanged()
            progress("keeping the rows of the period")
            staged = parquet(work / "rows.parquet")
            report = replace(take_in(connection, staged, dataset, period, delivered=delivered), tables=tables)
            _write(connection, facts_sql(staged, dataset, period, table.rows), work / "source.parquet", table)
            columns = ", ".join(quoted(name) for name in dataset.columns)
            inside = f"SELECT {columns} FROM {staged} WHERE {in_period_sql(dataset, period)}"
            _write(connection, inside, work / "intake.parquet", table)
            counting = f"SELECT {columns} FROM {staged} WHERE {counts_sql(dataset, span)}"
            if span == period:
                counting = f"SELECT * FROM {parquet(work / 'intake.parquet')} WHERE {counts_sql(dataset, period)}"
            mapping = reading_hash(dataset, catalogue.codes)
            _write(connection, counting, work / "snapshot.parquet", table, mapping=mapping)
        for name in ("intake.parquet", "source.parquet", *(table_file(name) for name in tables)):
            (work / name).replace(folder / name)
        write_private(settings.secure, folder / FILE, report.to_bytes())
        snapshot = folder / "snapshot.parquet"
        return Snapshot(snapshot, keep(work / snapshot.name, snapshot, secure=settings.secure))


def pull_anywhere(
    dataset: Dataset,
    *,
    catalogue: Catalogue,
    period: Period,
    earlier: Sequence[Period],
    folder: Path,
    settings: Settings,
) -> Snapshot:
    """``pull``, or where the dataset's rows stay in their database, the same in place."""
    if dataset.engine != "source":
        return pull(dataset, catalogue=catalogue, period=period, earlier=earlier, folder=folder, settings=settings)
    from dp_stats.secure.in_place.pulling import pull_in_place

    made = pull_in_place(dataset, catalogue=catalogue, period=period, folder=folder, settings=settings)
    return Snapshot(made.path, made.digest)


def _opened(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    catalogue: Catalogue,
    period: Period,
    *,
    span: Period,
    work: Path,
    settings: Settings,
) -> tuple[SourceTable, Mapping[str, TableIntake]]:
    """The source, or what the steps make of several; and how each of these was read."""
    if dataset.source is None:
        return open_linked(connection, dataset, catalogue=catalogue, period=period, work=work, settings=settings)
    wanted = tuple(column.source for column in dataset.columns.values())
    date_filter = DateFilter(list(dataset.columns).index(dataset.date_column), span)
    return open_source(Opening(connection, dataset.source, wanted, work, settings, date_filter)), {}


def mapping_of(snapshot: Path) -> str:
    """The hash of how a snapshot's rows were read (``plan.sealed.reading_hash``); empty if it carries none.

    Raises:
        SourceError: there is no snapshot, or it is not a Parquet file.
    """
    try:
        kept = pq.read_metadata(snapshot).metadata or {}
    except (OSError, pa.ArrowInvalid):
        raise SourceError("The snapshot of rows is missing or cannot be read. Run the pull step again.") from None
    return bytes(kept.get(MAPPING.encode(), b"")).decode()


def _write(
    connection: duckdb.DuckDBPyConnection, sql: str, target: Path, table: SourceTable, *, mapping: str = ""
) -> None:
    carried = f", KV_METADATA {{{MAPPING}: {literal(mapping)}}}" if mapping else ""
    with replaced(target, mode=PRIVATE_FILE) as temporary:
        run(connection, f"COPY ({sql}) TO {literal(str(temporary))} ({PARQUET}{carried})", explain=table.explain)


def _all_rows(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> int:
    """How many rows the source has, people who opted out among them: what a manifest counts."""
    found = run(connection, f"SELECT count(*) FROM ({table.sql})", explain=table.explain).fetchone()
    return int(found[0]) if found else 0
