"""One of several tables about the same people: where it is, whose it is, how it is read, and who may not be used."""

from __future__ import annotations

from pydantic import Field, model_validator

from dp_stats.catalogue.columns import Column
from dp_stats.catalogue.declared import Model, Name, Slug
from dp_stats.catalogue.identifiers import Identifier
from dp_stats.catalogue.intake import Delivery
from dp_stats.catalogue.linked.expressions import PUBLIC_DAYS
from dp_stats.catalogue.linked.kinds import Shape, shape_of
from dp_stats.catalogue.linked.links import LinkTable
from dp_stats.catalogue.linked.steps import Word
from dp_stats.catalogue.sources import OptOuts, Source


class LinkedTable(Model):
    """A table of a dataset that has several.

    Its rows are read value by value as a dataset's are; then the dataset's steps make the rows that count of it.
    """

    source: Source = Field(description="Where its rows are.")
    custodian: Name = Field(
        description="Who holds it: the name of one of the dataset's custodians.", examples=["The hospitals"]
    )
    budget_of: Slug | None = Field(
        None,
        description="The dataset that holds the same records with a budget of its own, for all days: what is spent here is "
        "charged to it, too. Needed where another dataset reads the same source.",
        examples=["hospital-records"],
        exclude_if=lambda holder: holder is None,
    )
    person: Word = Field(description="The column that says whose a row is.", examples=["patient"])
    link: LinkTable | None = Field(
        None,
        description="Where its identifiers are its custodian's own: the link table that says whose they are.",
        exclude_if=lambda link: link is None,
    )
    columns: dict[Word, Column] = Field(
        description="Name → how the column is read, as in a dataset. What is not declared here is never copied."
    )
    opt_outs: OptOuts | None = Field(
        description="Its custodian's opt-out list; null only where the law provides for none. Whoever is on the list of any "
        "table is left out of all."
    )
    expectations: str = Field(
        description="Great Expectations suite for its rows, a file in expectations/.", examples=["episodes.json"]
    )
    intake: Delivery = Field(
        Delivery(),
        description="Limits that its delivery must keep before anything is charged.",
        examples=[{"unreadable": 0.05}],
    )

    @property
    def shape(self) -> Shape:
        """What the steps see of it."""
        shape = shape_of(self.person, self.columns)
        return shape if self.link is None else Shape(shape.person, {**shape.columns, self.link.linked: "truth"})

    @property
    def identifier(self) -> Identifier | None:
        """How its persons are written once they are linked."""
        return self.columns[self.person].identifier if self.link is None else self.link.identifier

    @model_validator(mode="after")
    def _columns(self) -> LinkedTable:
        persons = [name for name, column in self.columns.items() if column.type == "person"]
        if persons != [self.person]:
            raise ValueError(
                f"person: '{self.person}' must be the table's one column of type person; it has {', '.join(persons) or 'none'}"
            )
        if public := [name for name in self.columns if name in PUBLIC_DAYS]:
            raise ValueError(f"columns: '{public[0]}' is a day of the edition; choose another name")
        if self.link is not None and self.link.linked in self.columns:
            raise ValueError(f"link.linked: there is a column '{self.link.linked}' already; choose another name")
        if self.columns[self.person].identifier is None:
            raise ValueError(
                f"columns.{self.person}.identifier: declare how a person is written; otherwise two spellings of one person "
                "would not be linked, in silence"
            )
        return self
