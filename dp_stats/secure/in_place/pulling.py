"""Pull in place: one table of canonical rows beside the source's, without the people who opted out; no row leaves.

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

from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Dataset
from dp_stats.catalogue.periods import Period
from dp_stats.errors import SourceError
from dp_stats.files import replaced
from dp_stats.plan.sealed import reading_hash
from dp_stats.secure.database import literal, open_database
from dp_stats.secure.in_place.canonical import canonical_rows
from dp_stats.secure.in_place.dropping import drop
from dp_stats.secure.in_place.pinning import POINTER, Pointer, counting, digest_of, read_pointer
from dp_stats.secure.in_place.session import Session, explained, open_session, place_of
from dp_stats.secure.in_place.tables import WorkTable, listed_in, listed_table
from dp_stats.secure.intake import FILE, facts_sql, take_in
from dp_stats.secure.opt_outs import load_list
from dp_stats.secure.source_files import filled
from dp_stats.secure.staging import PRIVATE_FILE, secure_below, write_private
from dp_stats.settings import Settings

AT_ONCE = 100_000
Progress = Callable[[str], None]


def pull_in_place(
    dataset: Dataset,
    *,
    catalogue: Catalogue,
    period: Period,
    folder: Path,
    settings: Settings,
    progress: Progress = lambda phase: None,
) -> Pointer:
    """Make the canonical rows of ``period`` in the work schema or folder; an earlier table of the edition is dropped.

    Args:
        as for ``secure.pull.pull``.

    Raises:
        SourceError: the table, a column or a right is missing. OptOutError: the opt-out list cannot be read.
    """
    secure_below(settings.secure, folder)
    catalogue = catalogue.on(period.end)
    _forget_earlier(folder)
    assert dataset.source is not None
    place, within = place_of(dataset.source), work_place(dataset, settings)
    with tempfile.TemporaryDirectory(prefix="pull-", dir=folder) as own, open_database(Path(own)) as connection:
        progress("opening the source")
        with open_session(dataset.source, settings=settings) as session:
            pulling = _Pulling(dataset, catalogue, period, settings, session, connection, Path(own))
            table = listed_table(folder, dataset.source, within, secure=settings.secure)
            try:
                return explained(place, lambda: pulling.into(table, folder, progress))
            except BaseException:
                session.close()  # what was not finished is gone
                drop((table,))
                raise


def work_place(dataset: Dataset, settings: Settings) -> str:
    """The schema or the folder in which tables may be made.

    Raises:
        SourceError: a variable of the folder's path is not set, or it lies in the source's folder.
    """
    if dataset.work_schema is not None:
        return dataset.work_schema
    assert dataset.source is not None
    assert dataset.work_folder is not None
    folder = filled(dataset.work_folder, settings, field="work_folder").rstrip("/")
    rows = filled(dataset.source.path or "", settings).rstrip("/")
    if f"{folder}/".startswith(f"{rows}/") or f"{rows}/".startswith(f"{folder}/"):
        raise SourceError("work_folder and source.path must not lie one in the other. Choose another work folder.")
    return folder


def _forget_earlier(folder: Path) -> None:
    """Drop what an earlier pull made, also where this one fails: someone may have opted out since."""
    with_rows = read_pointer(folder / POINTER).name if (folder / POINTER).exists() else None
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

    def into(self, table: WorkTable, folder: Path, progress: Progress) -> Pointer:
        """Make the table, and what is known about it."""
        source, dataset = self.session, self.dataset
        with source.one_state():
            raw, total = source.raw(dataset, self.period)
            rows = canonical_rows(source.backend, self.connection, dataset.columns, raw, self.catalogue.codes)
            kept = self._without_opted_out(rows)
            progress("reading the rows")
            source.make(table, kept, dataset, self.period)
            progress("keeping the rows of the period")
            answers = count()

            def ask(sql: str) -> str:
                name = f"answer_{next(answers)}"
                self.connection.register(name, source.query(sql).to_pyarrow())
                return name

            made = source.name_of(table)
            report = take_in(self.connection, made, dataset, self.period, delivered=total, ask=ask)
            facts = facts_sql(made, dataset, self.period, total, ask=ask)
            counted = source.query(counting(made, dataset, self.period))
            mapping = reading_hash(dataset, self.catalogue.codes)
            digest = digest_of(source.backend, counted, table.name, secure=self.settings.secure)
            if not table.note.exists():
                raise SourceError(f"Another run has cleaned up {table.edition} meanwhile. Run it again.")
        with replaced(folder / "source.parquet", mode=PRIVATE_FILE) as draft:
            self.connection.execute(f"COPY ({facts}) TO {literal(str(draft))} (FORMAT parquet)")
        write_private(self.settings.secure, folder / FILE, report.to_bytes())
        pointer = Pointer(folder / POINTER, table.within, table.name, mapping, digest)
        pointer.write(self.settings.secure)
        return pointer

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
