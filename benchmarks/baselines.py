"""What simpler releases of the same statistics would reach: every table noised on its own, two tables, or three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.plan.accounting import rho_of, scale_for_epsilon, scale_for_rho
from dp_stats.plan.mechanism import noise_variance


@dataclass(frozen=True)
class Baseline:
    """Root-mean-square errors of one statistic: ``own`` (as many tables as are published), ``two`` and ``three``."""

    own: float
    two: float
    three: float


def baselines(
    release: Release, grid: Grid, epsilon: Fraction, delta: Fraction | None
) -> Mapping[tuple[str, str], Baseline]:
    """(table, statistic) → errors of the baselines.

    Two: area × day and area × week × band (area × day alone where there are no bands); each statistic is the sum of
    cells of whichever gives the smaller error. Three: all × day besides.
    """
    counts = len(release.tables)
    banded = any("band" in t.levels for t in release.tables)
    own = _noise(epsilon, delta, counts)
    two, three = _noise(epsilon, delta, 2 if banded else 1), _noise(epsilon, delta, 3 if banded else 2)
    areas = grid.shape()[0]
    found = {}
    for table in release.tables:
        days = 7.0 if table.levels["date"] == "week" else 1.0
        length = grid.shape(table.levels)[[d.name for d in grid.dimensions].index("date")]
        summed = areas / grid.shape(table.levels)[0]  # areas in a cell
        bands = float(len(grid["band"])) if banded else 1.0
        for name in table.statistics:
            window = {"count": 1.0, "rolling": 7.0, "cumulative": (length + 1) / 2}[name]
            by_day = summed * days * window
            parts = (
                summed if "band" in table.levels else min(by_day, summed * bands if days == 7 and banded else by_day)
            )
            whole = days * window if "area" not in table.levels and "band" not in table.levels else parts
            found[table.id, name] = Baseline(own * window**0.5, two * parts**0.5, three * min(parts, whole) ** 0.5)
    return found


def _noise(epsilon: Fraction, delta: Fraction | None, tables: int) -> float:
    """Standard deviation of a cell's noise if the budget is split evenly over so many tables, by the better mechanism."""
    laplace = noise_variance(scale_for_epsilon(1, epsilon / tables), "discrete_laplace")
    if delta is None:
        return float(np.sqrt(laplace))
    rho = rho_of(epsilon, delta) if delta else epsilon
    gaussian = noise_variance(scale_for_rho(1, rho / tables), "discrete_gaussian")
    if not delta:
        return float(np.sqrt(gaussian))
    return float(np.sqrt(min(laplace, gaussian)))
