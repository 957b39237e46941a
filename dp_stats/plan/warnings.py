"""What whoever approves a plan should know about it, as facts; ``texts.warnings`` puts them into words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Warning(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UnmeasuredTruncation(_Warning):
    """Rows beyond ``rows`` per person are left out, and nothing says how many."""

    kind: Literal["unmeasured_truncation"] = "unmeasured_truncation"
    rows: int


class UndeclaredRepeats(_Warning):
    """Nobody has declared how often people repeat, so intervals take it that no person has more than ``rows`` rows: the bound,
    and what is counted of one person's truncated ones."""

    kind: Literal["undeclared_repeats"] = "undeclared_repeats"
    rows: int


class AboveCeiling(_Warning):
    """The expected 95 % margin of a statistic is wider than its table's declared ceiling."""

    kind: Literal["above_ceiling"] = "above_ceiling"
    table: str
    statistic: str
    margin_95: float
    ceiling: float


class AboveMean(_Warning):
    """The expected 95 % margin of a statistic is wider than the mean that was guessed for its cells."""

    kind: Literal["above_mean"] = "above_mean"
    table: str
    statistic: str
    margin_95: float
    prior_mean: float


class UnknownSize(_Warning):
    """Nobody has guessed how large some statistics are, so the budget is not balanced by relative error."""

    kind: Literal["unknown_size"] = "unknown_size"


PlanWarning = Annotated[
    UnmeasuredTruncation | UndeclaredRepeats | AboveCeiling | AboveMean | UnknownSize,
    Field(discriminator="kind"),
]
