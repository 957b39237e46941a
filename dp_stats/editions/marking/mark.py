"""What a file that is handed out says of itself: for whom, under what, when, and which file of which edition it is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

NAMES = ("provided_to", "provided_under", "provided_at", "download")
"""Fields that stand in columns of their own in a table."""


@dataclass(frozen=True)
class Mark:
    """The mark of one download.

    Attributes:
        provided_to, provided_under: the organisation, and the contract and the version of the terms it has accepted.
        provided_at: the moment, in UTC. download: the number by which the ledger knows it.
        edition, file, sealed: the file of an edition (``release/period/rN``) that it is, and its SHA-256 without the mark.
    """

    provided_to: str
    provided_under: str
    provided_at: str
    download: str
    edition: str
    file: str
    sealed: str

    @property
    def json(self) -> str:
        """The mark on one line."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(", ", ": "))

    @property
    def line(self) -> str:
        """The mark as people read it: each field by its name, which is the same in every language."""
        return "; ".join(f"{name}: {value}" for name, value in asdict(self).items())

    @classmethod
    def read(cls, text: str) -> Mark:
        """The mark that was written as ``json``.

        Raises:
            ValueError: it is none.
        """
        content = json.loads(text)
        if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
            raise ValueError("no mark")
        try:
            return cls(**content)
        except TypeError as error:
            raise ValueError("no mark") from error
