"""The parts that an edition's facts are made of: plain, typed, immutable, and nothing computed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, PlainSerializer

from dp_stats.catalogue.periods import BlockKind, PeriodKind
from dp_stats.catalogue.schedule import Schedule
from dp_stats.editions.across_facts import AcrossFacts, Facts
from dp_stats.editions.columns import ColumnType, TableRow, names
from dp_stats.editions.stewardship_facts import AgreementFacts, RecipientFacts, RecordsFacts
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.model import Exact, Role

CellStatus = Literal["", "u", "low", "t", "p", "r", "x", "z", "b", "early"]

MARKS: tuple[CellStatus, ...] = ("u", "low", "t", "p", "r", "x", "z")
"""The marks of the column ``status``, which may bear several with a space between; none is reliable. Texts: ``status``."""

BREAK: CellStatus = "b"
"""The mark of a value that does not compare with the period before, as its area holds other places (SDMX's code of a break)."""

EARLY: CellStatus = "early"
"""The mark of a change whose later amount misses more late records than the one that it is set against."""

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

MOST_PAGES = 2_000
"""Areas of a level that have a page each where nothing is declared; more are shown together."""

COLUMNS = names(TableRow, {"stratum_code": (), "stratum": ()})
"""Columns that published tables have beside those of strata, in order."""

Instant = Annotated[AwareDatetime, PlainSerializer(lambda t: t.isoformat(), return_type=str)]


class PersonFacts(Facts):
    name: str = Field(description="What the person or body is called.")
    email: str | None = Field(None, description="Address for readers.")


class PracticeFacts(Facts):
    """What the producer says of the statistics, as a code of practice asks for it; empty where nothing is declared."""

    status: str = Field("", description="Standing under the law or a code.")
    revisions: str = Field("", description="When and why figures are revised.")
    pre_release_access: str = Field("", description="Who sees figures before they are published.")
    source_quality: str = Field("", description="How good the records are.")
    timeliness: str = Field("", description="How long after the period figures appear.")
    comparability: str = Field("", description="What figures may be compared with.")


class ReleaseFacts(Facts):
    """The declared release that the edition belongs to."""

    id: str = Field(description="Name in files and addresses.")
    formerly: tuple[str, ...] = Field(
        (), description="Names that it had before; absent where none.", exclude_if=lambda formerly: not formerly
    )
    title: str = Field(description="What readers call it.")
    summary: str = Field(description="What is published, in a paragraph.")
    public_benefit: str = Field("", description="What it is good for.")
    known_issues: tuple[str, ...] = Field((), description="What readers must know about the data.")
    practice: PracticeFacts = Field(
        PracticeFacts(),
        description="Status, policies and quality as declared; absent where nothing is.",
        exclude_if=lambda practice: practice == PracticeFacts(),
    )
    theme: str = Field("", description="Theme of the catalogue and the API; empty: none.")
    subtheme: str = Field("", description="Sub-theme.")
    keywords: tuple[str, ...] = Field((), description="Words to find it by.")
    contact: str = Field("", description="Whom to ask.")
    doi: str = Field("", description="DOI of this revision; absent where none.", exclude_if=lambda doi: not doi)
    publisher: str = Field("", description="Who publishes.")
    licence: str = Field("OGL-UK-3.0", description="Licence, by its SPDX identifier where there is one.")
    audience: Literal["public", "restricted"] = Field("public", description="Who may read it.")
    organisations: tuple[RecipientFacts, ...] = Field(
        (), description="Whom a restricted release is made for; absent where none.", exclude_if=lambda names: not names
    )
    requested_by: str | None = Field(None, description="The analyst who asked for it; null for a declared release.")
    purpose: str = Field("", description="What an ad hoc release is for.")
    period_kind: PeriodKind = Field(description="What one edition covers: day, week, month, year or a range.")
    end: date | None = Field(None, description="Last day that is ever published; open where there is none.")
    schedule: str | None = Field(None, description="When editions are made, as a cron line; null where by hand.")
    timezone: str = Field("UTC", description="Time zone whose clocks the cron line is read on.")
    holidays: str | None = Field(
        None, description="Country or part of one on whose public holidays nothing is published; null where on none."
    )
    settle_days: int = Field(0, description="Days after a period's end before it is published.")
    series: bool = Field(True, description="Whether all editions of a block share one charge.")
    headline: str = Field(description="Table that the headline chart is drawn from.")

    @property
    def timetable(self) -> Schedule | None:
        """When its editions are made; None where they are made by hand."""
        if self.schedule is None:
            return None
        return Schedule(cron=self.schedule, timezone=self.timezone, holidays=self.holidays)

    @property
    def licence_title(self) -> str:
        return LICENCES.get(self.licence, (self.licence, ""))[0]

    @property
    def licence_url(self) -> str:
        return LICENCES.get(self.licence, ("", ""))[1]


class LinkFacts(Facts):
    """A link table by which identifiers of one custodian became those of the dataset."""

    table: str = Field(description="The table whose identifiers it links.")
    custodian: str = Field(description="Who provides it.")
    version: str = Field(description="Its version.")
    quality: str = Field(description="What its maker says of its quality.")


class DatasetFacts(Facts):
    """The sensitive records that the statistics were made from, as the public may know them."""

    id: str = Field(description="Name in files and addresses.")
    title: str = Field(description="What readers call it.")
    description: str = Field(description="What the records are.")
    custodians: tuple[PersonFacts, ...] = Field(description="Who is answerable for them.")
    region: str = Field(description="Where the people live.")
    legal_basis: str = Field("", description="Why the custodian may hold and publish this.")
    opt_outs_applied: bool = Field(True, description="Whether a list of people who opted out was honoured.")
    linked: tuple[str, ...] = Field((), description="Datasets of other custodians that were linked in.")
    records: tuple[RecordsFacts, ...] = Field(
        (), description="The tables, where there are several; absent where one.", exclude_if=lambda records: not records
    )
    agreement: AgreementFacts | None = Field(
        None,
        description="The data-sharing agreement; absent where there is none.",
        exclude_if=lambda agreement: agreement is None,
    )
    links: tuple[LinkFacts, ...] = Field(
        (), description="Link tables by which records were put together.", exclude_if=lambda links: not links
    )


class PeriodFacts(Facts):
    label: str = Field(description="ISO 8601 label.")
    text: str = Field(description="The days in words.")
    kind: PeriodKind = Field(description="Day, week, month, year or range.")
    start: date = Field(description="First day.")
    end: date = Field(description="Last day.")


class MeasuredFacts(Facts):
    """One noisy table that was measured; units are integer steps of ``unit``."""

    id: str = Field(description="Name in files and addresses.")
    statistic: str = Field(description="Which statistic.")
    role: Role = Field(
        description="What is measured of it: its values, or rows or persons beyond the contribution bound."
    )
    levels: dict[str, str] = Field(description="Dimension → level at which it was measured.")
    cells: int = Field(description="How many cells.")
    mechanism: Mechanism = Field(description="Noise that was added.")
    scale: float = Field(description="Parameter of the noise, in steps of `unit`.")
    standard_deviation: float = Field(description="Standard deviation of the noise, in units of the statistic.")
    l1: int = Field(description="Most that one person can move it, as a sum of absolute steps.")
    l2_squared: int = Field(description="Most that one person can move it, as a sum of squared steps.")
    rho: Exact = Field(description="Its share of ρ.")
    epsilon: Exact | None = Field(description="Its share of pure ε; null under Gaussian noise.")
    unit: Exact = Field(description="Size of one step.")


class ClippingFacts(Facts):
    statistic: str = Field(description="Which sum.")
    lower: Exact = Field(description="Smaller numbers count as this.")
    upper: Exact = Field(description="Larger numbers count as this.")
    resolution: Exact = Field(description="Step that numbers are rounded to.")


class GuaranteeFacts(Facts):
    """The privacy guarantee as data: what is protected, how strongly, by what, and what is not.

    ``rho`` is the zero-concentrated privacy loss per block, exact; ``epsilon`` is what it means at
    ``delta``; ``pure_epsilon`` is set where all noise is Laplace.
    """

    unit: str = Field(description="What is protected.")
    unit_description: str = Field(description="The same in a sentence.")
    bound_description: str = Field(description="The contribution bound in a sentence.")
    per: BlockKind = Field(description="Block of time.")
    blocks: tuple[str, ...] = Field(description="Blocks that the edition touches.")
    neighbouring: str = Field(description="What may differ between two neighbouring tables.")
    rho: Exact = Field(description="Privacy loss ρ of zero-concentrated differential privacy.")
    epsilon: float = Field(description="ε at δ that follows from ρ.")
    delta: Exact = Field(description="The δ of that ε.")
    pure_epsilon: Exact | None = Field(description="Pure ε; null under Gaussian noise.")
    mechanism: Mechanism = Field(description="Noise that was added.")
    contribution_rows: int = Field(description="Contribution bound: rows of one person that count in a block.")
    one_per_cell: bool = Field(description="Whether also at most one row of a person counts in a cell.")
    truncated_rows_cap: int = Field(description="Most truncated rows of one person that are counted.")
    why_nothing_is_truncated: str = Field(
        "", description="Why no person can have more rows; empty where that is not so."
    )
    clipping: tuple[ClippingFacts, ...] = Field((), description="Bounds of sums.")
    series: bool = Field(description="Whether the block's editions share this loss.")
    composition: str = Field(description="How losses add up over tables and editions.")
    measured: tuple[MeasuredFacts, ...] = Field(description="Every noisy table.")
    not_protected: tuple[str, ...] = Field(description="What the guarantee does not cover.")
    post_processing: tuple[str, ...] = Field(description="What was done to the noisy values.")
    protections: dict[str, str] = Field(description="What stops floating-point, timing and other leaks.")
    justification: str = Field(description="Why these parameters.")
    libraries: dict[str, str] = Field(description="Library → version that drew the noise.")

    @property
    def pure(self) -> bool:
        return self.pure_epsilon is not None


class BudgetFacts(Facts):
    """What had been spent on the people of one block when the edition was published, as ρ and as ε at δ."""

    block: str = Field(description="Block of time.")
    cap: Exact = Field(description="Most ρ that may be spent in it.")
    spent: Exact = Field(description="ρ spent so far.")
    remaining: Exact = Field(description="ρ left.")
    epsilon_cap: float | None = Field(None, description="The cap as ε at δ.")
    epsilon_spent: float | None = Field(None, description="What is spent as ε at δ.")
    delta: Exact | None = Field(None, description="The δ of both.")


class LogFacts(Facts):
    """The head of the public log when the edition was made ready: all lines up to it add up to the spend shown here."""

    size: int = Field(description="How many lines of `log.jsonl` there were.")
    root: str = Field(description="Root of the hash tree (RFC 9162) over these lines.")


class LevelFacts(Facts):
    """One level of a dimension: its groups in grid order; ``parents`` are codes of the next coarser level."""

    name: str = Field(description="What it is called.")
    title: str = Field(description="What readers call it.")
    codes: tuple[str, ...] = Field(description="Its codes, in order.")
    names: tuple[str, ...] = Field(description="Their names, in order.")
    parents: tuple[str, ...] = Field((), description="Code of the coarser level for each code; empty at the top.")
    population: tuple[float | None, ...] | None = Field(None, description="Public population of each group.")
    breaks: tuple[str, ...] = Field(
        (),
        description="Codes that do not compare with the period before, as they hold other places; absent where all do.",
        exclude_if=lambda breaks: not breaks,
    )
    pages: Literal["each", "together"] | None = Field(
        None,
        description="How its areas are shown, as declared: each on a page of its own, or all together on one; absent where their "
        "number decides.",
        exclude_if=lambda pages: pages is None,
    )

    @property
    def together(self) -> bool:
        """Whether one page shows its areas, from shared data files, rather than each having a page and files of its own."""
        return len(self.codes) > MOST_PAGES if self.pages is None else self.pages == "together"


class DimensionFacts(Facts):
    """One axis with its levels, finest first. Coordinates are those of the leaves, in degrees."""

    name: str = Field(description="What it is called.")
    title: str = Field(description="What readers call it.")
    kind: Literal["code", "date", "bin"] = Field(description="Code, date or bin.")
    role: Literal["geography", "date", "stratum"] = Field(description="Geography, time or stratum.")
    levels: tuple[LevelFacts, ...] = Field(description="Its levels, finest first.")
    unknown: str | None = Field(None, description="Code of the cell for unlisted values; null where there is none.")
    edges: tuple[float, ...] = Field((), description="Borders of bins.")
    replaced: dict[str, tuple[str, ...]] = Field(
        {},
        description="Code that is not in force any more → codes in its place; absent where there is none.",
        exclude_if=lambda replaced: not replaced,
    )
    longitude: tuple[float | None, ...] | None = Field(None, description="Longitude of each finest code in degrees.")
    latitude: tuple[float | None, ...] | None = Field(None, description="Latitude of each finest code in degrees.")

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

    id: str = Field(description="Name in files and addresses.")
    title: str = Field(description="What readers call it.")
    unit: str = Field("", description="Unit in words.")
    kind: str = Field(description="Count, persons, sum, or how it is derived.")
    derived: bool = Field(False, description="Whether it is computed from others at no cost.")
    description: str = Field("", description="What it is, in a sentence.")
    integer: bool = Field(True, description="Whether values are whole numbers.")


class ColumnFacts(Facts):
    name: str = Field(description="What it is called.")
    type: ColumnType = Field(description="Data type.")
    title: str = Field(description="What readers call it.")
    description: str = Field(description="What it holds.")
    key: bool = Field(False, description="Whether it is part of the primary key.")
    required: bool = Field(True, description="Whether it is never empty.")


class FileFacts(Facts):
    path: str = Field(description="Relative to the edition's folder.")
    title: str = Field(description="What readers call it.")
    media_type: str = Field(description="Media type.")
    bytes: int = Field(description="Size in bytes.")
    sha256: str = Field(description="SHA-256 of its bytes.")


class TableFacts(Facts):
    """A published table; ``levels`` is complete: dimension → level, in grid order."""

    id: str = Field(description="Name in files and addresses.")
    title: str = Field(description="What readers call it.")
    levels: dict[str, str] = Field(description="Dimension → level; others are summed over.")
    statistics: tuple[str, ...] = Field(description="Statistics that it shows.")
    columns: tuple[ColumnFacts, ...] = Field((), description="Its columns, in order.")
    across: AcrossFacts | None = Field(
        None,
        description="Its rows, if they reach over the borders of editions; absent where not.",
        exclude_if=lambda across: across is None,
    )
    rows: int = Field(0, description="Number of rows.")
    files: tuple[FileFacts, ...] = Field((), description="Its files.")

    def file(self, ending: str) -> FileFacts:
        """The file whose name ends in ``ending``, e.g. ``.csv``."""
        for file in self.files:
            if file.path.endswith(ending):
                return file
        raise KeyError(f"table '{self.id}' has no {ending} file")


class ApprovalFacts(Facts):
    approver: str = Field(description="Who decided.")
    decision: str = Field(description="Approved or refused.")
    reason: str = Field("", description="The reason given.")
    when: str = Field("", description="When.")
    instead_of: str = Field(
        "",
        description="The custodian in whose place a deputy decided; absent where it was the custodian.",
        exclude_if=lambda custodian: not custodian,
    )


def utc(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC, to the second, as feeds and catalogues want it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
