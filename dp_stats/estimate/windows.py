"""What one edition says about windows of days, and about the difference of two of them: values and variances.

Every noisy table belongs to one edition's period (one of late rows to the period that it adds to), so errors of different
editions are independent. What two windows share is what lies in both, and what an edition that both cut is uncertain about
as a whole: its measured totals, its late rows and its truncated ones. So the variance of a difference is asked for as such,
edition by edition: with weights 1, −1 and 0 of its days, what is shared cancels as far as it is shared. The covariance of
two windows follows, cov(A, B) = (var(A) + var(B) − var(A − B)) / 2.

One thing is no noise: how late or truncated rows of an area differ from the share of the coarse cell that they were measured
in, or from that of the whole to which uncertain cells are drawn. An area whose reports are slow is slow in every edition. So
these doubts are added over editions as standard deviations, and kept apart from noise; between what is added and what is
subtracted they are taken to be independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.estimate.cells_asked import on_fit
from dp_stats.estimate.quantity import Quantity
from dp_stats.plan.algebra import Query, weights

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SignedSums:
    """Sums of one edition's days, along a first axis, in cells of its other dimensions.

    Attributes:
        value: best values. variance: of their noise, and of the chance of which cell a row falls in.
        added, subtracted: standard deviation of how cells differ in their share of late and truncated rows, of what has
            weight 1 and of what has weight −1.
        queries: of the last sum, for its law.
    """

    value: Floats
    variance: Floats
    added: Floats
    subtracted: Floats
    queries: Mapping[str, Query]


def signed_sums(
    quantity: Quantity, grid: Grid, levels: Mapping[str, Query], dates: Dimension | None, rows: Floats
) -> SignedSums:
    """Sums over days with weights 1, −1 and 0, in every cell of the other dimensions.

    Args:
        grid: of the edition. levels: dimension → level of the edition's grid, or weights of its leaves; that of time is not used.
        dates: the edition's dimension of time; None: it has none, and ``rows`` has one column.
        rows: weights of the leaves of ``dates``, a row a sum.

    Raises:
        NotDerivableError: an edition did not measure so finely. KeyError: it has no such level.
    """
    queries = {d.name: _level(quantity, d, levels[d.name]) for d in grid.dimensions if not _is(d, dates)}
    axis = None if dates is None else [d.name for d in quantity.grid.dimensions].index(dates.name)
    distinct, which, sign = _distinct(rows)
    parts: list[list[Floats]] = [[], [], [], []]
    asked: dict[str, Query] = queries
    for row in distinct:
        asked = dict(queries)
        if dates is not None:
            whole = (row == 1).all()
            asked[dates.name] = quantity.grid[dates.name].top.name if whole else on_fit(quantity, dates, row[None, :])
        value = quantity.value(asked)
        for part, found in zip(parts, (value, *quantity.signed_variance(asked)), strict=True):
            spread = np.broadcast_to(found, value.shape)
            part.append(np.asarray(spread if axis is None else spread.take(0, axis)))
    signs = sign.reshape(-1, *[1] * parts[0][0].ndim)
    value, variance, first, second = (np.stack(part)[which] for part in parts)
    first, second = first * np.abs(signs), second * np.abs(signs)
    added, subtracted = np.where(signs < 0, second, first), np.where(signs < 0, first, second)
    return SignedSums(value * signs, variance * np.abs(signs), added, subtracted, asked)


def variance_of_sums(quantity: Quantity, queries: Mapping[str, Query]) -> tuple[Floats, Floats]:
    """Variance of ``quantity.value`` of sums of cells, and, within it, the doubt that every edition shares.

    Returns:
        The variance; the standard deviation of how cells differ in their share of late and truncated rows.
    """
    noise, doubt, _ = quantity.signed_variance(queries)
    return np.asarray(noise + doubt**2), np.asarray(np.broadcast_to(doubt, noise.shape))


def _level(quantity: Quantity, dimension: Dimension, query: Query) -> Query:
    """A level as the fit knows it: by name, or as weights where nothing else needs it."""
    known = quantity.grid[dimension.name]
    if isinstance(query, str) and query in {level.name for level in known.levels}:
        return query
    return on_fit(quantity, dimension, weights(dimension, query))


def _is(dimension: Dimension, dates: Dimension | None) -> bool:
    return dates is not None and dimension.name == dates.name


def _distinct(rows: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
    """The rows that differ but for their sign; of each row which it is, and its sign (0: no day of it)."""
    first = np.argmax(rows != 0, axis=1)
    sign = np.sign(rows[np.arange(len(rows)), first])
    distinct, which = np.unique(rows * np.where(sign == 0, 1.0, sign)[:, None], axis=0, return_inverse=True)
    return distinct, which.reshape(-1).astype(np.intp), sign
