"""Rounding to whole numbers that keeps totals: largest remainders, and two-way controlled rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Index = NDArray[np.intp]


SETTLED = 6
"""Decimals to which values are taken before anything is decided by them."""


def settled(values: Floats) -> Floats:
    """Values without the last digits that another processor, or another number of threads, would compute otherwise.

    Least squares over whole numbers give many exact ties (a half, equal remainders). An error of 1e-12 would decide
    them at random; after this, ties are ties, and order decides.
    """
    return np.round(values, SETTLED)


def round_within(values: Floats, group: Index, totals: Integers) -> Integers:
    """Round so that every group has its whole total: the largest remainders are rounded up.

    ``values`` must already have the totals up to rounding error, and no group may be empty.
    """
    values = settled(values)
    whole = np.floor(values).astype(np.int64)
    sums = np.bincount(group, weights=whole, minlength=len(totals))
    up = totals - np.rint(sums).astype(np.int64)
    order = np.lexsort((whole - values, group))
    first = np.concatenate(([0], np.cumsum(np.bincount(group, minlength=len(totals)))[:-1]))
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values)) - first[group[order]]
    whole += rank < up[group]
    # totals beyond the precision of the fit (sums of some 10^9 steps): the largest cell takes the rest
    left = totals - np.rint(np.bincount(group, weights=whole, minlength=len(totals))).astype(np.int64)
    if left.any():
        largest = np.lexsort((whole, group))[first + np.diff([*first, len(values)]) - 1]
        whole[largest] += left
    return whole


def round_two_way(
    values: Floats,
    block: Index,
    row: Index,
    row_totals: Integers,
    column: Index,
    column_totals: Integers,
    *,
    signed: bool = False,
) -> Integers:
    """Round so that rows and columns of every two-way block have their whole totals.

    Each block is a complete table: every row of it meets every of its columns in one cell. Rows are
    rounded first; then single units move within a row from a column with too much to one with too
    little, each time where that costs least in squares. As a column with too much always has a row
    with at least one unit, this ends with all totals met and nothing negative.

    Args:
        values: non-negative (unless ``signed``) and with the row totals up to rounding error.
        block, row, column: of each cell; rows and columns lie within one block.
        row_totals, column_totals: whole numbers that agree within each block.
    """
    values = settled(values)
    whole = round_within(values, row, row_totals)
    order = np.lexsort((column, row, block))
    starts = np.flatnonzero(np.diff(block[order], prepend=-1))
    for begin, end in zip(starts, [*starts[1:], len(order)], strict=True):
        cells = order[begin:end]
        columns = np.unique(column[cells])
        table = cells.reshape(-1, len(columns))
        over = whole[table].sum(axis=0) - column_totals[columns]
        if over.any():
            _move(whole, values, table, over, signed)
    return whole


def _move(whole: Integers, values: Floats, table: Index, over: Integers, signed: bool) -> None:
    """Move units along rows of ``table`` until no column is ``over`` or under its total."""
    off = whole[table] - values[table]
    while True:
        source = int(np.argmax(over))
        if over[source] <= 0:
            return
        short = np.flatnonzero(over < 0)
        leave = -2.0 * off[:, source]
        if not signed:
            leave = np.where(whole[table[:, source]] > 0, leave, np.inf)
        cost = leave[:, np.newaxis] + 2.0 * off[:, short]
        line, place = divmod(int(np.argmin(cost)), len(short))
        target = short[place]
        # many units at once only where far more than one for each row has to move
        step = max(1, int(min(over[source], -over[target])) // (2 * len(table)))
        step = step if signed else min(step, int(whole[table[line, source]]))
        for where, change in ((source, -step), (target, step)):
            whole[table[line, where]] += change
            off[line, where] += change
            over[where] += change
