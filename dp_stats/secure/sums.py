"""Sums of a series' closed editions: what lets its fiftieth edition read a few files and not fifty.

A sum is derived. It may be deleted at any time and is made again when it is next of use. For each block of a charge there is at
most one file, an entry like any other that adds up what closed editions registered in the block; it names the digests
of the entries that it adds up. An edition is closed when its measurements are stored: its entry is never replaced.

A sum is believed only if its name is the keyed digest of its content and block (so nobody without the key can have
made or changed it), and used only if every entry that it names counts now and is another edition's.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from dp_stats.files import replaced, segment
from dp_stats.secure import entries
from dp_stats.secure.copies import Copies
from dp_stats.secure.secret import keyed_digest
from dp_stats.secure.staging import PRIVATE_FILE, secure_folder

SUMMED_AT = 8
"""How many closed editions of a block that no sum holds make a new one worth its while."""

_NAMED = "sums"


@dataclass(frozen=True)
class Sum:
    """A sum that may be believed: a private copy of it, and the digests of the entries that it adds up."""

    file: Path
    digests: frozenset[str]


@dataclass(frozen=True)
class Sums:
    """The sums of one charge. ``folder``: theirs alone. ``key``: the charge's key for digests."""

    folder: Path
    key: bytes
    copies: Copies

    def find(self, block: str, counting: Set[str]) -> Sum | None:
        """The largest sum of a block whose entries all count now; what was altered is removed."""
        found = []
        for path in sorted((self.folder / segment(block)).glob("*.parquet")):
            copy = self.copies.verified(path, key=self.key, about=_about(block), digest=path.stem)
            if copy is None:
                path.unlink(missing_ok=True)
                continue
            digests = frozenset(entries.notes_of(copy).get(_NAMED, "").split())
            if digests and digests <= counting:
                found.append(Sum(copy, digests))
        return max(found, key=lambda one: len(one.digests), default=None)

    def keep(self, block: str, draft: Path, digests: frozenset[str]) -> Sum:
        """Put a sum in the place of the block's older ones."""
        folder = secure_folder(self.folder / segment(block))
        older = [*folder.glob("*.parquet")]
        name = f"{keyed_digest(draft, self.key, about=_about(block))}.parquet"
        with replaced(folder / name, durable=False, mode=PRIVATE_FILE) as target:
            self.copies.copy(draft, target)
        for path in older:
            path.unlink(missing_ok=True)
        return Sum(draft, digests)


def notes(digests: Set[str]) -> dict[str, str]:
    """What a sum's file says of itself."""
    return {_NAMED: " ".join(sorted(digests))}


def _about(block: str) -> str:
    return f"sum of {block}"
