"""Where rows may lie on disk: private folders, one per edition, deleted when the edition is done.

Every folder here has mode 0700 and every file 0600. A folder that others may enter is refused, not mended:
whoever could read it may already have done so.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from datetime import timedelta
from pathlib import Path

from dp_stats.errors import DpStatsError
from dp_stats.files import replaced

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
LISTED = "tables"
"""Folder in an edition's own that lists tables with its rows in other databases (``secure.in_place``)."""


def secure_folder(path: Path) -> Path:
    """Make ``path`` as a folder only its owner may enter, if it is missing, and return it.

    Raises:
        DpStatsError: something there is no folder, belongs to someone else, or others may enter it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        path.chmod(PRIVATE_FOLDER)  # a umask may have taken too much away
    if not path.is_dir() or path.is_symlink():
        raise DpStatsError(f"{path} must be a real folder, because rows are kept in it. Move what stands there away.")
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise DpStatsError(f"{path} belongs to another user. Rows are kept in it: choose a state folder of your own.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise DpStatsError(
            f"Others may enter {path} (mode {stat.S_IMODE(found.st_mode):04o}), where rows are kept. "
            f"Find out who used it, then run: chmod 700 {path}"
        )
    return path


def staging_folder(secure: Path, *, release: str, period: str, revision: int = 1) -> Path:
    """The private folder of one edition's rows, made if missing: ``secure/staging/RELEASE/PERIOD/rN``.

    Raises:
        DpStatsError: a folder on the way is open to others.
    """
    parts = ("staging", release, period, f"r{revision}")
    for part in parts:
        if part in ("", ".", "..") or "/" in part:
            raise DpStatsError(f"'{part}' cannot name a folder of an edition.")
    return secure_below(secure, secure.joinpath(*parts))


def secure_below(secure: Path, folder: Path) -> Path:
    """Make ``folder`` and every folder between it and the secure store private, and return it.

    Raises:
        DpStatsError: it lies outside the secure store, or one of them is open to others.
    """
    if not folder.is_relative_to(secure) or ".." in folder.parts:
        raise DpStatsError(f"{folder} lies outside the secure store {secure}. Rows are kept nowhere else.")
    made = secure_folder(secure)
    for part in folder.relative_to(secure).parts:
        made = secure_folder(made / part)
    return made


def make_private(path: Path) -> None:
    """Give a file mode 0600."""
    path.chmod(PRIVATE_FILE)


def write_private(secure: Path, path: Path, content: bytes) -> None:
    """Write a note into the secure store, whole, for its owner alone, whatever the umask."""
    secure_below(secure, path.parent)
    with replaced(path, mode=PRIVATE_FILE) as draft:
        make_private(draft)
        draft.write_bytes(content)


def remove(folder: Path) -> None:
    """Delete the staged rows of one edition, and the folders above it that are now empty.

    A list of tables that are still in a database stays: without it nobody would know of them.
    """
    if any((folder / LISTED).glob("*.json")):
        for inside in folder.iterdir():
            if inside.name != LISTED:
                shutil.rmtree(inside) if inside.is_dir() else inside.unlink(missing_ok=True)
        return
    shutil.rmtree(folder) if folder.exists() else None
    for parent in folder.parents:
        if parent.name == "staging" or not parent.is_dir() or any(parent.iterdir()):
            break
        parent.rmdir()


def purge_expired(secure: Path, *, after: timedelta) -> tuple[Path, ...]:
    """Delete staged rows that no run has touched for ``after``: what a killed run could not clean up itself.

    Returns:
        The folders that were deleted (editions; no rows).
    """
    limit = time.time() - after.total_seconds()
    removed = []
    for folder in sorted((secure / "staging").glob("*/*/r*")):
        newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
        if newest < limit:
            remove(folder)
            removed += [] if folder.exists() else [folder]
    return tuple(removed)
