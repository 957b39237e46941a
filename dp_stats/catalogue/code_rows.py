"""The columns that a code list may have, one model of a line: their meanings and units. The manual's table is made from it."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from dp_stats.catalogue.declared import Model


class CodeRow(Model):
    """A line of ``codes/NAME.csv``: one code, as it is published, and what is publicly known about it.

    Other columns may stand there, too; a column whose name is that of a level that a release publishes holds the coarser
    groups of that level.
    """

    code: str = Field(
        description="The code as it is published; unique in the list, or among those in force at a time. The first column.",
        examples=["E06000001"],
    )
    name: str = Field(description="What a reader calls it. The second column.", examples=["Hartlepool"])
    name_in: str = Field(
        "",
        alias="<name>_<language>",
        description="The name, or that of a level, in another language that is published.",
        examples=["Abertawe"],
    )
    level: str = Field(
        "",
        alias="<level>",
        description="The code of the coarser group that this code belongs to, for each level that a release may publish "
        "(`region`, `nation`).",
        examples=["E12000001"],
    )
    level_name: str = Field(
        "",
        alias="<level>_name",
        description="The name of that group; needed where its code stands.",
        examples=["North East"],
    )
    lower: float | None = Field(
        None,
        description="Smallest number that belongs to the band, itself included, in the unit of the column; needed for columns of "
        "type `band`.",
        examples=[0],
    )
    upper: float | None = Field(
        None, description="Largest number that belongs to the band, itself included; needed likewise.", examples=[4]
    )
    population: float | None = Field(
        None,
        description="Public number of people, by which rates are divided; needed for rates, under any name that a rate names. "
        "Plans show narrower ranges of margins where it is known.",
        examples=[93663],
    )
    population_of: float | None = Field(
        None,
        alias="<population>_<code>",
        description="The same of the people in a group of another list, by its code, for rates by group.",
        examples=[5120],
    )
    longitude: float | None = Field(
        None,
        description="Degrees east of Greenwich of its middle, for laying out the tile map and for readers who look for what is "
        "near.",
        examples=[-1.27],
    )
    latitude: float | None = Field(None, description="Degrees north of the equator of its middle.", examples=[54.68])
    also_known_as: str = Field(
        "",
        description="Other names that readers find the area by, with semicolons between.",
        examples=["Scilly; Isles of Scilly"],
    )
    valid_from: date | None = Field(
        None, description="First day on which the code is in force. Empty: always.", examples=["2021-04-01"]
    )
    valid_to: date | None = Field(None, description="Last day on which it is. Empty: always.", examples=["2023-03-31"])
    replaced_by: str = Field(
        "",
        description="The code that takes its place after `valid_to`; several with spaces between where it is split.",
        examples=["E06000066"],
    )
