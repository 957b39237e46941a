"""Coverage where it matters: of cells by their true count, by the size of their area, and of outbreaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dp_stats.estimate import Estimate

Floats = NDArray[np.float64]

SIZES: Mapping[str, tuple[float, float]] = {
    "0": (0, 0), "1–3": (1, 3), "4–20": (4, 20), "21–100": (21, 100), "over 100": (101, np.inf)
}  # fmt: skip
ENOUGH = 200
"""Cells (over all draws) below which a class says nothing."""


@dataclass
class Conditional:
    """Per class: cells, covered ones, the sums of errors, of errors squared, and of half widths; and of each draw's cells
    squared, covered ones squared, and their product, which tell how far draws differ.

    The classes are those of ``SIZES``; areas by fifths of their total; and ``outbreaks``, the top hundredth of cells.
    """

    sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, estimate: Estimate, exact: Floats) -> None:
        """Count one draw's cells; ``exact`` has areas along its first axis."""
        known = ~np.isnan(estimate.value)
        inside = (estimate.lower <= exact + 1e-9) & (exact - 1e-9 <= estimate.upper)
        error = estimate.value - exact
        half = (estimate.upper - estimate.lower) / 2
        for name, where in classes(exact).items():
            chosen = where & known
            cells, covered = float(chosen.sum()), float(inside[chosen].sum())
            sums = error[chosen].sum(), (error[chosen] ** 2).sum(), half[chosen].sum()
            row = np.array([cells, covered, *sums, cells**2, covered**2, cells * covered])
            self.sums[name] = self.sums.get(name, np.zeros(8)) + row

    def rows(self) -> dict[str, tuple[int, float, float, float, float, float]]:
        """Class → cells, coverage, mean error, root-mean-square error, mean half width, and the standard error of the
        coverage, whose cells share a draw's noise; classes with enough cells."""
        return {name: _figures(s) for name, s in self.sums.items() if s[0] >= ENOUGH}


def _figures(s: Floats) -> tuple[int, float, float, float, float, float]:
    covered = s[1] / s[0]
    between = max(s[6] - 2 * covered * s[7] + covered**2 * s[5], 0.0)
    return int(s[0]), covered, s[2] / s[0], float(np.sqrt(s[3] / s[0])), s[4] / s[0], float(np.sqrt(between)) / s[0]


def classes(exact: Floats) -> dict[str, NDArray[np.bool_]]:
    """Class → which cells are in it."""
    found = {name: (exact >= low) & (exact <= high) for name, (low, high) in SIZES.items()}
    if len(exact) >= 25:
        total = exact.reshape(len(exact), -1).sum(axis=1)
        fifth = np.argsort(np.argsort(total)) * 5 // len(total)
        shape = (-1, *[1] * (exact.ndim - 1))
        for i, name in enumerate(("smallest areas", "small", "middle", "large", "largest areas")):
            found[name] = np.broadcast_to((fifth == i).reshape(shape), exact.shape)
    positive = exact[exact > 0]
    if len(positive):
        found["outbreaks"] = exact >= max(np.quantile(exact, 0.99), 1)
    return found
