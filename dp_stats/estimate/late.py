"""What late rows add to an edition, from the tables of them that later editions have measured (``plan.late``).

Tables that are the same as the edition's own are added to these: least squares stay what they are, with the noise of as
many draws as tables were added up. Or the number of late rows is known at one coarse level. A coarse cell with X rows that
got L late ones has the factor 1 + L/X. Summed over a coarse cell this is X + L, so totals stay unbiased. Three things are
uncertain besides the noise of X: that of L; how far finer cells differ from the factor of their coarse cell; and the chance
of which cell a late row falls in. All are carried into the intervals.

Where a cell has few rows its own share says little: it is drawn towards the share of the whole by s = w + t·(own − w),
t = d²/(d² + noise), where d is how far cells differ. The noise of the sum over all cells is divided between what each cell
has for itself, t·noise, and what all share, 1 − t of that of the whole: both together are the noise of the sum again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.estimate.leastsquares import LeastSquares
from dp_stats.estimate.truncation import Factors
from dp_stats.plan.algebra import Query, weights
from dp_stats.plan.model import Measurement
from dp_stats.plan.truncation import LEAST_SPREAD

Floats = NDArray[np.float64]

DAYS_DIFFER = 1.0
"""Days of a period are taken to differ at least so much in their share of late rows (a standard deviation, relative to the
share of the whole): rows of its last days have had least time to arrive."""

DAYS_SPREAD = 0.4
"""Where days are told apart, finer cells of a day are taken to differ so much in their share of late rows (a standard
deviation, relative to the day's share): of days that are nearly complete it differs more than of a whole period."""


@dataclass(frozen=True, eq=False)
class LateTables:
    """The noisy tables of one period's late rows, as one later edition measured them: measurement id → integers."""

    measurements: tuple[Measurement, ...]
    values: Mapping[str, NDArray[np.int64]]


def with_late(
    measurements: Sequence[Measurement], noisy: Mapping[str, NDArray[np.int64]], late: Sequence[LateTables]
) -> tuple[Mapping[str, NDArray[np.int64]], int]:
    """An edition's own tables of a statistic with the same tables of late rows added, and how many draws each then has."""
    added = dict(noisy)
    draws = 1
    for one in late:
        same = {(m.statistic, *m.levels.items()): m for m in one.measurements if m.role == "late_statistic"}
        found = [(m, same.get((m.statistic, *m.levels.items()))) for m in measurements]
        if any(table is not None for _, table in found):
            draws += 1
        for m, table in found:
            if table is not None:
                added[m.id] = added[m.id].reshape(m.shape) + one.values[table.id].reshape(m.shape)
    return added, draws


def coarse_levels(late: Sequence[LateTables]) -> Mapping[str, str] | None:
    """The level at which the number of late rows is known, if it was measured so."""
    return next((m.levels for one in late for m in one.measurements if m.role == "late_rows"), None)


def late_factors(grid: Grid, late: Sequence[LateTables], count: LeastSquares) -> Factors | None:
    """The factors of an edition; None if no later edition has measured late rows at a coarse level.

    Args:
        late: of every later edition that is taken in. count: least squares of the rows counted before.
    """
    tables = [(m, one.values[m.id]) for one in late for m in one.measurements if m.role == "late_rows"]
    if not tables:
        return None
    table = tables[0][0]
    levels = grid.complete(table.levels)
    found = np.sum([values.reshape(table.shape) for _, values in tables], axis=0).astype(np.float64)
    variance = np.full(table.shape, sum(m.variance for m, _ in tables))
    kept, kept_variance = count.value(levels), count.variance(levels)
    dated = any(d.kind == "date" and len(d.level(levels[d.name]).codes) > 1 for d in grid.dimensions)
    least, spread = (DAYS_DIFFER, DAYS_SPREAD) if dated else (LEAST_SPREAD, LEAST_SPREAD)
    share, own, shared, drawn = _shares(found, variance, kept, kept_variance, least)
    return Factors(levels, 1.0 + share, own, np.ones_like(share), shared, spread, 1.0, adds=True, drawn=drawn)


def _shares(
    late: Floats, variance: Floats, kept: Floats, kept_variance: Floats, least: float
) -> tuple[Floats, Floats, float, Floats]:
    """Late rows per row counted before in each cell, its own variance, the variance that all cells share, and the part of
    its own variance that is how cells differ."""
    safe, rows = np.maximum(kept, 1.0), max(float(kept.sum()), 1.0)
    whole, whole_variance = float(late.sum()) / rows, float(variance.sum()) / rows**2
    own, noise = late / safe, (variance + whole**2 * np.maximum(kept_variance, 0.0)) / safe**2
    weight = safe / safe.sum()
    between = max(float((weight * ((own - whole) ** 2 - noise)).sum()), (least * whole) ** 2)
    trust = between / (between + noise) if late.size > 1 else np.ones_like(noise)
    share = whole + trust * (own - whole)
    share = share + (float(late.sum()) - float((kept * share).sum())) / rows  # the whole is what was measured
    alone = trust * variance / safe**2
    return share, alone, (1 - float((weight * trust).sum())) * whole_variance, (1 - trust) * alone


def added_noise(fit: LeastSquares, factors: Factors, queries: Mapping[str, Query], ratio: Floats) -> Floats:
    """What the noise of the rows counted before gives queries to which late rows were added.

    In a query that covers a whole coarse cell, rows and late rows are added: its noise is not multiplied. In a small part
    of one it is multiplied by the factor, day by day where days have factors of their own.
    """
    plain = fit.variance(queries)
    covered, multiplied, by_day = np.ones(()), dict(queries), False
    for axis, dimension in enumerate(fit.grid.dimensions):
        query = queries.get(dimension.name, dimension.top.name)
        coarse = dimension.level(factors.levels[dimension.name])
        covered = np.multiply.outer(covered, _covered(dimension, query, coarse.group))
        if dimension.kind == "date" and len(coarse.codes) > 1:
            of_group = np.moveaxis(factors.factor, axis, 0).reshape(len(coarse.codes), -1)[:, 0]
            multiplied[dimension.name] = weights(dimension, query) * of_group[coarse.group]
            by_day = True
    other = plain * ratio**2
    if by_day:
        own = fit.variance(multiplied)
        other = np.where(np.isfinite(own), own, other)
    return np.asarray(covered * plain + (1 - covered) * other)


def _covered(dimension: Dimension, query: Query, coarse: NDArray[np.intp]) -> Floats:
    """How much of the coarse cells that each query touches it covers: 1 where it is a sum of coarse cells."""
    asked = weights(dimension, query) != 0
    groups = int(coarse.max()) + 1
    member = np.zeros((len(coarse), groups))
    member[np.arange(len(coarse)), coarse] = 1.0
    touched = (asked.astype(np.float64) @ member) > 0
    return np.asarray(asked.sum(axis=1) / np.maximum(touched @ member.sum(axis=0), 1.0))
