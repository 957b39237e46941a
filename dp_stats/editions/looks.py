"""The texts and the style that an edition's files were made with, as one part that the ledger keeps."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dp_stats import files
from dp_stats.errors import CatalogueError, LedgerError
from dp_stats.settings import Settings

STYLE = "chart.mplstyle"


@dataclass(frozen=True)
class Looks:
    """A language, the content of its ``texts/<language>.yaml``, and the content of the charts' style."""

    language: str
    texts: str
    style: str

    @classmethod
    def of(cls, settings: Settings) -> Looks:
        """As a deployment publishes now.

        Raises:
            CatalogueError: a file is missing or cannot be read.
        """
        paths = (settings.reports / "texts" / f"{settings.language}.yaml", settings.reports / STYLE)
        try:
            texts, style = (path.read_bytes().decode() for path in paths)
        except (OSError, ValueError) as error:
            raise CatalogueError(
                f"{settings.reports}: the texts of '{settings.language}' or {STYLE} cannot be read. Restore the file."
            ) from error
        return cls(settings.language, texts, style)

    @property
    def part(self) -> bytes:
        """As the ledger keeps it."""
        return json.dumps([self.language, self.texts, self.style], ensure_ascii=False).encode()

    @property
    def hash(self) -> str:
        """SHA-256 of ``part``."""
        return files.sha256(self.part)

    @classmethod
    def read(cls, part: bytes) -> Looks:
        """What ``part`` wrote.

        Raises:
            LedgerError: this version cannot read it.
        """
        try:
            language, texts, style = json.loads(part)
            return cls(language, texts, style)
        except (TypeError, ValueError) as error:
            raise LedgerError(
                "The texts that the ledger keeps of an edition cannot be read by this version of dp_stats. Upgrade dp_stats."
            ) from error

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder with these files, laid out as the reports are, for as long as it is needed."""
        with tempfile.TemporaryDirectory(prefix="dp-stats-looks-") as name:
            place = Path(name)
            (place / "texts").mkdir()
            (place / "texts" / f"{self.language}.yaml").write_bytes(self.texts.encode())
            (place / STYLE).write_bytes(self.style.encode())
            yield place
