"""What will be measured: a plan, a pure function of the catalogue whose hash is what gets approved."""

from __future__ import annotations

import json
from datetime import date
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from dp_stats.catalogue.periods import BlockKind
from dp_stats.files import sha256
from dp_stats.plan.mechanism import Mechanism, noise_variance
from dp_stats.plan.warnings import PlanWarning

Exact = Annotated[Fraction, PlainSerializer(str, return_type=str)]
"""An exact number, written as ``numerator/denominator``."""

Role = Literal["statistic", "truncated_rows", "truncated_persons", "late_statistic", "late_rows"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measurement(Frozen):
    """One measured table: exact integers at one level of the grid, to which noise of one scale is added."""

    id: str = Field(description="`statistic@level.level…`, unique in the plan.")
    statistic: str = Field(description="The statistic's id.")
    role: Role = Field(
        description="`statistic` for what is published; `truncated_rows` and `truncated_persons` count what the bound truncates. "
        "Of rows of an earlier period that no edition has counted: `late_statistic` is the same table as of an edition's own "
        "rows; `late_rows` their number, at a coarse level."
    )
    levels: dict[str, str] = Field(description="Dimension → level, complete and in grid order.")
    shape: tuple[int, ...] = Field(description="Cells along each axis.")
    l1: int = Field(description="How far one person in one block can move the table in L1, in integer steps.")
    l2_squared: int = Field(description="The same in L2, squared (exact).")
    scale: float = Field(
        description="The noise scale in integer steps (Laplace b, Gaussian σ), a double exactly as OpenDP gets it."
    )
    rho: Exact = Field(description="This table's zCDP cost per block.")
    epsilon: Exact | None = Field(description="Its pure-ε cost; null under Gaussian noise.")
    unit: Exact = Field(Fraction(1), description="Real value of one integer step (a sum's resolution), else 1.")

    @property
    def variance(self) -> float:
        """Variance of one cell's noise, in integer steps squared (see ``plan.mechanism.noise_variance``)."""
        return noise_variance(self.scale, "discrete_gaussian" if self.epsilon is None else "discrete_laplace")


class LatePeriod(Frozen):
    """A period before the edition's own, of which it also measures the rows that no edition has counted.

    Attributes:
        label, start, end: the period, as the edition that covers it has it.
        measurements: the tables of its late rows, on that period's calendar.
    """

    label: str
    start: date
    end: date
    measurements: tuple[Measurement, ...]


class Draw(Frozen):
    """What a plan costs another dataset, whose records it uses."""

    dataset: str = Field(description="Whose budget pays as well.")
    times: int = Field(description="How many times the plan's ρ, for each block that the plan charges.")


class ExpectedError(Frozen):
    """What a published statistic's error will be, before any row is read.

    Attributes:
        table, statistic: where it is published. cells: how many values.
        prior_mean: public guess of a cell's mean (None: none declared).
        margin_95: 1.96 times the root-mean-square error expected of the published value of a typical (median) cell;
            worst: of the least certain. Noise, what shrinkage and settling will gain at the guessed mean, and the doubt
            about rows that the bound truncates.
        lowest, highest: what ``margin_95`` may come to, as it depends on how unlike the true cells are, which nobody
            knows before; None in plans sealed before there was a range.
        relative: margin_95 / prior_mean. Units are those of the published statistic.
    """

    table: str
    statistic: str
    cells: int
    prior_mean: float | None
    margin_95: float
    worst: float
    relative: float | None
    lowest: float | None = None
    highest: float | None = None

    @property
    def between(self) -> tuple[float, float] | None:
        """The range of ``margin_95``; None where it is known to within a tenth."""
        if self.lowest is None or self.highest is None or self.highest < 1.1 * self.lowest:
            return None
        return self.lowest, self.highest


class Plan(Frozen):
    """Everything that will be measured for one edition, what it costs and how accurate it will be.

    ``rho`` is the cost per block, exact and rounded up. ``epsilon`` with ``delta`` is what people are shown;
    ``pure_epsilon`` is set where all noise is Laplace. ``series_hash`` is equal for all editions that
    share one charge per block; ``hash`` identifies this edition's plan.
    """

    release: str = Field(description="Id of the release.")
    dataset: str = Field(description="Id of the dataset.")
    period: str = Field(description="Label of the period.")
    mechanism: Mechanism = Field(description="Noise that is added.")
    measurements: tuple[Measurement, ...] = Field(description="Every table that is measured of the edition's own rows.")
    contribution_rows: int = Field(description="Contribution bound: rows of one person that count in a block.")
    one_per_cell: bool = Field(description="Whether also at most one row of a person counts in a cell.")
    truncated_rows_cap: int = Field(description="Most truncated rows of one person that are counted.")
    block_kind: BlockKind = Field(description="Span of time within which the guarantee bounds a person.")
    blocks: tuple[str, ...] = Field(description="Blocks that the edition touches.")
    series: bool = Field(description="Whether editions of a block share one charge.")
    rho: Exact = Field(description="Cost per block, exact and rounded up.")
    pure_epsilon: Exact | None = Field(description="Pure ε; null under Gaussian noise.")
    epsilon: float = Field(description="ε at `delta` that follows from `rho`.")
    delta: Exact = Field(description="The δ of that ε.")
    expected: tuple[ExpectedError, ...] = Field(description="Expected margin of error of each published statistic.")
    warnings: tuple[PlanWarning, ...] = Field((), description="What people are told before they approve.")
    series_hash: str = Field(description="Equal for all editions that share one charge per block.")
    hash: str = Field(description="Identifies this edition's plan.")
    late: tuple[LatePeriod, ...] = Field(
        (),
        description="Earlier periods of which late rows are measured, the nearest first; they cost nothing more.",
        exclude_if=lambda late: not late,
    )
    draws: tuple[Draw, ...] = Field(
        (),
        description="What it costs other datasets, whose records it uses; absent where nothing.",
        exclude_if=lambda draws: not draws,
    )

    @property
    def tables(self) -> tuple[Measurement, ...]:
        """Every table that noise is drawn for."""
        return (*self.measurements, *(m for late in self.late for m in late.measurements))

    @property
    def edition(self) -> str:
        """``release/period``."""
        return f"{self.release}/{self.period}"


def digest(content: Any) -> str:
    """SHA-256 of a JSON-able value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return sha256(text.encode())
