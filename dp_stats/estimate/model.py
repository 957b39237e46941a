"""What estimation hands to publishing: a value with an interval for every cell of every published table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.periods import Period
from dp_stats.plan.model import Plan
from dp_stats.plan.warnings import UndeclaredRepeats, UnmeasuredTruncation

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Estimate:
    """One statistic of one published table, in the statistic's own unit.

    Every array has the shape of ``grid.shape(levels)``. NaN means that there is no value (a rate of
    a group without a population, a mean over nothing, the first days of a rolling sum).

    Attributes:
        statistic: id of the measured or derived statistic.
        levels: dimension → level, complete and in grid order.
        value: what is published; for counts non-negative whole numbers that add up across all tables.
        unrounded: the unbiased least-squares value before rounding (corrected for the contribution bound).
        lower, upper: 95 % interval of the true value; holds ``value``.
        standard_error: of ``value`` (but for rounding): what ``lower`` and ``upper`` are made from.
        bounded: ``unrounded`` of the rows that the contribution bound kept, before the correction for
            rows that were truncated; None where nothing is corrected.
        shrunken: whether ``value`` leans on neighbouring cells (see ``estimate.shrink``); such a value has
            a smaller error than ``unrounded`` and a small bias.
        unrounded_error: standard error of ``unrounded`` where ``value`` is shrunken; None: ``standard_error``.
        outweighed: where the interval is mostly what truncated rows may do to a value that is not corrected for them,
            rather than noise; None: nowhere.
    """

    statistic: str
    levels: Mapping[str, str]
    value: Floats
    unrounded: Floats
    lower: Floats
    upper: Floats
    standard_error: Floats
    bounded: Floats | None = None
    shrunken: bool = False
    unrounded_error: Floats | None = None
    outweighed: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class TruncationEstimate:
    """How many rows the contribution bound truncated, and the factors that correct for it.

    Attributes:
        levels: the coarse level at which truncation was measured, complete and in grid order.
        truncated_rows, lower, upper: truncated rows of the whole edition with a 95 % interval.
        share: ``truncated_rows`` divided by all rows, kept and truncated.
        truncated_persons, persons_lower, persons_upper: persons with at least one truncated row; None if not measured.
        factor: (kept + truncated) / kept of each coarse cell, at least 1; shape of ``levels``.
        factor_error: standard error of ``factor`` from noise; same shape.
        spread: standard deviation of log factors of finer groups around that of their coarse cell.
        cap: one person's truncated rows are counted up to this many; rows beyond are in neither count.
        cap_reached: whether most persons with truncated rows clearly have about as many as the cap, so that rows beyond it
            are a guess that intervals hold only in part.
    """

    levels: Mapping[str, str]
    truncated_rows: float
    lower: float
    upper: float
    share: float
    truncated_persons: float | None
    persons_lower: float | None
    persons_upper: float | None
    factor: Floats
    factor_error: Floats
    spread: float
    cap: int
    cap_reached: bool = False


AcrossReason = Literal["ended", "before", "edition", "year", "divided", "measured", "meaning", "cells"]
"""Why a value across editions is missing: its period has not ended; its window begins before the first day published; an
edition is not published; there is no such period a year before; days were not told apart as it needs; an edition did not
measure it at this level; it meant something else there; an edition does not have the cell."""


@dataclass(frozen=True)
class Missing:
    """Values of one statistic and period of a table across editions that cannot be told, and why.

    ``period`` is the row's code; ``editions`` the labels of the periods that are the reason, where some are.
    """

    statistic: str
    period: str
    reason: AcrossReason
    editions: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Across:
    """A table across editions: the period of each row, statistic id → estimate with these along the axis of time (a last
    axis more where there is none), and what is missing."""

    rows: tuple[Period, ...]
    estimates: Mapping[str, Estimate]
    missing: tuple[Missing, ...]


@dataclass(frozen=True, eq=False)
class EditionEstimates:
    """All estimates of one edition.

    Attributes:
        plan: the plan whose noisy measurements these come from.
        tables: table id → statistic id → estimate.
        truncation: what the contribution bound truncated; None if that was not measured.
        nothing_truncated: why no row can have been truncated, where the release says so; else empty.
        across: table id → table across editions (see ``estimate.across``).
        fitted: what readers need to know of the fits (see ``estimate.fitted``). document: the measurements that all of this was
            made from, as they are published (see ``estimate.open_measurements``); None where they are not.
    """

    plan: Plan
    tables: Mapping[str, Mapping[str, Estimate]]
    truncation: TruncationEstimate | None = None
    nothing_truncated: str = ""
    across: Mapping[str, Across] = field(default_factory=dict)
    fitted: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] | None = None

    @property
    def beyond_intervals(self) -> bool:
        """Whether every value may be off by more than its interval says, for rows that are truncated and not counted."""
        reached = self.truncation is not None and self.truncation.cap_reached
        return self.truncation_unmeasured or reached or self.most_rows_assumed is not None

    @property
    def most_rows_assumed(self) -> int | None:
        """How many rows no person is taken to have more than, where nobody has declared how often people repeat; else None."""
        return next((w.rows for w in self.plan.warnings if isinstance(w, UndeclaredRepeats)), None)

    @property
    def truncation_unmeasured(self) -> bool:
        """Whether rows may be truncated and nothing tells how many, so that no interval holds what is missing."""
        return any(isinstance(warning, UnmeasuredTruncation) for warning in self.plan.warnings)

    def of(self, table: str) -> Mapping[str, Estimate]:
        """The estimates of a table of this edition or across editions.

        Raises:
            KeyError: there is no such table.
        """
        return self.across[table].estimates if table in self.across else self.tables[table]
