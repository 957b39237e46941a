"""How far one person can move a measured table: every rule, with its proof.

Neighbouring tables differ in all rows that one person has in one block. The bound keeps at most ``k`` of them
over the whole block (all editions of a series together: the contribution register), chosen from the person's
own rows alone, so nobody else's rows change. The difference of two answers is then the person's own answer,
and a sensitivity is the largest norm it can have. L1 bounds Laplace noise, L2 Gaussian noise.

A series is charged once per block for the *joint* answers of all its editions, so the rules below hold for the
vector of all cells of all editions that fall in the block.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import assert_never

from dp_stats.catalogue.calendar import Calendar
from dp_stats.catalogue.grid import Grid, Level
from dp_stats.catalogue.models import Contribution, Release, Statistic
from dp_stats.catalogue.periods import ISO_WEEK, BlockKind, PeriodKind
from dp_stats.plan.calendars import own_level
from dp_stats.plan.model import Role


@dataclass(frozen=True)
class Sensitivity:
    """The largest L1 norm and the largest squared L2 norm of one person's answer, in integer steps."""

    l1: int
    l2_squared: int


def rows(k: int, *, leaves_per_cell: int, one_per_cell: bool) -> Sensitivity:
    """Counts of rows, and histograms, at any level of the grid.

    Each of at most k rows adds 1 to one cell: L1 = k. They can all share one cell, so L2² = k² (with n_c rows
    in cell c, Σ n_c² ≤ (Σ n_c)²). With at most one row per leaf cell, a cell of at most m leaves holds at most
    m of them; Σ n_c² with Σ n_c = k and n_c ≤ m is convex, so it is largest when ⌊k/m⌋ cells are full:
    L2² = ⌊k/m⌋·m² + (k mod m)². This is k at the leaves (m = 1) and k² as soon as m ≥ k.
    """
    if not one_per_cell:
        return Sensitivity(k, k * k)
    full, left = divmod(k, leaves_per_cell)
    return Sensitivity(k, full * leaves_per_cell**2 + left**2)


def persons(k: int, *, cells: int | None) -> Sensitivity:
    """Counts of distinct persons per cell.

    A person adds 1 to every cell they have a kept row in: at most k cells, and at most all ``cells`` that any edition
    can have (``None``: there is no such number, because the block also spans other editions, whose cells count too, or
    because cells come from a code list, which may grow while the series goes on). Every entry is 0 or 1, so
    L1 = L2² = min(k, cells).
    """
    touched = k if cells is None else min(k, cells)
    return Sensitivity(touched, touched)


def sums(k: int, statistic: Statistic, *, leaves_per_cell: int, one_per_cell: bool) -> Sensitivity:
    """Clipped sums in fixed-point integers.

    A row's value is clipped to [lower, upper] and rounded to whole steps of ``resolution``, so its size is at
    most s = ⌈max(|lower|, |upper|) / resolution⌉ steps (adding or removing the row, not exchanging it: both
    ends count from zero). The answer is at most s times that of a count: L1 = k·s, L2² = s² · L2²(count).
    """
    assert statistic.lower is not None
    assert statistic.upper is not None
    step = steps(statistic)
    count = rows(k, leaves_per_cell=leaves_per_cell, one_per_cell=one_per_cell)
    return Sensitivity(count.l1 * step, count.l2_squared * step * step)


def steps(statistic: Statistic) -> int:
    """The largest size of one row's clipped value, in whole steps of the sum's resolution."""
    assert statistic.lower is not None
    assert statistic.upper is not None
    return math.ceil(max(abs(statistic.lower), abs(statistic.upper)) / statistic.resolution)


def truncated_rows(cap: int) -> Sensitivity:
    """Counts of rows that the bound truncates, at most ``cap`` of a person in the block: as ``rows`` with k = cap."""
    return rows(cap, leaves_per_cell=1, one_per_cell=False)


def truncated_persons() -> Sensitivity:
    """Persons of whom the bound truncates a row, each counted once in the block, in one cell: L1 = L2² = 1."""
    return Sensitivity(1, 1)


def one_edition_per_block(period: PeriodKind, block: BlockKind, calendar: Calendar) -> bool:
    """Whether the rows of one block can only fall in one edition, so that its cells are all there are.

    Blocks are ISO weeks and calendar months and years, whatever calendar the release has.
    """
    if block == "lifetime" or period == "range":
        return False
    if block == period == "week":
        return calendar.week_start == ISO_WEEK
    return calendar.inside(block, period)


def shared_blocks(release: Release, block: BlockKind) -> bool:
    """Whether editions of the release share a block and its charge: so does what each keeps of a person there.

    With late rows every edition also counts rows of the periods before it, whose blocks it then shares.
    """
    if not release.series:
        return False
    return release.late is not None or not one_edition_per_block(release.period, block, release.calendar)


def everybody_counts(release: Release, block: BlockKind) -> bool:
    """Whether a row of everybody who has any in an edition is kept: the bound keeps one, unless the register leaves nothing of it
    to who used it up in other editions. A range has no others."""
    return release.period == "range" or not shared_blocks(release, block)


def of(
    statistic: Statistic,
    role: Role,
    *,
    contribution: Contribution,
    cap: int,
    grids: Sequence[Grid],
    levels: Mapping[str, str],
    joint: bool,
) -> Sensitivity:
    """The sensitivity of one measured table, the same for every edition of a release: the worst over their grids.

    Every rule above grows with k, m and the number of cells. So with the largest m (and number of cells) of any grid it
    bounds each edition by itself. For editions that share a block, with kₜ rows of the person in edition t, Σ kₜ ≤ k,
    the joint answer is bounded by Σ fₘ(kₜ) ≤ fₘ(k), because each mₜ ≤ m and fₘ(k) = ⌊k/m⌋·m² + (k mod m)² is the largest
    Σ n_c² under Σ n_c = k, n_c ≤ m, hence superadditive.

    Args:
        statistic: what is measured; role: whether the table counts it or what the bound truncates.
        contribution: the bound; cap: the largest number of one person's truncated rows that counts.
        grids: of all editions there can be (``calendars.grids_of``); levels: where it is measured, as the first calls it.
        joint: whether other editions share the block and the charge.
    """
    if role == "truncated_rows":
        return truncated_rows(cap)
    if role == "truncated_persons":
        return truncated_persons()
    if role == "late_rows":
        return rows(contribution.rows, leaves_per_cell=1, one_per_cell=False)
    k = contribution.rows
    leaves = max(prod(int(level.sizes.max()) for level in at) for at in _places(grids, levels))
    match statistic.kind:
        case "count":
            return rows(k, leaves_per_cell=leaves, one_per_cell=contribution.one_per_cell)
        case "sum":
            return sums(k, statistic, leaves_per_cell=leaves, one_per_cell=contribution.one_per_cell)
        case "persons":
            listed = any(d.kind != "date" and levels.get(d.name, d.top.name) != d.top.name for d in grids[0].dimensions)
            most = max(prod(len(level.codes) for level in at) for at in _places(grids, levels))
            return persons(k, cells=None if joint or listed else most)
        case _:
            assert_never(statistic.kind)


def _places(grids: Sequence[Grid], levels: Mapping[str, str]) -> Iterator[list[Level]]:
    """The level of each dimension, grid by grid."""
    named = grids[0].complete(levels)
    for grid in grids:
        yield [d.level(own_level(grids[0][d.name], d, named[d.name])) for d in grid.dimensions]
