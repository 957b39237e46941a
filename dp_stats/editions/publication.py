"""Write one edition's folder, once: hidden while it is made, checked, then renamed into place for ever."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from dp_stats import files
from dp_stats.editions import crate, formats, labels, metadata, privacy_record, readers_kit, registry_record, workbook
from dp_stats.editions import edition as editions
from dp_stats.editions.edition import Edition, FileFacts, TableFacts
from dp_stats.editions.languages import FORMATS, said_in
from dp_stats.editions.latest import folder_lock, refresh_latest
from dp_stats.editions.measurements import measurement_files
from dp_stats.editions.revisions import refresh_status
from dp_stats.editions.tidy import columns_of, tidy
from dp_stats.errors import PublishedError
from dp_stats.estimate.model import EditionEstimates
from dp_stats.texts.words import Texts

Check = Callable[..., object]
"""Takes a table, and by name ``lowest`` where another value than of the release's own tables is the least there can be."""
Illustrate = Callable[[Edition, Path], Mapping[str, bytes]]


@dataclass(frozen=True)
class PublishedEdition:
    """What was published: the completed facts, the folder, and the content of its ``SHA256SUMS``."""

    edition: Edition
    folder: Path
    checksums: bytes
    new: bool

    @property
    def checksum(self) -> str:
        """SHA-256 of ``SHA256SUMS``, by which the ledger knows the files."""
        return files.sha256(self.checksums)


def publish_edition(
    edition: Edition,
    estimates: EditionEstimates,
    public: Path,
    *,
    texts: Texts,
    further: Sequence[Texts] = (),
    check: Check | None = None,
    illustrate: Illustrate | None = None,
    book_rows: int | None = None,
) -> PublishedEdition:
    """Write the files of an edition below ``public`` and switch ``latest``; an existing edition is never edited.

    Publishing the same tables of the same plan again returns what is there, whatever the clock says now.

    Args:
        edition: the facts (see ``describe``); its tables are completed here.
        texts: the language of the descriptions in its files. further: other languages that there are files in.
        illustrate: draws the pictures of the folder from its tables: file name → content.
        check: run on every table before anything is visible, e.g. the suite of what is published; raises to refuse.
        book_rows: how many rows of a table the spreadsheet holds, in a rehearsal (default: all).

    Raises:
        PublishedError: another edition with other content has this name, or the superseded revision is missing.
        QualityError: from ``check``; nothing has been written that a reader can see.
    """
    folder = public / edition.path
    with folder_lock(public):
        rows = tables_of(edition, estimates, public)
        if folder.exists():
            found = _same(folder, edition, rows)
        else:
            for table in edition.tables:
                if check is not None:
                    check(rows[table.id], **({} if table.across is None else {"lowest": -math.inf}))
            hidden = folder.with_name(f".{folder.name}.part")
            more = measurement_files(edition, estimates)
            edition, sums = _make(hidden, edition, rows, (texts, *further), illustrate, more, book_rows)
            hidden.rename(folder)
            files.sync(folder.parent)
            found = PublishedEdition(edition, folder, sums, new=True)
        refresh_status(public, edition.release.id, edition.period.label)
        refresh_latest(public, edition.release.id)
    return found


def make_again(
    edition: Edition,
    estimates: EditionEstimates,
    public: Path,
    *,
    texts: Texts,
    further: Sequence[Texts] = (),
    illustrate: Illustrate | None,
    checksums: bytes,
) -> tuple[str, ...]:
    """Make the files of a published edition again, and put those in place that are missing or altered.

    All are made aside first; nothing is touched unless they are, byte for byte, the files that were published.

    Args:
        edition, texts, further, illustrate: as they were when it was published.
        checksums: the content of ``SHA256SUMS`` as it was published.

    Returns:
        The files put in place, relative to the edition's folder; those that are right are left alone.

    Raises:
        PublishedError: naming the files that would not be those that were published.
    """
    folder = public / edition.path
    with folder_lock(public):
        hidden = folder.with_name(f".{folder.name}.part")
        try:
            rows, more = tables_of(edition, estimates, public), measurement_files(edition, estimates)
            _, sums = _make(hidden, edition, rows, (texts, *further), illustrate, more)
            if sums != checksums:
                _refuse_others(edition, formats.listed(checksums), formats.listed(sums))
            if not folder.exists():
                hidden.rename(folder)
                files.sync(folder.parent)
                return tuple(sorted([*formats.listed(sums), formats.CHECKSUMS]))
            made = {name: (hidden / name).read_bytes() for name in [*formats.listed(sums), formats.CHECKSUMS]}
            return tuple(
                sorted(n for n, content in made.items() if files.replace_file(folder / n, content, durable=True))
            )
        finally:
            shutil.rmtree(hidden, ignore_errors=True)


def _refuse_others(edition: Edition, published: Mapping[str, str], made: Mapping[str, str]) -> NoReturn:
    differ = sorted(name for name in published.keys() | made.keys() if published.get(name) != made.get(name))
    raise PublishedError(
        f"{edition.path}: these files could not be made again as they were published: {', '.join(differ)}."
    )


def tables_of(edition: Edition, estimates: EditionEstimates, public: Path) -> dict[str, pa.Table]:
    """Each table's rows by its id.

    Args:
        public: where the revision is published whose place this one takes.

    Raises:
        PublishedError: that was never published.
    """
    return {
        table.id: tidy(edition, estimates, table, previous=_previous(public, edition, table))
        for table in edition.tables
    }


def _previous(public: Path, edition: Edition, table: TableFacts) -> pa.Table | None:
    """The same table of the superseded revision, or None if this is the first."""
    if edition.revision.supersedes is None:
        return None
    old = public / edition.id / f"r{edition.revision.supersedes}"
    if not old.is_dir():
        raise PublishedError(f"{edition.path} supersedes r{edition.revision.supersedes}, which was never published.")
    path = old / f"{table.id}.parquet"
    return pq.read_table(path) if path.is_file() else None


def _same(folder: Path, edition: Edition, rows: Mapping[str, pa.Table]) -> PublishedEdition:
    """The edition that is there already, if its tables are those that would be published."""
    there = Edition.load(folder)
    contents = {f"{id}.csv": formats.csv_bytes(table) for id, table in rows.items()}
    sums = (folder / formats.CHECKSUMS).read_bytes() if (folder / formats.CHECKSUMS).is_file() else b""
    tables = {file.path: file.sha256 for table in there.tables for file in table.files if file.path.endswith(".csv")}
    same = there.provenance.plan_hash == edition.provenance.plan_hash and tables == {
        path: files.sha256(content) for path, content in contents.items()
    }
    if not same:
        raise PublishedError(
            f"{edition.path} is published with other content, and a published edition never changes. "
            "Publish the correction as a new revision."
        )
    return PublishedEdition(there, folder, sums, new=False)


def _make(
    hidden: Path,
    edition: Edition,
    rows: dict[str, pa.Table],
    languages: Sequence[Texts],
    illustrate: Illustrate | None,
    more: Mapping[str, bytes],
    book_rows: int | None = None,
) -> tuple[Edition, bytes]:
    """Write every file of an edition into a folder of its own, ``more`` among them; the completed facts, and the content of
    ``SHA256SUMS``."""
    texts = languages[0]
    contents = {**more} | {f"{id}.csv": formats.csv_bytes(table) for id, table in rows.items()}
    contents |= {f"{id}.parquet": formats.parquet_bytes(table) for id, table in rows.items()}
    tables = []
    for table in edition.tables:
        table = table.model_copy(update={"columns": columns_of(edition, table, texts), "rows": len(rows[table.id])})
        kept = tuple(
            _file(f"{table.id}{ending}", texts("metadata.file", table=table.title, format=label), media_type, contents)
            for (ending, label), media_type in zip(
                FORMATS.items(), ("text/csv", "application/vnd.apache.parquet"), strict=True
            )
        )
        tables.append(table.model_copy(update={"files": kept}))
    edition = edition.model_copy(update={"tables": tuple(tables)})
    record = privacy_record.privacy_record(edition, texts)
    privacy_record.FORM.check(record)
    contents[privacy_record.FILE_NAME] = formats.json_bytes(record)
    registered = registry_record.registry_record(edition, texts)
    registry_record.FORM.check(registered)
    contents[registry_record.FILE_NAME] = formats.json_bytes(registered)
    contents[metadata.DATA_PACKAGE] = formats.json_bytes(metadata.data_package(edition, texts))
    said = [_said(edition, other) for other in languages]
    contents |= {
        f"{t.id}.csv-metadata.json": formats.json_bytes(
            metadata.csvw_in_each(t.id, list(zip(said, languages, strict=True)))
        )
        for t in edition.tables
    }
    for one, spoken in zip(said, languages, strict=True):
        ending = "" if spoken is texts else f"-{spoken.language}"
        contents[f"readers-kit{ending}.md"] = readers_kit.readers_kit(one, spoken)
        books = workbook.workbooks(one, rows, spoken, most=book_rows)
        contents |= {f"{name}{ending}{workbook.ENDING}": book for name, book in books.items()}
    if len(languages) > 1:
        contents[labels.FILE_NAME] = formats.csv_bytes(labels.labels(said, languages))
    contents[editions.FILE_NAME] = edition.to_json().encode()
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    files.write_synced(hidden, contents)
    pictures = dict(illustrate(edition, hidden)) if illustrate else {}
    pictures[crate.FILE_NAME] = formats.json_bytes(crate.crate(edition, {**contents, **pictures}, texts))
    sums = formats.checksums({**contents, **pictures})
    files.write_synced(hidden, {**pictures, formats.CHECKSUMS: sums})
    _read_back(hidden, edition)
    if edition.release.audience != "public":
        files.make_private(hidden)
    return edition, sums


def _said(edition: Edition, texts: Texts) -> Edition:
    """A completed edition in a language, its columns included."""
    if texts.language == edition.language:
        return edition
    said = said_in(edition, texts)
    tables = tuple(t.model_copy(update={"columns": columns_of(said, t, texts)}) for t in said.tables)
    return said.model_copy(update={"tables": tables})


def _file(path: str, title: str, media_type: str, contents: dict[str, bytes]) -> FileFacts:
    content = contents[path]
    return FileFacts(path=path, title=title, media_type=media_type, bytes=len(content), sha256=files.sha256(content))


def _read_back(folder: Path, edition: Edition) -> None:
    """Read what was written as a reader would, before anyone can see it.

    Raises:
        PublishedError: a file does not hold what the edition says.
    """
    from pyarrow import csv

    if Edition.load(folder) != edition:
        raise PublishedError(f"{edition.path}: {editions.FILE_NAME} does not read back as it was written. Report this.")
    for table in edition.tables:
        names = [c.name for c in table.columns]
        text = csv.read_csv(folder / table.file(".csv").path)
        columns = pq.read_table(folder / table.file(".parquet").path)
        for found in (text, columns):
            if found.column_names != names or len(found) != table.rows:
                raise PublishedError(
                    f"{edition.path}: table '{table.id}' does not read back as it was written. Report this."
                )
