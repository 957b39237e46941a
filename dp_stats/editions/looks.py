"""The texts and the style that an edition's files were made with, as one part that the ledger keeps."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dp_stats import files
from dp_stats.errors import CatalogueError, LedgerError
from dp_stats.settings import Settings
from dp_stats.texts.words import ORIGIN, Texts

STYLE = "chart.mplstyle"


@dataclass(frozen=True)
class Spoken:
    """What files are made with: a folder laid out as the reports are, and the texts of each language in it."""

    reports: Path
    texts: Texts
    further: tuple[Texts, ...] = ()


@dataclass(frozen=True)
class Looks:
    """The language of an edition's files, the content of its ``texts/<language>.yaml``, and the content of the charts' style.

    Attributes:
        further: other languages in which there are files. more: language → content of its file: of these, and of the language
            that fills in what one of them lacks.
    """

    language: str
    texts: str
    style: str
    further: tuple[str, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Looks:
        """As a deployment publishes now.

        Raises:
            CatalogueError: a file is missing or cannot be read.
        """
        folder, language, further = settings.reports / "texts", settings.language, settings.further_languages
        filling = {ORIGIN} if (folder / f"{ORIGIN}.yaml").is_file() and {language, *further} != {ORIGIN} else set()
        try:
            own, style = (p.read_bytes().decode() for p in (folder / f"{language}.yaml", settings.reports / STYLE))
            more = {
                name: (folder / f"{name}.yaml").read_bytes().decode()
                for name in sorted({*further, *filling} - {language})
            }
        except (OSError, ValueError) as error:
            spoken = "', '".join((language, *further))
            raise CatalogueError(
                f"{settings.reports}: the texts of '{spoken}' or {STYLE} cannot be read. Restore the file."
            ) from error
        return cls(language, own, style, further, more)

    @property
    def part(self) -> bytes:
        """As the ledger keeps it."""
        content: list[Any] = [self.language, self.texts, self.style]
        if self.further or self.more:
            content += [list(self.further), dict(self.more)]
        return json.dumps(content, ensure_ascii=False).encode()

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
            language, texts, style, *rest = json.loads(part)
            further, more = rest or ((), {})
            return cls(language, texts, style, tuple(further), more)
        except (TypeError, ValueError) as error:
            raise LedgerError(
                "The texts that the ledger keeps of an edition cannot be read by this version of dp_stats. Upgrade dp_stats."
            ) from error

    @contextmanager
    def spoken(self) -> Iterator[Spoken]:
        """A folder with these files, laid out as the reports are, and their texts, for as long as they are needed."""
        with tempfile.TemporaryDirectory(prefix="dp-stats-looks-") as name:
            place = Path(name)
            (place / "texts").mkdir()
            for language, content in {**self.more, self.language: self.texts}.items():
                (place / "texts" / f"{language}.yaml").write_bytes(content.encode())
            (place / STYLE).write_bytes(self.style.encode())
            further = tuple(Texts.load(place, language) for language in self.further)
            yield Spoken(place, Texts.load(place, self.language), further)
