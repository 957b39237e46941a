"""The accuracy benchmark runs on any truth table and prints what it promises."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def write(path: Path, *, bands: bool, days: int = 21) -> None:
    rng = np.random.default_rng(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["day", "place", *(["age"] if bands else []), "n"])
        for day in range(days):
            for place in range(6):
                for band in range(3 if bands else 1):
                    when = (date(2023, 1, 2) + timedelta(days=day)).isoformat()
                    out.writerow([when, f"P{place}", *([f"B{band}"] if bands else []), rng.poisson(10 + 5 * place)])


@pytest.mark.parametrize("bands", [True, False])
def test_the_benchmark_reports_error_coverage_and_gain(tmp_path: Path, bands: bool) -> None:
    write(tmp_path / "exact-counts.csv", bands=bands)
    areas = "".join(f"P{i},R{i // 3}\n" for i in range(6))
    (tmp_path / "areas.csv").write_text("code,region\n" + areas, encoding="utf-8")
    columns = "date=day,area=place,count=n" + (",band=age" if bands else "")
    options = ["--columns", columns, "--guess", "60", "--seeds", "2", "--only", "ε = 1"]
    files = ["--areas", str(tmp_path / "areas.csv"), "--json", str(tmp_path / "out.json")]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.accuracy", str(tmp_path / "exact-counts.csv"), *options, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "| area-day count |" in run.stdout
    assert ("| area-week-band count |" in run.stdout) is bands
    assert "inconsistent or negative cells: 0" in run.stdout
    figures = json.loads((tmp_path / "out.json").read_text())["pure ε = 1"]
    assert all(0 < s["rmse"] < s["mean"] for s in figures.values())
    assert 0.85 < figures["area-day count"]["coverage"] <= 1.0
