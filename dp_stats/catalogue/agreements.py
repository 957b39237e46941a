"""A data-sharing agreement: who shares which tables for what, what may be made of them, for whom, at what cost, and until when.

Custodians agree to one text. It is sealed with every plan by its hash, so that each charge in the ledger says under
which version of which agreement it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from dp_stats.catalogue.datasets import Dataset
from dp_stats.catalogue.declared import Model, Name, PrivacyLoss, Slug
from dp_stats.catalogue.dimensions import DimensionSpec
from dp_stats.catalogue.linked.steps import Word
from dp_stats.catalogue.releases import Release

Audience = Literal["public", "restricted"]


class Party(Model):
    """Somebody who has agreed, and what they do."""

    name: Name = Field(
        description="What the body is called; a custodian as the dataset names it.", examples=["The hospitals"]
    )
    role: Literal["custodian", "processor", "user"] = Field(
        description="`custodian` holds records, `processor` links and publishes, `user` is whom the statistics are made for.",
        examples=["custodian"],
    )
    signed: date = Field(description="The day on which it signed this version.", examples=["2026-01-05"])
    signatory: str = Field("", description="Who signed for it.", examples=["Medical director"])


class SharedTable(Model):
    """What one custodian agreed to for one table."""

    custodian: Name = Field(description="The party that holds it.", examples=["The hospitals"])
    purposes: tuple[Slug, ...] = Field(
        min_length=1,
        description="What it may be used for: ids of the agreement's purposes.",
        examples=[["winter-beds"]],
    )
    legal_basis: Name = Field(
        description="Why its custodian may share it for that.", examples=["Health and Care Act 2012, section 261"]
    )
    until: date = Field(description="The last day on which it may be used.", examples=["2027-03-31"])


class SharedStatistic(Model):
    """A kind of statistic that may be measured, and of which columns."""

    kind: Literal["count", "persons", "sum"] = Field(description="What may be measured.", examples=["count"])
    columns: tuple[Slug, ...] = Field(
        (), description="For a sum: the columns of numbers that may be added up.", examples=[["cost"]]
    )


class Agreement(Model):
    """Who shares which records for what, what may be made of them, for whom, at what cost, and until when.

    A change is a new `version`, signed anew. Days begin and end in UTC.
    """

    id: Slug = Field(description="Name of the file without `.yaml`.", examples=["people-at-risk"])
    version: int = Field(ge=1, description="Raised with every change; the ledger refuses an earlier one.", examples=[1])
    title: Name = Field(description="What readers call it.", examples=["Linked records of people at risk"])
    datasets: tuple[Slug, ...] = Field(
        min_length=1, description="The datasets that it covers.", examples=[["people-at-risk"]]
    )
    parties: tuple[Party, ...] = Field(min_length=1, description="Who has agreed.")
    purposes: dict[Slug, Name] = Field(
        min_length=1,
        description="Id → what the records may be used for.",
        examples=[{"winter-beds": "Plan beds for the winter"}],
    )
    tables: dict[Word, SharedTable] = Field(
        min_length=1,
        description="Table of the dataset → what its custodian agreed to; `rows` stands for a dataset's single source.",
    )
    statistics: tuple[SharedStatistic, ...] = Field(min_length=1, description="What may be measured.")
    by: dict[Slug, tuple[str, ...]] = Field(
        description="Column → the levels by which figures may be broken down: `code` for the codes themselves, columns of the code "
        "list for their groups, levels of the calendar (that of the editions, too); nothing in the list for a number in bins.",
        examples=[{"area": ["code", "region"], "day": ["month"]}],
    )
    audiences: tuple[Audience, ...] = Field(
        min_length=1, description="For whom figures may be made.", examples=[["public"]]
    )
    organisations: tuple[Slug, ...] = Field(
        (),
        description="Ids of the organisations that restricted figures may be made for, beside who asks and the custodians.",
        examples=[["county"]],
        exclude_if=lambda organisations: not organisations,
    )
    budget: PrivacyLoss = Field(
        description="The most that may be spent of a person's privacy in one block; the dataset's budget may be no more."
    )
    starts: date = Field(description="The first day of the agreement.", examples=["2026-02-01"])
    ends: date = Field(description="The last day of the agreement.", examples=["2027-03-31"])
    review: date = Field(description="The day by which the parties look at it again.", examples=["2026-11-01"])

    @model_validator(mode="after")
    def _whole(self) -> Agreement:
        if not self.starts <= self.review <= self.ends:
            raise ValueError("review: lies outside the days from 'starts' to 'ends'")
        if late := [party.name for party in self.parties if party.signed > self.starts]:
            raise ValueError(f"parties: {late[0]} signed after the agreement starts; let it start when all have signed")
        holders = {party.name for party in self.parties if party.role == "custodian"}
        for name, table in self.tables.items():
            if table.custodian not in holders:
                raise ValueError(
                    f"tables.{name}.custodian: '{table.custodian}' is no party with the role custodian; they are "
                    f"{', '.join(sorted(holders)) or 'none'}"
                )
            if unknown := [p for p in table.purposes if p not in self.purposes]:
                raise ValueError(f"tables.{name}.purposes: '{unknown[0]}' is not among 'purposes'")
        if self.organisations and "restricted" not in self.audiences:
            raise ValueError("organisations: figures for some alone are 'restricted'; add that to 'audiences'")
        if self.budget.pure:
            raise ValueError("budget: an ε needs a delta (for example 1e-6): the ledger counts ρ and converts")
        return self

    @property
    def last_day(self) -> date:
        """The last day on which everything that it covers may be used."""
        return min(self.ends, *(table.until for table in self.tables.values()))

    @property
    def agreed(self) -> tuple[str, ...]:
        """Purposes for which every table may be used."""
        return tuple(p for p in self.purposes if all(p in table.purposes for table in self.tables.values()))

    def why_not_on(self, day: date) -> Iterator[str]:
        """Why nothing may be done under it on a day; nothing if it is in force for every table."""
        if day < self.starts:
            yield f"it starts on {self.starts}"
        if day > self.ends:
            yield f"it ended on {self.ends}"
        for name, table in self.tables.items():
            if day > table.until:
                yield f"{table.custodian} shared the table '{name}' until {table.until}"

    def why_not_of(self, dataset: Dataset) -> Iterator[str]:
        """Why a dataset is not what was agreed on."""
        if dataset.id not in self.datasets:
            yield f"it covers {', '.join(self.datasets)}, not '{dataset.id}'"
        held = holders_of(dataset)
        for name in sorted({*held, *self.tables}):
            if name not in self.tables:
                yield f"nobody has shared the table '{name}'; add it to the agreement's 'tables'"
            elif name not in held:
                yield f"the dataset has no table '{name}'"
            elif self.tables[name].custodian not in held[name]:
                yield f"the table '{name}' is held by {' and '.join(held[name])}, and shared by {self.tables[name].custodian}"

    def why_not_for(self, release: Release, dataset: Dataset) -> Iterator[str]:
        """Why what a release would measure and publish is not what was agreed on."""
        if release.agreed_purpose is None:
            yield f"agreed_purpose: say for which purpose it is made; agreed are {_listed(self.agreed)}"
        elif release.agreed_purpose not in self.agreed:
            yield f"agreed_purpose: '{release.agreed_purpose}' is not agreed for every table; agreed are {_listed(self.agreed)}"
        if release.audience not in self.audiences:
            yield f"audience: '{release.audience}' is not agreed; agreed are {_listed(self.audiences)}"
        for name in release.organisations:
            if name not in self.organisations:
                yield f"organisations: '{name}' is not agreed; agreed are {_listed(self.organisations)}"
        times = self.by.get(dataset.date_column, ())
        if release.period not in times:
            yield f"period: editions per {release.period} are not agreed; of '{dataset.date_column}' are agreed {_listed(times)}"
        shared = {statistic.kind: statistic.columns for statistic in self.statistics}
        for statistic in release.statistics:
            if statistic.kind not in shared:
                yield f"statistics.{statistic.id}: a {statistic.kind} is not agreed; agreed are {_listed(shared)}"
            elif statistic.column is not None and statistic.column not in shared[statistic.kind]:
                yield f"statistics.{statistic.id}.column: no sum of '{statistic.column}' is agreed"
        published = {table.id: table.levels for table in release.tables}
        for name, levels in {**{table.id: table.levels for table in release.across}, **published}.items():
            yield from (f"tables.{name}.levels.{why}" for why in self.why_not_by(levels, release, dataset))

    def why_not_by(self, levels: Mapping[str, str], release: Release, dataset: Dataset) -> Iterator[str]:
        """Why figures at a level of each dimension are not agreed; ``levels``: dimension → level, what is summed over left out."""
        declared = {spec.name: spec for spec in release.dimensions}
        for name, level in levels.items():
            spec = declared[name]
            asked = agreed_level(spec, level, dataset)
            if not self.allows(spec.column, asked):
                known = _listed(self.by.get(spec.column, ()))
                yield f"{name}: figures by '{spec.column}' at the level '{asked or 'bins'}' are not agreed; agreed are {known}"

    def allows(self, column: str, level: str) -> bool:
        """Whether figures may be broken down by a level of a column; nothing in place of a level for a number in bins."""
        return column in self.by and (not level or level in self.by[column])


def agreed_level(spec: DimensionSpec, level: str, dataset: Dataset) -> str:
    """A level as an agreement names it: ``code`` for the codes themselves, which a release may call otherwise."""
    column = dataset.columns[spec.column]
    if column.type == "number":
        return ""
    return "code" if column.codes is not None and level in ("code", *spec.levels[:1]) else level


def holders_of(dataset: Dataset) -> Mapping[str, tuple[str, ...]]:
    """Table of a dataset → who holds it; its single source is called ``rows``."""
    if dataset.tables:
        return {name: (table.custodian,) for name, table in dataset.tables.items()}
    return {"rows": tuple(custodian.name for custodian in dataset.custodians)}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
