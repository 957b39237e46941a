"""Pull several tables about the same people, and make of them the rows that count.

Each table is read as a dataset's single table is, without whoever opted out of any. Then the declared steps run on the
dataset's engine. What they give is read on as if it were a source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir

from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Column, Dataset, LinkedTable
from dp_stats.catalogue.periods import Period
from dp_stats.errors import CatalogueError, DpStatsError, SourceError
from dp_stats.secure.canonical import canonical_sql
from dp_stats.secure.database import literal, open_database, quoted, run
from dp_stats.secure.engines import open_engine
from dp_stats.secure.intake import TableIntake, parquet, take_in_table
from dp_stats.secure.links import listed_persons, persons, read_links
from dp_stats.secure.opt_outs import left_in, load_list
from dp_stats.secure.source_table import Opening, SourceTable
from dp_stats.secure.sources import open_source
from dp_stats.secure.staging import make_private, secure_folder
from dp_stats.secure.steps.apply import apply_steps
from dp_stats.secure.steps.expressions import TYPES
from dp_stats.settings import Settings

PARQUET = "FORMAT parquet, COMPRESSION snappy, USE_TMP_FILE false"


def table_file(name: str) -> str:
    """The file of a table's canonical rows."""
    return f"table-{name}.parquet"


def open_linked(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    *,
    catalogue: Catalogue,
    period: Period,
    work: Path,
    settings: Settings,
) -> tuple[SourceTable, Mapping[str, TableIntake]]:
    """What the dataset's steps make of its tables, for ``connection`` to read, and how each table was read.

    Args:
        catalogue: as it is on the period's last day. work: a private folder; the tables' rows are left in it.

    Raises:
        SourceError: a table cannot be read, or the steps cannot be carried out. OptOutError: an opt-out list cannot.
    """
    opened: dict[str, SourceTable] = {}
    reports: dict[str, TableIntake] = {}
    links = read_links(dataset, work, settings)
    listed = _opted_out(dataset, links, work, settings)
    for name in dataset.tables:
        scratch = secure_folder(work / f"reading-{name}")
        with open_database(scratch) as own:
            opened[name], reports[name] = _read(own, dataset, name, catalogue, links, listed, scratch, settings)
            opened[name].require_unchanged()
    target = work / "steps.parquet"
    _make(dataset, target, period=period, work=work, settings=settings)
    place = f"the rows that the steps of dataset '{dataset.id}' give"

    def explain(error: str, text: str) -> DpStatsError:
        return SourceError(f"{place} cannot be read ({error}). Free space in the state folder, and run it again.")

    made = parquet(target / "*.parquet" if target.is_dir() else target)
    described = run(connection, f"DESCRIBE SELECT * FROM {made}", explain=explain).fetchall()
    kinds = {str(row[0]): str(row[1]) for row in described}
    wanted = [column.source for column in dataset.columns.values()]
    chosen = ", ".join(f"{quoted(name)} AS c{index}" for index, name in enumerate(wanted))
    sql = f"SELECT {chosen} FROM {made}"
    return SourceTable(
        sql, tuple(kinds[name] for name in wanted), place, tuple(wanted), changed=_any_changed(opened)
    ), reports


def read_as(dataset: Dataset) -> Mapping[str, Column]:
    """How what the steps give is read on: persons are in their one spelling already, and those of rows that did not link are
    written in no declared way."""
    if not any(table.link for table in dataset.tables.values()):
        return dataset.columns
    unit = dataset.privacy_unit.column
    return {**dataset.columns, unit: dataset.columns[unit].model_copy(update={"identifier": None})}


def try_steps(dataset: Dataset, *, period: Period, settings: Settings) -> None:
    """Carry out the steps on tables without rows, so that what cannot be carried out is known before a row is read.

    Raises:
        CatalogueError: they cannot be, although they are declared as they may be.
    """
    days = {"period_start": period.start, "period_end": period.end}
    failure = ""
    try:
        with open_engine("duckdb", settings=settings) as backend:
            tables = {name: _empty(backend, name, table) for name, table in dataset.tables.items()}
            apply_steps(backend, tables, dataset=dataset, public_days=days).to_pyarrow()
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
    if failure:
        raise CatalogueError(
            f"dataset '{dataset.id}': its steps cannot be carried out ({failure}). Declare them another way, and report this: "
            "dp_stats should have said so in words."
        )


def _empty(backend: ibis.BaseBackend, name: str, table: LinkedTable) -> ir.Table:
    schema = ibis.schema({column: TYPES[kind] for column, kind in table.shape.columns.items()})
    return backend.create_table(f"empty_{name}", schema=schema, temp=True)


def _any_changed(tables: Mapping[str, SourceTable]) -> Callable[[], bool]:
    """Whether any of several sources has been written to since it was opened."""
    return lambda: any(table.changed() for table in tables.values())


def _opted_out(dataset: Dataset, links: Mapping[str, Path], work: Path, settings: Settings) -> tuple[Path, ...]:
    """Every table's opt-out list as persons of the dataset, each read once, for all tables."""
    files = []
    for name, table in dataset.tables.items():
        if table.opt_outs is None:
            continue
        scratch, target = secure_folder(work / f"list-{name}"), work / f"list-{name}.parquet"
        with open_database(scratch) as own:
            load_list(
                own,
                table.opt_outs,
                table.columns[table.person].identifier,
                named="opted_out",
                rule=f"tables.{name}.columns.{table.person}.identifier of dataset '{dataset.id}'",
                scratch=scratch,
                settings=settings,
            )
            _write(
                own,
                listed_persons("opted_out", links[name]) if name in links else "SELECT person FROM opted_out",
                target,
            )
        files.append(target)
    return tuple(files)


def _read(
    own: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    name: str,
    catalogue: Catalogue,
    links: Mapping[str, Path],
    listed: tuple[Path, ...],
    scratch: Path,
    settings: Settings,
) -> tuple[SourceTable, TableIntake]:
    """Read one table into its file."""
    table = dataset.tables[name]
    wanted = tuple(column.source for column in table.columns.values())
    opened = open_source(Opening(own, table.source, wanted, scratch, settings))
    rows = canonical_sql(own, table.columns, opened, catalogue.codes, field=f"tables.{name}.columns")
    if name in links:
        rows = persons(rows, table, links[name])
    if listed:
        files = ", ".join(literal(str(path)) for path in listed)
        everyone = f"(SELECT DISTINCT person FROM read_parquet([{files}]))"
        rows = left_in(rows, table.person, table.identifier, listed=everyone)
    target = scratch.parent / table_file(name)
    _write(own, rows, scratch / "rows.parquet", opened)
    report = take_in_table(own, parquet(scratch / "rows.parquet"), table)
    _write(own, f"SELECT {_columns(table)} FROM {parquet(scratch / 'rows.parquet')}", target, opened)
    (scratch / "rows.parquet").unlink()
    return opened, report


def _columns(table: LinkedTable) -> str:
    return ", ".join(quoted(name) for name in table.shape.columns)


def _make(dataset: Dataset, target: Path, *, period: Period, work: Path, settings: Settings) -> None:
    """Carry out the steps; what an engine says of a failure may quote values, so its kind alone is told.

    DuckDB writes one file, Spark a folder of them.
    """
    days = {"period_start": period.start, "period_end": period.end}
    if dataset.engine != "spark":
        target.touch()
        make_private(target)
    try:
        with open_engine("spark" if dataset.engine == "spark" else "duckdb", settings=settings) as backend:
            tables = {name: backend.read_parquet(str(work / table_file(name))) for name in dataset.tables}
            backend.to_parquet(apply_steps(backend, tables, dataset=dataset, public_days=days), str(target))
        return
    except Exception as error:
        failure = type(error).__name__
    raise SourceError(
        f"The steps of dataset '{dataset.id}' could not be carried out ({failure}). See that there is space in the state "
        "folder; if there is, report this, because no value of a row should be able to stop a step."
    )


def _write(own: duckdb.DuckDBPyConnection, sql: str, target: Path, opened: SourceTable | None = None) -> None:
    def explain(error: str, text: str) -> DpStatsError:
        return SourceError(f"What was read cannot be kept ({error}). Free space in the state folder.")

    target.touch()
    make_private(target)
    run(own, f"COPY ({sql}) TO {literal(str(target))} ({PARQUET})", explain=opened.explain if opened else explain)
