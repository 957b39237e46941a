"""Made-up tables of exact counts for the benchmark, where no real one is at hand: small and sparse, with outbreaks.

    python -m benchmarks.worlds sparse OUT    # 200 areas, 13 weeks, 0.15 rows per area and day, outbreaks
    python -m benchmarks.worlds small OUT     # 9 areas in 3 regions, 8 weeks, 12 rows per area and day

Writes OUT/exact-counts.csv.gz (date, area, band, count) and OUT/areas.csv (code, region), as ``benchmarks.exact_counts_uk`` does.
"""

from __future__ import annotations

import argparse
import csv
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.exact_counts import ExactCounts
from benchmarks.exact_counts_uk import write

SHAPES = {"sparse": (200, 10, 91, 6, 0.15), "small": (9, 3, 56, 5, 12.0)}
"""World → areas, regions, days, bands, mean rows of an area and day."""


def build(world: str, *, seed: int = 0) -> ExactCounts:
    """A table of exact counts: areas of unequal size, a wave that reaches them at different times, and short outbreaks."""
    areas, regions, days, bands, mean = SHAPES[world]
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
    codes = tuple(f"A{i:03d}" for i in range(areas))
    home = np.sort(rng.integers(regions, size=areas))
    names = tuple(f"B{i}" for i in range(bands))
    return ExactCounts(counts.astype(np.int64), codes, tuple(f"R{r:02d}" for r in home), date(2023, 1, 2), names)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("world", choices=sorted(SHAPES))
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    exact = build(options.world)
    options.out.mkdir(parents=True, exist_ok=True)
    write(exact, options.out / "exact-counts.csv.gz")
    with (options.out / "areas.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("code", "region"), *zip(exact.areas, exact.regions, strict=True)])


if __name__ == "__main__":
    main()
