"""Make the benchmark's exact counts from real UK counts: daily cases by local authority, with semi-synthetic ages.

    python benchmarks/exact_counts_uk.py FOLDER OUT

Counts by area and day are real. Each case's age band is drawn from England's real rates of that day and band
applied to the area's real age pyramid. Writes OUT/exact-counts.csv.gz (date, area, band, count), OUT/prior.csv.gz (the
first 13 weeks alone, which stand for an earlier edition) and OUT/areas.csv (code, region, people by band).
"""

from __future__ import annotations

import argparse
import csv
import gzip
from pathlib import Path

import numpy as np

from benchmarks.exact_counts import ExactCounts, read_exact_counts, read_rows

BANDS = ("00_09", "10_19", "20_29", "30_39", "40_49", "50_59", "60_69", "70_79", "80_89", "90+")


def build(folder: Path, *, seed: int = 0) -> ExactCounts:
    """The exact counts of 52 weeks, 381 areas and 10 age bands."""
    plain = read_exact_counts(
        folder / "ltla_daily_52wk.csv.gz",
        columns={"date": "date", "area": "area_code", "count": "cases"},
        lookup=folder / "lad19_lookup.csv",
        lookup_columns=("LAD19CD", "region_code"),
    )
    people = {
        row["LAD19CD"]: [float(row[f"pop_{band}"]) for band in BANDS] for row in read_rows(folder / "lad19_lookup.csv")
    }
    usual = np.mean(list(people.values()), axis=0)
    pyramid = np.array([people.get(area, usual) for area in plain.areas])
    days = plain.counts.shape[1]
    cases, population = np.zeros((days, len(BANDS))), np.zeros((days, len(BANDS)))
    for row in read_rows(folder / "england_daily_by_5yr_age.csv.gz"):
        day = (np.datetime64(row["date"]) - np.datetime64(plain.start)).astype(int)
        if 0 <= day < days and row["class"][:2].isdigit():
            band = min(int(row["class"][:2]) // 10, 9)
            cases[day, band] += float(row["count"] or 0)
            population[day, band] += float(row["population"] or 0)
    rate = (cases + 0.5) / np.maximum(population, 1.0)
    mix = rate[None, :, :] * pyramid[:, None, :]
    mix /= mix.sum(axis=2, keepdims=True)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(plain.counts[:, :, 0], mix)
    columns = {"population": pyramid.sum(axis=1), **{f"population_{b}": pyramid[:, i] for i, b in enumerate(BANDS)}}
    known = {name: tuple(f"{n:.0f}" for n in numbers) for name, numbers in columns.items()}
    return ExactCounts(counts.astype(np.int64), plain.areas, plain.regions, plain.start, BANDS, known)


def write(exact: ExactCounts, path: Path) -> None:
    """Write exact counts as a gzipped CSV of its cells that are not zero (and the corners, which give its extent)."""
    days = exact.period.days
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["date", "area", "band", "count"])
        keep = exact.counts > 0
        keep[:, [0, -1], 0] = True
        keep[0, 0, :] = True
        for a, d, b in zip(*np.nonzero(keep), strict=True):
            out.writerow([days[d].isoformat(), exact.areas[a], exact.bands[b], int(exact.counts[a, d, b])])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    exact = build(options.folder)
    write(exact, options.out / "exact-counts.csv.gz")
    write(exact.first_days(91), options.out / "prior.csv.gz")
    with (options.out / "areas.csv").open("w", encoding="utf-8", newline="") as file:
        header = ("code", "region", *exact.people)
        csv.writer(file).writerows([header, *zip(exact.areas, exact.regions, *exact.people.values(), strict=True)])


if __name__ == "__main__":
    main()
