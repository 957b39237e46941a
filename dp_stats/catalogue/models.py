"""What is declared: datasets, releases and public code lists, as typed models.

These models are also the JSON Schema that editors complete and check YAML files with.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from dp_stats.catalogue.periods import BlockKind, PeriodKind

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*([-_][a-z0-9]+)*$", max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
UNKNOWN = "unknown"


class Model(BaseModel):
    """Strict and immutable: an unknown or misspelt field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Person(Model):
    """Someone answerable: shown on pages, and named in Airflow where they approve."""

    name: Name
    user: str | None = Field(None, description="User name in Airflow, for approvals.")
    email: str | None = None


class PrivacyLoss(Model):
    """A privacy loss: ``epsilon`` alone (pure), ``epsilon`` with ``delta``, or ``rho`` (zero-concentrated)."""

    epsilon: Fraction | None = Field(None, gt=0, description="ε, e.g. 1 or 0.25.")
    delta: Fraction | None = Field(None, gt=0, lt=1, description="δ, e.g. 1e-6; leave out for pure ε.")
    rho: Fraction | None = Field(None, gt=0, description="ρ of zero-concentrated differential privacy.")

    @field_validator("epsilon", "delta", "rho", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        return Fraction(str(value)) if isinstance(value, (int, float, str)) else value

    @model_validator(mode="after")
    def _one_form(self) -> PrivacyLoss:
        if (self.epsilon is None) == (self.rho is None):
            raise ValueError("write either epsilon (with or without delta) or rho")
        if self.rho is not None and self.delta is not None:
            raise ValueError("rho has no delta here; the budget's delta is used to show ε")
        return self

    @property
    def pure(self) -> bool:
        """Whether this is pure ε, which only Laplace noise can keep."""
        return self.epsilon is not None and self.delta is None


class Budget(PrivacyLoss):
    """The cap on what all releases together may spend of one person's privacy in one block.

    ``epsilon`` needs ``delta`` here, because the ledger counts ρ and converts.
    """

    scheduled: Fraction | None = Field(
        None, gt=0, le=1, description="Share of the cap that scheduled releases may use."
    )
    adhoc: Fraction | None = Field(None, gt=0, le=1, description="Share of the cap that ad hoc releases may use.")
    per_analyst: Fraction | None = Field(None, gt=0, le=1, description="Share of the cap that one analyst may use.")
    no_approval_below: Fraction = Field(
        Fraction(0), ge=0, description="ρ of an ad hoc release below which no approval is needed (0: always needed)."
    )
    forecast_days: int = Field(
        90, ge=0, description="Alert when the budget is forecast to run out within this many days."
    )

    @field_validator("scheduled", "adhoc", "per_analyst", "no_approval_below", mode="before")
    @classmethod
    def _share(cls, value: object) -> object:
        return Fraction(str(value)) if isinstance(value, (int, float, str)) else value

    @model_validator(mode="after")
    def _delta(self) -> Budget:
        if self.pure:
            raise ValueError("a budget in epsilon needs a delta (for example 1e-6): the ledger counts ρ and converts")
        return self


class Source(Model):
    """Where the rows come from. Paths may be relative to the catalogue folder or hold ``${DP_STATS_HOME}``."""

    kind: Literal["csv", "parquet", "duckdb", "postgres"]
    path: str | None = Field(None, description="File (csv, parquet, duckdb); csv may be gzipped.")
    table: str | None = Field(None, description="Table, with schema if needed (duckdb, postgres).")
    connection: str | None = Field(None, description="Airflow connection id (postgres).")
    url_env: str | None = Field(None, description="Environment variable that holds the database URL (postgres).")
    delimiter: str = ","
    encoding: str = "utf-8"

    @model_validator(mode="after")
    def _complete(self) -> Source:
        if self.kind in ("csv", "parquet", "duckdb") and not self.path:
            raise ValueError(f"a {self.kind} source needs 'path'")
        if self.kind in ("duckdb", "postgres") and not self.table:
            raise ValueError(f"a {self.kind} source needs 'table'")
        if self.kind == "postgres" and bool(self.connection) == bool(self.url_env):
            raise ValueError("a postgres source needs either 'connection' (Airflow) or 'url_env'")
        return self


class OptOuts(Model):
    """People whose rows must never be used. A missing or unreadable list stops every run."""

    source: Source
    column: str = Field(description="Column of the list that holds the person's identifier.")


class Column(Model):
    """One canonical column: what it is called here, where it comes from, and how it is read.

    Types: ``person`` (the privacy unit's identifier), ``date``, ``code`` (of a public code list),
    ``band`` (a number put into the bands of a code list with ``lower`` and ``upper``), ``number``
    (a decimal that sums and histograms are made of).
    """

    source: str = Field(alias="from", description="Column in the source; matched without regard to case or spaces.")
    type: Literal["person", "date", "code", "band", "number"]
    formats: tuple[str, ...] = Field((), description="Date formats tried in order, as in strptime, e.g. '%d-%m-%Y'.")
    codes: Slug | None = Field(None, description="Code list (codes/NAME.csv) of a code or band.")
    values: dict[str, str] = Field(
        {}, description="Source value → code, matched without regard to case or outer spaces."
    )
    unknown: bool = Field(
        False, description="Map values outside the list to the declared cell 'unknown' instead of dropping the row."
    )

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _fits(self) -> Column:
        if self.type in ("code", "band") and not self.codes:
            raise ValueError(f"a {self.type} column needs 'codes', the name of a file in codes/")
        if self.type not in ("code", "band") and (self.codes or self.unknown):
            raise ValueError("only code and band columns have 'codes' or 'unknown'")
        return self


class PrivacyUnit(Model):
    """What the guarantee protects: everything a person has in one block of time."""

    column: str = Field(description="Canonical column that identifies the person.")
    per: BlockKind = "lifetime"
    name: Name = "person"


class Dataset(Model):
    """Sensitive rows of one or more custodians, with the privacy unit and the budget that protects it."""

    id: Slug
    title: Name
    description: str
    custodians: tuple[Person, ...] = Field(min_length=1)
    region: str = Field("United Kingdom", description="Where the people live.")
    legal_basis: str = Field(
        "", description="Why the custodian may hold and publish this; shown in the register of data uses."
    )
    source: Source
    columns: dict[Slug, Column]
    date_column: Slug = Field(description="Canonical column that puts a row in a period and a block.")
    privacy_unit: PrivacyUnit
    opt_outs: OptOuts | None = Field(description="The opt-out list; null only where the law provides for none.")
    expectations: str = Field(description="Great Expectations suite, a file in expectations/.")
    budget: Budget
    engine: Literal["duckdb", "spark"] = Field("duckdb", description="What bounds and aggregates the snapshot.")

    @model_validator(mode="after")
    def _columns(self) -> Dataset:
        for field, column, kind in (
            ("privacy_unit.column", self.privacy_unit.column, "person"),
            ("date_column", self.date_column, "date"),
        ):
            if column not in self.columns:
                raise ValueError(f"{field}: there is no column '{column}'; declare it under 'columns'")
            if self.columns[column].type != kind:
                raise ValueError(f"{field}: column '{column}' must have type {kind}")
        return self


class DimensionSpec(Model):
    """One dimension of a release: a column and the nested levels to publish, finest first.

    For a code column the first level is the code itself and the others are columns of the code list
    (``region`` with names in ``region_name``). For the date column levels are ``day``, ``week``,
    ``4-week``, ``month``, ``year``. For a number, ``edges`` gives histogram bins.
    """

    name: Slug
    column: Slug
    levels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    title: str = ""
    level_titles: dict[str, str] = Field({}, description="What a reader calls a level, e.g. ltla: local authority.")


class Statistic(Model):
    """A linear query that is measured: rows, distinct persons, or a clipped sum.

    ``persons`` counts each person once per published cell, so its tables do not add up across levels.
    ``sum`` adds the numbers of ``column`` clipped to [lower, upper] and rounded to ``resolution``.
    """

    id: Slug
    kind: Literal["count", "persons", "sum"] = "count"
    title: str = ""
    unit: str = ""
    column: Slug | None = None
    lower: Fraction | None = None
    upper: Fraction | None = None
    resolution: Fraction = Field(Fraction(1), gt=0, description="Step of the fixed-point integers a sum is made of.")
    expected_total: float | None = Field(
        None,
        gt=0,
        description="Public guess of the total in one period (from earlier editions or elsewhere), for planning only.",
    )

    @field_validator("lower", "upper", "resolution", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        return Fraction(str(value)) if isinstance(value, (int, float, str)) else value

    @model_validator(mode="after")
    def _sum(self) -> Statistic:
        if self.kind == "sum" and (self.column is None or self.lower is None or self.upper is None):
            raise ValueError("a sum needs 'column', 'lower' and 'upper'")
        if self.kind == "sum" and self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError("'lower' must be below 'upper'")
        if self.kind != "sum" and (self.column is not None or self.lower is not None or self.upper is not None):
            raise ValueError(f"a {self.kind} has no 'column', 'lower' or 'upper'")
        return self


class Derived(Model):
    """A statistic computed from measured ones afterwards, at no cost.

    ``rate``: ``of`` per ``per`` of the public ``population`` column of the code list.
    ``mean``: ``of`` (a sum) divided by ``over`` (a count). ``share``: ``of`` as a percentage of its total over ``across``.
    ``rolling``: the sum of ``of`` over the last ``days`` days. ``cumulative``: ``of`` since the start of the period.
    ``quantile``: the ``q`` quantile of the histogram dimension ``across``.
    """

    id: Slug
    kind: Literal["rate", "mean", "share", "rolling", "cumulative", "quantile"]
    of: Slug
    over: Slug | None = None
    across: Slug | None = None
    per: int = 100_000
    population: str = "population"
    days: int = 7
    q: float = Field(0.5, gt=0, lt=1)
    title: str = ""
    unit: str = ""


class Table(Model):
    """A published table: statistics at one level of the grid; dimensions not named are summed over."""

    id: Slug
    title: Name
    levels: dict[Slug, str]
    statistics: tuple[Slug, ...] = Field(min_length=1)
    weight: float = Field(1.0, ge=0, description="Importance when the budget is split.")
    ceiling: float | None = Field(
        None, gt=0, description="Largest acceptable 95 % margin of error; the plan warns above it."
    )
    prior_mean: float | None = Field(
        None, gt=0, description="Public guess of the mean value of a cell, for planning only."
    )


class Contribution(Model):
    """How many rows of one person may count in one block; rows beyond are truncated, and how many is measured."""

    rows: int = Field(ge=1)
    one_per_cell: bool = Field(False, description="Also at most one row of a person in each leaf cell.")
    measure_truncation: bool = Field(
        True, description="Spend a little budget on how many rows the bound truncates, and correct for it."
    )
    truncated_rows: int | None = Field(
        None, ge=1, description="Cap on one person's truncated rows in that measurement (default: 4 × rows)."
    )
    repeats: dict[int, float] | None = Field(
        None,
        description="Public guess: rows per person → share of persons; lets the plan show bias against noise for several bounds.",
    )
    why_nothing_is_truncated: str = Field(
        "", description="Where a person has at most `rows` rows by definition, say why; then nothing is measured."
    )


class ReleaseTexts(Model):
    """What the public reads."""

    summary: str
    public_benefit: str = ""
    known_issues: tuple[str, ...] = ()
    theme: str = "Health"
    subtheme: str = ""
    keywords: tuple[str, ...] = ()
    contact: str = ""
    publisher: str = ""


class Release(Model):
    """A declared publication: statistics of a dataset, on a schedule, at a privacy loss."""

    id: Slug
    title: Name
    dataset: Slug
    period: PeriodKind
    start: date = Field(description="First day that is published.")
    end: date | None = Field(None, description="Last day that is published; open by default.")
    schedule: str | None = Field(None, description="Cron expression in UTC; null for releases started by hand.")
    settle_days: int = Field(0, ge=0, description="Days after the period's end before it may be published.")
    dimensions: tuple[DimensionSpec, ...] = Field(min_length=1)
    statistics: tuple[Statistic, ...] = Field(min_length=1)
    derived: tuple[Derived, ...] = ()
    tables: tuple[Table, ...] = Field(min_length=1)
    priority: Literal["local", "balanced", "national"] = Field(
        "balanced", description="Whose figures the budget serves first: local ones, everybody's, or those of the whole."
    )
    headline: Slug | None = Field(None, description="Table the headline chart is drawn from (default: the first).")
    contribution: Contribution
    privacy_loss: PrivacyLoss
    series: bool = Field(True, description="Charge once per block for all editions, with a contribution register.")
    licence: str = "OGL-UK-3.0"
    audience: Literal["public", "restricted"] = "public"
    requested_by: str | None = Field(None, description="The analyst, for an ad hoc release.")
    purpose: str = ""
    texts: ReleaseTexts

    @model_validator(mode="after")
    def _refers(self) -> Release:
        dims = {d.name for d in self.dimensions}
        known = {s.id for s in self.statistics} | {d.id for d in self.derived}
        if len(known) < len(self.statistics) + len(self.derived):
            raise ValueError("two statistics have the same id")
        for table in self.tables:
            for name in table.levels:
                if name not in dims:
                    raise ValueError(f"table '{table.id}': there is no dimension '{name}'")
            for statistic in table.statistics:
                if statistic not in known:
                    raise ValueError(f"table '{table.id}': there is no statistic '{statistic}'")
        if len({t.id for t in self.tables}) < len(self.tables):
            raise ValueError("two tables have the same id")
        if self.headline and self.headline not in {t.id for t in self.tables}:
            raise ValueError(f"headline: there is no table '{self.headline}'")
        return self

    @property
    def adhoc(self) -> bool:
        """Whether an analyst asked for this release, rather than the catalogue declaring it."""
        return self.requested_by is not None
