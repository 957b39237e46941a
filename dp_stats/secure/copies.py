"""Private copies of the register's files: what the engine reads is what was verified.

A file's name can change its meaning between the moment it is verified and the one it is read (a restored backup). So it is
first copied into a folder that nobody else writes to, and the copy is verified and read; it is gone when the work ends.
"""

from __future__ import annotations

import errno
import hmac
import shutil
import weakref
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from dp_stats.secure.secret import keyed_digest
from dp_stats.secure.spill import spill_folder
from dp_stats.secure.staging import PRIVATE_FILE


class Copies:
    """Copies for one run, each made once; ``close`` removes them."""

    def __init__(self, secure: Path) -> None:
        self._secure = secure
        self._stack = ExitStack()
        self._made: dict[Path, Path] = {}
        self._numbers = 0
        weakref.finalize(self, self._stack.close)

    @cached_property
    def folder(self) -> Path:
        """A private folder for copies and drafts."""
        return self._stack.enter_context(spill_folder(self._secure))

    def draft(self) -> Path:
        """A new file in the folder."""
        self._numbers += 1
        path = self.folder / f"{self._numbers}.parquet"
        path.touch(mode=PRIVATE_FILE)
        return path

    def verified(self, path: Path, *, key: bytes, about: str, digest: str) -> Path | None:
        """A copy of a file that has the keyed digest; None if it is lost or altered."""
        if path not in self._made:
            copy = self.draft()
            try:
                self.copy(path, copy)
            except OSError as error:
                copy.unlink()
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                return None
            if not hmac.compare_digest(keyed_digest(copy, key, about=about), digest):
                copy.unlink()
                return None
            self._made[path] = copy
        return self._made[path]

    @staticmethod
    def copy(path: Path, target: Path) -> None:
        """Fill a file with another's bytes."""
        shutil.copyfile(path, target)

    def close(self) -> None:
        """Remove every copy."""
        self._stack.close()
