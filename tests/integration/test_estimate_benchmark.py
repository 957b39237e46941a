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

from benchmarks.growth import PARTS, Shape, report, run

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


@pytest.mark.parametrize("weekly", [True, False])
def test_the_benchmark_of_growth_tells_parts_apart_and_compares_with_its_goals(
    weekly: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = Shape(areas=20, regions=4, days=28, bands=1 if weekly else 3, weekly=weekly, seconds=60, gigabytes=8)
    found = run(shape)
    spent = found["seconds"]
    assert set(spent) >= {"planning", "noise", *(part for part, _ in PARTS)}
    assert all(seconds >= 0 for seconds in spent.values())
    assert found["cells"] > found["draws"] > 0 if not weekly else found["cells"] == 4 * (20 + 4 + 1)
    assert report("small", shape, found)
    assert not report("small", Shape(20, 4, 28, 1, weekly=weekly, seconds=0, gigabytes=8), found)
    assert "whole numbers that add up" in capsys.readouterr().out
