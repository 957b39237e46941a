"""The files that a declared path stands for: one, a folder of them, a pattern, or copies from object storage.

A delivery is often a file a day. All files of a source must have its declared columns; their rows are read together.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import fsspec

from dp_stats.catalogue.models import Source
from dp_stats.errors import SourceError
from dp_stats.secure.staging import PRIVATE_FILE, secure_folder
from dp_stats.settings import Settings

ENDINGS = {
    "csv": (".csv", ".csv.gz", ".csv.zip", ".txt", ".txt.gz", ".tsv", ".tsv.gz", ".zip"),
    "parquet": (".parquet", ".pq"),
    "spreadsheet": (".xlsx", ".xls", ".ods"),
    "duckdb": (".duckdb", ".db"),
}
"""What files of a folder are called that a source of each kind is made of; others there are left alone."""

PATTERN = frozenset("*?[")

LAKE_LOGS = ("_delta_log", "metadata", ".hoodie")
"""Folders in which a table of Delta, Iceberg or Hudi keeps which of its files count."""


def source_files(source: Source, settings: Settings, *, scratch: Path) -> tuple[Path, ...]:
    """The files of a source, in the order of their names; those from elsewhere are copied into the private ``scratch``.

    Raises:
        SourceError: there is none, one may not be read, or the place cannot be reached.
    """
    written = source.path or ""
    if is_elsewhere(source, settings):
        found: Sequence[Path] = _fetched(filled(written, settings), source, scratch)
    else:
        path = written_path(written, settings)
        found = _below(path, source) if path.is_dir() else _matching(path)
        if source.kind == "parquet" and path not in found:
            root = path if path.is_dir() else _fixed(path)
            folders = {root, *(folder for one in found for folder in one.parents if folder.is_relative_to(root))}
            if any((folder / log).is_dir() for folder in folders for log in LAKE_LOGS):
                raise lake_table(f"The folder of source.path '{written}'")
        if not found:
            what = f"{source.kind} file in the folder {path}" if path.is_dir() else f"file {path}"
            raise SourceError(f"There is no {what}. Put the {source.kind} file there, or change source.path.")
    if len(found) > 1 and source.kind in ("duckdb", "spreadsheet"):
        raise SourceError(f"source.path '{written}' stands for {len(found)} files; a {source.kind} source is one file.")
    for path, place in zip(found, places(source, settings, found), strict=True):
        if not os.access(path, os.R_OK):
            raise SourceError(f"{place} may not be read by this user. Give it the right to.")
    return tuple(found)


def places(source: Source, settings: Settings, paths: Sequence[Path]) -> tuple[str, ...]:
    """What errors call each file: a declared one by its path; others, whose names may be data, by their number."""
    declared = source.path or ""
    if not is_elsewhere(source, settings) and list(paths) == [written_path(declared, settings)]:
        return (str(paths[0]),)
    return tuple(f"File {n} of {len(paths)} (by name) of source.path '{declared}'" for n in range(1, len(paths) + 1))


def unzipped(path: Path, scratch: Path, *, place: str) -> Path:
    """The one member of a zip archive, copied into the private ``scratch``; any other file as it is.

    Raises:
        SourceError: the archive is damaged, locked by a password, or does not hold exactly one file.
    """
    if not zipfile.is_zipfile(path):
        return path
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if any(member.filename in ("[Content_Types].xml", "mimetype") for member in members):
                raise SourceError(f"{place} is a workbook. Write 'kind: spreadsheet', or save it as CSV.")
            if len(members) != 1:
                raise SourceError(
                    f"{place} holds {len(members)} files, where one is expected. Unpack it, and name the folder."
                )
            target = secure_folder(scratch) / "member"
            target.touch(mode=PRIVATE_FILE)
            with archive.open(members[0]) as member, target.open("wb") as out:
                shutil.copyfileobj(member, out)
            return target
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, NotImplementedError) as error:
        failure = type(error).__name__
    raise SourceError(
        f"{place} cannot be unpacked ({failure}): it is damaged or has a password. Unpack it, or copy it again."
    )


def lake_table(place: str) -> SourceError:
    """What is said of a folder in which not every file is a part of the table any more."""
    return SourceError(
        f"{place} is a table of Delta, Iceberg or Hudi, and its folder holds rows that were deleted. Have a job write the rows as "
        "plain Parquet, and name that folder."
    )


def is_elsewhere(source: Source, settings: Settings) -> bool:
    """Whether the files lie in a store such as ``s3://``, which a variable may name, too; not on this machine.

    Raises:
        SourceError: a variable of its path is not set.
    """
    return "://" in filled(source.path or "", settings)


def written_path(written: str, settings: Settings, *, field: str = "source.path") -> Path:
    """A declared path of this machine, from the catalogue's folder on.

    Raises:
        SourceError: a variable is not set.
    """
    return settings.catalogue / Path(filled(written, settings, field=field)).expanduser()


def filled(written: str, settings: Settings, *, field: str = "source.path") -> str:
    """A declared path with its variables filled in.

    Raises:
        SourceError: a variable is not set.
    """
    try:
        text = Template(written).substitute({**os.environ, "DP_STATS_HOME": str(settings.home)})
    except (KeyError, ValueError):
        text = ""
    if not text:
        raise SourceError(
            f"{field} '{written}' names an environment variable that is not set. Set it, or write the path out."
        )
    return text


def _matching(path: Path) -> list[Path]:
    """The file itself, or those that its name is a pattern for."""
    if path.is_file():
        return [path]
    fixed = _fixed(path)
    if not PATTERN & set(str(path.relative_to(fixed))):
        return []
    return sorted(found for found in fixed.glob(str(path.relative_to(fixed))) if found.is_file())


def _fixed(path: Path) -> Path:
    """The folder below which a pattern looks."""
    return next((parent for parent in path.parents if not PATTERN & set(str(parent))), Path("/"))


def _below(folder: Path, source: Source) -> list[Path]:
    """Files of the source's kind in a folder and its partitions; hidden ones are left alone."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.name.casefold().endswith(ENDINGS[source.kind])
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )


def _fetched(url: str, source: Source, scratch: Path) -> list[Path]:
    """Private copies of what an address such as ``s3://bucket/folder`` stands for, below folders of the same names."""
    place = url.split("://", 1)[0] + "://…"
    try:
        system, path = fsspec.core.url_to_fs(url)
        names = _remote_names(system, path, source)
        copies = []
        for name in names:
            target = secure_folder(scratch) / "fetched" / (name.removeprefix(path).strip("/") or Path(name).name)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            target.touch(mode=PRIVATE_FILE)
            system.get_file(name, str(target))
            copies.append(target)
    except ImportError:
        raise SourceError(
            f"source.path begins with {place}, for which a package is missing. Install the fsspec package for it, such as s3fs."
        ) from None
    except SourceError:
        raise
    except Exception as error:  # every store has errors of its own; their messages may name what they hold
        failure = type(error).__name__
    else:
        if copies:
            return copies
        failure = "nothing is there"
    raise SourceError(
        f"The source at {place} cannot be read ({failure}). Check source.path, the network, and the right to read it."
    )


def _remote_names(system: Any, path: str, source: Source) -> list[str]:
    """The names of a source's files in a store.

    Raises:
        SourceError: they are those of a lake's table.
    """
    if system.isfile(path):
        return [path]
    folder = str(_fixed(Path(path))) if PATTERN & set(path) else path
    there = system.find(folder)
    if source.kind == "parquet" and any(set(LAKE_LOGS) & set(name.removeprefix(folder).split("/")) for name in there):
        raise lake_table("The folder that source.path names")
    if PATTERN & set(path):
        return sorted(name for name in system.glob(path) if system.isfile(name))
    return sorted(name for name in there if name.casefold().endswith(ENDINGS[source.kind]))
