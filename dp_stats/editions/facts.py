"""The parts that an edition's facts are made of: plain, typed, immutable, and nothing computed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

from dp_stats.catalogue.periods import BlockKind, PeriodKind
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.model import Exact, Role

RevisionStatus = Literal["provisional", "final", "superseded", "retracted"]
RevisionKind = Literal["first", "scheduled", "unscheduled", "format"]
CellStatus = Literal["", "u", "low", "p", "r", "x", "z"]

ColumnType = Literal["string", "integer", "number", "date"]

MARKS: tuple[CellStatus, ...] = ("u", "low", "p", "r", "x", "z")
"""The marks of the column ``status``, which may bear several with a space between; none is reliable. See ``mark`` in the texts."""

LICENCES: dict[str, tuple[str, str]] = {
    "OGL-UK-3.0": (
        "Open Government Licence v3.0",
        "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
    ),
    "CC-BY-4.0": ("Creative Commons Attribution 4.0 International", "https://creativecommons.org/licenses/by/4.0/"),
    "CC0-1.0": ("Creative Commons Zero 1.0 Universal", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "OGL-Canada-2.0": ("Open Government Licence – Canada", "https://open.canada.ca/en/open-government-licence-canada"),
}
"""Licence identifier (SPDX where there is one) → title and address."""

COLUMNS = (
    "metric",
    "geography_type",
    "geography_code",
    "geography",
    "date",
    "period",
    "value",
    "lower_95",
    "upper_95",
    "status",
    "value_unrounded",
    "release",
    "edition",
    "revision",
)
"""Columns that published tables have beside those of strata, in order."""

Instant = Annotated[AwareDatetime, PlainSerializer(lambda t: t.isoformat(), return_type=str)]


class Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PersonFacts(Facts):
    name: str
    email: str | None = None


class ReleaseFacts(Facts):
    """The declared release that the edition belongs to."""

    id: str
    title: str
    summary: str
    public_benefit: str = ""
    known_issues: tuple[str, ...] = ()
    theme: str = "Health"
    subtheme: str = ""
    keywords: tuple[str, ...] = ()
    contact: str = ""
    publisher: str = ""
    licence: str = "OGL-UK-3.0"
    audience: Literal["public", "restricted"] = "public"
    requested_by: str | None = None
    purpose: str = ""
    period_kind: PeriodKind
    end: date | None = Field(None, description="Last day that is ever published; open where there is none.")
    schedule: str | None = None
    settle_days: int = 0
    series: bool = True
    headline: str = Field(description="Table that the headline chart is drawn from.")

    @property
    def licence_title(self) -> str:
        return LICENCES.get(self.licence, (self.licence, ""))[0]

    @property
    def licence_url(self) -> str:
        return LICENCES.get(self.licence, ("", ""))[1]


class DatasetFacts(Facts):
    """The sensitive records that the statistics were made from, as the public may know them."""

    id: str
    title: str
    description: str
    custodians: tuple[PersonFacts, ...]
    region: str
    legal_basis: str = ""
    opt_outs_applied: bool = True
    linked: tuple[str, ...] = Field((), description="Datasets of other custodians that were linked in.")


class PeriodFacts(Facts):
    label: str
    text: str
    kind: PeriodKind
    start: date
    end: date


class RevisionFacts(Facts):
    """Which revision this is and why; ``status`` is the status at publication (see ``revisions`` for later)."""

    number: int = Field(1, ge=1)
    kind: RevisionKind = "first"
    status: RevisionStatus = "final"
    reason: str = ""
    supersedes: int | None = None
    remeasured: bool = Field(False, description="Whether noise was drawn again, which costs budget.")


class MeasuredFacts(Facts):
    """One noisy table that was measured; units are integer steps of ``unit``."""

    id: str
    statistic: str
    role: Role
    levels: dict[str, str]
    cells: int
    mechanism: Mechanism
    scale: float
    standard_deviation: float
    l1: int
    l2_squared: int
    rho: Exact
    epsilon: Exact | None
    unit: Exact


class ClippingFacts(Facts):
    statistic: str
    lower: Exact
    upper: Exact
    resolution: Exact


class GuaranteeFacts(Facts):
    """The privacy guarantee as data: what is protected, how strongly, by what, and what is not.

    ``rho`` is the zero-concentrated privacy loss per block, exact; ``epsilon`` is what it means at
    ``delta``; ``pure_epsilon`` is set where all noise is Laplace.
    """

    unit: str
    unit_description: str
    bound_description: str
    per: BlockKind
    blocks: tuple[str, ...]
    neighbouring: str
    rho: Exact
    epsilon: float
    delta: Exact
    pure_epsilon: Exact | None
    mechanism: Mechanism
    contribution_rows: int
    one_per_cell: bool
    truncated_rows_cap: int
    why_nothing_is_truncated: str = ""
    clipping: tuple[ClippingFacts, ...] = ()
    series: bool
    composition: str
    measured: tuple[MeasuredFacts, ...]
    not_protected: tuple[str, ...]
    post_processing: tuple[str, ...]
    protections: dict[str, str]
    justification: str
    libraries: dict[str, str]

    @property
    def pure(self) -> bool:
        return self.pure_epsilon is not None


class BudgetFacts(Facts):
    """What had been spent on the people of one block when the edition was published, as ρ and as ε at δ."""

    block: str
    cap: Exact
    spent: Exact
    remaining: Exact
    epsilon_cap: float | None = None
    epsilon_spent: float | None = None
    delta: Exact | None = None


class TruncationFacts(Facts):
    """Estimated rows (as a share of all rows) that the contribution bound truncated, with a 95 % interval."""

    share: float
    lower: float
    upper: float
    rows: float | None = None


class ExpectedFacts(Facts):
    """The plan's promise of accuracy for one published statistic; margins are half-widths of 95 % intervals."""

    table: str
    statistic: str
    cells: int
    margin_95: float
    worst: float
    prior_mean: float | None = None
    relative: float | None = None


class NoteFacts(Facts):
    """Something to know about an edition's numbers: which kind of thing, about which table, and in words.

    ``table`` and ``statistic`` are ids; a note without them is about the whole edition.
    """

    kind: str
    text: str
    table: str = ""
    statistic: str = ""


class QualityFacts(Facts):
    truncation: TruncationFacts | None = None
    expected: tuple[ExpectedFacts, ...] = ()
    consistent: bool = True
    notes: tuple[NoteFacts, ...] = ()


class LevelFacts(Facts):
    """One level of a dimension: its groups in grid order; ``parents`` are codes of the next coarser level."""

    name: str
    title: str
    codes: tuple[str, ...]
    names: tuple[str, ...]
    parents: tuple[str, ...] = ()
    population: tuple[float | None, ...] | None = Field(None, description="Public population of each group.")


class DimensionFacts(Facts):
    """One axis with its levels, finest first. Coordinates are those of the leaves, in degrees."""

    name: str
    title: str
    kind: Literal["code", "date", "bin"]
    role: Literal["geography", "date", "stratum"]
    levels: tuple[LevelFacts, ...]
    unknown: str | None = None
    edges: tuple[float, ...] = ()
    longitude: tuple[float | None, ...] | None = None
    latitude: tuple[float | None, ...] | None = None

    @property
    def column(self) -> str:
        """Column of a stratum's names in published tables (its codes are in ``<column>_code``)."""
        return f"{self.name}_group" if self.name in COLUMNS else self.name

    def level(self, name: str) -> LevelFacts:
        """The level called ``name``."""
        for level in self.levels:
            if level.name == name:
                return level
        raise KeyError(f"dimension '{self.name}' has no level '{name}'")


class StatisticFacts(Facts):
    """A published metric; ``integer`` says that its values are whole numbers."""

    id: str
    title: str
    unit: str = ""
    kind: str
    derived: bool = False
    description: str = ""
    integer: bool = True


class ColumnFacts(Facts):
    name: str
    type: ColumnType
    title: str
    description: str
    key: bool = False
    required: bool = True


class FileFacts(Facts):
    path: str = Field(description="Relative to the edition's folder.")
    title: str
    media_type: str
    bytes: int
    sha256: str


class TableFacts(Facts):
    """A published table; ``levels`` is complete: dimension → level, in grid order."""

    id: str
    title: str
    levels: dict[str, str]
    statistics: tuple[str, ...]
    columns: tuple[ColumnFacts, ...] = ()
    rows: int = 0
    files: tuple[FileFacts, ...] = ()

    def file(self, ending: str) -> FileFacts:
        """The file whose name ends in ``ending``, e.g. ``.csv``."""
        for file in self.files:
            if file.path.endswith(ending):
                return file
        raise KeyError(f"table '{self.id}' has no {ending} file")


class ApprovalFacts(Facts):
    approver: str
    decision: str
    reason: str = ""
    when: str = ""


class ProvenanceFacts(Facts):
    plan_hash: str
    series_hash: str
    declaration_hash: str = Field("", description="SHA-256 of the dataset's and the release's declarations.")
    commit: str = ""
    versions: dict[str, str] = {}


def utc(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC, to the second, as feeds and catalogues want it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
