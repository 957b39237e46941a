"""CSV as it really comes: gzip, byte-order marks, any encoding and delimiter; broken lines named, never shown."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from dp_stats.catalogue.models import Source
from dp_stats.errors import SourceError
from dp_stats.secure.database import literal, quoted
from dp_stats.secure.source_table import Opening, SourceTable, match_columns
from dp_stats.secure.staging import make_private

CHUNK = 1 << 20
UTF8 = {"utf-8", "utf8", "utf-8-sig", "utf_8", "ascii", "us-ascii"}


CUT_SHORT = "the compressed file is cut short or damaged. Copy it again"


@dataclass(frozen=True)
class _Bytes:
    """What the bytes of a CSV say before it is parsed.

    Attributes:
        even: all line endings are alike, as DuckDB's reader needs: no ``\\r\\n`` beside lone ``\\n`` or ``\\r``.
        may_end_open: the file may end inside quotes, cut off in its last line, which DuckDB's reader of several files
            drops without a word.
    """

    even: bool
    may_end_open: bool


@dataclass(frozen=True)
class CsvFile:
    """A CSV file whose header line has been read.

    Attributes:
        path: what was delivered. place: what errors call it.
        readable: the same as clean UTF-8, where it lies or in the private scratch folder; compressed: by gzip.
        header: its names of columns. chosen: the position of each wanted column.
    """

    path: Path
    place: str
    readable: Path
    compressed: bool
    header: tuple[str, ...]
    chosen: tuple[int, ...]


def look_at_csv(opening: Opening, path: Path, *, place: str) -> CsvFile:
    """Read the header line of a CSV file; ``place`` is what errors call it.

    Clean UTF-8 is read where it lies. Another encoding, or mixed line endings, are first rewritten into the
    private scratch folder.

    Raises:
        SourceError: a column is missing, the file is cut short, or not in the declared encoding.
    """
    source = opening.source
    _check_dialect(source.delimiter, source.encoding, place)
    header = _header(path, source.delimiter, source.encoding, place)
    found = match_columns(opening.wanted, header, place=place)
    readable, compressed = path, _gzipped(path)
    seen = _looked_over(path, place) if source.encoding.casefold() in UTF8 else None
    if seen is None or not seen.even:
        readable, compressed = _rewritten(path, source, opening.scratch, fields=len(header), place=place), False
        seen = _looked_over(readable, place)
    if seen.may_end_open and (fault := find_fault(path, source.delimiter, source.encoding, len(header))):
        raise SourceError(f"{place}, {fault}.")
    return CsvFile(path, place, readable, compressed, tuple(header), tuple(found))


def open_csvs(opening: Opening, files: Sequence[CsvFile], *, place: str) -> SourceTable:
    """The rows of CSV files, one after another; ``place`` is what errors call them all.

    A query that fails raises a SourceError by the table's ``explain``, which names the broken file and line.
    """
    source, first = opening.source, files[0]
    alike: dict[tuple[int, tuple[int, ...], bool], list[CsvFile]] = {}
    for file in files:
        alike.setdefault((len(file.header), file.chosen, file.compressed), []).append(file)

    def broken() -> str | None:
        for file in files:
            if fault := find_fault(file.path, source.delimiter, source.encoding, len(file.header)):
                return fault if len(files) == 1 else f"{file.place}, {fault}"
        return None

    return SourceTable(
        " UNION ALL ".join(_select(group, source.delimiter) for group in alike.values()),
        ("VARCHAR",) * len(first.chosen),
        place,
        tuple(first.header[index] for index in first.chosen),
        broken=broken,
    )


def _select(files: Sequence[CsvFile], delimiter: str) -> str:
    """The wanted columns of files with columns in the same order: one reader, whose memory does not grow with them."""
    first = files[0]
    columns = ", ".join(f"'f{i}': 'VARCHAR'" for i in range(len(first.header)))
    options = (
        f"auto_detect = false, header = true, delim = {literal(delimiter)}, quote = '\"', escape = '\"', "
        f"columns = {{{columns}}}, compression = '{'gzip' if first.compressed else 'none'}'"
    )
    chosen = ", ".join(f"{quoted(f'f{index}')} AS c{i}" for i, index in enumerate(first.chosen))
    listed = ", ".join(literal(str(file.readable)) for file in files)
    return f"SELECT {chosen} FROM read_csv([{listed}], {options})"


def find_fault(path: Path, delimiter: str, encoding: str, fields: int) -> str | None:
    """Say which line of a file is broken and how, without showing it; None if every line reads well.

    Slow, for use after a failure only.
    """
    start = 1
    try:
        with _text(path, encoding, errors="surrogateescape") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            while True:
                start = reader.line_num + 1
                try:
                    record = next(reader)
                except StopIteration:
                    return None
                if record and len(record) != fields:
                    count = f"{len(record)} field{'s' * (len(record) > 1)}"
                    return f"line {start}: {count} where the header has {fields}. Quote any delimiter inside"
                if any("\udc80" <= letter <= "\udcff" for field in record for letter in field):
                    return f"line {start}: {_not(encoding)}"
    except csv.Error:
        return (
            f"line {start}: a quotation mark is not closed, or stands in a quoted field. Double it inside, and close it"
        )
    except UnicodeError:
        return f"line {start} or later: {_not(encoding)}"
    except (OSError, EOFError):
        return CUT_SHORT


def _not(encoding: str) -> str:
    return f"bytes that are not {encoding}. Change source.encoding, or save the file as UTF-8"


def _check_dialect(delimiter: str, encoding: str, place: str) -> None:
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise SourceError(
            f"{place}: source.delimiter must be one character other than a quotation mark, such as ',' ';' or \"\\t\"."
        )
    try:
        "".encode(encoding)
    except LookupError:
        known = False
    else:
        known = True
    if not known:
        raise SourceError(f"{place}: source.encoding '{encoding}' is unknown. Write utf-8, cp1252, latin-1, utf-16, …")


def _gzipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _bytes(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if _gzipped(path) else path.open("rb")


def _text(path: Path, encoding: str, *, errors: str = "strict", newline: str | None = None) -> io.TextIOWrapper:
    """The file as text, its byte-order mark removed and its line endings all ``\\n``."""
    if encoding.casefold() in UTF8:
        encoding = "utf-8-sig"
    if errors == "surrogateescape" and encoding.casefold().startswith(("utf-16", "utf-32")):
        errors = "strict"
    return io.TextIOWrapper(_bytes(path), encoding=encoding, errors=errors, newline=newline)


def _header(path: Path, delimiter: str, encoding: str, place: str) -> list[str]:
    try:
        with _text(path, encoding, errors="replace") as file:  # later lines are checked as they are read
            header = next(csv.reader(file, delimiter=delimiter), [])
    except (OSError, EOFError, UnicodeError, csv.Error):
        header = None
    if header is None:
        raise SourceError(
            f"{place}, line 1 cannot be read as a header in {encoding}. Check source.encoding and the file."
        )
    if not any(name.strip() for name in header):
        raise SourceError(f"{place} is empty, or its first line is. The first line must hold the names of the columns.")
    return header


def _looked_over(path: Path, place: str) -> _Bytes:
    """Read a file's bytes once.

    Raises:
        SourceError: a compressed file is damaged or cut short.
    """
    pairs = feeds = returns = quotes = in_last_line = 0
    last = b""
    try:
        with _bytes(path) as file:
            while chunk := file.read(CHUNK):
                pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
                feeds += chunk.count(b"\n")
                returns += chunk.count(b"\r")
                quotes += chunk.count(b'"')
                line = chunk.rfind(b"\n") + 1
                in_last_line = chunk.count(b'"', line) + (in_last_line if line == 0 else 0)
                last = chunk[-1:]
        even = returns == 0 or (pairs == feeds == returns) or feeds == 0
        return _Bytes(even, may_end_open=quotes % 2 == 1 or in_last_line % 2 == 1)
    except (OSError, EOFError):
        pass
    raise SourceError(f"{place}, {CUT_SHORT}.")


def _rewritten(path: Path, source: Source, scratch: Path, *, fields: int, place: str) -> Path:
    """A private UTF-8 copy with even line endings.

    Raises:
        SourceError: the bytes are not in the declared encoding.
    """
    copy = scratch / "source.csv"
    copy.touch(mode=0o600)
    make_private(copy)
    try:
        with _text(path, source.encoding) as file, copy.open("w", encoding="utf-8", newline="") as out:
            while text := file.read(CHUNK):
                out.write(text)
        return copy
    except (OSError, EOFError, UnicodeError):
        copy.unlink()
    fault = find_fault(path, source.delimiter, source.encoding, fields)
    raise SourceError(f"{place}, {fault or f'not all of it is {source.encoding}. Change source.encoding'}.")
