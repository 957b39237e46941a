"""Made-up tables of exact counts for the benchmark, where no real one is at hand: small and sparse, with outbreaks; odd ones.

    python -m benchmarks.exact_counts_made_up sparse OUT    # 200 areas, 13 weeks, 0.15 rows per area and day, outbreaks
    python -m benchmarks.exact_counts_made_up small OUT     # 9 areas in 3 regions, 8 weeks, 12 rows per area and day
    python -m benchmarks.exact_counts_made_up bursts OUT    # half of 80 areas empty, else bursts of days; regions of 2 to 49 areas
    python -m benchmarks.exact_counts_made_up skewed OUT    # four of 90 areas have nearly all rows, half of the bands 1 % of them

Writes OUT/exact-counts.csv.gz (date, area, band, count) and OUT/areas.csv (code, region), as ``benchmarks.exact_counts_uk`` does.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.exact_counts import ExactCounts
from benchmarks.exact_counts_uk import write

SHAPES = {"sparse": (200, 10, 91, 6, 0.15), "small": (9, 3, 56, 5, 12.0)}
"""Kind → areas, regions, days, bands, mean rows of an area and day."""


def build(kind: str, *, seed: int = 0) -> ExactCounts:
    """A table of exact counts: areas of unequal size, a wave that reaches them at different times, and short outbreaks."""
    areas, regions, days, bands, mean = SHAPES[kind]
    rng = np.random.default_rng(seed)
    size = rng.gamma(1.2, 1.0, areas)
    peak = rng.normal(days / 2, days / 8, areas)
    wave = 0.3 + np.exp(-(((np.arange(days)[None, :] - peak[:, None]) / (days / 5)) ** 2))
    rate = size[:, None] * wave
    for _ in range(max(areas // 8, 1)):  # an outbreak: a week of ten times as many in one area
        where, when = rng.integers(areas), rng.integers(days - 7)
        rate[where, when : when + 7] *= 10
    rate *= mean / rate.mean()
    mix = rng.dirichlet(np.full(bands, 4.0))[None, :] * rng.gamma(20, 0.05, (areas, bands))
    mix /= mix.sum(axis=1, keepdims=True)
    counts = rng.poisson(rate[:, :, None] * mix[:, None, :])
    home = np.sort(rng.integers(regions, size=areas))
    return _counted(counts, home)


def bursts(*, seed: int = 0) -> ExactCounts:
    """Nothing at all in half of the areas; single days of up to some fifty rows in the others, each with bands of its own."""
    sizes, days, bands = (2, 4, 7, 18, 49), 56, 4
    rng = np.random.default_rng(seed)
    areas = sum(sizes)
    rate = np.full((areas, days), 0.01)
    large = rng.random(rate.shape) < 0.03
    rate[large] = rng.gamma(0.8, 12.0, int(large.sum()))
    rate[rng.permutation(areas)[: areas // 2]] = 0.0
    mix = rng.dirichlet(np.full(bands, 0.7), areas)
    return _counted(rng.poisson(rate[:, :, None] * mix[:, None, :]), np.repeat(np.arange(len(sizes)), sizes))


def skewed(*, seed: int = 0) -> ExactCounts:
    """Four areas of 150 rows a day among 86 of one in twenty days, and outbreaks of three days in ten of these; half of the
    bands have a hundredth of all rows."""
    areas, regions, days = 90, 9, 56
    rng = np.random.default_rng(seed)
    rate = np.full((areas, days), 0.05)
    large = rng.choice(areas, 4, replace=False)
    rate[large] = 150 * (1 + 0.5 * np.sin(np.arange(days) / 9)[None])
    for where in rng.choice(np.setdiff1d(np.arange(areas), large), 10, replace=False):
        when = rng.integers(days - 3)
        rate[where, when : when + 3] = 15
    mix = np.array([0.5, 0.3, 0.19, 0.004, 0.003, 0.003])
    return _counted(rng.poisson(rate[:, :, None] * mix), np.arange(areas) * regions // areas)


def _counted(counts: NDArray[np.int64], home: NDArray[np.int64]) -> ExactCounts:
    """Counts of areas, days and bands, and the region of each area."""
    areas, _, bands = counts.shape
    codes, names = tuple(f"A{i:03d}" for i in range(areas)), tuple(f"B{i}" for i in range(bands))
    return ExactCounts(counts.astype(np.int64), codes, tuple(f"R{r:02d}" for r in home), date(2023, 1, 2), names)


KINDS: Mapping[str, Callable[[], ExactCounts]] = {
    "sparse": lambda: build("sparse"), "small": lambda: build("small"), "bursts": bursts, "skewed": skewed
}  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    exact = KINDS[options.kind]()
    options.out.mkdir(parents=True, exist_ok=True)
    write(exact, options.out / "exact-counts.csv.gz")
    with (options.out / "areas.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("code", "region"), *zip(exact.areas, exact.regions, strict=True)])


if __name__ == "__main__":
    main()
