"""What a reader kept from before, and that the log of today goes on from it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from dp_stats.errors import HistoryError, PublishedError
from dp_stats.transparency.history import History
from dp_stats.transparency.leaves import HEADS, Head, PublishedHead
from dp_stats.transparency.proofs import head_in, read_proof
from dp_stats.transparency.shown import CHECKSUMS, EDITION, read_edition

_HEAD = re.compile(r"([0-9]+):([0-9a-f]{64})")


@dataclass(frozen=True)
class Kept:
    """A head from before; where a whole edition was kept, also its folder's name and the SHA-256 of its ``SHA256SUMS``."""

    head: Head
    edition: str = ""
    sha256: str = ""

    @classmethod
    def read(cls, text: str) -> Kept:
        """What was kept, from ``SIZE:ROOT``, a file (``heads.jsonl``, a proof, ``edition.json``) or an edition's folder.

        Raises:
            PublishedError: it is none of these.
        """
        if found := _HEAD.fullmatch(text.strip()):
            return cls(Head(size=int(found.group(1)), root=found.group(2)))
        path = Path(text)
        try:
            if path.is_dir() and (path / EDITION).is_file():
                return cls._of_edition(path)
            if path.is_dir():
                path = path / HEADS
            content = path.read_bytes()
            if path.suffix == ".jsonl":
                last = PublishedHead.model_validate_json(content.splitlines()[-1])
                return cls(Head(size=last.size, root=last.root))
            if path.name == EDITION:
                return cls(_head_of(content, text))
            return cls(head_in(read_proof(content, text)))
        except (OSError, IndexError, ValidationError, HistoryError):
            raise PublishedError(
                f"'{text}' holds no head. Give SIZE:ROOT, or a {HEADS}, a proof, an {EDITION} or an edition's folder."
            ) from None

    @classmethod
    def _of_edition(cls, folder: Path) -> Kept:
        content = (folder / EDITION).read_bytes()
        sums = (folder / CHECKSUMS).read_bytes()
        return cls(
            _head_of(content, str(folder)), read_edition(content, str(folder)).path, hashlib.sha256(sums).hexdigest()
        )

    def check(self, history: History) -> None:
        """Check that the log of today begins with the one that was kept.

        Raises:
            HistoryError: it does not.
        """
        if self.head.size > len(history.lines) or history.head(self.head.size) != self.head:
            raise HistoryError(
                f"The log does not go on from the head that you kept ({self.head}): its first {self.head.size} lines are others "
                "now. Something was taken out of the history, or you were shown another history before."
            )
        if self.edition and not any(
            leaf.path == self.edition and leaf.sha256 == self.sha256 for leaf in history.editions.values()
        ):
            raise HistoryError(f"{self.edition}, as you kept it, is not in the log: it was taken out or exchanged.")


def _head_of(content: bytes, name: str) -> Head:
    edition = read_edition(content, name)
    if edition.log is None:
        raise HistoryError(f"{name} names no head.")
    return edition.log
