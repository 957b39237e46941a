"""A synthetic line list to try the pipeline on: invented people in real places, as messy as the real thing.

Areas, populations and age structures are the public facts of ``codes/lad19.csv``. Waves, people and
faults are simulated. Only this room may use a pseudo-random generator: nothing here protects anybody.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dp_stats.catalogue.codes import CodeList, load_code_list

FILE = "line-list.duckdb"
ROWS = 1_000_000
FIRST_DAY = date(2021, 1, 1)
DAYS = 365
# Peak day, width in days and height of each wave of the national epidemic.
WAVES = ((5, 18, 1.0), (200, 30, 0.75), (300, 35, 0.7), (362, 16, 1.6))
WEEKDAYS = np.array([1.18, 1.10, 1.04, 1.0, 0.98, 0.84, 0.86])
REPEATS = (0.93, 0.055, 0.011, 0.004)  # share of persons with 1, 2, 3, 4 rows
DELAY = (2.5, 1.0, 35)
"""Days from specimen to report: log-normal with this median and spread, cut to whole days and at most so many. The median
is two days, one report in six takes more than a week, one in sixty more than three weeks."""

Progress = Callable[[str], None]


def make_line_list(
    folder: Path, areas: Path, *, rows: int = ROWS, seed: int = 2021, progress: Progress = print
) -> Path:
    """Write ``line-list.duckdb`` (table ``reports``, and ``cases`` as ``report_until`` shows it: all) and ``opt-outs.csv``.

    Args:
        folder: where to write; made if missing, and what an earlier call wrote is replaced.
        areas: the code list of local authorities, with populations by age band.
        rows: about how many rows to make.

    Returns:
        The path of the DuckDB file.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    rng = np.random.default_rng(seed)
    codes = load_code_list(areas)
    progress(f"Simulating about {rows:,} case reports in {len(codes.rows)} local authorities over one year")
    counts = _simulate_counts(rng, codes, rows)
    area, day = (index.repeat(counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1))
    order = rng.permutation(len(area))
    area, day = area[order], day[order]
    ages = _simulate_ages(rng, codes, area)
    person = _simulate_persons(rng, len(area))
    # A repeat report is of the same person: same area and age, some weeks later.
    first = np.zeros(person.max() + 1, dtype=np.int64)
    first[person[::-1]] = np.arange(len(person))[::-1]
    repeat = first[person] != np.arange(len(person))
    area, ages = area[first[person]], ages[first[person]]
    day = np.where(repeat, np.minimum(day[first[person]] + rng.integers(0, 120, len(day)), DAYS - 1), day)

    progress("Adding late reports, opt-outs and dirty values")
    table = _as_table(rng, codes, person, area, day, ages)
    path = folder / FILE
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.register("made", table)
        connection.execute("CREATE TABLE reports AS SELECT * FROM made")
        connection.execute("CREATE VIEW cases AS SELECT * FROM reports")
    opted_out = rng.choice(person.max() + 1, size=max(1, len(first) // 200), replace=False)
    with (folder / "opt-outs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["person_id"])
        writer.writerows([id] for id in _person_ids(np.sort(opted_out)).to_pylist())
    progress(f"Wrote {path} and {folder / 'opt-outs.csv'}")
    return path


def report_until(path: Path, day: date) -> None:
    """Let ``cases`` be what had been reported by the end of a day, as the agency's table would have stood.

    Args:
        path: a ``line-list.duckdb`` of ``make_line_list``.
    """
    with duckdb.connect(str(path)) as connection:
        kept = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        if ("cases",) in kept:  # made by an earlier version
            connection.execute("ALTER TABLE cases RENAME TO reports")
        connection.execute(f"CREATE OR REPLACE VIEW cases AS SELECT * FROM reports WHERE report_date <= '{day}'")


def _simulate_counts(rng: np.random.Generator, codes: CodeList, rows: int) -> NDArray[np.int64]:
    """Cases per area and day: national waves, shifted and scaled by region and area, with weekday effects."""
    days = np.arange(DAYS)
    regions = codes.column("region")
    names = sorted(set(regions))
    region = np.array([names.index(r) for r in regions])
    population = np.array(codes.numbers("population"))
    intensity = np.zeros((len(population), DAYS))
    for peak, width, height in WAVES:
        shift = rng.normal(0, 9, len(names))[region] + rng.normal(0, 4, len(region))
        strength = np.exp(rng.normal(0, 0.25, len(names))[region] + rng.normal(0, 0.3, len(region)))
        intensity += height * strength[:, None] * np.exp(-0.5 * ((days - peak - shift[:, None]) / width) ** 2)
    weekday = np.array([(FIRST_DAY + timedelta(days=int(d))).weekday() for d in days])
    expected = population[:, None] * (intensity + 0.03) * WEEKDAYS[weekday]
    return np.asarray(rng.poisson(expected * rows / expected.sum()), dtype=np.int64)


def _simulate_ages(rng: np.random.Generator, codes: CodeList, area: NDArray[np.int64]) -> NDArray[np.int64]:
    """An age for each row, from the area's own age structure with fewer infections among the old."""
    bands = [name for name in codes.header if name.startswith("population_")]
    weights = np.array([codes.numbers(name) for name in bands]).T * np.array(
        [0.7, 1.3, 1.4, 1.2, 1.1, 0.9, 0.6, 0.5, 0.7, 0.9]
    )
    edges = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    band = (rng.random(len(area))[:, None] > edges[area]).sum(axis=1)
    return np.asarray(np.minimum(band * 10 + rng.integers(0, 10, len(area)), 104), dtype=np.int64)


def _simulate_persons(rng: np.random.Generator, rows: int) -> NDArray[np.int64]:
    """A person for each row; most persons have one row, a few have up to four."""
    sizes = rng.choice(np.arange(1, len(REPEATS) + 1), p=REPEATS, size=rows)
    person = np.repeat(np.arange(rows), sizes)[:rows]
    return np.asarray(person[rng.permutation(rows)], dtype=np.int64)


def _person_ids(numbers: NDArray[np.int64]) -> pa.Array:
    """An identifier for each person's number, in no order that means anything."""
    mixed = pc.cast(pa.array(numbers * 7919 % 99_999_989), pa.string())
    return pc.binary_join_element_wise("P", pc.utf8_lpad(mixed, width=8, padding="0"), "")


def _as_table(
    rng: np.random.Generator,
    codes: CodeList,
    person: NDArray[np.int64],
    area: NDArray[np.int64],
    day: NDArray[np.int64],
    ages: NDArray[np.int64],
) -> pa.Table:
    """The rows as a source system would deliver them: text, two date formats, odd cases and gaps."""
    rows = len(person)
    calendar = [FIRST_DAY + timedelta(days=i) for i in range(DAYS + 40)]
    iso = [d.isoformat() for d in calendar]
    dates = [*iso, *(f"{d:%d-%m-%Y}" for d in calendar), "unknown"]
    specimen = day + np.where(rng.random(rows) < 0.05, len(iso), 0)
    specimen[rng.random(rows) < 0.0005] = len(dates) - 1
    areas = [*codes.codes, *(f" {code.lower()} " for code in codes.codes), "Not Reported"]
    odd = rng.random(rows)
    area_code = area + np.where(odd < 0.01, len(codes.codes), 0)
    area_code[odd > 0.999] = len(areas) - 1
    years = [*(str(a) for a in range(131)), "Not Reported"]
    age = np.where(rng.random(rows) < 0.008, len(years) - 1, ages)
    lag = np.minimum(np.floor(rng.lognormal(np.log(DELAY[0]), DELAY[1], rows)).astype(np.int64), DELAY[2])
    return pa.table(
        {
            "Person_ID": _person_ids(person),
            "specimen_date": _picked(dates, specimen),
            "Area_Code": _picked(areas, area_code),
            "age": _picked(years, age),
            "report_date": _picked(iso, day + lag),
            "laboratory": _picked(["North", "South", "East", "West"], rng.integers(0, 4, rows)),
        }
    )


def _picked(texts: list[str], index: NDArray[np.int64]) -> pa.Array:
    """A text for each row, by its place in the list."""
    return pa.array(texts, pa.string()).take(pa.array(index))
