"""How accurate are the statistics? Runs the planner and the estimator on any table of exact counts, over several seeds.

    python -m benchmarks.accuracy EXACT.csv --areas AREAS.csv --prior PRIOR.csv
    python -m benchmarks.accuracy EXACT.csv --columns date=date,area=area_code,count=cases --guess 40

EXACT has one row per date, area (and band) with a count. Noise is drawn here, by discrete samplers; the plan and
the estimates are the pipeline's own. Prior means come from PRIOR (an earlier table of the same shape) or a guess;
the planner and the estimator never see the exact counts. Printed for each published statistic: root-mean-square error,
median absolute and relative error, coverage of the 95 % interval, and how many times larger the error would be if
each table were noised separately (nine tables), or three tables were and the rest summed from them.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.exact_counts import ExactCounts, catalogue_of, read_exact_counts
from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.estimate import EditionEstimates, Estimate, estimate
from dp_stats.estimate.lattice import Lattice
from dp_stats.plan import make_plan
from dp_stats.plan.accounting import rho_of
from dp_stats.plan.model import Plan
from dp_stats.plan.noisy import NoisyMeasurements

Floats = NDArray[np.float64]

LOSSES: tuple[tuple[str, Fraction, Fraction | None], ...] = (
    ("pure ε = 0.25", Fraction(1, 4), None),
    ("pure ε = 1", Fraction(1), None),
    ("pure ε = 4", Fraction(4), None),
    ("(1, 1e-6)", Fraction(1), Fraction(1, 10**6)),
)


@dataclass
class Score:
    """Errors of one published statistic over all seeds."""

    mean: float
    squared: list[float] = field(default_factory=list)
    absolute: list[float] = field(default_factory=list)
    relative: list[float] = field(default_factory=list)
    covered: list[float] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    nine: float = 0.0
    three: float = 0.0

    @property
    def rmse(self) -> float:
        """Root-mean-square error over cells and seeds."""
        return float(np.sqrt(np.mean(self.squared)))

    def add(self, estimate: Estimate, exact: Floats) -> None:
        """Count one seed's errors; cells without a value are left out."""
        value, lower, upper = estimate.value, estimate.lower, estimate.upper
        known = ~np.isnan(value)
        error = np.abs(value - exact)[known]
        self.squared.append(float(np.mean(error**2)))
        self.absolute.append(float(np.median(error)))
        self.relative.append(float(np.median(error / np.maximum(exact[known], 1.0))))
        self.covered.append(float(np.mean((lower <= exact)[known] & (exact <= upper)[known])))
        self.width.append(float(np.mean((upper - lower)[known]) / 2))


def exact_tables(exact: ExactCounts, grid: Grid, release: Release) -> dict[tuple[str, str], Floats]:
    """(table, statistic) → true values."""
    leaves = exact.counts.reshape(grid.shape()).astype(np.float64)
    axis = [d.name for d in grid.dimensions].index("date")
    found = {}
    for table in release.tables:
        counts = grid.roll_up(leaves, table.levels)
        total = np.cumsum(counts, axis=axis)
        week = np.moveaxis(total.copy(), axis, 0)
        rolling = week.copy()
        rolling[7:] -= week[:-7]
        shapes = {"count": counts, "cumulative": total, "rolling": np.moveaxis(rolling, 0, axis)}
        for name in table.statistics:
            found[table.id, name] = shapes[name]
    return found


def separate_errors(
    release: Release, grid: Grid, epsilon: Fraction, delta: Fraction | None
) -> Mapping[tuple[str, str], tuple[float, float]]:
    """(table, statistic) → RMSE of unbiased noise with every table noised on its own, and with three of them."""
    kinds = [t.levels.get("date") for t in release.tables]
    base = {"area-day", "area-week-band", "all-day"} & {t.id for t in release.tables}
    nine, three = (_noise(epsilon, delta, tables) for tables in (len(kinds), max(len(base), 1)))
    found = {}
    for table in release.tables:
        days = 7.0 if table.levels["date"] == "week" else 1.0
        length = grid.shape(table.levels)[[d.name for d in grid.dimensions].index("date")]
        # cells of the three tables that one cell of this table is the sum of
        band, area = "band" in table.levels, table.levels.get("area")
        cells = grid.shape()[0] / grid.shape(table.levels)[0] if area != "area" and (band or area is not None) else 1.0
        parts = cells if band else cells * days
        for name in table.statistics:
            window = {"count": 1.0, "rolling": 7.0, "cumulative": (length + 1) / 2}[name]
            found[table.id, name] = (nine * window**0.5, three * (parts * window) ** 0.5)
    return found


def _noise(epsilon: Fraction, delta: Fraction | None, tables: int) -> float:
    """Standard deviation of a cell's noise if the budget is split evenly over so many tables, by the better mechanism."""
    ratio = float(np.exp(-float(epsilon) / tables))
    laplace = float(np.sqrt(2 * ratio)) / (1 - ratio)
    return laplace if delta is None else min(laplace, float(np.sqrt(tables / (2 * float(rho_of(epsilon, delta))))))


def draw(plan: Plan, exact: ExactCounts, grid: Grid, rng: np.random.Generator) -> NoisyMeasurements:
    """Noisy measurements of the exact counts, for the benchmark alone (the pipeline draws by OpenDP)."""
    leaves = exact.counts.reshape(grid.shape())
    values = {}
    for m in plan.measurements:
        counts = grid.roll_up(leaves, m.levels)
        if m.epsilon is None:
            noise = np.rint(rng.normal(scale=m.scale, size=m.shape)).astype(np.int64)
        else:
            stop = -np.expm1(-1 / m.scale)
            noise = rng.geometric(stop, m.shape) - rng.geometric(stop, m.shape)
        values[m.id] = counts + noise
    return NoisyMeasurements(plan.hash, values)


def inconsistencies(estimates: EditionEstimates, grid: Grid, release: Release) -> int:
    """Cells in which a published table of counts disagrees with the sum of a finer one, and negative cells."""
    lattice = Lattice(grid)
    tables = {t.id: (lattice.key(t.levels), estimates.tables[t.id]["count"].value) for t in release.tables}
    wrong = sum(int((values < 0).sum()) for _, values in tables.values())
    for one, (a, left) in tables.items():
        for two, (b, right) in tables.items():
            if one < two:
                shared = lattice.coarsest((a, b))
                wrong += int((lattice.roll_up(left, a, shared) != lattice.roll_up(right, b, shared)).sum())
    return wrong


def run(
    catalogue: Catalogue,
    release: Release,
    grid: Grid,
    exact: ExactCounts,
    *,
    loss: tuple[Fraction, Fraction | None],
    seeds: int,
) -> tuple[dict[tuple[str, str], Score], Plan, dict[str, float]]:
    """Plan once, then draw and estimate for every seed."""
    began = time.perf_counter()
    plan = make_plan(catalogue, release, exact.period)
    facts = {"planning seconds": time.perf_counter() - began}
    true_values = exact_tables(exact, grid, release)
    separate = separate_errors(release, grid, *loss)
    scores: dict[tuple[str, str], Score] = {}
    seconds, wrong = [], 0
    for seed in range(seeds):
        noisy = draw(plan, exact, grid, np.random.default_rng(1000 + seed))
        began = time.perf_counter()
        estimates = estimate(plan, grid=grid, release=release, catalogue=catalogue, noisy=noisy)
        seconds.append(time.perf_counter() - began)
        wrong += inconsistencies(estimates, grid, release)
        for (table, name), true in true_values.items():
            e = estimates.tables[table][name]
            score = scores.setdefault((table, name), Score(float(true.mean())))
            score.nine, score.three = separate[table, name]
            score.add(e, true)
    facts["estimation seconds"] = max(seconds)
    facts["inconsistent or negative cells"] = wrong
    facts["peak memory GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return scores, plan, facts


def report(title: str, scores: Mapping[tuple[str, str], Score], plan: Plan, facts: Mapping[str, float]) -> None:
    """Print one privacy loss's table."""
    print(f"\n## {title}\n")
    measured = "; ".join(f"{'×'.join(m.levels.values())} at scale {m.scale:.2f}" for m in plan.measurements)
    print(f"{plan.mechanism}, measured: {measured}")
    print(
        "\n| statistic | mean | RMSE | RMSE / mean | median error | median relative | coverage | over nine | over three |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for (table, name), s in scores.items():
        cells = [
            f"{table} {name}",
            f"{s.mean:.1f}",
            f"{s.rmse:.2f}",
            f"{100 * s.rmse / s.mean:.2f} %",
            f"{np.mean(s.absolute):.2f}",
            f"{100 * np.mean(s.relative):.2f} %",
            f"{100 * np.mean(s.covered):.1f} %",
            f"{s.nine / s.rmse:.2f}",
            f"{s.three / s.rmse:.2f}",
        ]
        print(f"| {' | '.join(cells)} |")
    local = [s for (table, _), s in scores.items() if table.startswith("area")]
    for label, chosen in (("local statistics", local), ("all", list(scores.values()))):
        nine, three = (
            float(np.exp(np.mean([np.log(getattr(s, k) / s.rmse) for s in chosen]))) for k in ("nine", "three")
        )
        print(
            f"\n{label}: {nine:.2f} times better than separate tables, {three:.2f} times better than three (geometric mean)"
        )
    print("\n" + ", ".join(f"{name}: {value:.3g}" for name, value in facts.items()))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exact", type=Path)
    parser.add_argument("--areas", type=Path, help="CSV of area and region")
    parser.add_argument("--areas-columns", default="code,region", help="its two columns")
    parser.add_argument(
        "--columns", default="", help="names in EXACT, e.g. date=date,area=area_code,count=cases,band=age"
    )
    parser.add_argument("--prior", type=Path, help="earlier counts, same columns")
    parser.add_argument(
        "--guess", type=float, default=10.0, help="guessed mean of an area and day, if there is no PRIOR"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="run only the privacy losses whose title holds this text")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    columns = dict(part.split("=", 1) for part in options.columns.split(",") if part)
    if not columns:
        header = _header(options.exact)
        columns = {name: name for name in ("date", "area", "count", "band") if name in header}
    area, region = options.areas_columns.split(",")
    exact = read_exact_counts(options.exact, columns=columns, lookup=options.areas, lookup_columns=(area, region))
    prior = read_exact_counts(options.prior, columns=columns, lookup=None) if options.prior else options.guess
    kept = {}
    for title, epsilon, delta in LOSSES:
        if options.only and options.only not in title:
            continue
        catalogue, release, grid = catalogue_of(exact, prior=prior, epsilon=epsilon, delta=delta)
        scores, plan, facts = run(catalogue, release, grid, exact, loss=(epsilon, delta), seeds=options.seeds)
        report(title, scores, plan, facts)
        kept[title] = {
            f"{table} {name}": {"rmse": s.rmse, "mean": s.mean, "coverage": float(np.mean(s.covered))}
            for (table, name), s in scores.items()
        }
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _header(path: Path) -> list[str]:
    import gzip

    with (
        gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as file
    ):
        return [name.strip() for name in file.readline().split(",")]


if __name__ == "__main__":
    main()
