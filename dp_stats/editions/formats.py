"""Bytes of published files: CSV, Parquet and JSON that are equal whenever their content is, with checksums."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

CHECKSUMS = "SHA256SUMS"


def csv_bytes(rows: pa.Table) -> bytes:
    """A table as RFC 4180 CSV in UTF-8, with a header; null is an empty field.

    Fields are quoted only where they hold a comma, a quote or a line break. Numbers are written in the
    fewest digits that read back as the same number.
    """
    fields = [_fields(column.combine_chunks()) for column in rows.columns]
    lines = pc.binary_join_element_wise(*fields, ",")
    whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
    body = pc.binary_join(whole, "\r\n")[0].as_py() if len(lines) else ""
    head = ",".join(_quote(name) for name in rows.column_names)
    return f"{head}\r\n{body}\r\n".encode() if body else f"{head}\r\n".encode()


def _fields(column: pa.Array) -> pa.Array:
    """Each value as the text of its field."""
    if pa.types.is_string(column.type):
        encoded = column.dictionary_encode()
        quoted = pa.array([_quote(v) for v in encoded.dictionary.to_pylist()], pa.string())
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


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(contents: dict[str, bytes]) -> bytes:
    """The content of ``SHA256SUMS``, as ``sha256sum -c`` reads it; sorted by path."""
    return "".join(f"{sha256(contents[path])}  {path}\n" for path in sorted(contents)).encode()


def write_synced(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files into a folder and wait until they and their names are on the disk."""
    paths = [folder / name for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_bytes(content)
    for path in [*paths, folder]:  # after all writes, so that the disk can take them in one go
        sync(path)


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, content: bytes, *, durable: bool = False) -> bool:
    """Put a file in place at once, so that a reader sees the old or the new one; False if it was equal already.

    Args:
        durable: wait until it is on the disk; not needed for what can be made again.
    """
    if path.is_file() and path.read_bytes() == content:
        return False
    partial = path.with_name(f".{path.name}.part")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(content)
    if durable:
        sync(partial)
    partial.replace(path)
    return True
