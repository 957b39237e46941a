"""The facts of how accurate an edition is: what was truncated, what the plan expected, and what to know in words."""

from __future__ import annotations

from pydantic import Field

from dp_stats.editions.across_facts import Facts


class TruncationFacts(Facts):
    """Estimated rows (as a share of all rows) that the contribution bound truncated, with a 95 % interval."""

    share: float = Field(description="Estimated share of rows beyond the contribution bound.")
    lower: float = Field(description="Lower end of its 95 % interval.")
    upper: float = Field(description="Upper end of its 95 % interval.")
    rows: float | None = Field(None, description="Estimated number of such rows.")
    persons: float | None = Field(None, description="Estimated number of persons with such rows.")
    persons_upper: float | None = Field(None, description="Upper end of its 95 % interval.")


class ExpectedFacts(Facts):
    """The plan's promise of accuracy for one published statistic; margins are half-widths of 95 % intervals."""

    table: str = Field(description="Table.")
    statistic: str = Field(description="Statistic.")
    cells: int = Field(description="How many values.")
    margin_95: float = Field(description="Typical 95 % margin of error expected by the plan.")
    worst: float = Field(description="Widest margin expected.")
    lowest: float | None = Field(
        None, description="The typical margin if areas and groups are much alike; null: it does not depend on that."
    )
    highest: float | None = Field(
        None, description="The typical margin if areas and groups differ much; null: it does not depend on that."
    )
    prior_mean: float | None = Field(None, description="Public guess of a mean value that the plan used.")
    relative: float | None = Field(None, description="Typical margin in relation to that guess.")


class NoteFacts(Facts):
    """Something to know about an edition's numbers: which kind of thing, about which table, and in words.

    ``table`` and ``statistic`` are ids; a note without them is about the whole edition.
    """

    kind: str = Field(description="Which kind of thing it is about.")
    text: str = Field(description="The same in words.")
    table: str = Field("", description="Table that it is about; empty: the whole edition.")
    statistic: str = Field("", description="Statistic that it is about; empty: all of them.")


class QualityFacts(Facts):
    truncation: TruncationFacts | None = Field(None, description="What was truncated.")
    expected: tuple[ExpectedFacts, ...] = Field((), description="Margins of error that the plan expected.")
    consistent: bool = Field(True, description="Whether totals add up across tables.")
    notes: tuple[NoteFacts, ...] = Field((), description="Notes on quality.")
