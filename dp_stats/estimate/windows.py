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

from dp_stats.catalogue.grid import Dimension, Grid, sum_groups
from dp_stats.estimate.cells_asked import on_fit
from dp_stats.estimate.late import added_noise
from dp_stats.estimate.quantity import Quantity
from dp_stats.estimate.truncation import Factors
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
        for part, found in zip(parts, (value, *signed_variance(quantity, asked)), strict=True):
            spread = np.broadcast_to(found, value.shape)
            part.append(np.asarray(spread if axis is None else spread.take(0, axis)))
    signs = sign.reshape(-1, *[1] * parts[0][0].ndim)
    value, variance, first, second = (np.stack(part)[which] for part in parts)
    first, second = first * np.abs(signs), second * np.abs(signs)
    added, subtracted = np.where(signs < 0, second, first), np.where(signs < 0, first, second)
    return SignedSums(value * signs, variance * np.abs(signs), added, subtracted, asked)


def signed_variance(quantity: Quantity, queries: Mapping[str, Query]) -> tuple[Floats, Floats, Floats]:
    """What is uncertain about ``quantity.value`` of queries whose weights are 1, −1 and 0.

    As of ``Quantity.variance``, but what a coarse cell's factor is uncertain about counts once for all of a query that lies
    in the cell, with its sign.

    Returns:
        The variance of noise and chance; standard deviations of how cells differ, of what is added and what is subtracted.
    """
    fit = quantity.fit
    variance, values = fit.variance(queries), fit.leaves
    doubts = [np.zeros(()), np.zeros(())]
    sides = _sides(queries)
    for factors in quantity.factors:
        corrected = values * quantity.spread_out(factors)
        absolute = _absolute(queries)
        ratio = _ratio(factors, fit.value(absolute, of=values), fit.value(absolute, of=corrected))
        noise = added_noise(fit, factors, queries, ratio) if factors.adds else variance * ratio**2
        alone, common = _shares(quantity, factors, queries, values, factors.own_variance - factors.drawn)
        variance = np.asarray(noise + alone + common)
        for number, side in enumerate(sides):
            if side is not None:
                kept, after = fit.value(side, of=values), fit.value(side, of=corrected)
                doubt, chance = quantity.local_doubt(factors, side, kept, _ratio(factors, kept, after) - 1.0)
                drawn, _ = _shares(
                    quantity, factors, side, values, np.broadcast_to(factors.drawn, factors.factor.shape)
                )
                doubts[number] = np.sqrt(doubts[number] ** 2 + doubt**2 + drawn)
                variance = variance + chance
        values = corrected
    return variance, doubts[0], doubts[1]


def variance_of_sums(quantity: Quantity, queries: Mapping[str, Query]) -> tuple[Floats, Floats]:
    """Variance of ``quantity.value`` of sums of cells, and, within it, the doubt that every edition shares.

    As ``Quantity.variance``, but exact for what a sum holds of each coarse cell, as of one that is a level's own cell.

    Returns:
        The variance; the standard deviation of how cells differ in their share of late and truncated rows.
    """
    noise, doubt, _ = signed_variance(quantity, queries)
    return np.asarray(noise + doubt**2), np.asarray(np.broadcast_to(doubt, noise.shape))


def _ratio(factors: Factors, kept: Floats, after: Floats) -> Floats:
    factor = factors.factor
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(kept > 0, after / kept, float(factor.mean()))
    return np.clip(ratio, factor.min(), factor.max())


def _shares(
    quantity: Quantity, factors: Factors, queries: Mapping[str, Query], values: Floats, own: Floats
) -> tuple[Floats, Floats]:
    """What is uncertain about the factors: Σ over coarse cells of (rows of the query there)² × variance of its ``own``
    factor, and (Σ rows × lean)² × the variance of the factor of the whole."""
    lean, sums = factors.lean, []
    for axis, dimension in enumerate(quantity.grid.dimensions):
        rows = weights(dimension, queries.get(dimension.name, dimension.top.name))
        coarse = dimension.level(factors.levels[dimension.name])
        member = np.zeros((len(coarse.group), len(coarse.codes)))
        member[np.arange(len(coarse.group)), coarse.group] = 1.0
        query, group = np.nonzero((np.abs(rows) @ member) > 0)
        values = np.moveaxis(np.tensordot(rows[query] * member.T[group], values, axes=(1, axis)), 0, axis)
        own, lean = (np.take(one, group, axis=axis) for one in (own, lean))
        sums.append((query.astype(np.intp), len(rows)))
    alone, together = np.asarray(values**2 * own), np.asarray(values * lean)
    for axis, (query, size) in enumerate(sums):
        alone, together = (sum_groups(one, query, size, axis) for one in (alone, together))
    return np.asarray(alone), np.asarray(together**2 * factors.whole_variance)


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


def _absolute(queries: Mapping[str, Query]) -> dict[str, Query]:
    return {name: query if isinstance(query, str) else np.abs(query) for name, query in queries.items()}


def _sides(queries: Mapping[str, Query]) -> tuple[Mapping[str, Query], Mapping[str, Query] | None]:
    """The same queries of what is added, and of what is subtracted; None where nothing is."""
    below = {name for name, query in queries.items() if not isinstance(query, str) and (np.asarray(query) < 0).any()}
    if not below:
        return queries, None

    def side(sign: float) -> dict[str, Query]:
        return {n: np.maximum(sign * np.asarray(q), 0.0) if n in below else q for n, q in queries.items()}

    return side(1.0), side(-1.0)
