"""What late reports do to the demo's weekly figures: waiting three days against counting late rows for four weeks.

    python -m benchmarks.late_reports                    # 1,000,000 rows, two weeks
    python -m benchmarks.late_reports --draws 20 --epsilon 0.2

The line list is simulated with its reporting delays (``dp_stats.demo.line_list``). Bias is the mean of what is published,
less all rows that are ever reported, in per cent of these; coverage is of what had been reported at each stage. Noise is
drawn by numpy: this script is for figures, not for people.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue import Catalogue, read_catalogue
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Late, PrivacyLoss, Release
from dp_stats.catalogue.periods import Period, next_period, parse_period
from dp_stats.demo.line_list import make_line_list
from dp_stats.estimate import estimate
from dp_stats.estimate.late import LateTables
from dp_stats.plan.make import make_sealed
from dp_stats.plan.model import Measurement
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.plan.sealed import SealedPlan

ROOT = Path(__file__).resolve().parent.parent
WEEKS = ("2021-W05", "2021-W30")
PERIODS, SETTLE = 4, 3
MANY_VALUES = 300
"""Values of a table over weeks and draws, from which on its coverage is known to about two in a hundred."""
Integers = NDArray[np.int64]

_ROWS = """
SELECT upper(trim(Area_Code)) AS area, coalesce(try_strptime(specimen_date, '%Y-%m-%d'),
    try_strptime(specimen_date, '%d-%m-%Y'))::DATE AS day, try_cast(age AS INTEGER) AS age, report_date::DATE AS reported,
    count(*) AS rows
FROM cases GROUP BY ALL HAVING day IS NOT NULL
"""


def counts(connection: duckdb.DuckDBPyConnection, grid: Grid, period: Period) -> dict[int, Integers]:
    """Rows of a period by the number of days from its end to their report: leaf tables of the grid."""
    areas = {code: i for i, code in enumerate(grid["area"].leaf.codes)}
    bands = list(grid["age"].leaf.codes)
    known = [i for i, code in enumerate(bands) if code != grid["age"].unknown]
    found: dict[int, Integers] = {}
    query = f"SELECT * FROM ({_ROWS}) WHERE day BETWEEN DATE '{period.start}' AND DATE '{period.end}'"
    for area, day, age, reported, rows in connection.execute(query).fetchall():
        if area not in areas:
            continue
        band = bands.index(grid["age"].unknown) if age is None else known[min(age // 10, len(known) - 1)]
        table = found.setdefault(max((reported - period.end).days, 0), np.zeros(grid.shape(), np.int64))
        table[areas[area], (day - period.start).days, band] += rows
    return found


def drawn(
    tables: tuple[Measurement, ...], grid: Grid, exact: Integers, rng: np.random.Generator
) -> dict[str, Integers]:
    """Noisy tables of exact leaves; truncated rows and persons have none but noise."""
    values = {}
    for m in tables:
        truth = grid.roll_up(exact if not m.role.startswith("truncated") else np.zeros_like(exact), m.levels)
        if m.epsilon is None:
            noise = np.rint(rng.normal(scale=m.scale, size=m.shape)).astype(np.int64)
        else:
            stop = -np.expm1(-1 / m.scale)
            noise = rng.geometric(stop, m.shape) - rng.geometric(stop, m.shape)
        values[m.id] = truth + noise
    return values


class Trial:
    """One week, measured at first and then again by the editions after it."""

    def __init__(
        self, catalogue: Catalogue, release: Release, week: str, connection: duckdb.DuckDBPyConnection
    ) -> None:
        self.catalogue, self.release = catalogue, release
        self.period = parse_period(week)
        self.first: SealedPlan = make_sealed(catalogue, release, self.period)
        self.late: tuple[Measurement, ...] = ()
        if self.first.series is not None and release.late is not None:
            known = {self.first.series.hash: [self.first]}
            later = make_sealed(catalogue, release, next_period(self.period), stored=known)
            self.late = later.plan.late[0].measurements
        self.grid = self.first.grid
        self.by_day = counts(connection, self.grid, self.period)

    def reported(self, days: int) -> Integers:
        """Rows that were reported by so many days after the end of the week."""
        return np.asarray(sum(table for lag, table in self.by_day.items() if lag <= days))

    def stages(self, first_day: int, rng: np.random.Generator) -> list[dict[str, tuple[float, float, float]]]:
        """At each stage and for each table: bias and root-mean-square error (rows), and coverage."""
        truth, before = self.reported(10_000), self.reported(first_day)
        noisy = NoisyMeasurements(self.first.hash, drawn(self.first.plan.measurements, self.grid, before, rng))
        added: list[LateTables] = []
        found = []
        for week in range(PERIODS + 1 if self.late else 1):
            if week:
                now = self.reported(first_day + 7 * week)
                added.append(LateTables(self.late, drawn(self.late, self.grid, now - before, rng)))
                before = now
            estimates = estimate(
                self.first.plan,
                grid=self.grid,
                release=self.release,
                catalogue=self.catalogue,
                noisy=noisy,
                late=added,
            )
            stage = {}
            for table in self.release.tables:
                e, levels = estimates.tables[table.id]["cases"], self.grid.complete(table.levels)
                all_rows, so_far = self.grid.roll_up(truth, levels), self.grid.roll_up(before, levels)
                error = e.unrounded - all_rows
                covered = (e.lower <= so_far) & (so_far <= e.upper)
                stage[table.id] = (
                    100 * float(error.sum() / all_rows.sum()),
                    float(np.sqrt(np.mean((e.value - all_rows) ** 2))),
                    float(np.mean(covered)),
                )
            found.append(stage)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--epsilon", type=Fraction, default=Fraction(1))
    options = parser.parse_args()
    started = time.process_time()
    catalogue = read_catalogue(ROOT / "dags" / "catalogue")
    declared = catalogue.release("covid-cases-by-area").model_copy(
        update={
            "privacy_loss": PrivacyLoss(epsilon=options.epsilon),
            "contribution": catalogue.release("covid-cases-by-area").contribution.model_copy(
                update={"why_nothing_is_truncated": "This script counts all rows."}
            ),
        }
    )
    waiting = declared.model_copy(update={"settle_days": SETTLE, "late": None})
    adding = declared.model_copy(update={"settle_days": 0, "late": Late(periods=PERIODS, share=0.25)})
    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        path = make_line_list(
            Path(folder),
            ROOT / "dags" / "catalogue" / "codes" / "lad19.csv",
            rows=options.rows,
            progress=lambda _: None,
        )
        with duckdb.connect(str(path), read_only=True) as connection:
            waited: list[list[dict[str, tuple[float, float, float]]]] = []
            for release, name in ((waiting, f"settle_days: {SETTLE}"), (adding, f"late: {{periods: {PERIODS}}}")):
                own = replace(catalogue, releases={release.id: release}, _grids={})
                trials = [Trial(own, release, week, connection) for week in WEEKS]
                runs = [t.stages(release.settle_days + 1, rng) for t in trials for _ in range(options.draws)]
                report(name, trials[0], runs)
                if waited:
                    judge(trials[0], waited, runs)
                waited = runs
    print(f"{time.process_time() - started:.0f} s of CPU")


def report(name: str, trial: Trial, runs: list[list[dict[str, tuple[float, float, float]]]]) -> None:
    """Print the mean of each figure over weeks and draws."""
    days = timedelta(days=trial.release.settle_days + 1).days
    print(f"\n{name}: published {days} days after the week; charge ρ = {float(trial.first.plan.rho):.6f}")
    print("late rows:", ", ".join(m.id for m in trial.late) or "not counted")
    print(f"{'table':20}{'':10}" + "".join(f"{f'+{week} weeks':>12}" for week in range(len(runs[0]))))
    for table in trial.release.tables:
        for place, what in enumerate(("bias %", "RMSE", "coverage")):
            means = [float(np.mean([run[stage][table.id][place] for run in runs])) for stage in range(len(runs[0]))]
            print(f"{table.id if not place else '':20}{what:10}" + "".join(f"{mean:>12.3f}" for mean in means))


def judge(
    trial: Trial,
    waited: list[list[dict[str, tuple[float, float, float]]]],
    added: list[list[dict[str, tuple[float, float, float]]]],
) -> None:
    """Print what is asked of late reports: bias beside that of waiting, and how often intervals hold at every stage."""
    first = trial.release.tables[0].id
    left = float(np.mean([run[0][first][0] for run in waited]))
    many = [t.id for t in trial.release.tables if trial.grid.cells(t.levels) * len(added) >= MANY_VALUES]
    print(
        f"\nbias as a share of what {SETTLE} days leave; coverage of tables of {MANY_VALUES} values or more, least to most"
    )
    for stage in range(len(added[0])):
        bias = float(np.mean([run[stage][first][0] for run in added]))
        held = [float(np.mean([run[stage][name][2] for run in added])) for name in many]
        print(f"  +{stage} weeks: {bias / left:7.1%}   {min(held):.1%} to {max(held):.1%} ({len(held)} tables)")


if __name__ == "__main__":
    main()
