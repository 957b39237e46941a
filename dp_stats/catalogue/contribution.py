"""How many of a person's rows count, and which late ones: the declared bound of a release."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import AliasChoices, Field

from dp_stats.catalogue.declared import Model


class Contribution(Model):
    """How many rows of one person may count in one block; rows beyond are truncated, and how many is measured."""

    rows: int = Field(
        ge=1, description="The contribution bound: the most rows of one person that count in one block.", examples=[3]
    )
    one_per_cell: bool = Field(
        False, description="Also at most one row of a person in each leaf cell.", examples=[False]
    )
    measure_truncation: bool = Field(
        True,
        description="Spend part of the budget on how many rows the bound truncates, and correct for it.",
        examples=[True],
        validation_alias=AliasChoices("measure_truncation", "measure_cut"),
    )
    truncated_rows: int | None = Field(
        None,
        ge=1,
        description="Cap on one person's truncated rows in that measurement (default: 4 × rows).",
        examples=[12],
        validation_alias=AliasChoices("truncated_rows", "cut_rows"),
    )
    repeats: dict[int, float] | None = Field(
        None,
        description="Public guess: rows per person → share of persons; lets the plan show bias against noise for several bounds.",
        examples=[{1: 0.93, 2: 0.05, 3: 0.02}],
    )
    why_nothing_is_truncated: str = Field(
        "",
        description="Where a person has at most `rows` rows by definition, say why; then nothing is measured.",
        examples=["A person is in the register of births once."],
        validation_alias=AliasChoices("why_nothing_is_truncated", "why_nothing_is_cut"),
    )


class Late(Model):
    """Rows that arrive after the edition they belong to: later editions count them, within the same charge.

    Each edition also counts the rows dated in the ``periods`` before it that no edition has counted, and these periods
    are published again as provisional revisions; the last one is final. Needs ``series`` and a count of rows.
    """

    periods: int = Field(ge=1, le=60, description="How many periods back late rows are counted.", examples=[4])
    share: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Public guess of the share of a period's rows that arrive after its own edition: for planning, and where "
        "noise hides how many do.",
        examples=[0.2],
    )


def why_no_late_rows(contribution: Contribution, *, series: bool, once: bool, kinds: Collection[str]) -> str:
    """Why a release that counts late rows cannot, and what to do; empty where it can.

    Args:
        once: whether it has one edition alone. kinds: of its statistics.
    """
    for fault, remedy in (
        (not series, "needs 'series: true': late rows are counted within the series' one charge"),
        (once, "a release of one range has no later edition that could count late rows"),
        (
            "persons" in kinds,
            "is not possible beside a statistic of kind 'persons': a person of a late row may have been counted in its cell "
            "before, which no edition remembers. Publish persons in a release of their own, with 'settle_days' long "
            "enough for most of their rows to have arrived, or correct them by a revision of kind correction",
        ),
        (
            contribution.one_per_cell,
            "is not possible with 'contribution.one_per_cell': a row of its person may have been counted in the cell before, "
            "which no edition remembers. Leave out 'one_per_cell', or 'late' and set 'settle_days'",
        ),
        (
            "count" not in kinds,
            "needs a statistic of kind 'count': late rows are measured as a share of the rows",
        ),
    ):
        if fault:
            return remedy
    return ""
