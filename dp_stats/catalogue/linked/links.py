"""A link table: how one custodian's identifiers become those of the dataset, with what its maker says of its quality."""

from __future__ import annotations

from pydantic import Field

from dp_stats.catalogue.declared import Model, Name
from dp_stats.catalogue.identifiers import Identifier
from dp_stats.catalogue.linked.steps import Word
from dp_stats.catalogue.sources import Source


class LinkTable(Model):
    """Which person of the dataset each identifier of a table stands for, as a custodian provides it.

    Several identifiers may stand for one person; one that stands for two stops the run, and so does an entry that does not fit
    its pattern. A row whose identifier is not in the link table stands for a person of its own, until it is linked.
    """

    source: Source = Field(description="Where the link table is; the same kinds as for rows.")
    own: str = Field(description="Its column of the table's own identifiers.", examples=["PSEUDO_HESID"])
    person: str = Field(description="Its column of the dataset's identifiers.", examples=["person_id"])
    identifier: Identifier = Field(
        description="How the dataset's identifiers are written; the table's own are written as its person column says.",
        examples=[{"case": "upper", "pattern": "[0-9A-F]{32}"}],
    )
    linked: Word = Field(
        "linked",
        description="A new column of the table: whether the link table knows the row's identifier.",
        examples=["linked"],
    )
    custodian: Name = Field(description="Who provides it.", examples=["The linkage service"])
    version: Name = Field(description="Its version; published.", examples=["2024-03"])
    quality: Name = Field(
        description="What its maker says of its quality: how it was made, and which share of links is wrong or missing; published.",
        examples=[
            "Made by probabilistic linkage; of a clerically reviewed sample 0.4 % of links are wrong and 2 % missing."
        ],
    )
