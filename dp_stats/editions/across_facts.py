"""The facts of tables across editions: which periods their rows are, what is missing and why, and what they are made from."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from dp_stats.catalogue.across import RowKind
from dp_stats.estimate.model import AcrossReason


class Facts(BaseModel):
    """Plain, typed, immutable; a field that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MissingFacts(Facts):
    """Values of one statistic and period that cannot be told, and why: all of them, or with ``cells`` some."""

    statistic: str = Field(description="Which statistic.")
    period: str = Field(description="Label of the row's period.")
    reason: AcrossReason = Field(description="Why it cannot be told.")
    editions: tuple[str, ...] = Field((), description="Periods of the editions that are the reason.")


class AcrossFacts(Facts):
    """What a table has beside others, because its rows reach over the borders of editions."""

    kind: RowKind = Field(description="What a row covers.")
    periods: tuple[str, ...] = Field(description="Label of each row's period, in order of time.")
    missing: tuple[MissingFacts, ...] = Field((), description="Values that cannot be told.")
    open_from: date | None = Field(
        None,
        description="First day of the periods to which late records may still be added: rows that end on it or later are "
        "provisional, and a change in them is early; absent where none are.",
        exclude_if=lambda day: day is None,
    )


class SourceFacts(Facts):
    """An earlier edition whose stored measurements tables across editions are made from."""

    edition: str = Field(description="The edition (`release/period`).")
    revision: int = Field(1, description="The revision that measured.")
    adds: tuple[str, ...] = Field((), description="Later editions whose late records of its period are added.")
