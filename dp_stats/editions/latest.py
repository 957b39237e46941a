"""``<release>/latest``: a copy of the newest edition that a reader never sees half of."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dp_stats.editions import formats
from dp_stats.editions.edition import Edition, editions
from dp_stats.editions.revisions import is_retracted
from dp_stats.files import locked, make_private

LATEST = "latest"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def folder_lock(public: Path) -> Iterator[None]:
    """Hold the public folder against other publishers on this machine until done.

    Raises:
        BusyError: another publisher does not come to an end.
    """
    with locked(public / ".lock"):
        yield


def newest(public: Path, release: str) -> Path | None:
    """Folder of the newest edition of a release that has not been retracted: latest period, highest revision."""
    found = [
        Edition.load(folder)
        for folder in editions(public, release=release)
        if not is_retracted(public, folder.relative_to(public).as_posix())
    ]
    if not found:
        return None
    last = max(found, key=lambda e: (e.period.end, e.revision.number))
    return public / last.path


def refresh_latest(public: Path, release: str) -> bool:
    """Make ``latest`` a copy of the newest edition; False if it was already.

    The copy is made aside and exchanged with the old one in one step, where the file system can; elsewhere
    there is a moment without ``latest``, but never half of one. Of a restricted release all files are kept to their owner.
    """
    switched = _switch(public, release)
    found = editions(public, release=release)
    if found and Edition.load(found[0]).release.audience != "public":
        make_private(public / release)
    return switched


def _switch(public: Path, release: str) -> bool:
    place = public / release / LATEST
    source = newest(public, release)
    if source is None:
        shutil.rmtree(place, ignore_errors=True)
        return False
    if _sums(place) == _sums(source) != b"":
        return False
    aside = place.with_name(f".{LATEST}.part")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(source, aside)
    if place.exists():
        if not _exchange(aside, place):
            old = place.with_name(f".{LATEST}.old")
            shutil.rmtree(old, ignore_errors=True)
            place.rename(old)
            aside.rename(place)
            aside = old
    else:
        aside.rename(place)
    shutil.rmtree(aside, ignore_errors=True)
    return True


def _sums(folder: Path) -> bytes:
    path = folder / formats.CHECKSUMS
    return path.read_bytes() if path.is_file() else b""


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step (Linux ``renameat2`` with ``RENAME_EXCHANGE``); False where it cannot be done."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    done = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if done == 0:
        return True
    if ctypes.get_errno() in (errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP):
        return False
    raise OSError(ctypes.get_errno(), f"cannot exchange {one.name} and {other.name}")
