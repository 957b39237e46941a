"""How accurate are the statistics? Runs the planner and the estimator on any table of exact counts, over several seeds.

    python -m benchmarks.accuracy EXACT.csv --areas AREAS.csv --prior PRIOR.csv
    python -m benchmarks.accuracy EXACT.csv --columns date=date,area=area_code,count=cases --guess 40 --weeks 13

EXACT has one row per date, area (and band) with a count. Noise is drawn here, by discrete samplers; the plan and
the estimates are the pipeline's own. Prior means come from PRIOR (an earlier table of the same shape) or a guess;
the planner and the estimator never see the exact counts. Printed for each published statistic: root-mean-square error,
median relative error, coverage of the 95 % interval, realised error over what the plan expects and over the nearest end
of its range (1 inside it), half width over the expected one, and how many times larger the error would be if each table
were noised separately (own), if two tables were and the rest summed from them, or three. With ``--conditional``, coverage
by size of the true count, by size of area, and of outbreaks, with how sure it is.
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

from benchmarks.baselines import Baseline, baselines
from benchmarks.conditional import Conditional
from benchmarks.exact_counts import ExactCounts, catalogue_of, read_exact_counts
from benchmarks.sampling import discrete_gaussian, discrete_laplace
from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.estimate import EditionEstimates, Estimate, estimate
from dp_stats.estimate.lattice import Lattice
from dp_stats.plan import make_plan
from dp_stats.plan.model import Plan
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.plan.targets import group_of, targets

Floats = NDArray[np.float64]

DELTA = Fraction(1, 10**6)
LOSSES: tuple[tuple[str, Fraction, Fraction | None], ...] = (
    ("pure ε = 0.1", Fraction(1, 10), None),
    ("pure ε = 0.25", Fraction(1, 4), None),
    ("pure ε = 1", Fraction(1), None),
    ("pure ε = 4", Fraction(4), None),
    ("pure ε = 8", Fraction(8), None),
    ("(1, 1e-6)", Fraction(1), DELTA),
    ("Gaussian alone, ρ = 0.5", Fraction(1, 2), Fraction(0)),
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
    base: Baseline = field(default_factory=lambda: Baseline(np.nan, np.nan, np.nan))
    expected: float = np.nan
    between: tuple[float, float] = (np.nan, np.nan)
    group: str = ""
    conditional: Conditional = field(default_factory=Conditional)

    @property
    def rmse(self) -> float:
        """Root-mean-square error over cells and seeds."""
        return float(np.sqrt(np.mean(self.squared)))

    @property
    def off(self) -> float:
        """The realised margin over the nearest end of the range that the plan shows; 1 inside it."""
        margin, (low, high) = 1.96 * self.rmse, self.between
        return margin / low if margin < low else margin / high if margin > high else 1.0

    def add(self, estimate: Estimate, exact: Floats) -> None:
        """Count one seed's errors; cells without a value are left out."""
        value, lower, upper = estimate.value, estimate.lower, estimate.upper
        known = ~np.isnan(value)
        error = np.abs(value - exact)[known]
        self.squared.append(float(np.mean(error**2)))
        self.absolute.append(float(np.median(error)))
        self.relative.append(float(np.median(error / np.maximum(exact[known], 1.0))))
        self.covered.append(float(np.mean((lower <= exact)[known] & (exact <= upper)[known])))
        self.width.append(float(np.median((upper - lower)[known]) / 2))
        self.conditional.add(estimate, exact)


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


def draw(plan: Plan, exact: ExactCounts, grid: Grid, rng: np.random.Generator) -> NoisyMeasurements:
    """Noisy measurements of the exact counts, for the benchmark alone (the pipeline draws by OpenDP)."""
    leaves = exact.counts.reshape(grid.shape())
    values = {}
    for m in plan.measurements:
        counts = grid.roll_up(leaves, m.levels)
        sample = discrete_gaussian if m.epsilon is None else discrete_laplace
        values[m.id] = counts + sample(rng, m.scale, m.shape)
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
    separate = baselines(release, grid, *loss)
    expected = {(e.table, e.statistic): (e.margin_95, e.between or (e.margin_95, e.margin_95)) for e in plan.expected}
    groups = {t.table: group_of(grid, release, t) for t in targets(grid, release)}
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
            score.base, score.group = separate[table, name], groups[table]
            score.expected, score.between = expected[table, name]
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
        "\n| statistic | mean | RMSE | median relative | coverage | error / expected | error / range | width / expected "
        "| over own | over two | over three |"
    )
    print("| --- " * 11 + "|")
    for (table, name), s in scores.items():
        cells = [
            f"{table} {name}",
            f"{s.mean:.1f}",
            f"{s.rmse:.2f}",
            f"{100 * np.mean(s.relative):.2f} %",
            f"{100 * np.mean(s.covered):.1f} %",
            f"{1.96 * s.rmse / s.expected:.2f}",
            f"{s.off:.2f}",
            f"{np.mean(s.width) / s.expected:.2f}",
            *(f"{base / s.rmse:.2f}" for base in (s.base.own, s.base.two, s.base.three)),
        ]
        print(f"| {' | '.join(cells)} |")
    everything = list(scores.values())
    for label in (*dict.fromkeys(s.group for s in everything), "all"):
        chosen = [s for s in everything if label in (s.group, "all")]
        own, two, three = (
            float(np.exp(np.mean([np.log(getattr(s.base, k) / s.rmse) for s in chosen])))
            for k in ("own", "two", "three")
        )
        print(
            f"\n{label}: {own:.2f} times better than separate tables, {two:.2f} than two, {three:.2f} than three "
            "(geometric means)"
        )
    print("\n" + ", ".join(f"{name}: {value:.3g}" for name, value in facts.items()))


def report_conditional(scores: Mapping[tuple[str, str], Score]) -> None:
    """Print one privacy loss's coverage by class of cells."""
    print("\n| statistic | class | cells | coverage | ± | mean error | RMSE | half width |\n" + "| --- " * 8 + "|")
    for (table, name), s in scores.items():
        for label, (cells, covered, bias, rmse, width, error) in s.conditional.rows().items():
            print(
                f"| {table} {name} | {label} | {cells} | {100 * covered:.1f} % | {196 * error:.1f} "
                f"| {bias:+.2f} | {rmse:.2f} | {width:.2f} |"
            )


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
    parser.add_argument("--weeks", type=int, help="only the first weeks of EXACT")
    parser.add_argument("--priority", default="balanced", help="as a release declares it")
    parser.add_argument("--conditional", action="store_true", help="also print coverage by class of cells")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="run only the privacy losses whose title holds this text")
    parser.add_argument("--epsilon", type=Fraction, help="run this pure ε instead")
    parser.add_argument("--rho", type=Fraction, help="run Gaussian noise of this ρ instead")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    columns = dict(part.split("=", 1) for part in options.columns.split(",") if part)
    if not columns:
        header = _header(options.exact)
        columns = {name: name for name in ("date", "area", "count", "band") if name in header}
    area, region = options.areas_columns.split(",")
    exact = read_exact_counts(options.exact, columns=columns, lookup=options.areas, lookup_columns=(area, region))
    prior = read_exact_counts(options.prior, columns=columns, lookup=None) if options.prior else options.guess
    if options.weeks:
        exact = exact.first_days(7 * options.weeks)
    kept = {}
    given = (("pure ε", options.epsilon, None), ("Gaussian, ρ", options.rho, Fraction(0)))
    asked = tuple((f"{name} = {float(loss):g}", loss, delta) for name, loss, delta in given if loss is not None)
    for title, epsilon, delta in asked or LOSSES:
        if options.only and options.only not in title:
            continue
        catalogue, release, grid = catalogue_of(
            exact, prior=prior, epsilon=epsilon, delta=delta, priority=options.priority
        )
        scores, plan, facts = run(catalogue, release, grid, exact, loss=(epsilon, delta), seeds=options.seeds)
        report(title, scores, plan, facts)
        if options.conditional:
            report_conditional(scores)
        kept[title] = {
            f"{table} {name}": {
                "rmse": s.rmse,
                "mean": s.mean,
                "coverage": float(np.mean(s.covered)),
                "over own": s.base.own / s.rmse,
                "over two": s.base.two / s.rmse,
                "expected": s.expected,
                "classes": s.conditional.rows(),
            }
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
