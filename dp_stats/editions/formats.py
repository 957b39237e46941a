"""Bytes of published files: CSV, Parquet and JSON that are equal whenever their content is, with checksums."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel

from dp_stats.editions.columns import ColumnType, type_of
from dp_stats.files import plain_text, sha256

CHECKSUMS = "SHA256SUMS"
_ARROW: Mapping[ColumnType, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "date": pa.date32(),
}


def arrow_type(row: type[BaseModel], name: str) -> pa.DataType:
    """How a column of a table (``editions.columns``) is held in Parquet."""
    return _ARROW[type_of(row, name)]


def csv_bytes(rows: pa.Table) -> bytes:
    """A table as RFC 4180 CSV in UTF-8, with a header; null is an empty field.

    Fields are quoted only where they hold a comma, a quote or a line break. Numbers are written in the
    fewest digits that read back as the same number. Before a text that a spreadsheet would run as a formula stands
    an apostrophe (``files.plain_text``); codes and names of code lists cannot be such texts.
    """
    return csv_parts(rows, [len(rows)])[0]


def csv_parts(rows: pa.Table, lengths: Sequence[int]) -> list[bytes]:
    """A table as several CSV files (see ``csv_bytes``), one after the other: so many rows in each, of as many as it has."""
    fields = [_fields(column.combine_chunks()) for column in rows.columns]
    lines = pc.binary_join_element_wise(*fields, ",")
    ends = np.cumsum([0, *lengths])
    parts = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), lines)
    head = ",".join(_quote(name) for name in rows.column_names)
    bodies = pc.binary_join(parts, "\r\n").to_pylist()
    return [f"{head}\r\n{body}\r\n".encode() if body else f"{head}\r\n".encode() for body in bodies]


def _fields(column: pa.Array) -> pa.Array:
    """Each value as the text of its field."""
    if pa.types.is_string(column.type):
        encoded = column.dictionary_encode()
        quoted = pa.array([_quote(plain_text(v)) for v in encoded.dictionary.to_pylist()], pa.string())
        text = quoted.take(encoded.indices)
    else:
        text = pc.cast(column, pa.string())
    return pc.fill_null(text, "")


def _quote(value: str) -> str:
    if any(c in value for c in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


def parquet_bytes(rows: pa.Table) -> bytes:
    """A table as Parquet, compressed, without anything that names the machine or the time."""
    buffer = io.BytesIO()
    pq.write_table(rows.replace_schema_metadata(None), buffer, compression="zstd", version="2.6")
    return buffer.getvalue()


def json_bytes(content: Any) -> bytes:
    """A JSON document in UTF-8, fields in the order given."""
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def checksums(contents: dict[str, bytes]) -> bytes:
    """The content of ``SHA256SUMS``, as ``sha256sum -c`` reads it; sorted by path."""
    return "".join(f"{sha256(contents[path])}  {path}\n" for path in sorted(contents)).encode()


def listed(checksums: bytes) -> dict[str, str]:
    """File → SHA-256, as ``SHA256SUMS`` lists them; lines of another form are left out."""
    lines = (line.partition("  ") for line in checksums.decode("utf-8", errors="replace").splitlines())
    return {name: digest for digest, separator, name in lines if separator and len(digest) == 64}
