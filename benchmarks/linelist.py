"""A line list from start to finish: time and memory of every step, and the error of what is published.

    python benchmarks/linelist.py                          # the demo's synthetic line list
    python benchmarks/linelist.py --catalogue mine --release visits --period 2024-01

Each step runs in a process of its own, as under Airflow, so that its peak memory can be read. The exact counts
is counted from the staged rows before they are deleted: this script is for test data only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

STEPS = ("pull", "check", "reserve", "measure", "estimate", "publish")
ROOT = Path(__file__).resolve().parent.parent


def run_step(step: str, edition: str) -> None:
    """Run one step and print its cost as JSON (what the subprocess does)."""
    from dp_stats import pipeline

    started = time.perf_counter()
    getattr(pipeline, step)(edition)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cost = {"wall": time.perf_counter() - started, "cpu": usage.ru_utime + usage.ru_stime, "mb": usage.ru_maxrss / 1024}
    print(json.dumps(cost))


def count_exactly(edition: str) -> np.ndarray:
    """Exact unbounded counts at the leaves of the grid, from the staged snapshot."""
    from dp_stats.run import open_run

    run = open_run(edition)
    columns = ", ".join(f'"{d.column}"' for d in run.grid.dimensions)
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT {columns}, count(*) FROM read_parquet(?) GROUP BY ALL", [str(run.staging / "snapshot.parquet")]
        ).fetchall()
    exact = np.zeros(run.grid.shape())
    places = []
    for dimension in run.grid.dimensions:
        days = {day.isoformat(): i for i, day in enumerate(run.period.days)}
        if dimension.kind == "date" and dimension.leaf.name != "day":
            raise SystemExit("Exact counts can be made for releases by day.")
        places.append(days if dimension.kind == "date" else {code: i for i, code in enumerate(dimension.leaf.codes)})
    for *keys, rows in found:
        exact[tuple(place[str(key)] for place, key in zip(places, keys, strict=True))] += rows
    return exact


def print_errors(edition: str, exact: np.ndarray) -> None:
    """Error and coverage of every published count."""
    from dp_stats.estimating import estimates_of
    from dp_stats.run import open_run

    run = open_run(edition)
    counts = {s.id for s in run.release.statistics if s.kind == "count"}
    print(f"\n{'table':<20}{'mean':>9}{'RMSE':>9}{'median |e|':>12}{'bias':>8}{'coverage':>10}")
    for table, statistics in estimates_of(run).tables.items():
        for name, estimate in statistics.items():
            if name not in counts:
                continue
            counts = run.grid.roll_up(exact, estimate.levels)
            error = estimate.value - counts
            inside = (estimate.lower <= counts) & (counts <= estimate.upper)
            print(
                f"{table:<20}{counts.mean():>9.1f}{np.sqrt((error**2).mean()):>9.2f}"
                f"{np.median(abs(error)):>12.2f}{error.mean():>8.2f}{inside.mean():>10.3f}"
            )


def main() -> None:
    """Make the data if needed, run each step in its own process, print costs and errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalogue", type=Path, default=ROOT / "dags" / "catalogue")
    parser.add_argument("--release", default="covid-cases-by-area")
    parser.add_argument("--period", default="2021-W46")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the synthetic line list")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    edition = f"{options.release}/{options.period}"
    if options.step:
        run_step(options.step, edition)
        return
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"DP_STATS_HOME": home, "DP_STATS_CATALOGUE": str(options.catalogue.absolute())}
        if options.catalogue == ROOT / "dags" / "catalogue":
            from dp_stats.demo.line_list import make_line_list

            make_line_list(Path(home) / "source", options.catalogue / "codes" / "lad19.csv", rows=options.rows)
        print(f"\n{'step':<12}{'wall s':>9}{'CPU s':>9}{'peak MB':>10}")
        exact = np.zeros(0)
        for step in STEPS:
            arguments = ["--release", options.release, "--period", options.period, "--step", step]
            done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            cost = json.loads(done.stdout.splitlines()[-1])
            print(f"{step:<12}{cost['wall']:>9.2f}{cost['cpu']:>9.2f}{cost['mb']:>10.0f}", flush=True)
            if step == "pull":
                exact = count_exactly(edition)
        print_errors(edition, exact)


if __name__ == "__main__":
    main()
