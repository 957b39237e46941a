"""Every fact about one edition, said once: what files, metadata, pages and feeds are all made from.

An ``Edition`` is saved as ``edition.json`` in the edition's own folder and never changes afterwards.
What happens to it later (a correction, a retraction) is recorded beside that folder, by ``revisions``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dp_stats.editions.across_facts import Facts, SourceFacts
from dp_stats.editions.facts import (
    BREAK,
    EARLY,
    LICENCES,
    MARKS,
    ApprovalFacts,
    BudgetFacts,
    CellStatus,
    ClippingFacts,
    ColumnFacts,
    DatasetFacts,
    DimensionFacts,
    FileFacts,
    GuaranteeFacts,
    Instant,
    LevelFacts,
    LinkFacts,
    LogFacts,
    MeasuredFacts,
    PeriodFacts,
    PersonFacts,
    ReleaseFacts,
    StatisticFacts,
    TableFacts,
    utc,
)
from dp_stats.editions.origin import ProvenanceFacts, RevisionFacts, RevisionKind, RevisionStatus
from dp_stats.editions.quality_facts import ExpectedFacts, NoteFacts, QualityFacts, TruncationFacts
from dp_stats.editions.stewardship_facts import DrawFacts
from dp_stats.errors import PublishedError

__all__ = [
    "BREAK",
    "EARLY",
    "FILE_NAME",
    "LICENCES",
    "MARKS",
    "ApprovalFacts",
    "BudgetFacts",
    "CellStatus",
    "ClippingFacts",
    "ColumnFacts",
    "DatasetFacts",
    "DimensionFacts",
    "Edition",
    "ExpectedFacts",
    "Facts",
    "FileFacts",
    "GuaranteeFacts",
    "Instant",
    "LevelFacts",
    "LinkFacts",
    "LogFacts",
    "MeasuredFacts",
    "NoteFacts",
    "PeriodFacts",
    "PersonFacts",
    "ProvenanceFacts",
    "QualityFacts",
    "ReleaseFacts",
    "RevisionFacts",
    "RevisionKind",
    "RevisionStatus",
    "SourceFacts",
    "StatisticFacts",
    "TableFacts",
    "TruncationFacts",
    "editions",
    "utc",
]

FILE_NAME = "edition.json"


class Edition(Facts):
    """Every fact about one edition.

    Before publication ``tables`` have no columns, rows or files; ``publish_edition`` fills them in.
    """

    schema_version: Literal[1] = Field(1, description="Version of this file's form.")
    language: str = Field(
        "en",
        description="Language of its sentences; absent where it is English.",
        exclude_if=lambda language: language == "en",
    )
    words: dict[str, dict[str, str]] = Field(
        {},
        description="Its sentences and names in further languages: language → JSON Pointer (RFC 6901) of a text of this document "
        "→ the same in that language; absent where there is none.",
        exclude_if=lambda words: not words,
    )
    release: ReleaseFacts = Field(description="The release that the edition belongs to.")
    dataset: DatasetFacts = Field(description="The records that it was made from.")
    period: PeriodFacts = Field(description="What it covers.")
    revision: RevisionFacts = Field(RevisionFacts(), description="Which revision this is, and why.")
    published: Instant = Field(description="When it was published.")
    guarantee: GuaranteeFacts = Field(description="The privacy guarantee.")
    budget: tuple[BudgetFacts, ...] = Field((), description="What had been spent in each block at publication.")
    quality: QualityFacts = Field(QualityFacts(), description="What truncation and planning say about accuracy.")
    dimensions: tuple[DimensionFacts, ...] = Field(description="What figures are broken down by, with every code.")
    statistics: tuple[StatisticFacts, ...] = Field(description="What the figures are.")
    tables: tuple[TableFacts, ...] = Field(description="The published tables and their files.")
    sources: tuple[SourceFacts, ...] = Field(
        (),
        description="Earlier editions that tables across editions are made from; absent where there are none.",
        exclude_if=lambda sources: not sources,
    )
    charges: tuple[str, ...] = Field((), description="Numbers of the ledger's entries that paid for it.")
    draws: tuple[DrawFacts, ...] = Field(
        (),
        description="What other datasets paid, whose records it uses; absent where none.",
        exclude_if=lambda draws: not draws,
    )
    log: LogFacts | None = Field(None, description="Head of the public log; null where it is not for the public.")
    approvals: tuple[ApprovalFacts, ...] = Field(
        (), description="Who decided what, when and why; empty where no approval was asked."
    )
    approval_asked: bool | None = Field(
        None,
        description="Whether the plan needed somebody's approval by the dataset's declaration; absent where that is not known.",
        exclude_if=lambda asked: asked is None,
    )
    provenance: ProvenanceFacts = Field(description="Hashes and versions from which it can be made again.")

    @property
    def id(self) -> str:
        """``release/period``."""
        return f"{self.release.id}/{self.period.label}"

    @property
    def path(self) -> str:
        """Folder of this revision, relative to the public folder."""
        return f"{self.id}/r{self.revision.number}"

    @property
    def title(self) -> str:
        return f"{self.release.title}, {self.period.text}"

    @property
    def marks(self) -> tuple[CellStatus, ...]:
        """The marks that its values may bear."""
        broken = any(level.breaks for d in self.dimensions for level in d.levels)
        early = any(table.across is not None and table.across.open_from is not None for table in self.tables)
        return (*MARKS, *([BREAK] if broken else []), *([EARLY] if early else []))

    @property
    def headline(self) -> TableFacts:
        """The table that the headline chart is drawn from."""
        return self.table(self.release.headline)

    @property
    def geography(self) -> DimensionFacts | None:
        """The dimension of areas, if there is one."""
        return next((d for d in self.dimensions if d.role == "geography"), None)

    @property
    def date(self) -> DimensionFacts | None:
        """The dimension of dates, if there is one."""
        return next((d for d in self.dimensions if d.role == "date"), None)

    @property
    def strata(self) -> tuple[DimensionFacts, ...]:
        """Every dimension that is neither areas nor dates."""
        return tuple(d for d in self.dimensions if d.role == "stratum")

    def table(self, id: str) -> TableFacts:
        """The table called ``id``."""
        for table in self.tables:
            if table.id == id:
                return table
        raise KeyError(f"edition '{self.id}' has no table '{id}'")

    def statistic(self, id: str) -> StatisticFacts:
        """The statistic called ``id``."""
        for statistic in self.statistics:
            if statistic.id == id:
                return statistic
        raise KeyError(f"edition '{self.id}' has no statistic '{id}'")

    def dimension(self, name: str) -> DimensionFacts:
        """The dimension called ``name``."""
        for dimension in self.dimensions:
            if dimension.name == name:
                return dimension
        raise KeyError(f"edition '{self.id}' has no dimension '{name}'")

    def to_json(self) -> str:
        """The content of ``edition.json``: equal editions give equal bytes."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def load(cls, folder: Path) -> Edition:
        """Read an edition's folder.

        Raises:
            PublishedError: ``edition.json`` is missing or not what this version writes.
        """
        path = folder / FILE_NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise PublishedError(f"{path} is missing; this is not a published edition.") from error
        except ValueError as error:
            raise PublishedError(f"{path} cannot be read as an edition; restore it from a copy of the site.") from error


def editions(public: Path, *, release: str = "*", period: str = "*") -> list[Path]:
    """Folders of the published revisions below the public folder, ordered by release, period and revision."""
    found = [f.parent for f in public.glob(f"{release}/{period}/r*/{FILE_NAME}") if f.parent.name[1:].isdigit()]
    return sorted(found, key=lambda p: (p.parent.parent.name, p.parent.name, int(p.name[1:])))
