"""Pull in place: one table of canonical rows in the work schema, without the people who opted out; no row leaves.

These files lie in the edition's folder afterwards; none holds a row:

- ``snapshot.json``: which table, how its rows were read, and a keyed digest of those that count.
- ``source.parquet``: one row of facts about the source as a whole, for the quality checks.
- ``report.json``: the intake report.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import duckdb
import ibis
import ibis.expr.datatypes as dt
import psycopg

from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Dataset
from dp_stats.catalogue.periods import Period
from dp_stats.errors import SourceError
from dp_stats.files import replaced
from dp_stats.plan.sealed import reading_hash
from dp_stats.secure.canonical import in_period_sql
from dp_stats.secure.database import literal, open_database, quoted
from dp_stats.secure.in_place.canonical import Raw, canonical_rows
from dp_stats.secure.in_place.pinning import POINTER, Pointer, counting, digest_of, read_pointer
from dp_stats.secure.in_place.session import Session, explained, open_session, place_of
from dp_stats.secure.in_place.tables import WorkTable, drop, listed_in, listed_table
from dp_stats.secure.intake import FILE, facts_sql, take_in
from dp_stats.secure.opt_outs import load_list
from dp_stats.secure.postgres_source import FLOATS, REFUSED, pushed_down
from dp_stats.secure.source_table import DateFilter, match_columns
from dp_stats.secure.staging import PRIVATE_FILE, secure_below, write_private
from dp_stats.settings import Settings

AT_ONCE = 100_000
Progress = Callable[[str], None]
TYPED = {1082: dt.Date(), 1114: dt.Timestamp(), 1184: dt.Timestamp(timezone="UTC")}


def pull_in_place(
    dataset: Dataset,
    *,
    catalogue: Catalogue,
    period: Period,
    folder: Path,
    settings: Settings,
    progress: Progress = lambda phase: None,
) -> Pointer:
    """Make the canonical rows of ``period`` in the work schema; an earlier table of the edition is dropped.

    Args:
        as for ``secure.pull.pull``.

    Raises:
        SourceError: the table, a column or a right is missing. OptOutError: the opt-out list cannot be read.
    """
    secure_below(settings.secure, folder)
    catalogue = catalogue.on(period.end)
    _forget_earlier(folder)
    assert dataset.source is not None
    assert dataset.work_schema is not None
    place = place_of(dataset.source)
    with tempfile.TemporaryDirectory(prefix="pull-", dir=folder) as own, open_database(Path(own)) as connection:
        progress("opening the source")
        with open_session(dataset.source) as session:
            pulling = _Pulling(dataset, catalogue, period, settings, session, connection, Path(own), place)
            table = listed_table(folder, dataset.source, dataset.work_schema, secure=settings.secure)
            try:
                return explained(place, lambda: pulling.into(table, folder, progress))
            except BaseException:
                session.connection.close()  # what was not committed is gone
                drop((table,))
                raise


def _forget_earlier(folder: Path) -> None:
    """Drop what an earlier pull made, also where this one fails: someone may have opted out since."""
    with_rows = read_pointer(folder / POINTER).table if (folder / POINTER).exists() else None
    for old in (folder / POINTER, folder / FILE, folder / "source.parquet"):
        old.unlink(missing_ok=True)
    faults = drop(tuple(table for table in listed_in(folder) if table.name == with_rows))
    if faults:
        raise SourceError(f"The table of an earlier pull is still there. Nothing was pulled. {faults[0]}")


@dataclass(frozen=True)
class _Pulling:
    dataset: Dataset
    catalogue: Catalogue
    period: Period
    settings: Settings
    session: Session
    connection: duckdb.DuckDBPyConnection
    work: Path
    place: str

    def into(self, table: WorkTable, folder: Path, progress: Progress) -> Pointer:
        """Make the table, and what is known about it."""
        source, dataset = self.session, self.dataset
        source.connection.isolation_level = (
            psycopg.IsolationLevel.REPEATABLE_READ
        )  # one state of the source for all of it
        with source.connection.transaction():
            raw, total = self._raw()
            rows = canonical_rows(source.backend, self.connection, dataset.columns, raw, self.catalogue.codes)
            kept = self._without_opted_out(rows)
            progress("reading the rows")
            source.run(f"CREATE UNLOGGED TABLE {table.sql} AS {source.written(kept)}")
            about = literal(f"dp_stats, {table.edition}: rows; dropped when the edition is published or failed")
            source.run(f"COMMENT ON TABLE {table.sql} IS {about}")
            columns = ", ".join(quoted(name) for name in dataset.columns)
            inside = f"SELECT {columns} FROM {table.sql} WHERE {in_period_sql(dataset, self.period)}"
            source.run(f"CREATE VIEW {quoted(table.schema)}.{quoted(table.in_period)} AS {inside}")
            progress("keeping the rows of the period")
            answers = count()

            def ask(sql: str) -> str:
                name = f"answer_{next(answers)}"
                self.connection.register(name, source.backend.sql(sql).to_pyarrow())
                return name

            report = take_in(self.connection, table.sql, dataset, self.period, delivered=total, ask=ask)
            facts = facts_sql(table.sql, dataset, self.period, total, ask=ask)
            counted = source.backend.sql(counting(table.sql, dataset, self.period))
            mapping = reading_hash(dataset, self.catalogue.codes)
            digest = digest_of(source.backend, counted, table.name, secure=self.settings.secure)
            if not table.note.exists():
                raise SourceError(f"Another run has cleaned up {table.edition} meanwhile. Run it again.")
        with replaced(folder / "source.parquet", mode=PRIVATE_FILE) as draft:
            self.connection.execute(f"COPY ({facts}) TO {literal(str(draft))} (FORMAT parquet)")
        write_private(self.settings.secure, folder / FILE, report.to_bytes())
        pointer = Pointer(folder / POINTER, table.schema, table.name, mapping, digest)
        pointer.write(self.settings.secure)
        return pointer

    def _raw(self) -> tuple[Raw, int]:
        """The wanted columns of the rows of the period, and how many rows the source has."""
        dataset, source = self.dataset, self.session
        assert dataset.source is not None
        table = ".".join(quoted(part) for part in (dataset.source.table or "").split("."))
        there = source.columns(table)
        names, oids = [name for name, _ in there], [oid for _, oid in there]
        wanted = [column.source for column in dataset.columns.values()]
        found = match_columns(wanted, names, place=self.place)
        for index in found:
            if oids[index] in REFUSED:
                raise SourceError(
                    f"{self.place}: column '{names[index]}' has type {REFUSED[oids[index]]}; make it text, number or date."
                )
        chosen, kinds = [], {}
        for position, index in enumerate(found):
            kind = dt.Float64() if oids[index] in FLOATS else TYPED.get(oids[index], dt.String())
            cast = {dt.Float64(): "::text::double precision", dt.String(): "::text"}.get(kind, "")
            chosen.append(f"{quoted(names[index])}{cast} AS c{position}")
            kinds[f"c{position}"] = kind
        wish = DateFilter(list(dataset.columns).index(dataset.date_column), self.period)
        condition = pushed_down(wish, found, names, oids)
        total = int(source.run(f"SELECT count(*) FROM {table}")[0][0])
        raw = source.backend.sql(f"SELECT {', '.join(chosen)} FROM {table}{condition}", schema=ibis.schema(kinds))
        return Raw(raw, self.place, tuple(names[index] for index in found)), total

    def _without_opted_out(self, rows: ibis.Table) -> ibis.Table:
        """The rows without those of people on the list, which is read here and made ready as their own identifiers are."""
        dataset = self.dataset
        if dataset.opt_outs is None:
            return rows
        unit = dataset.privacy_unit.column
        load_list(
            self.connection,
            dataset.opt_outs,
            dataset.columns[unit].identifier,
            named="opted_out",
            rule=f"columns.{unit}.identifier of dataset '{dataset.id}'",
            scratch=self.work,
            settings=self.settings,
        )
        self.connection.execute("SELECT person FROM opted_out")
        listed = self.session.upload(self._persons(), column="opted_out")
        return rows.anti_join(listed, rows[unit] == listed["opted_out"])

    def _persons(self) -> Iterator[str]:
        while some := self.connection.fetchmany(AT_ONCE):
            yield from (person for (person,) in some)
