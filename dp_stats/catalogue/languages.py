"""What declarations call things in further languages; ``spoken`` reads a declaration in one of them.

What is not said in a language is said as it stands in the declaration.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from dp_stats.catalogue.declared import Model, Slug
from dp_stats.catalogue.practice import KnownIssue, Practice

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class StatisticWords(Model):
    """A statistic in a further language."""

    title: str = Field("", description="What readers call it.", examples=["Ymweliadau"])
    unit: str = Field("", description="Unit in words.", examples=["ymweliad"])


class DimensionWords(Model):
    """A dimension in a further language; names of its codes stand in the code list, in columns such as `name_cy`."""

    title: str = Field("", description="What readers call it.", examples=["Ardal"])
    level_titles: dict[str, str] = Field(
        {}, description="What a reader calls a level.", examples=[{"ltla": "awdurdod lleol"}]
    )


class ReleaseWords(Model):
    """A release in a further language; what is left out is shown in the language of the declaration, and marked as such."""

    title: str = Field("", description="What readers call it.", examples=["Ymweliadau yn ôl clinig"])
    summary: str = Field(
        "", description="What is published, in a paragraph.", examples=["Nifer yr ymweliadau â phob clinig."]
    )
    public_benefit: str = Field("", description="What it is good for.", examples=["Cynllunio staff."])
    known_issues: tuple[str | KnownIssue, ...] = Field(
        (),
        description="What readers must know about the data, in the same order.",
        examples=[["Mae clinig A yn hwyr."]],
    )
    practice: Practice = Field(default_factory=Practice, description="Status, policies and quality.")
    theme: str = Field("", description="Theme of the catalogue.", examples=["Iechyd"])
    subtheme: str = Field("", description="Sub-theme.", examples=["Gofal sylfaenol"])
    keywords: tuple[str, ...] = Field((), description="Words to find it by.", examples=[["ymweliadau", "clinigau"]])
    publisher: str = Field("", description="Who publishes.", examples=["Yr asiantaeth"])
    statistics: dict[Slug, StatisticWords] = Field(
        {},
        description="Statistics by id: measured, derived, and those of tables across editions.",
        examples=[{"visits": {"title": "Ymweliadau"}}],
    )
    tables: dict[Slug, str] = Field(
        {}, description="Titles of tables by id.", examples=[{"area-week": "Ymweliadau yn ôl ardal ac wythnos"}]
    )
    dimensions: dict[Slug, DimensionWords] = Field(
        {}, description="Dimensions by name.", examples=[{"area": {"title": "Ardal"}}]
    )


class DatasetWords(Model):
    """A dataset in a further language."""

    title: str = Field("", description="What readers call it.", examples=["Ymweliadau â chlinigau"])
    description: str = Field("", description="What the records are.", examples=["Un rhes am bob ymweliad."])
    region: str = Field("", description="Where the people live.", examples=["Lloegr"])
    legal_basis: str = Field(
        "", description="Why the custodian may hold and publish this.", examples=["Deddf Ystadegau 2001, adran 5"]
    )
