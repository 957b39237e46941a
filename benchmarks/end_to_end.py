"""What a whole edition costs by the number of its rows: the demonstration's release, from a Parquet file to its pages.

    python -m benchmarks.end_to_end [--rows 1000 1000000 3000000 10000000]

Every step runs in a process of its own, so that its peak is its own. The exact query counts the same rows by area, day and
age without any protection. Printed are seconds of processor and by the clock, the peak of memory, what a step takes beyond
the smallest edition (which is what pages, pictures and workbooks cost) in exact queries, and a fit of seconds per million rows.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.bounding import peak_gigabytes
from dp_stats.settings import shipped

RELEASE, PERIOD = "covid-cases-by-area", "2021-W07"
STEPS = ("pull", "check", "reserve", "measure", "estimate", "publish")
READ_ROWS = ("pull", "check", "measure")
"""Steps that read rows; the others cost the same however many there are."""
EXACT = "SELECT area_code, specimen_date, age, count(*) FROM read_parquet('{}') GROUP BY ALL"


def make(folder: Path, rows: int) -> None:
    """A catalogue whose cases are in a Parquet file: one week's, some written in the other way, some without area or age."""
    catalogue = folder / "catalogue"
    shutil.copytree(shipped("catalogue"), catalogue)
    dataset, release = catalogue / "datasets" / "covid-cases.yaml", catalogue / "releases" / f"{RELEASE}.yaml"
    told = dataset.read_text(encoding="utf-8")
    before, _, after = told.partition("source:\n")
    dataset.write_text(
        f"{before}source: {{kind: parquet, path: {folder / 'rows.parquet'}}}\n{after[after.index('columns:') :]}",
        encoding="utf-8",
    )
    lines = release.read_text(encoding="utf-8").splitlines(keepends=True)
    release.write_text("".join(line for line in lines if not line.startswith("late:")), encoding="utf-8")
    suite = json.loads((shipped("expectations") / "covid-cases.json").read_text(encoding="utf-8"))
    for one in suite["expectations"]:
        if one["kwargs"].get("column") == "rows_in_period":
            one["kwargs"]["max_value"] = rows
    (catalogue / "expectations").mkdir(exist_ok=True)
    (catalogue / "expectations" / "covid-cases.json").write_text(json.dumps(suite), encoding="utf-8")
    day = "DATE '2021-02-15' + (hash(range * 7 + 1) % 7)::INTEGER"
    codes = catalogue / "codes" / "lad19.csv"
    select = f"""
        SELECT 'P' || lpad((hash(range) % {2 * rows})::VARCHAR, 9, '0') AS person_id,
               CASE WHEN range % 20 = 0 THEN strftime({day}, '%d-%m-%Y') ELSE strftime({day}, '%Y-%m-%d') END AS specimen_date,
               CASE WHEN hash(range + 5) % 1000 = 0 THEN 'Not Reported' ELSE code END AS area_code,
               CASE WHEN hash(range + 9) % 120 = 0 THEN 'Not Reported' ELSE (hash(range + 3) % 100)::VARCHAR END AS age,
               'North' AS laboratory
        FROM range({rows})
        JOIN (SELECT row_number() OVER () - 1 AS place, code FROM read_csv('{codes}')) ON place = hash(range * 3) % 381
    """
    with duckdb.connect(config={"memory_limit": "2GB", "preserve_insertion_order": False}) as connection:
        connection.execute(f"COPY ({select}) TO '{folder / 'rows.parquet'}' (FORMAT parquet)")
    (folder / "home" / "source").mkdir(parents=True)
    listed = "".join(f"P{number:09d}\n" for number in range(0, min(rows, 1_000_000), 200))
    (folder / "home" / "source" / "opt-outs.csv").write_text(f"person_id\n{listed}", encoding="utf-8")


def one(step: str, folder: Path) -> None:
    """Do one step in this process and print what it took."""
    work: Callable[[], object]
    if step == "exact":
        connection = duckdb.connect()
        query = EXACT.format(folder / "rows.parquet")

        def work() -> object:
            return connection.sql(query).to_arrow_table()

    else:
        from dp_stats import pipeline

        def work() -> object:
            return getattr(pipeline, step)(f"{RELEASE}/{PERIOD}")

    clock, processor = time.perf_counter(), time.process_time()
    work()
    took = {"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}
    print(json.dumps({**took, "gigabytes": peak_gigabytes()}))


def measured(rows: int) -> dict[str, dict[str, float]]:
    """Every step of an edition of so many rows, and the exact query."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, rows)
        places = {"DP_STATS_HOME": str(folder / "home"), "DP_STATS_CATALOGUE": str(folder / "catalogue")}
        found = {}
        for step in ("exact", *STEPS):
            command = [sys.executable, "-m", "benchmarks.end_to_end", "--step", step, "--folder", name]
            run = subprocess.run(command, env={**os.environ, **places}, check=True, capture_output=True, text=True)
            found[step] = json.loads(run.stdout.splitlines()[-1])
            print(f"{rows:,} rows: {step}", file=sys.stderr, flush=True)
        return found


def report(found: dict[int, dict[str, dict[str, float]]]) -> None:
    """Print a table of the steps by rows, and what a million rows more cost."""
    least = min(found)
    print(f"{'rows':>12} {'step':10}{'processor s':>12}{'clock s':>9}{'GB':>6}{'exact queries':>15}")
    for rows, steps in found.items():
        exact = steps["exact"]["processor"]
        beyond = {step: steps[step]["processor"] - found[least][step]["processor"] for step in READ_ROWS}
        for step, took in steps.items():
            times = f"{beyond[step] / exact:15.1f}" if step in beyond and rows > least else ""
            print(f"{rows:12,} {step:10}{took['processor']:12.2f}{took['clock']:9.2f}{took['gigabytes']:6.2f}{times}")
        if rows > least:
            print(f"{'':12} {'together':37}{sum(beyond.values()) / exact:15.1f}")
    if len(found) > 2:
        print("\nseconds of processor for a million rows more")
        for step in ("exact", *READ_ROWS):
            slope = np.polyfit([rows / 1e6 for rows in found], [found[rows][step]["processor"] for rows in found], 1)[0]
            print(f"  {step:10}{slope:8.3f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure editions of each size and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 1_000_000, 3_000_000, 10_000_000])
    parser.add_argument("--step", choices=("exact", *STEPS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.step:
        one(options.step, options.folder)
        return
    report({rows: measured(rows) for rows in sorted(options.rows)})


if __name__ == "__main__":
    main()
