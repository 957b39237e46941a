"""Where an engine spills rows while it works: a private folder that is gone when the work ends, even if it was killed.

Whoever works in a folder holds a lock on a file in it; the system lets go of the lock when the process dies. So a
folder whose lock can be had belongs to nobody any more, and the next run that opens a snapshot removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dp_stats.secure.staging import PRIVATE_FILE, secure_folder

PREFIX, LOCK = "spill-", "lock"


@contextmanager
def spill_folder(secure: Path) -> Iterator[Path]:
    """A private folder in the secure store for as long as the block runs; first, what killed runs left is removed."""
    remove_abandoned(secure)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=secure_folder(secure)))
    draft = folder / f"{LOCK}.draft"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        draft.rename(folder / LOCK)  # only now may others try the lock
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def remove_abandoned(secure: Path) -> tuple[Path, ...]:
    """Delete the spill folders that no process works in any more; returns which they were."""
    removed = []
    for folder in sorted(secure.glob(f"{PREFIX}*")):
        try:
            descriptor = os.open(folder / LOCK, os.O_RDONLY)
        except OSError:  # not locked yet, or gone meanwhile
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
    return tuple(removed)
