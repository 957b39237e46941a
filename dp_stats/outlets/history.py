"""Each table of a release in one file that grows: every period in the revision to use, as CSV and Parquet.

``<release>/history/<table>.csv`` and ``.parquet``, with ``index.json`` that names the editions which are in them and
``datapackage.json`` that describes the columns. Rows are those of the editions' own files, so values, codes and marks are the
same to the letter; ``edition`` and ``revision`` say where each is from.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from dp_stats import files
from dp_stats.editions import formats, metadata
from dp_stats.editions.edition import Edition, FileFacts, TableFacts, utc
from dp_stats.editions.isolated import of_each
from dp_stats.outlets.forms import HistoryEdition, HistoryFile, HistoryIndex, HistoryTable
from dp_stats.texts.words import Texts

FOLDER = "history"
INDEX = "index.json"
PACKAGE = metadata.DATA_PACKAGE


def write_history(
    public: Path,
    releases: Mapping[str, Sequence[Edition]],
    *,
    base_url: str,
    texts: Texts,
    isolate: bool = True,
    put: files.Put = files.replace_file,
) -> tuple[int, dict[str, str]]:
    """Bring the files of every release up to date; what holds the same editions already is left alone.

    Args:
        releases: for each release, its current editions (the revision to use of each period) in order of time; of one
            without any, what was written before is removed.
        isolate: a release that fails is left as it was; False: its error is raised.

    Returns:
        How many files were written; and of releases that failed the id and why.
    """

    def write(id: str, editions: Sequence[Edition]) -> int:
        if editions:
            return _release(public, id, editions, base_url, texts, put)
        shutil.rmtree(public / id / FOLDER, ignore_errors=True)
        return 0

    return of_each(releases, write, isolate=isolate)


def _release(public: Path, id: str, editions: Sequence[Edition], base_url: str, texts: Texts, put: files.Put) -> int:
    folder = public / id / FOLDER
    newest = editions[-1]
    known = _known(folder)
    written = 0
    tables = []
    for table in newest.tables:
        made = known.get(table.id)
        sources = _sources(editions, table)
        if made is None or made.made_of != _digest(sources) or not _there(folder, made):
            made, count = _table(public, folder, table, sources, made, put)
            written += count
        tables.append(made.model_copy(update={"title": table.title, "statistics": table.statistics}))
    index = HistoryIndex(
        release=id,
        title=newest.release.title,
        licence=newest.release.licence,
        updated=utc(max(e.published for e in editions)),
        address=f"{base_url}/{id}/{FOLDER}/",
        tables=tuple(tables),
        editions=tuple(
            HistoryEdition(
                path=e.path, title=e.period.text, start=e.period.start.isoformat(), end=e.period.end.isoformat()
            )
            for e in editions
        ),
    )
    written += int(put(folder / PACKAGE, formats.json_bytes(_described(newest, tables, texts))))
    written += int(put(folder / INDEX, formats.json_bytes(index.model_dump(mode="json"))))
    files.keep_only(folder, {INDEX, PACKAGE, *(f.path for t in tables for f in t.files)})
    return written


def read_index(folder: Path) -> dict[str, Any]:
    """``index.json`` of a folder of such files; nothing where there is none."""
    try:
        found: dict[str, Any] = json.loads((folder / INDEX).read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _known(folder: Path) -> dict[str, HistoryTable]:
    """The tables of a folder as its index tells; none where there is none, or one of another form."""
    try:
        return {table.id: table for table in HistoryIndex.model_validate(read_index(folder)).tables}
    except ValidationError:
        return {}


def _there(folder: Path, made: HistoryTable) -> bool:
    return all((folder / f.path).is_file() and (folder / f.path).stat().st_size == f.bytes for f in made.files)


def _sources(editions: Sequence[Edition], table: TableFacts) -> list[tuple[str, str]]:
    """Which editions a table is made of, each with the checksum of its file."""
    having = [e for e in editions if any(t.id == table.id for t in e.tables)]
    if table.across is not None:
        having = having[-1:]  # whose rows reach back by themselves
    return [(e.path, e.table(table.id).file(".csv").sha256) for e in having]


def _digest(sources: Sequence[tuple[str, str]]) -> str:
    return files.sha256("".join(f"{sha256}  {path}\n" for path, sha256 in sources).encode())


def _table(
    public: Path,
    folder: Path,
    table: TableFacts,
    sources: Sequence[tuple[str, str]],
    before: HistoryTable | None,
    put: files.Put,
) -> tuple[HistoryTable, int]:
    """Write the two files of a table; what is said of them, and how many were written.

    Where the files hold the first of these editions already, the others are put below.
    """
    csv, parquet = folder / f"{table.id}.csv", folder / f"{table.id}.parquet"
    kept = before.editions if before is not None and _there(folder, before) else 0
    if before is None or before.made_of != _digest(sources[:kept]):
        kept = 0
    added = [public / path for path, _ in sources[kept:]]
    texts = [csv.read_bytes()] if kept else []
    tables = [_read(parquet)] if kept else []
    texts += [(path / csv.name).read_bytes() for path in added]
    tables += [_read(path / parquet.name) for path in added]
    stacked = _stacked(tables)
    heads = {text.partition(b"\r\n")[0] for text in texts}
    same = len(heads) == 1 and len({t.schema for t in tables}) == 1
    whole = _joined(texts) if same else formats.csv_bytes(_plain(stacked))
    contents = {csv.name: whole, parquet.name: _parquet(stacked)}
    written = sum(put(folder / name, content) for name, content in contents.items())
    made = HistoryTable(
        id=table.id,
        rows=len(stacked),
        columns=tuple(stacked.column_names),
        editions=len(sources),
        made_of=_digest(sources),
        files=tuple(HistoryFile(path=n, bytes=len(c), sha256=files.sha256(c)) for n, c in contents.items()),
        title=table.title,
        statistics=table.statistics,
    )
    return made, written


def _read(path: Path) -> pa.Table:
    """A table, with texts as codes of a dictionary: of the many rows there are few different ones."""
    schema = pq.read_schema(path)
    return pq.read_table(path, read_dictionary=[f.name for f in schema if pa.types.is_string(f.type)])


def _plain(table: pa.Table) -> pa.Table:
    kinds = [pa.string() if pa.types.is_dictionary(f.type) else f.type for f in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def _joined(texts: Sequence[bytes]) -> bytes:
    """CSV files of one header one below the other."""
    return b"".join([texts[0], *(text.partition(b"\r\n")[2] for text in texts[1:])])


def _stacked(parts: Sequence[pa.Table]) -> pa.Table:
    """Tables one below the other, with the columns of the last; what an earlier one lacks is empty there.

    Numbers are whole where they are whole in all.
    """
    last = parts[-1].schema
    for part in parts[:-1]:
        for at, column in enumerate(last):
            if column.type == pa.int64() and column.name in part.column_names:
                kind = part.schema.field(column.name).type
                last = last.set(at, pa.field(column.name, kind)) if kind == pa.float64() else last
    fitted = [part if part.schema.equals(last) else _fitted(part, last) for part in parts]
    return pa.concat_tables(fitted).combine_chunks()


def _fitted(part: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        part[f.name].cast(f.type) if f.name in part.column_names else pa.nulls(len(part), f.type) for f in schema
    ]
    return pa.table(columns, schema=schema)


def _parquet(table: pa.Table) -> bytes:
    """As of an edition (``formats.parquet_bytes``), but quick to write again: texts go in as the codes that they are."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", version="2.6", store_schema=False)
    return buffer.getvalue()


def _described(newest: Edition, tables: Sequence[HistoryTable], texts: Texts) -> dict[str, Any]:
    """The Data Package of a release's history: the newest edition's columns, for all editions."""
    facts = []
    for table, made in zip(newest.tables, tables, strict=True):
        columns = tuple(
            c.model_copy(update={"required": False, "key": c.key or c.name == "edition"}) for c in table.columns
        )
        csv = next(f for f in made.files if f.path.endswith(".csv"))
        file = FileFacts(title=table.title, media_type="text/csv", **csv.model_dump())
        facts.append(table.model_copy(update={"columns": columns, "files": (file,), "rows": made.rows}))
    package = metadata.data_package(newest.model_copy(update={"tables": tuple(facts)}), texts)
    return {**package, "name": newest.release.id, "title": newest.release.title}
