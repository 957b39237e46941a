"""Whether two sources are the same records, however each is written: by what a declaration says, never by what a file holds."""

from __future__ import annotations

import os
import posixpath
from fnmatch import fnmatchcase
from pathlib import Path

from dp_stats.catalogue.sources import Source

_DEFAULT_SCHEMAS = ("main.", "public.")


def same_records(one: Source, other: Source, folder: Path) -> bool:
    """Whether two sources read the same table, or files of which one is among the others.

    Paths are compared as the places they lead to: relative or absolute, through links, with variables filled in. A copy of a
    file under another name is another source, and so is a view of a table.

    Args:
        folder: of the catalogue, from which relative paths start.
    """
    if one == other:
        return True
    if (one.path is None) != (other.path is None):
        return False
    if one.path is None or other.path is None:
        return (_server(one), _table(one)) == (_server(other), _table(other))
    if "duckdb" in (one.kind, other.kind) and (one.kind, _table(one)) != (other.kind, _table(other)):
        return False
    return _overlap(_place(one.path, folder), _place(other.path, folder))


def _place(written: str, folder: Path) -> str:
    """The place a path leads to; addresses and patterns as far as their spelling tells."""
    filled = os.path.expandvars(written)
    scheme, separator, rest = filled.partition("://")
    if separator:
        return f"{scheme.casefold()}://{posixpath.normpath(rest).lstrip('/')}"
    return os.path.realpath(folder / Path(filled).expanduser())


def _overlap(one: str, other: str) -> bool:
    """Whether one is the other, a pattern that it fits, or a folder that it lies in."""
    if one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/"):
        return True
    return fnmatchcase(one, other) or fnmatchcase(other, one)


def _server(source: Source) -> str:
    """The database; two variables that hold one address are one."""
    if source.connection is not None:
        return f"connection {source.connection}"
    return os.environ.get(source.url_env or "", f"variable {source.url_env}")


def _table(source: Source) -> str:
    """A table's name without quotes, as databases fold it, and without the schema that is there anyway."""
    name = (source.table or "").replace('"', "").casefold()
    return next((name.removeprefix(schema) for schema in _DEFAULT_SCHEMAS if name.startswith(schema)), name)
