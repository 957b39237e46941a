"""How processor time and memory grow: planning, noise and estimates of large releases, from made-up exact counts.

    python -m benchmarks.growth [areas-weeks] [areas-days-bands]

Each shape runs in a process of its own. The plan, the noise (OpenDP's own samplers) and the estimates are those of the
pipeline; counts are drawn from Poisson laws with means that differ by area. Printed are processor seconds by part
(which depend little on what else the machine does), the peak of resident memory, and whether planning and estimating
keep to the goals. Drawing noise is told apart: it takes the same time for each draw, however many there are.

- ``areas-weeks``: 35,000 areas in 350 regions × 52 weeks; by area, region and all.
- ``areas-days-bands``: 3,000 areas in 50 regions × 365 days × 18 bands; the nine tables of ``benchmarks.accuracy``, fifteen
  statistics.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.bounding import peak_gigabytes
from benchmarks.exact_counts import ExactCounts, catalogue_of
from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release


@dataclass(frozen=True)
class Shape:
    """A release's size and what estimating it may take."""

    areas: int
    regions: int
    days: int
    bands: int
    weekly: bool
    seconds: float
    gigabytes: float


SHAPES = {
    "areas-weeks": Shape(35_000, 350, 364, 1, weekly=True, seconds=10, gigabytes=1),
    "areas-days-bands": Shape(3_000, 50, 365, 18, weekly=False, seconds=60, gigabytes=2),
}
ROWS = 2.0
"""Mean rows of an area and day."""

PARTS = (
    ("least squares", "dp_stats.plan.algebra.Structure.solve"),
    ("variances", "dp_stats.plan.algebra.Structure.query_variance"),
    ("laws of noise", "dp_stats.estimate.leastsquares.LeastSquares.law"),
    ("shrinkage", "dp_stats.estimate.tables.shrink_targets"),
    ("whole numbers that add up", "dp_stats.estimate.tables.make_consistent"),
)
"""Parts of estimation that are told apart, by the function that does them; a part within another counts for itself."""


@dataclass
class Clock:
    """Processor seconds by part, where a part that runs within another is taken from that one's."""

    seconds: dict[str, float] = field(default_factory=dict)
    _open: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what runs inside as ``name``."""
        self._turn(name)
        try:
            yield
        finally:
            now = time.process_time()
            ended, began = self._open.pop()
            self.seconds[ended] = self.seconds.get(ended, 0.0) + now - began
            if self._open:
                self._open[-1] = (self._open[-1][0], now)

    def _turn(self, name: str) -> None:
        now = time.process_time()
        if self._open:
            outer, began = self._open[-1]
            self.seconds[outer] = self.seconds.get(outer, 0.0) + now - began
        self._open.append((name, now))

    def watch(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, whose time counts as ``name``."""

        def watched(*args: Any, **options: Any) -> Any:
            with self.part(name):
                return function(*args, **options)

        return watched


def declared(shape: Shape, exact: ExactCounts) -> tuple[Catalogue, Release, Grid]:
    """The release of a shape, with its grid."""
    catalogue, release, grid = catalogue_of(exact, prior=ROWS, epsilon=Fraction(1), delta=None)
    if shape.weekly:
        tables = tuple(t for t in release.tables if t.levels["date"] == "week")
        dimensions = tuple(
            d.model_copy(update={"levels": ("week",)}) if d.name == "date" else d for d in release.dimensions
        )
        release = release.model_copy(update={"tables": tables, "dimensions": dimensions, "derived": ()})
        catalogue = Catalogue(catalogue.folder, catalogue.datasets, {release.id: release}, catalogue.codes)
        grid = catalogue.grid(release, exact.period)
    return catalogue, release, grid


def cells_of(shape: Shape) -> ExactCounts:
    """The public cells of a shape; without counts."""
    return ExactCounts(
        np.zeros((1, shape.days, 1), dtype=np.int64),
        tuple(f"A{i:05d}" for i in range(shape.areas)),
        tuple(f"R{i * shape.regions // shape.areas:03d}" for i in range(shape.areas)),
        date(2024, 1, 1),
        tuple(f"B{i:02d}" for i in range(shape.bands)),
    )


def made_up(shape: Shape, grid: Grid) -> NDArray[np.int64]:
    """Exact counts of the leaves."""
    rng = np.random.default_rng(0)
    size = grid.shape()
    mean = ROWS * shape.days * shape.areas / grid.cells({d.name: d.leaf.name for d in grid.dimensions})
    means = mean * rng.gamma(2.0, 0.5, size[0]).reshape(-1, *(1 for _ in size[1:]))
    return rng.poisson(np.broadcast_to(means, size)).astype(np.int64)


def run(shape: Shape) -> dict[str, Any]:
    """Processor seconds by part and peak memory of one shape, in this process."""
    from dp_stats.estimate import estimate
    from dp_stats.plan import make_plan
    from dp_stats.plan.noisy import NoisyMeasurements
    from dp_stats.secure.noise import add_noise

    clock = Clock()
    exact = cells_of(shape)
    with clock.part("declaring"):
        catalogue, release, grid = declared(shape, exact)
    with clock.part("planning"):
        plan = make_plan(catalogue, release, exact.period)
    with clock.part("making up counts"):
        leaves = made_up(shape, grid)
    values = {}
    with clock.part("noise"):
        for m in plan.measurements:
            bound = {"l1": m.l1, "l2_squared": m.l2_squared, "epsilon": m.epsilon, "rho": m.rho}
            counts = grid.roll_up(leaves, m.levels)
            values[m.id] = add_noise(counts, mechanism=plan.mechanism, scale=m.scale, **bound)
    del leaves, counts
    before = peak_gigabytes()
    with ExitStack() as stack:
        for name, place in PARTS:
            stack.enter_context(patch(place, clock.watch(name, _found(place))))
        with clock.part("the rest of estimation"):
            noisy = NoisyMeasurements(plan.hash, values)
            estimates = estimate(plan, grid=grid, release=release, catalogue=catalogue, noisy=noisy)
    cells = sum(e.value.size for table in estimates.tables.values() for e in table.values())
    return {
        "cells": cells,
        "draws": sum(v.size for v in values.values()),
        "seconds": clock.seconds,
        "gigabytes": peak_gigabytes(),
        "before estimating": before,
    }


def _found(place: str) -> Callable[..., Any]:
    found: Callable[..., Any] = pkgutil.resolve_name(place)
    return found


def report(name: str, shape: Shape, found: dict[str, Any]) -> bool:
    """Print one shape's figures; whether its goals are met."""
    seconds: dict[str, float] = found["seconds"]
    estimation = [*(part for part, _ in PARTS), "the rest of estimation"]
    estimated = sum(seconds.get(part, 0.0) for part in estimation)
    total = estimated + seconds["planning"]
    print(f"\n{name}: {found['cells']:,} published values from {found['draws']:,} draws")
    for part in estimation:
        spent = seconds.get(part, 0.0)
        print(f"  {part:28}{spent:8.1f} s{100 * spent / estimated:5.0f} %")
    print(f"  {'planning':28}{seconds['planning']:8.1f} s")
    print(f"  {'planning and estimating':28}{total:8.1f} s (at most {shape.seconds:g})")
    print(f"  {'drawing noise':28}{seconds['noise']:8.1f} s ({1e6 * seconds['noise'] / found['draws']:.0f} µs a draw)")
    met = total <= shape.seconds and found["gigabytes"] <= shape.gigabytes
    print(
        f"  peak memory {found['gigabytes']:.2f} GB (at most {shape.gigabytes:g}; "
        f"{found['before estimating']:.2f} before estimating)"
    )
    return met


def main() -> int:
    """Run the shapes, each in a child process; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", metavar="shape", help=", ".join(SHAPES))
    parser.add_argument("--one", choices=SHAPES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(SHAPES[options.one])))
        return 0
    met = []
    for name in options.shapes or SHAPES:
        child = subprocess.run(
            [sys.executable, "-m", "benchmarks.growth", "--one", name], check=True, stdout=subprocess.PIPE, text=True
        )
        met.append(report(name, SHAPES[name], json.loads(child.stdout.splitlines()[-1])))
    print("goals met" if all(met) else "goals missed")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
