"""Read a custodian's link table, and put the dataset's persons in place of a table's own identifiers.

The link table is a function: each of a table's identifiers stands for one person. So what names a row's person is that
person's own entry, and removing a person removes entries and rows of that person alone. Whether the run stops depends
on the link table alone, never on whose rows there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from dp_stats.catalogue.models import Dataset, LinkedTable
from dp_stats.errors import SourceError
from dp_stats.secure.database import literal, open_database, quoted, run
from dp_stats.secure.identifiers import person_sql
from dp_stats.secure.source_table import Opening
from dp_stats.secure.sources import open_source
from dp_stats.secure.staging import make_private, secure_folder
from dp_stats.settings import Settings

STOPPED = "Nothing is pulled without the link table."
UNLINKED = "unlinked "
"""What stands before an identifier that is in no link table, where persons stand: no identifier of a person begins so."""


def read_links(dataset: Dataset, work: Path, settings: Settings) -> Mapping[str, Path]:
    """Each link table as a file of ``own`` and ``person``, by the table that it is for; read once for all that share it.

    Raises:
        SourceError: one cannot be read, has an entry that is no valid identifier, or gives one identifier to two persons.
    """
    files: dict[str, Path] = {}
    for name, table in dataset.tables.items():
        if table.link is not None:
            alike = next((other for other in files if _reads_alike(dataset.tables[other], table)), None)
            files[name] = _read(name, table, work, settings) if alike is None else files[alike]
    return files


def _reads_alike(one: LinkedTable, other: LinkedTable) -> bool:
    """Whether two tables are linked by the same entries: then these are read once, and are the same for both."""
    return one.link == other.link and one.columns[one.person].identifier == other.columns[other.person].identifier


def persons(rows: str, table: LinkedTable, links: Path) -> str:
    """The rows with the dataset's persons, and whether each was linked."""
    assert table.link is not None
    whose = quoted(table.person)
    return (
        f"SELECT everyone.* REPLACE ({_person(f'everyone.{whose}')} AS {whose}), links.person IS NOT NULL AS "
        f"{quoted(table.link.linked)} FROM ({rows}) AS everyone {_joined(links, f'everyone.{whose}')}"
    )


def listed_persons(listed: str, links: Path) -> str:
    """Of a table of a custodian's own identifiers in the column ``person``: the dataset's persons."""
    return f"SELECT {_person('listed.person')} AS person FROM {listed} AS listed {_joined(links, 'listed.person')}"


def _person(own: str) -> str:
    return f"coalesce(links.person, {literal(UNLINKED)} || {own})"


def _joined(links: Path, own: str) -> str:
    return f"LEFT JOIN read_parquet({literal(str(links))}) AS links ON links.own = {own}"


def _read(name: str, table: LinkedTable, work: Path, settings: Settings) -> Path:
    assert table.link is not None
    link = table.link
    scratch, target = secure_folder(work / f"links-{name}"), work / f"links-{name}.parquet"
    target.touch()
    make_private(target)
    where = f"Link table of '{name}'"
    with open_database(scratch) as own:
        opened = open_source(Opening(own, link.source, (link.own, link.person), scratch, settings))
        mine = table.columns[table.person].identifier
        names = ((link.own, mine), (link.person, link.identifier))
        spelt = [
            person_sql(f"c{index}", opened.types[index], written, where=f"{opened.place}: column '{column}'")
            for index, (column, written) in enumerate(names)
        ]
        run(
            own,
            f"CREATE TEMP TABLE links AS SELECT DISTINCT {spelt[0]} AS own, {spelt[1]} AS person FROM ({opened.sql})",
            explain=opened.explain,
        )
        opened.require_unchanged()
        for side, (column, written) in zip(("own", "person"), names, strict=True):
            if written is not None and _any(own, f"SELECT 1 FROM links WHERE {side} IS NULL"):
                raise SourceError(
                    f"{where}: {opened.place}: column '{column}' has an entry that is no valid identifier: it must be "
                    f"{written.rule}. Correct it at its source. {STOPPED}"
                )
        if _any(own, "SELECT 1 FROM links GROUP BY own HAVING count(*) > 1"):
            raise SourceError(
                f"{where}: {opened.place} gives one '{link.own}' to two persons. Have its maker decide which it is, or leave "
                f"both out. {STOPPED}"
            )
        run(own, f"COPY links TO {literal(str(target))} (FORMAT parquet, USE_TMP_FILE false)", explain=opened.explain)
    return target


def _any(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    return connection.execute(f"{sql} LIMIT 1").fetchone() is not None
