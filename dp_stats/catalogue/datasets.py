"""A declared dataset: sensitive rows, whose they are, how they are read, and the budget that protects people."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Literal

from pydantic import Field, field_validator, model_validator

from dp_stats.catalogue.columns import Column
from dp_stats.catalogue.declared import Model, Name, Person, PrivacyLoss, Slug, exact
from dp_stats.catalogue.intake import Intake
from dp_stats.catalogue.periods import BlockKind


class Budget(PrivacyLoss):
    """The cap on what all releases together may spend of one person's privacy in one block.

    ``epsilon`` needs ``delta`` here, because the ledger counts ρ and converts.
    """

    scheduled: Fraction | None = Field(
        None, gt=0, le=1, description="Share of the cap that scheduled releases may use.", examples=[0.8]
    )
    adhoc: Fraction | None = Field(
        None, gt=0, le=1, description="Share of the cap that ad hoc releases may use.", examples=[0.2]
    )
    per_analyst: Fraction | None = Field(
        None, gt=0, le=1, description="Share of the cap that one analyst may use.", examples=[0.05]
    )
    no_approval_below: Fraction = Field(
        Fraction(0),
        ge=0,
        description="ρ that one analyst's ad hoc releases may cost in a block, all together, without an approval "
        "(0: always needed).",
        examples=[0.001],
    )
    forecast_days: int = Field(
        90, ge=0, description="Alert when the budget is forecast to run out within this many days.", examples=[90]
    )

    @field_validator("scheduled", "adhoc", "per_analyst", "no_approval_below", mode="before")
    @classmethod
    def _share(cls, value: object) -> object:
        return exact(value)

    @model_validator(mode="after")
    def _delta(self) -> Budget:
        if self.pure:
            raise ValueError("a budget in epsilon needs a delta (for example 1e-6): the ledger counts ρ and converts")
        return self


class Source(Model):
    """Where the rows come from. Paths may be relative to the catalogue folder or hold ``${DP_STATS_HOME}``."""

    kind: Literal["csv", "parquet", "spreadsheet", "duckdb", "postgres", "database"] = Field(
        description="What holds the rows; `database` is any that Ibis reads, by its URL.", examples=["csv"]
    )
    path: str | None = Field(
        None,
        description="File (csv, parquet, spreadsheet, duckdb); csv may be gzipped, or the only file of a zip. For "
        "csv and parquet also a folder (with hive partitions) or a pattern such as `visits/2024-*.csv`; for all but duckdb "
        "also an address that fsspec knows, such as `s3://…`.",
        examples=["visits.csv", "deliveries/*.csv.gz", "${DP_STATS_HOME}/source/visits.parquet"],
    )
    table: str | None = Field(
        None, description="Table, with schema if needed (duckdb, postgres, database).", examples=["public.visits"]
    )
    connection: str | None = Field(None, description="Airflow connection id (postgres).", examples=["warehouse"])
    url_env: str | None = Field(
        None,
        description="Environment variable that holds the database URL (postgres, database).",
        examples=["WAREHOUSE_URL"],
    )
    sheet: str | None = Field(
        None, description="Sheet of a workbook (.xlsx, .xls, .ods); not needed where there is one.", examples=["Visits"]
    )
    delimiter: str = Field(",", description="What separates the fields of a csv.", examples=[";"])
    encoding: str = Field("utf-8", description="How the text of a csv is encoded.", examples=["utf-8", "windows-1252"])

    @model_validator(mode="after")
    def _complete(self) -> Source:
        if self.kind != "spreadsheet" and self.sheet is not None:
            raise ValueError("only a spreadsheet has a 'sheet'")
        if self.kind in ("csv", "parquet", "spreadsheet", "duckdb") and not self.path:
            raise ValueError(f"a {self.kind} source needs 'path'")
        if self.kind in ("duckdb", "postgres", "database") and not self.table:
            raise ValueError(f"a {self.kind} source needs 'table'")
        if self.kind == "database" and (not self.url_env or self.connection):
            raise ValueError("a database source needs 'url_env', the variable that holds its URL")
        if self.kind == "postgres" and bool(self.connection) == bool(self.url_env):
            raise ValueError("a postgres source needs either 'connection' (Airflow) or 'url_env'")
        return self


class OptOuts(Model):
    """People whose rows must never be used. A missing or unreadable list stops every run."""

    source: Source = Field(description="Where the list is; the same kinds as for rows.")
    column: str = Field(description="Column of the list that holds the person's identifier.", examples=["nhs_number"])


class PrivacyUnit(Model):
    """What the guarantee protects: everything a person has in one block of time."""

    column: str = Field(description="Canonical column that identifies the person.", examples=["patient"])
    per: BlockKind = Field(
        "lifetime",
        description="The block of time within which everything of a person is protected, and per which the budget counts.",
        examples=["year"],
    )
    name: Name = Field("person", description="What a unit is called.", examples=["person"])


class Dataset(Model):
    """Sensitive rows of one or more custodians, with the privacy unit and the budget that protects it."""

    id: Slug = Field(
        description="Name of the file without `.yaml`; never changes, because the ledger knows the dataset by it.",
        examples=["visits"],
    )
    title: Name = Field(description="What readers call it.", examples=["Visits to clinics"])
    description: str = Field(description="What the records are, in a sentence or two.", examples=["One row per visit."])
    custodians: tuple[Person, ...] = Field(
        min_length=1, description="Who is answerable; those with a `user` decide on ad hoc requests."
    )
    region: str = Field("United Kingdom", description="Where the people live.", examples=["England"])
    legal_basis: str = Field(
        "",
        description="Why the custodian may hold and publish this; shown in the register of data uses.",
        examples=["Statistics Act 2001, section 5"],
    )
    source: Source = Field(description="Where the rows are.")
    columns: dict[Slug, Column] = Field(
        description="Canonical name → how the column is read. What is not declared here is never copied."
    )
    date_column: Slug = Field(description="Canonical column that puts a row in a period and a block.", examples=["day"])
    privacy_unit: PrivacyUnit = Field(description="Whom the guarantee protects, and per what time.")
    record_id: Slug | None = Field(
        None,
        description="Canonical column that names a record for good, so that a record corrected in the source is not "
        "counted again as a late one.",
        examples=["record"],
        exclude_if=lambda column: column is None,
    )
    first_day: date | None = Field(
        None,
        description="First day of which there are records; requests for days before it are refused. By default the first that "
        "a release publishes.",
        examples=["2019-04-01"],
        exclude_if=lambda day: day is None,
    )
    last_day: date | None = Field(
        None,
        description="Last day of which there will ever be records, where the source is closed. By default the last that a "
        "release publishes, if all have one.",
        examples=["2023-03-31"],
        exclude_if=lambda day: day is None,
    )
    opt_outs: OptOuts | None = Field(description="The opt-out list; null only where the law provides for none.")
    expectations: str = Field(
        description="Great Expectations suite, a file in expectations/.", examples=["visits.json"]
    )
    intake: Intake = Field(
        Intake(),
        description="Limits that a delivery must keep before anything is charged.",
        examples=[{"unreadable": 0.05}],
    )
    budget: Budget = Field(
        description="The most that all releases together may spend of a person's privacy in one block."
    )
    engine: Literal["duckdb", "spark"] = Field(
        "duckdb", description="What bounds and aggregates the snapshot.", examples=["duckdb"]
    )

    @model_validator(mode="after")
    def _columns(self) -> Dataset:
        for field, column, kind in (
            ("privacy_unit.column", self.privacy_unit.column, "person"),
            ("date_column", self.date_column, "date"),
            *([("record_id", self.record_id, "record")] if self.record_id is not None else []),
        ):
            if column not in self.columns:
                raise ValueError(f"{field}: there is no column '{column}'; declare it under 'columns'")
            if self.columns[column].type != kind:
                raise ValueError(f"{field}: column '{column}' must have type {kind}")
        return self
