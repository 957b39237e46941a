"""A declared dataset: sensitive rows, whose they are, how they are read, and the budget that protects people."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Literal

from pydantic import Field, field_validator, model_validator

from dp_stats.catalogue.columns import Column
from dp_stats.catalogue.declared import Model, Name, Person, PrivacyLoss, Slug, exact
from dp_stats.catalogue.in_place import why_not_in_place
from dp_stats.catalogue.intake import Intake
from dp_stats.catalogue.languages import DatasetWords, Language
from dp_stats.catalogue.linked.flow import flow, why_no_record
from dp_stats.catalogue.linked.kinds import NAMED, Shape, fits
from dp_stats.catalogue.linked.steps import Step, Word
from dp_stats.catalogue.linked.tables import LinkedTable
from dp_stats.catalogue.periods import BlockKind
from dp_stats.catalogue.sources import OptOuts, Source


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
    languages: dict[Language, DatasetWords] = Field(
        {},
        description="Title, description, region and legal basis in further languages, by their codes.",
        examples=[{"cy": {"title": "Ymweliadau â chlinigau"}}],
        exclude_if=lambda languages: not languages,
    )
    source: Source | None = Field(
        None, description="Where the rows are, if they are one table.", exclude_if=lambda source: source is None
    )
    tables: dict[Word, LinkedTable] = Field(
        {},
        description="Instead of `source`: several tables about the same people, of one or more custodians.",
        exclude_if=lambda tables: not tables,
    )
    steps: tuple[Step, ...] = Field(
        (),
        description="How the rows that count are made from the tables, each step within one person's rows.",
        exclude_if=lambda steps: not steps,
    )
    rows: Word | None = Field(
        None,
        description="The table whose rows count after all steps; where nothing is written, the one that the last step gives.",
        examples=["bed_days"],
        exclude_if=lambda rows: rows is None,
    )
    unlinked: Slug | None = Field(
        None,
        description="Canonical column of a number that is 1 in a row that did not link, else 0: every release publishes its sum. "
        "Needed where a table has a `link`; where identifiers are shared, it may tell rows for which another table has no record.",
        examples=["unlinked"],
        exclude_if=lambda column: column is None,
    )
    columns: dict[Slug, Column] = Field(
        description="Canonical name → how the column is read, from the source or from what the steps give. What is not "
        "declared here is never copied."
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
    opt_outs: OptOuts | None = Field(
        None,
        description="The opt-out list; null only where the law provides for none. Each of several tables has its own.",
    )
    expectations: str = Field(
        description="Great Expectations suite, a file in expectations/.", examples=["visits.json"]
    )
    intake: Intake = Field(
        Intake(),
        description="Limits that a delivery must keep before anything is charged.",
        examples=[{"unreadable": 0.05}],
    )
    agreement: Slug | None = Field(
        None,
        description="The data-sharing agreement under which it is used, a file in agreements/; nothing runs outside it.",
        examples=["people-at-risk"],
        exclude_if=lambda agreement: agreement is None,
    )
    budget: Budget = Field(
        description="The most that all releases together may spend of a person's privacy in one block."
    )
    engine: Literal["duckdb", "spark", "source"] = Field(
        "duckdb",
        description="What carries out steps, and bounds and aggregates the snapshot. With `source` the database or the "
        "cluster that has the rows does all of it, and only integers of groups leave it (one table of PostgreSQL, or a "
        "Parquet folder on a Spark cluster).",
        examples=["duckdb"],
    )
    work_schema: str | None = Field(
        None,
        pattern=r"^[a-z_][a-z0-9_]*$",
        max_length=63,
        description="With `engine: source` and PostgreSQL: schema of that database in which this installation may make tables, "
        "for itself alone.",
        examples=["dp_stats_work"],
        exclude_if=lambda schema: schema is None,
    )
    work_folder: str | None = Field(
        None,
        min_length=2,
        description="With `engine: source` and Spark: folder on the cluster's storage in which this installation may make folders, "
        "for itself alone.",
        examples=["s3a://agency-private/dp-stats-work"],
        exclude_if=lambda folder: folder is None,
    )

    @property
    def counted(self) -> str:
        """The name of the table whose rows count, where there are several."""
        return self.rows or (self.steps[-1].gives if self.steps else next(iter(self.tables), ""))

    @property
    def holders(self) -> tuple[str, ...]:
        """The other datasets whose budgets pay for what is measured of this one, by id."""
        return tuple(dict.fromkeys(t.budget_of for t in self.tables.values() if t.budget_of is not None))

    @property
    def opt_out_lists(self) -> tuple[OptOuts, ...]:
        """Every opt-out list; whoever is on one of them has no row that counts."""
        lists = (self.opt_outs, *(table.opt_outs for table in self.tables.values()))
        return tuple(one for one in lists if one is not None)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every table that rows are read from."""
        return (self.source,) if self.source is not None else tuple(table.source for table in self.tables.values())

    @property
    def own_sources(self) -> tuple[Source, ...]:
        """Every table that rows are read from and whose records no other dataset's budget protects as well."""
        own = tuple(table.source for table in self.tables.values() if table.budget_of is None)
        return (self.source,) if self.source is not None else own

    @property
    def code_lists(self) -> tuple[str, ...]:
        """The public lists by which any table is read, and the rows that count, by name."""
        columns = [self.columns, *(table.columns for table in self.tables.values())]
        return tuple(sorted({c.codes for declared in columns for c in declared.values() if c.codes}))

    @model_validator(mode="after")
    def _one_origin(self) -> Dataset:
        if (self.source is None) == (not self.tables):
            raise ValueError("write either 'source' (one table) or 'tables' (several about the same people)")
        if self.source is not None and (self.steps or self.rows):
            raise ValueError("'steps' and 'rows' are for several 'tables'; declare the one as such to use them")
        if self.source is not None and "opt_outs" not in self.model_fields_set:
            raise ValueError("opt_outs: declare the opt-out list; null only where the law provides for none")
        if len(self.tables) > 1 and not self.steps and self.rows is None:
            raise ValueError("rows: say which of the tables has the rows that count, or declare 'steps'")
        if self.tables and self.opt_outs is not None:
            raise ValueError("opt_outs: each table has its own list; move this one there")
        return self

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

    @model_validator(mode="after")
    def _linked(self) -> Dataset:
        if not self.tables:
            if found := [name for name, column in self.columns.items() if column.type == "text"]:
                raise ValueError(
                    f"columns.{found[0]}: the type 'text' is for steps; only one of several 'tables' has it"
                )
            return self
        if self.intake.manifest is not None:
            raise ValueError("intake.manifest: each table has its own; move this one there")
        self._same_people()
        if self.unlinked is None and any(table.link for table in self.tables.values()):
            raise ValueError("unlinked: a table has a 'link'; name the column that tells rows that did not link")
        if self.unlinked is not None and (
            self.unlinked not in self.columns or self.columns[self.unlinked].type != "number"
        ):
            raise ValueError(
                f"unlinked: '{self.unlinked}' must be a column of type number, 1 where a row did not link, else 0"
            )
        shapes = flow({name: table.shape for name, table in self.tables.items()}, self.steps)[-1]
        if self.record_id is not None and (why := why_no_record(self.steps, self.counted)):
            raise ValueError(f"record_id: {why}; leave it out, and late rows are told by their content")
        if self.counted not in shapes:
            raise ValueError(f"rows: there is no table '{self.counted}' after the steps; there are {', '.join(shapes)}")
        self._readable(shapes[self.counted])
        return self

    @model_validator(mode="after")
    def _in_place(self) -> Dataset:
        if self.engine == "source" and (
            why := why_not_in_place(self.source, self.work_schema, self.work_folder, self.columns)
        ):
            raise ValueError(f"engine: source: {why}")
        if self.engine != "source" and self.work_schema is not None:
            raise ValueError("work_schema: only with engine: source are tables made in the database; leave it out")
        if self.engine != "source" and self.work_folder is not None:
            raise ValueError(
                "work_folder: only with engine: source are folders made on the cluster's storage; leave it out"
            )
        return self

    @field_validator("custodians")
    @classmethod
    def _deputies(cls, custodians: tuple[Person, ...]) -> tuple[Person, ...]:
        """Two who must both approve may not be the same person: no deputy is a custodian, or stands in for two."""
        for custodian in custodians:
            for deputy in custodian.deputies:
                others = [one for one in custodians if one is not custodian]
                taken = [d.user for one in others for d in one.deputies] + [one.answers_as for one in custodians]
                if deputy.user.strip().casefold() in {name.strip().casefold() for name in taken}:
                    raise ValueError(
                        f"{deputy.user} cannot be a deputy of {custodian.name}, who is a custodian already or a deputy of another; "
                        "each decides for itself, so name somebody else"
                    )
        return custodians

    def _same_people(self) -> None:
        custodians = [custodian.name for custodian in self.custodians]
        answering = [(custodian.user or custodian.name).strip().casefold() for custodian in self.custodians]
        if len(set(answering)) < len(answering):
            raise ValueError("custodians: two of them answer as the same user; each must approve for itself")
        identifiers = {name: table.identifier for name, table in self.tables.items()}
        for name, table in self.tables.items():
            if table.custodian not in custodians:
                raise ValueError(
                    f"tables.{name}.custodian: '{table.custodian}' is not among 'custodians'; they are {', '.join(custodians)}"
                )
        unit = self.columns[self.privacy_unit.column].identifier
        first, written = next(iter(identifiers.items()))
        for name, identifier in identifiers.items():
            if identifier != written:
                raise ValueError(
                    f"tables.{name}: its persons are written otherwise than those of '{first}'; one person must have one "
                    "spelling in all tables, so declare the same 'identifier'"
                )
        if unit != written:
            raise ValueError(f"columns.{self.privacy_unit.column}.identifier: declare the same as in the tables")

    def _readable(self, shape: Shape) -> None:
        for name, column in self.columns.items():
            if column.source not in shape.columns:
                raise ValueError(
                    f"columns.{name}.from: table '{self.counted}' has no column '{column.source}' after the steps; it has "
                    f"{', '.join(shape.columns)}"
                )
            kind = shape.columns[column.source]
            if not fits(kind, column):
                raise ValueError(
                    f"columns.{name}: '{column.source}' is {NAMED[kind]} after the steps, from which no {column.type} is read"
                )
            if column.formats or column.timezone or column.source_timezone:
                raise ValueError(
                    f"columns.{name}: how a date is written is declared where it is read, in the table's columns"
                )
