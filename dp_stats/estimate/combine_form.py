"""What ``combine.json`` holds, field by field: the noisy measurements of an edition with all that is needed to add them up.

``open_measurements`` writes it, and ``editions.measurements`` puts names beside. The manual's page is made from this; tests hold
what is written against it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dp_stats.plan.model import Frozen, Measurement

FORMAT = 1

RELEASE = (
    "id",
    "title",
    "dataset",
    "period",
    "start",
    "calendar",
    "dimensions",
    "statistics",
    "derived",
    "tables",
    "contribution",
    "privacy_loss",
    "series",
    "late",
)
"""What of a release's declaration decides what its numbers mean."""

NOT_OF_THE_PLAN = ("expected", "warnings", "late")
"""Fields of a plan that its published form lacks."""


class OpenLevel(Frozen):
    """One level of a dimension."""

    name: str = Field(description="What it is called.")
    title: str = Field(description="What readers call it; empty where nothing is declared.")
    codes: tuple[str, ...] = Field(description="Its codes, in order.")
    names: tuple[str, ...] = Field(description="Their names, in order.")
    group: tuple[int, ...] = Field(
        description="Of each finest cell, in order, the place of its code in `codes`, from 0.",
    )


class OpenDimension(Frozen):
    """One axis of the grid."""

    name: str = Field(description="What it is called.")
    title: str = Field(description="What readers call it.")
    column: str = Field(description="Column of the dataset that it is made from.")
    kind: Literal["code", "date", "bin"] = Field(description="Code, date or bin.")
    unknown: str | None = Field(description="Code of the cell for values outside the list; null where there is none.")
    edges: tuple[float, ...] = Field(description="Borders of bins, in units of the column; empty for other kinds.")
    days: tuple[tuple[str, str], ...] = Field(
        (), description="First and last day of each finest cell of a calendar; absent for other kinds."
    )
    levels: tuple[OpenLevel, ...] = Field(description="Its levels, finest first.")


class OpenList(Frozen):
    """A public list, as far as rates need it."""

    header: tuple[str, ...] = Field(description="Names of its columns: `code`, and those of populations.")
    rows: tuple[tuple[str, ...], ...] = Field(description="A line for each code: its values, as text.")
    replaced: dict[str, tuple[str, ...]] | None = Field(
        description="Code that is not in force any more → the codes in its place; null where the list has no dates."
    )


class OpenLate(Frozen):
    """Late rows of this edition's period that a later edition measured."""

    measurements: tuple[Measurement, ...] = Field(description="The noisy tables of them.")
    noisy: dict[str, tuple[int, ...]] = Field(description="As `noisy` of the edition.")


class OpenLateTable(Frozen):
    """Noisy tables of late rows that were added up, of one scale and mechanism."""

    scale: float = Field(description="Parameter of the noise, in steps.")
    laplace: bool = Field(description="Whether it is `discrete_laplace`; else it is `discrete_gaussian`.")
    count: int = Field(description="How many such tables.")
    variance: float = Field(description="Variance of the noise of one cell of one of them, in steps squared.")


class OpenLateRows(Frozen):
    """How late rows that are known in coarse cells alone are spread. Lists have a number for each coarse cell."""

    levels: dict[str, str] = Field(description="Dimension → the coarse level.")
    axis: int = Field(description="Place of the dimension along which coarse cells differ, from 0.")
    late: tuple[float, ...] = Field(description="Late rows.")
    late_variance: tuple[float, ...] = Field(description="Variance of the noise of `late`, in rows squared.")
    kept: tuple[float, ...] = Field(description="Rows that were counted before.")
    share: tuple[float, ...] = Field(description="Late rows per row counted before, as far as known.")
    follows: tuple[float, ...] = Field(description="How far `share` follows `late`: 0 not at all, 1 as it is.")
    between: float = Field(description="Variance of how coarse cells differ in their share.")
    lean: tuple[float, ...] = Field(description="How far each is drawn to the share of the whole: 0 to 1.")
    whole_variance: float = Field(description="Variance of the share of the whole.")
    spread: float = Field(
        description="Standard deviation of finer cells around their coarse cell's share, relative to it."
    )
    tables: tuple[OpenLateTable, ...] = Field(description="What was added up.")


class OpenFactors(Frozen):
    """What a statistic is multiplied by for late or for truncated rows. Lists have a number for each coarse cell."""

    levels: dict[str, str] = Field(description="Dimension → the coarse level.")
    factor: tuple[float, ...] = Field(description="What values are multiplied by.")
    own_variance: tuple[float, ...] = Field(description="Variance of each cell's factor by itself.")
    lean: tuple[float, ...] = Field(description="How far each leans on the factor of the whole.")
    drawn: tuple[float, ...] = Field(
        description="The part of `own_variance` that is no noise but how cells differ, as they are drawn to the whole."
    )
    whole_variance: float = Field(description="Variance of the factor of the whole, common to all cells.")
    spread: float = Field(
        description="Standard deviation of finer groups around their coarse cell, relative to the share that may be truncated."
    )
    unsure: float = Field(description="Standard deviation of the share of the whole.")
    cluster: float = Field(description="Mean number of added rows that fall in a cell together.")


class CombineFile(Frozen):
    """The noisy measurements of an edition with the plan, the grid, what statistics mean, and the public lists of rates."""

    revision: int = Field(description="Revision of the edition, from 1.")
    format: Literal[1] = Field(description="Version of this form.")
    edition: str = Field(description="Release and period.")
    period: tuple[str, str, str, str] = Field(description="First day, last day, label and kind of the period.")
    release: dict[str, Any] = Field(
        description="What of the release's declaration decides what its numbers mean, as [declared](release.md): "
        + ", ".join(f"`{name}`" for name in RELEASE)
        + "; `texts` is empty."
    )
    plan: dict[str, Any] = Field(description="What was measured, at which noise: the fields of [Plan](#plan).")
    dimensions: tuple[OpenDimension, ...] = Field(description="The public grid, axis by axis.")
    lists: dict[str, OpenList] = Field(description="Dimension → the public list that it is made of.")
    variances: dict[str, float] = Field(
        description="Noisy table, by its id → variance of the noise of one of its cells, in steps squared."
    )
    noisy: dict[str, tuple[int, ...]] = Field(
        description="Noisy table, by its id → its numbers in steps of its `unit`, in the order of the grid, the last axis fastest."
    )
    late: tuple[OpenLate, ...] = Field(description="Late rows of the period that later editions measured, one by one.")
    leaves: dict[str, dict[str, str]] = Field(
        description="Statistic → for each dimension the finest level that was measured of it."
    )
    late_rows: dict[str, OpenLateRows] = Field(
        description="Statistic → how its late rows are spread; only where they are known coarsely."
    )
    factors: dict[str, tuple[OpenFactors, ...]] = Field(
        description="Statistic → what it is multiplied by for late and for truncated rows, in that order."
    )
