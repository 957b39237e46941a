"""What other ideas would give local statistics, on real counts: time and neighbours as a prior, earlier editions, known rates.

    python -m benchmarks.local_ideas EXACT.csv.gz --areas AREAS.csv [--centroids CENTROIDS.csv]

EXACT has a year of weeks, of which stretches of 13 are taken one by one, at pure ε = 1 with ``priority: local``. Every idea is
given an advantage that no release has: its constants are those that fit the exact counts best, or it is told them.

- *smoothed*: each area's days are estimated together (a Gaussian process on how far they are from the area's part of its
  region's days: a slow and a quick part besides chance), the best of twelve settings. With centroids, its five nearest
  areas' days instead of its region's.
- *rate known*: each day leans on the centred week of exact counts around it.
- *weeks alone*: every third week as an edition of its own with the same noise, so what other editions add is seen.
- *shares known*: bands lean on the area's week times the exact shares of the year in the area, moved as the nation's are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import _header, draw, exact_tables
from benchmarks.exact_counts import ExactCounts, catalogue_of, read_exact_counts, read_rows
from benchmarks.sampling import discrete_laplace
from dp_stats.estimate import estimate
from dp_stats.plan import make_plan
from dp_stats.plan.model import Plan

Floats = NDArray[np.float64]

SETTINGS = tuple(product((1.0, 1.3), ((0.02, 1.0), (0.05, 3.0)), ((0.1, 20.0), (0.3, 20.0), (0.3, 10.0))))
"""Chance, over Poisson; relative variance and days of memory of the quick part; of the slow one."""


def rms(error: Floats) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(error**2)))


def by_day(error: Floats) -> Floats:
    """Errors by area and day, week and cumulative sum; ``error`` has shape (areas, days)."""
    weeks = error.reshape(len(error), -1, 7).sum(axis=2)
    return np.array([rms(error), rms(weeks), rms(np.cumsum(error, axis=1))])


def shape_of_days(noisy: Floats, group: NDArray[np.bool_]) -> Floats:
    """What each area's days would be if they went as those of its ``group`` (areas, areas) do."""
    days = np.maximum(group.astype(np.float64) @ noisy, 1.0)
    totals = np.maximum(noisy.sum(axis=1, keepdims=True), 3.0)
    return np.asarray(totals * days / days.sum(axis=1, keepdims=True))


def smoothed(noisy: Floats, variance: float, base: Floats) -> Iterator[Floats]:
    """Estimates of all days with each of ``SETTINGS``."""
    days = noisy.shape[1]
    lag = np.abs(np.subtract.outer(np.arange(days), np.arange(days)))
    for chance, (quick, memory), (slow, long) in SETTINGS:
        shape = quick * np.exp(-lag / memory) + slow * np.exp(-lag / long)
        found = np.empty_like(noisy)
        for a, row in enumerate(np.maximum(base, 0.02)):
            prior = shape * np.outer(row, row) + np.diag(chance * row)
            found[a] = row + prior @ np.linalg.solve(prior + variance * np.eye(days), noisy[a] - row)
        yield found


def known_rate(counts: Floats, noisy: Floats, variance: float, regions: NDArray[np.bool_]) -> Floats:
    """Days that lean on the centred week of exact counts times their region's weekdays."""
    week = np.ones(7) / 7

    def smooth(rows: Floats) -> Floats:
        padded = np.pad(rows, ((0, 0), (3, 3)), mode="edge")
        return np.array([np.convolve(row, week, "valid") for row in padded])

    regional = regions.astype(np.float64) @ counts
    rate = smooth(counts) * regional / np.maximum(smooth(regional), 1e-9) + 1e-6
    return np.asarray(rate + rate / (rate + variance) * (noisy - rate))


def known_shares(counts: Floats, year: Floats, week: Floats, noisy: Floats, variance: float) -> Floats:
    """Bands by area and week from noisy ones and exact shares; ``week`` are the area's weeks, known well."""
    nation = counts.sum(axis=0) / np.maximum(counts.sum(axis=(0, 2))[:, None], 1.0)
    usual = year.sum(axis=(0, 1)) / year.sum()
    own = (year.sum(axis=1) + usual) / (year.sum(axis=(1, 2))[:, None] + 1)
    share = own[:, None, :] * (nation / usual)[None]
    mean = np.maximum(week[:, :, None], 0.5) * share / share.sum(axis=2, keepdims=True)
    return np.asarray(mean + mean / (mean + variance) * (noisy - mean))


def released(exact: ExactCounts, plan: Plan | None = None, seed: int = 0) -> tuple[dict[str, Floats], Plan]:
    """Errors of an edition as released, by table, measured as in ``plan`` if there is one."""
    guess = max(float(exact.counts.sum(axis=2).mean()), 1e-3)
    catalogue, release, grid = catalogue_of(exact, prior=guess, epsilon=Fraction(1), delta=None, priority="local")
    own = make_plan(catalogue, release, exact.period)
    if plan is not None:
        measured = tuple(m.model_copy(update={"shape": grid.shape(m.levels)}) for m in plan.measurements)
        own = own.model_copy(update={"measurements": measured})
    noisy = draw(own, exact, grid, np.random.default_rng(seed))
    tables = estimate(own, grid=grid, release=release, catalogue=catalogue, noisy=noisy).tables
    true = exact_tables(exact, grid, release)
    return {t: tables[t]["count"].value - true[t, "count"] for t in ("area-day", "area-week", "area-week-band")}, own


def days_of(exact: ExactCounts, first: int, days: int) -> ExactCounts:
    """Some of the days."""
    start = exact.start + timedelta(days=first)
    return ExactCounts(exact.counts[:, first : first + days], exact.areas, exact.regions, start, exact.bands)


def report(exact: ExactCounts, first: int, nearest: NDArray[np.bool_] | None) -> None:
    """Print what each idea gives in the 13 weeks from day ``first``."""
    part = days_of(exact, first, 91)
    errors, plan = released(part)
    scales = {m.id: m.scale for m in plan.measurements}
    daily, banded = (scales[f"count@area.{level}"] for level in ("day.all", "week.band"))
    counts = part.counts.sum(axis=2).astype(np.float64)
    print(f"\n{part.start}, mean of an area and day {counts.mean():.0f}: area and day, week, cumulative, week and band")
    ours = [*by_day(errors["area-day"][:, :, 0]), rms(errors["area-week-band"])]
    print("  released      ", " ".join(f"{e:6.2f}" for e in ours))
    rng = np.random.default_rng(1)
    noisy = (part.counts.sum(axis=2) + discrete_laplace(rng, daily, counts.shape)).astype(np.float64)
    regions = np.array(part.regions)[:, None] == np.array(part.regions)[None, :]
    variance = 2 * daily**2
    groups = {"smoothed": regions, **({"by neighbours": nearest} if nearest is not None else {})}
    for name, group in groups.items():
        found = [by_day(e - counts) for e in smoothed(noisy, variance, shape_of_days(noisy, group))]
        print(f"  {name:14}", " ".join(f"{e:6.2f}" for e in np.min(found, axis=0)))
    rate = by_day(known_rate(counts, noisy, variance, regions) - counts)
    print("  rate known    ", " ".join(f"{e:6.2f}" for e in rate[:1]))
    alone = [released(days_of(exact, first + 7 * w, 7), plan, w)[0] for w in range(0, 13, 3)]
    single = [rms(np.stack([e[t] for e in alone])) for t in ("area-day", "area-week", "area-week-band")]
    print("  weeks alone   ", f"{single[0]:6.2f} {single[1]:6.2f}        {single[2]:6.2f}")
    weekly = part.counts.reshape(len(counts), 13, 7, -1).sum(axis=2)
    noisy_bands = weekly + discrete_laplace(rng, banded, weekly.shape)
    whole = exact.counts.reshape(len(counts), -1, 7, weekly.shape[2]).sum(axis=2).astype(np.float64)
    week = weekly.sum(axis=2) + np.sqrt(7 * variance) * rng.normal(size=weekly.shape[:2])
    shares = known_shares(weekly.astype(np.float64), whole, week, noisy_bands.astype(np.float64), 2 * banded**2)
    print("  shares known  ", 20 * " ", f"{rms(shares - weekly):6.2f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exact", type=Path)
    parser.add_argument("--areas", type=Path, required=True, help="CSV of code and region")
    parser.add_argument("--centroids", type=Path, help="CSV of area, longitude and latitude")
    parser.add_argument("--centroids-columns", default="LAD19CD,longitude,latitude", help="its three columns")
    options = parser.parse_args()
    columns = {name: name for name in ("date", "area", "count", "band") if name in _header(options.exact)}
    exact = read_exact_counts(options.exact, columns=columns, lookup=options.areas)
    exact = exact.first_days(exact.counts.shape[1] // 91 * 91)
    nearest = None
    if options.centroids:
        code, x, y = options.centroids_columns.split(",")
        places = {row[code]: (float(row[x]), float(row[y])) for row in read_rows(options.centroids)}
        middle = np.mean(list(places.values()), axis=0)
        at = np.array([places.get(a, tuple(middle)) for a in exact.areas]) * [np.cos(np.radians(middle[1])), 1.0]
        distance = np.linalg.norm(at[:, None] - at[None], axis=2)
        nearest = distance <= np.sort(distance, axis=1)[:, [5]]
    for first in range(0, exact.counts.shape[1], 91):
        report(exact, first, nearest)


if __name__ == "__main__":
    main()
