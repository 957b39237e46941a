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
    """One measured table: exact integers at one level of the grid, to which noise of one scale is added.

    Attributes:
        id: ``statistic@level.level…``, unique in the plan.
        statistic: the statistic's id.
        role: ``statistic`` for what is published; ``truncated_rows`` and ``truncated_persons`` count what the bound
            truncates. Of rows of an earlier period that no edition has counted: ``late_statistic`` is the same table as of
            an edition's own rows; ``late_rows`` their number, at a coarse level.
        levels: dimension → level, complete and in grid order.
        shape: cells along each axis.
        l1: how far one person in one block can move the table in L1, in integer steps.
        l2_squared: the same in L2, squared (exact).
        scale: the noise scale in integer steps (Laplace b, Gaussian σ), a double exactly as OpenDP gets it.
        rho: this table's zCDP cost per block. epsilon: its pure-ε cost (Laplace only).
        unit: real value of one integer step (a sum's resolution), else 1.
    """

    id: str
    statistic: str
    role: Role
    levels: dict[str, str]
    shape: tuple[int, ...]
    l1: int
    l2_squared: int
    scale: float
    rho: Exact
    epsilon: Exact | None
    unit: Exact = Fraction(1)

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
    """What a plan costs another dataset, whose records it uses.

    Attributes:
        dataset: whose budget pays as well. times: how many times the plan's ρ, for each block that the plan charges.
    """

    dataset: str
    times: int


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

    release: str
    dataset: str
    period: str
    mechanism: Mechanism
    measurements: tuple[Measurement, ...]
    contribution_rows: int
    one_per_cell: bool
    truncated_rows_cap: int
    block_kind: BlockKind
    blocks: tuple[str, ...]
    series: bool
    rho: Exact
    pure_epsilon: Exact | None
    epsilon: float
    delta: Exact
    expected: tuple[ExpectedError, ...]
    warnings: tuple[PlanWarning, ...] = ()
    series_hash: str
    hash: str
    late: tuple[LatePeriod, ...] = Field((), exclude_if=lambda late: not late)
    """Earlier periods of which late rows are measured, the nearest first; they cost nothing more (``plan.late``)."""
    draws: tuple[Draw, ...] = Field((), exclude_if=lambda draws: not draws)
    """What it costs other datasets, whose records it uses."""

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
