"""The steps that make the rows that count: what a dataset may declare, each with its bounds.

Every step is person-local: what comes out for a person depends on that person's rows and on public lists alone. A step
reads the table ``of`` and gives the table ``to``, which takes the place of ``of`` where no other name is declared.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from dp_stats.catalogue.declared import Model

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
"""A name that expressions can hold: small letters, digits and '_'."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]

LONGEST_SPREAD = 3660
MOST_PER_SIDE = 100
MOST_COUNTED = 100_000


class _Step(Model):
    of: Word = Field(description="The table that the step reads.", examples=["episodes"])
    to: Word | None = Field(
        None,
        description="The table that it gives; it takes the place of `of` where nothing is written.",
        examples=["spells"],
    )

    @property
    def gives(self) -> str:
        """The name of the table that comes out."""
        return self.to or self.of


class Keep(_Step):
    """Keep the rows for which a condition is true; where it is null they go."""

    step: Literal["keep"] = Field(description="Keep some of the rows.", examples=["keep"])
    where: Text = Field(description="Condition over the columns of one row.", examples=["discharged >= admitted"])


class Derive(_Step):
    """Add columns, or put others in their place; each is computed from the columns that the row had before."""

    step: Literal["derive"] = Field(description="Compute columns.", examples=["derive"])
    columns: dict[Word, Text] = Field(
        min_length=1,
        description="Column → expression over the columns of one row.",
        examples=[{"age": "years_between(born, admitted)"}],
    )


class AsOf(Model):
    """Of several matching rows, the latest that is not dated after a day of the row it is joined to."""

    day: Word = Field(description="Date column of `of`: the day whose state is wanted.", examples=["admitted"])
    since: Word = Field(
        description="Date column of `with`: from when its row holds. A row without it never matches.",
        examples=["moved_in"],
    )


class Most(Model):
    """How many rows of a person (and of equal keys) each side may bring to a join of many with many."""

    of: int = Field(ge=1, le=MOST_PER_SIDE, description="Rows of the table `of`.", examples=[20])
    with_: int = Field(alias="with", ge=1, le=MOST_PER_SIDE, description="Rows of the table `with`.", examples=[5])

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @field_validator("of", "with_", mode="before")
    @classmethod
    def _bounded(cls, rows: object) -> object:
        if isinstance(rows, int) and rows > MOST_PER_SIDE:
            raise ValueError(
                f"each row of one side would be repeated for each of the other; write at most {MOST_PER_SIDE}, or leave 'most' out "
                "so that each row gets one"
            )
        return rows


class Join(_Step):
    """Add columns of another table's rows about the same person.

    Each row gets one row of `with`: the one that matches; of several the latest `as_of` a day, and of equals one that
    the row's own content decides. Where none matches the columns are null, or the row goes (`required`). With `most`,
    each row gets every row that matches; then both sides are bounded.
    """

    step: Literal["join"] = Field(description="Join another table on the person.", examples=["join"])
    with_: Word = Field(alias="with", description="The table whose columns are added.", examples=["patients"])
    columns: dict[Word, Word] = Field(
        min_length=1,
        description="New column → column of `with`; a list where they keep their names.",
        examples=[{"born": "born", "home_area": "area"}],
    )
    on: dict[Word, Word] = Field(
        {},
        description="What must be equal besides the person, such as the number of a record: column of `of` → column of `with`.",
        examples=[{"encounter": "encounter"}],
    )
    as_of: AsOf | None = Field(
        None, description="Take the state on a day.", examples=[{"day": "admitted", "since": "moved_in"}]
    )
    most: Most | None = Field(
        None, description="Join many with many, with these bounds.", examples=[{"of": 20, "with": 5}]
    )
    required: bool = Field(False, description="Whether rows go for which none matches.", examples=[True])

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @field_validator("columns", "on", mode="before")
    @classmethod
    def _named_alike(cls, value: object) -> object:
        return {name: name for name in value} if isinstance(value, (list, tuple)) else value

    @model_validator(mode="after")
    def _one_way(self) -> Join:
        if self.as_of is not None and self.most is not None:
            raise ValueError("write either 'as_of' (one row each) or 'most' (many with many)")
        return self


class Pick(_Step):
    """Keep one row of each person, or of each record of a person: the first or the last.

    The latest version of a record is `{step: last, per: [record], by: [version]}`. Rows that are equal in `by` have an
    order by their content, whoever else is there.
    """

    step: Literal["first", "last"] = Field(description="Which row is kept.", examples=["first"])
    per: tuple[Word, ...] = Field(
        (),
        description="Columns that name a record of the person; nothing for one row per person.",
        examples=[["record"]],
    )
    by: tuple[Word, ...] = Field(
        min_length=1,
        description="Columns that put the rows in order: dates or numbers. A row without one is taken only where there is no "
        "other.",
        examples=[["admitted"]],
    )


class Spread(_Step):
    """Make of each interval one row for each day from `from` to `until`, that day included.

    Occupancy at midnight counts the days before the last: keep `day < discharged` after the step. A row without an end
    goes; derive one before where that is wrong.
    """

    step: Literal["spread"] = Field(description="One row per day.", examples=["spread"])
    from_: Word = Field(alias="from", description="Date column: the first day.", examples=["admitted"])
    until: Word = Field(description="Date column: the last day, included.", examples=["discharged"])
    day: Word = Field(description="The new column of days.", examples=["day"])
    most: int = Field(
        ge=1, le=LONGEST_SPREAD, description="Most days that one row becomes; later ones are cut.", examples=[365]
    )

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Sessions(_Step):
    """Make one row of episodes that follow each other: an episode that begins less than `gap` days after all before ended.

    Rows come out with the person, `per`, the first day, the last day, and what else is declared. An episode without an
    end ends on the day it begins; one without a beginning goes.
    """

    step: Literal["sessions"] = Field(description="Put episodes together.", examples=["sessions"])
    from_: Word = Field(alias="from", description="Date column: when an episode begins.", examples=["started"])
    until: Word = Field(description="Date column: when it ends.", examples=["ended"])
    gap: int = Field(
        ge=1,
        le=3660,
        description="Days from the end of one to the beginning of another from which on they are two: with 1, only "
        "episodes that begin on the day the last ended, or before, are one.",
        examples=[1],
    )
    per: tuple[Word, ...] = Field(
        (), description="Columns whose episodes are put together apart.", examples=[["provider"]]
    )
    first: tuple[Word, ...] = Field((), description="Columns taken from the first episode.", examples=[["provider"]])
    last: tuple[Word, ...] = Field((), description="Columns taken from the last episode.", examples=[["outcome"]])
    count: Word | None = Field(None, description="A new column: how many episodes.", examples=["episodes"])

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Count(_Step):
    """Make one row of each person (and each `per`) with how many rows they have. Who has none has no row: join it to one."""

    step: Literal["count"] = Field(description="Count rows per person.", examples=["count"])
    per: tuple[Word, ...] = Field((), description="Columns that are counted apart.", examples=[["year"]])
    as_: Word = Field(alias="as", description="The new column.", examples=["admissions"])
    most: int = Field(
        ge=1, le=MOST_COUNTED, description="The largest count that is told; more are counted as that.", examples=[10]
    )

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


Step = Annotated[Keep | Derive | Join | Pick | Spread | Sessions | Count, Field(discriminator="step")]
