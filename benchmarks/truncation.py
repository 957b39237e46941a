"""How well the correction for truncated rows does, from simulated persons: 45 areas in 4 regions, four weeks, pure ε = 1.

    python -m benchmarks.truncation [--releases 40]

Three tables are published: by area, by region and week, and by area and week. Printed are, for totals of areas, coverage of
the 95 % interval, root-mean-square error, and that of the uncorrected values:

1. where areas differ in how often people repeat, with repeats declared; and the worst tenth of areas by how often;
2. for small releases, with the bound that ``dp-stats plan`` recommends, over the error of the best fixed bound (of 1
   to 8) with nothing measured of what it truncates;
3. with the bound and the cap that ``dp-stats plan`` recommends, over the best of several bounds;
4. for the total alone of a release that says nothing about repeats.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmarks.exact_counts import ExactCounts, catalogue_of
from benchmarks.sampling import discrete_gaussian, discrete_laplace
from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import Period
from dp_stats.estimate import Estimate, estimate
from dp_stats.plan import make_plan
from dp_stats.plan.bounds import best_bound, best_cap, bounds, caps
from dp_stats.plan.model import Plan
from dp_stats.plan.noisy import NoisyMeasurements

Integers = NDArray[np.int64]
RowsOf = Callable[[np.random.Generator, int, float], Integers]
"""Rows of so many persons of an area, given how often its people repeat (1: as everywhere)."""

REGIONS = (12, 10, 14, 9)
TABLES: tuple[Mapping[str, str], ...] = (
    {"area": "area"},
    {"area": "region", "date": "week"},
    {"area": "area", "date": "week"},
)
TOTAL: tuple[Mapping[str, str], ...] = ({},)


def often(k: int) -> RowsOf:
    """A quarter more than a bound of k lets count, and three in ten persons who have k."""
    return lambda rng, size, factor: 1 + rng.poisson(0.25 * k * factor, size) + (rng.random(size) < 0.3) * (k - 1)


LAWS: dict[str, RowsOf] = {
    "nobody repeats": lambda rng, size, factor: np.ones(size, dtype=np.int64),
    "one row in ten": lambda rng, size, factor: 1 + rng.poisson(0.1 * factor, size),
    "one in a hundred has 2 to 4": lambda rng, size, factor: (
        1 + (rng.random(size) < 0.01 * factor) * rng.integers(1, 4, size)
    ),
    "three in a hundred have about ten more": lambda rng, size, factor: (
        1 + (rng.random(size) < 0.03 * factor) * rng.geometric(0.1, size)
    ),
    "one in a hundred has about thirty more": lambda rng, size, factor: (
        1 + (rng.random(size) < 0.01 * factor) * rng.geometric(1 / 30, size)
    ),
}


@dataclass(frozen=True, eq=False)
class Declared:
    """A release, planned."""

    catalogue: Catalogue
    release: Release
    period: Period
    grid: Grid
    plan: Plan


def declare(
    tables: tuple[Mapping[str, str], ...], rows: float, contribution: Mapping[str, object], epsilon: str = "1"
) -> Declared:
    """A release of counts at some levels, of about so many rows."""
    areas = sum(REGIONS)
    regions = tuple(f"R{r}" for r, size in enumerate(REGIONS) for _ in range(size))
    cells = ExactCounts(
        np.zeros((1, 28, 1), dtype=np.int64), tuple(f"A{i:02d}" for i in range(areas)), regions, date(2024, 3, 4), ("",)
    )
    catalogue, release, _ = catalogue_of(cells, prior=1.0, epsilon=Fraction(epsilon), delta=None)
    content = release.model_dump(mode="json")
    content |= {
        "tables": [
            {"id": f"t{i}", "title": "Table", "levels": one, "statistics": ["count"]} for i, one in enumerate(tables)
        ],
        "statistics": [{"id": "count", "kind": "count", "expected_total": rows}],
        "derived": [],
        "contribution": contribution,
        "privacy_loss": {"epsilon": epsilon},
    }
    release = Release.model_validate(content)
    catalogue = Catalogue(catalogue.folder, catalogue.datasets, {release.id: release}, catalogue.codes)
    grid, plan = catalogue.grid(release, cells.period), make_plan(catalogue, release, cells.period)
    return Declared(catalogue, release, cells.period, grid, plan)


@dataclass
class Score:
    """Of the first table over releases; one value per cell and release."""

    covered: list[NDArray[np.bool_]] = field(default_factory=list)
    error: list[NDArray[np.float64]] = field(default_factory=list)
    before: list[NDArray[np.float64]] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    factor: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, e: Estimate, true: NDArray[np.int64], factor: NDArray[np.float64]) -> None:
        """One release."""
        self.covered.append(((e.lower <= true) & (true <= e.upper)).ravel())
        self.error.append((e.value - true).ravel())
        self.before.append(((e.value if e.bounded is None else e.bounded) - true).ravel())
        self.width.append(float(np.median(e.upper - e.lower)) / 2)
        self.factor.append(factor)

    def rmse(self, of: list[NDArray[np.float64]] | None = None) -> float:
        """Root-mean-square error."""
        return float(np.sqrt(np.mean(np.square(self.error if of is None else of))))

    def worst_tenth(self) -> float:
        """Error over uncorrected error in the tenth of areas by how often people repeat where that is largest."""
        order = np.argsort(np.concatenate(self.factor), kind="stable")
        after, before = np.concatenate(self.error)[order], np.concatenate(self.before)[order]
        tenths = np.array_split(np.arange(len(order)), 10)
        return max(float(np.sqrt(np.mean(after[t] ** 2) / np.mean(before[t] ** 2))) for t in tenths)


def simulate(made: Declared, persons: int, k: int, law: RowsOf, spread: float, releases: int) -> Score:
    """Errors over simulated releases."""
    rng, score, shape = np.random.default_rng(0), Score(), made.grid.shape()
    days = int(np.prod(shape[1:]))
    for _ in range(releases):
        names = ("count", "truncated_rows", "truncated_persons", "all")
        exact = {name: np.zeros(shape, dtype=np.int64) for name in names}
        factor = np.exp(spread * rng.normal(size=shape[0]) - spread**2 / 2)
        for area, size in enumerate(rng.poisson(persons / shape[0] * rng.gamma(3, 1 / 3, shape[0]))):
            rows = law(rng, int(size), float(factor[area]))
            lost = np.maximum(rows - k, 0)
            counted = np.minimum(lost, made.plan.truncated_rows_cap)
            where = {
                "count": np.minimum(rows, k), "truncated_rows": counted, "truncated_persons": (lost > 0).astype(np.int64)
            }  # fmt: skip
            for name, numbers in where.items():
                place = rng.integers(days, size=int(numbers.sum()))
                exact[name][area] = np.bincount(place, minlength=days).reshape(shape[1:])
            place = rng.integers(days, size=int(lost.sum()))
            exact["all"][area] = exact["count"][area] + np.bincount(place, minlength=days).reshape(shape[1:])
        values = {}
        for m in made.plan.measurements:
            sample = discrete_gaussian if m.epsilon is None else discrete_laplace
            counts = made.grid.roll_up(exact[m.statistic if m.role == "statistic" else m.role], m.levels)
            values[m.id] = counts + sample(rng, m.scale, m.shape)
        noisy = NoisyMeasurements(made.plan.hash, values)
        found = estimate(made.plan, grid=made.grid, release=made.release, catalogue=made.catalogue, noisy=noisy)
        e = found.tables["t0"]["count"]
        score.add(e, made.grid.roll_up(exact["all"], e.levels), factor)
    return score


RARE = 1000
"""Numbers of rows that fewer than one person in so many has are declared as one number, their mean."""


def repeats(law: RowsOf, *, rarest: bool = True) -> dict[int, float]:
    """Rows per person → share of persons, as a custodian would declare them; ``rarest``: not without the rarest."""
    rows = law(np.random.default_rng(1), 100_000, 1.0)
    numbers, counts = np.unique(rows, return_counts=True)
    known = {int(n): float(c) / rows.size for n, c in zip(numbers, counts, strict=True) if c > rows.size / RARE}
    rest = rows[~np.isin(rows, list(known))]
    if rarest and rest.size:
        known[round(float(rest.mean()))] = known.get(round(float(rest.mean())), 0.0) + rest.size / rows.size
    return known


def by_area(releases: int) -> None:
    """Where areas differ in how often people repeat."""
    print("\n| rows per person, spread | covered | error | uncorrected | worst tenth: error over uncorrected |")
    print("| --- " * 5 + "|")
    for k in (1, 3):
        for spread in (0.3, 0.8):
            law = often(k)
            made = declare(TABLES, 40_000 * (1 + 0.25 * k + 0.3 * (k - 1)), {"rows": k, "repeats": repeats(law)})
            s = simulate(made, 40_000, k, law, spread, releases)
            covered = 100 * np.mean(s.covered)
            print(
                f"| {k}, {spread} | {covered:.1f} % | {s.rmse():.0f} | {s.rmse(s.before):.0f} | {s.worst_tenth():.2f} |"
            )


def small(releases: int) -> None:
    """Small releases, over the best of all fixed bounds."""
    print("\n| persons | ε | law | best fixed bound | its error | recommended | its error over the best |")
    print("| --- " * 7 + "|")
    laws = {"often (1)": often(1), "often (3)": often(3), "one row in ten": LAWS["one row in ten"]}
    for persons, epsilon, (name, law) in product((300, 2_000), ("0.5", "1", "4"), laws.items()):
        known = repeats(law)
        rows = persons * sum(n * p for n, p in known.items())
        candidates = [k for k in (1, 2, 3, 4, 6, 8) if k <= max(known)]
        fixed = {}
        for k in candidates:
            made = declare(TABLES, rows, {"rows": k, "repeats": known, "measure_truncation": False}, epsilon)
            fixed[k] = simulate(made, persons, k, law, 0.3, releases).rmse()
        best = min(fixed, key=lambda k: fixed[k])
        choice = best_bound(bounds(made.catalogue, made.release, made.period, candidates))
        assert choice is not None
        k = choice.rows
        made = declare(TABLES, rows, {"rows": k, "repeats": known}, epsilon)
        ours = simulate(made, persons, k, law, 0.3, releases).rmse() / fixed[best]
        print(f"| {persons:,} | {epsilon} | {name} | {best} | {fixed[best]:.1f} | {k} | {ours:.2f} |")


def recommended(releases: int) -> None:
    """The bound and the cap that the plan recommends, over the best of several bounds with what they truncate measured."""
    print("\n| persons | law | recommended rows, cap | its error | expected | covered | over the best bound |")
    print("| --- " * 7 + "|")
    heavy = LAWS["three in a hundred have about ten more"]
    laws = {"often (1)": (often(1), True), "often (3)": (often(3), True), "ten more": (heavy, True)}
    laws |= {"ten more, more than 11 not declared": (heavy, False)}
    for persons, (name, (law, rarest)) in product((2_000, 20_000), laws.items()):
        known = repeats(law, rarest=rarest)
        rows = persons * sum(n * p for n, p in known.items())
        candidates = [k for k in (1, 2, 3, 5, 8) if k <= max(known)]
        plans = {k: declare(TABLES, rows, {"rows": k, "repeats": known}) for k in candidates}
        errors = {k: simulate(made, persons, k, law, 0.3, releases).rmse() for k, made in plans.items()}
        any_plan = plans[candidates[0]]
        choice = best_bound(bounds(any_plan.catalogue, any_plan.release, any_plan.period, candidates))
        assert choice is not None
        choice = best_cap(choice, caps(any_plan.catalogue, any_plan.release, any_plan.period, choice.rows))
        made = declare(TABLES, rows, {"rows": choice.rows, "repeats": known, "truncated_rows": choice.cap})
        s = simulate(made, persons, choice.rows, law, 0.3, releases)
        print(
            f"| {persons:,} | {name} | {choice.rows}, {choice.cap} | {s.rmse():.1f} | {choice.error['t0', 'count']:.1f} "
            f"| {100 * np.mean(s.covered):.0f} % | {s.rmse() / min(errors.values()):.2f} |"
        )


def unsaid(releases: int) -> None:
    """The total of a release that says nothing about repeats."""
    print("\n| rows | law | covered | half width | error |\n" + "| --- " * 5 + "|")
    for persons in (300, 2_000, 15_000):
        made = declare(TOTAL, float(persons), {"rows": 1})
        for name, law in LAWS.items():
            s = simulate(made, persons, 1, law, 0.3, releases)
            print(
                f"| {persons:,} | {name} | {100 * np.mean(s.covered):.0f} % | {np.median(s.width):.0f} | {s.rmse():.0f} |"
            )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=40)
    options = parser.parse_args()
    by_area(options.releases)
    small(options.releases)
    recommended(options.releases)
    unsaid(4 * options.releases)


if __name__ == "__main__":
    main()
