"""Time and peak memory of pulling and checking a line list of ten million rows.

Run: ``python benchmarks/pull.py [ROWS]``. Each step runs in a process of its own, so that its peak is its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from dp_stats.catalogue import load_catalogue
from dp_stats.catalogue.periods import parse_period
from dp_stats.settings import Settings, load_settings, shipped

PERIOD = parse_period("2021")
STEPS = ("pull from csv", "pull from parquet", "check")


def make_sources(folder: Path, rows: int) -> None:
    """Write the same dirty rows as CSV and Parquet, and an opt-out list of one person in 200."""
    codes = shipped("catalogue") / "codes" / "lad19.csv"
    day = "DATE '2021-01-01' + (hash(range * 7 + 1) % 365)::INTEGER"
    select = f"""
        SELECT 'P' || lpad((hash(range) % {rows})::VARCHAR, 8, '0') AS "Person_ID",
               CASE WHEN range % 20 = 0 THEN strftime({day}, '%d-%m-%Y') ELSE strftime({day}, '%Y-%m-%d') END AS specimen_date,
               CASE WHEN hash(range + 5) % 1000 = 0 THEN 'Not Reported' ELSE code END AS "Area_Code",
               CASE WHEN hash(range + 9) % 120 = 0 THEN 'Not Reported' ELSE (hash(range + 3) % 100)::VARCHAR END AS age,
               'North' AS laboratory
        FROM range({rows})
        JOIN (SELECT row_number() OVER () - 1 AS place, code FROM read_csv('{codes}')) ON place = hash(range * 3) % 381
    """
    with duckdb.connect(config={"memory_limit": "1GB", "preserve_insertion_order": False}) as connection:
        connection.execute(f"COPY ({select}) TO '{folder / 'rows.csv'}' (FORMAT csv, HEADER)")
        connection.execute(f"COPY ({select}) TO '{folder / 'rows.parquet'}' (FORMAT parquet)")
    listed = "\n".join(f"P{number:08d}" for number in range(0, rows, 200))
    (folder / "opt-outs.csv").write_text(f"person_id\n{listed}\n")


def settings_of(folder: Path) -> Settings:
    return load_settings({"DP_STATS_HOME": str(folder / "home")})


def run_step(step: str, folder: Path) -> None:
    """Do one step in this process and print what it took."""
    settings = settings_of(folder)
    catalogue = load_catalogue(settings.catalogue)
    declared = catalogue.datasets["covid-cases"].model_dump(by_alias=True)
    kind = step.split()[-1] if step.startswith("pull") else "csv"
    declared["source"] = {"kind": kind, "path": str(folder / f"rows.{kind}")}
    declared["opt_outs"]["source"] = {"kind": "csv", "path": str(folder / "opt-outs.csv")}
    dataset = type(catalogue.datasets["covid-cases"]).model_validate(declared)
    from dp_stats.secure.staging import staging_folder

    staging = staging_folder(settings.secure, release="benchmark", period=PERIOD.label)
    started = time.perf_counter()
    if step == "check":
        from dp_stats.quality import ROWS, check, find_suite
        from dp_stats.secure.check import suite_parameters

        tables = {ROWS: staging / "intake.parquet", "source": staging / "source.parquet"}
        suite = find_suite(dataset.expectations, settings=settings)
        check(tables, suite=suite, parameters=suite_parameters(dataset, catalogue, PERIOD))
    else:
        from dp_stats.secure.pull import pull

        pull(dataset, catalogue=catalogue, period=PERIOD, folder=staging, settings=settings)
    wall = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    processor = time.process_time()
    print(f"{step:20} {wall:7.1f} s  {processor:7.1f} s of processor  {peak:7.0f} MB at peak", flush=True)


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_sources(folder, rows)
        print(f"{rows:,} rows; CSV of {(folder / 'rows.csv').stat().st_size / 1e6:.0f} MB")
        for step in STEPS:
            subprocess.run([sys.executable, __file__, "--step", step, name], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        run_step(sys.argv[2], Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
