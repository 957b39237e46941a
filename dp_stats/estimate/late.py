"""What late rows add to an edition, from the tables of them that later editions have measured (``plan.late``).

Tables that are the same as the edition's own are added to these: least squares stay what they are, with the noise of as
many draws as tables were added up. Or the number of late rows is known at one coarse level: then it is spread over finer
cells (``late_rows``), by the share of late rows that is found here, and intervals carry what is uncertain: the noise of late
rows and of those counted before, how far cells differ in their share, and the chance of which cell a late row falls in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Grid
from dp_stats.estimate.late_rows import LateRows
from dp_stats.estimate.leastsquares import LeastSquares
from dp_stats.plan.model import Measurement
from dp_stats.plan.truncation import LEAST_SPREAD

Floats = NDArray[np.float64]

DAYS_DIFFER = 1.0
"""Days of a period are taken to differ at least so much in their share of late rows (a standard deviation, relative to the
share of the whole): rows of its last days have had least time to arrive."""

GUESS_OFF = 0.5
"""How far the public guess of late rows per row counted before is taken to be off: a standard deviation."""

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


def late_rows(grid: Grid, late: Sequence[LateTables], count: LeastSquares, *, guess: float) -> LateRows | None:
    """Late rows of an edition in coarse cells; None if no later edition has measured them so.

    Args:
        late: of every later edition that is taken in. count: least squares of the rows counted before.
        guess: public guess of the share of a period's rows that arrive late; it matters only where hardly any are known.
    """
    tables = [(m, one.values[m.id]) for one in late for m in one.measurements if m.role == "late_rows"]
    if not tables:
        return None
    shape, levels = tables[0][0].shape, grid.complete(tables[0][0].levels)
    found = np.sum([values.reshape(shape) for _, values in tables], axis=0).astype(np.float64)
    variance = np.full(shape, sum(m.variance for m, _ in tables))
    dated = any(d.kind == "date" and len(d.level(levels[d.name]).codes) > 1 for d in grid.dimensions)
    whole: Mapping[str, str] = {}
    known = Known(
        found, variance, count.value(levels), count.variance(levels), float(count.variance(whole).reshape(()))
    )
    shares = known.shares(guess / (1 - guess), DAYS_DIFFER if dated else LEAST_SPREAD)
    return LateRows(
        levels=levels,
        axis=max(range(len(shape)), key=lambda i: shape[i]),
        late=known.late.reshape(-1),
        late_variance=variance.reshape(-1),
        kept=known.kept.reshape(-1),
        kept_variance=known.kept_variance.reshape(-1),
        share=shares.share,
        follows=shares.follows,
        between=shares.between,
        lean=shares.lean,
        whole_variance=shares.whole_variance,
        spread=DAYS_SPREAD if dated else LEAST_SPREAD,
        tables=[(m.scale, "discrete_gaussian" if m.epsilon is None else "discrete_laplace") for m, _ in tables],
    )


@dataclass(frozen=True, eq=False)
class Shares:
    """Late rows per row counted before (see ``LateRows``)."""

    share: Floats
    follows: Floats
    between: float
    lean: Floats
    whole_variance: float


@dataclass(frozen=True, eq=False)
class Known:
    """Late rows and rows counted before in coarse cells, with the variances of their noise; ``whole_variance`` is that of all
    rows counted before."""

    late: Floats
    late_variance: Floats
    kept: Floats
    kept_variance: Floats
    whole_variance: float

    def shares(self, guess: float, least: float) -> Shares:
        """The share of the whole, drawn to the guess as far as noise hides it; that of each cell, drawn to that of the whole.

        Each is the mean of a share s with a prior, given L = s·X and noise: prior + b·X·(L − prior·X) / (b·X² + noise), with b
        the variance of the prior. Where X is nothing but noise that is the prior; no number is divided by another one that
        may be nothing. The variance between cells is found by moments in the same way, and is that of ``least`` times the
        share at least.
        """
        late, rows = float(self.late.sum()), float(self.kept.sum())
        noise = float(self.late_variance.sum()) + guess**2 * self.whole_variance
        told = GUESS_OFF**2 * rows / (GUESS_OFF**2 * rows**2 + noise)
        whole = guess + told * (late - guess * rows)
        doubt = GUESS_OFF**2 * (1 - told * rows)
        if self.late.size == 1:
            one = np.ones(1)
            return Shares(whole * one, told * one, GUESS_OFF**2, (1 - told * rows) * one, 0.0)
        off = self.late - whole * self.kept
        own_noise = self.late_variance + whole**2 * self.kept_variance
        square, smallest = max(float((self.kept**2 - self.kept_variance).sum()), 0.0), (least * whole) ** 2
        more = float((off**2 - own_noise).sum()) - smallest * square
        told = GUESS_OFF**4 * square / (GUESS_OFF**4 * square**2 + 2 * float((own_noise**2).sum()))
        between = smallest + max(told * more, 0.0)
        follows = between * self.kept / (between * self.kept**2 + own_noise)
        share = whole + follows * off
        flat = (share, follows, 1 - follows * self.kept)
        return Shares(flat[0].reshape(-1), flat[1].reshape(-1), between, flat[2].reshape(-1), doubt)
