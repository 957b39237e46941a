"""What would noise that is drawn jointly for days and bands give? The K-norm mechanism, which this software does not use.

    python -m benchmarks.joint_noise EXACT.csv.gz --areas AREAS.csv [--skip 13] [--draws 4]

A row moves one day and one band of an area's week: the seven days x and the m bands y change by one pair of unit vectors. Two
tables with Laplace noise of their own pay for each as if the other were not there. The K-norm mechanism (Hardt and Talwar 2010;
Awan and Slavković 2021) draws both at once, with P(x, y) ∝ exp(−ε·K(x, y)), for any norm K that is at most 1 for what one row
moves; areas and weeks are drawn independently, as a row moves one of them. Norms tried here:

    K = (1 − w)·max over s in [low, high] of (s·‖x‖₁ + (1 − s)·‖y‖₁)  +  w·|Σx|

- low = high, w = 0: two tables with noise of their own, of scales 1 / (s·ε) and 1 / ((1 − s)·ε).
- low = 0, high = 1, w = 0: max(‖x‖₁, ‖y‖₁). With ``equal`` (Σx = Σy, as the exact tables have) its unit ball is the smallest of
  all, the convex hull of what a row moves.
- w: a part for the week's total, as if it were measured, too.

Draws are exact: discrete Laplace noise of the norm at one s, and the rest by rejection. Printed are the variances of the first
norm as computed and as drawn; then, for each norm, the errors of the five local statistics by least squares and as released
with ``priority: local`` (national tables measured as the plan says), and how many times smaller they are than with two tables
at ε/2. The estimator gets the noise by its variances and covariances, of days, bands and weeks.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import _header, draw, exact_tables
from benchmarks.baselines import baselines
from benchmarks.exact_counts import ExactCounts, catalogue_of, read_exact_counts
from benchmarks.local_ideas import days_of, rms
from benchmarks.sampling import discrete_laplace
from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.estimate import estimate
from dp_stats.plan import make_plan
from dp_stats.plan.model import Measurement, Plan
from dp_stats.plan.noisy import NoisyMeasurements

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

WEEK = 7
LOCAL = ("area-day count", "area-day rolling", "area-day cumulative", "area-week count", "area-week-band count")
CHUNK = 200_000


@dataclass(frozen=True)
class Norm:
    """K of the module's text; ``equal``: noise with Σx = Σy alone."""

    low: float
    high: float
    total: float = 0.0
    equal: bool = False

    def of(self, x: Integers, y: Integers) -> Floats:
        """K of each row of ``x`` (rows, days) and ``y`` (rows, bands)."""
        days, bands = np.abs(x).sum(axis=1), np.abs(y).sum(axis=1)
        larger = np.maximum(self.low * days + (1 - self.low) * bands, self.high * days + (1 - self.high) * bands)
        return np.asarray((1 - self.total) * larger + self.total * np.abs(x.sum(axis=1)))

    def __str__(self) -> str:
        """As it is printed."""
        return f"s {self.low:.2f} to {self.high:.2f}, w {self.total:.2f}{', equal sums' if self.equal else ''}"


def proposals(
    rng: np.random.Generator, norm: Norm, share: float, epsilon: float, shape: tuple[int, int, int]
) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """Draws of independent Laplace noise with ``share`` of ε for days, and which of them are draws of the norm.

    ``shape``: rows, days, bands. ``share`` is between the norm's low and high, so that no draw is accepted too seldom.
    """
    rows, days, bands = shape
    spent = (1 - norm.total) * epsilon
    x = discrete_laplace(rng, 1 / (spent * share), (rows, days))
    y = discrete_laplace(rng, 1 / (spent * (1 - share)), (rows, bands))
    beyond = norm.of(x, y) - Norm(share, share).of(x, y) * (1 - norm.total)
    accepted = rng.random(rows) < np.exp(-epsilon * beyond)
    return x, y, accepted & (x.sum(axis=1) == y.sum(axis=1)) if norm.equal else accepted


def sample(
    rng: np.random.Generator, norm: Norm, epsilon: float, shape: tuple[int, int, int]
) -> tuple[Integers, Integers]:
    """Exact draws of the K-norm mechanism's noise; ``shape``: rows, days, bands."""
    rows, days, bands = shape
    # where ε buys days and bands sums of absolute values that are alike: there the norms differ least
    share = float(np.clip(days / (days + bands), max(norm.low, 0.02), min(norm.high, 0.98)))
    found, got = [], 0
    while got < rows:
        x, y, accepted = proposals(rng, norm, share, epsilon, (CHUNK, days, bands))
        found.append((x[accepted], y[accepted]))
        got += int(accepted.sum())
    return np.concatenate([x for x, _ in found])[:rows], np.concatenate([y for _, y in found])[:rows]


def largest_norm_variances(days: int, bands: int) -> tuple[float, float]:
    """Variance × ε² of a day and of a band with K = max(‖x‖₁, ‖y‖₁) and continuous noise.

    The noise is a gamma variable of shape d + 1 and scale 1 / ε, with d = days + bands, times a uniform point of the unit
    ball, which is that of ‖x‖₁ times that of ‖y‖₁: (d + 1)(d + 2) / ε² times 2 / ((n + 1)(n + 2)) for one of n coordinates.
    """
    whole = days + bands
    return (
        2 * (whole + 1) * (whole + 2) / ((days + 1) * (days + 2)),
        2 * (whole + 1) * (whole + 2) / ((bands + 1) * (bands + 2)),
    )


def scale_of(variance: float) -> float:
    """The scale at which discrete Laplace noise has this variance."""
    q = 1 + 1 / variance - np.sqrt((1 + 1 / variance) ** 2 - 1)
    return float(-1 / np.log(q))


def as_levels(x: Integers, y: Integers) -> tuple[float, float, float]:
    """Variances of independent noise of days, bands and weeks (0: not measured) from which least squares would give days and
    bands the variances and covariances that ``x`` (rows, days) and ``y`` (rows, bands) have."""

    def contrast(z: Integers) -> float:
        return float(np.mean(np.var(z, axis=1, ddof=1)))

    days, bands = contrast(x), contrast(y)
    measured = 1 / float(np.mean(x.sum(axis=1) ** 2)) - 1 / (x.shape[1] * days)
    if np.array_equal(x.sum(axis=1), y.sum(axis=1)):
        measured -= 1 / (y.shape[1] * bands)
    return days, bands, 1 / measured if measured > 1e-4 else 0.0


@dataclass(frozen=True)
class Setting:
    """Counts and the plan of their local release."""

    exact: ExactCounts
    plan: Plan
    true: dict[tuple[str, str], Floats]
    two: dict[str, float]
    epsilon: float

    def errors(self, plan: Plan, noisy: NoisyMeasurements) -> tuple[Floats, Floats]:
        """Root-mean-square errors of ``LOCAL``, by least squares and as released."""
        catalogue, release, grid = declared(self.exact)
        tables = estimate(plan, grid=grid, release=release, catalogue=catalogue, noisy=noisy).tables
        linear, ours = [], []
        for name in LOCAL:
            table, statistic = name.split()
            found, true = tables[table][statistic], self.true[table, statistic]
            known = ~np.isnan(found.value)
            linear.append(rms((found.unrounded - true)[known]))
            ours.append(rms((found.value - true)[known]))
        return np.array(linear), np.array(ours)

    def times(self, errors: Floats) -> float:
        """Times better than two tables, geometric mean."""
        return float(np.exp(np.mean(np.log(np.array([self.two[name] for name in LOCAL]) / errors))))


def declared(exact: ExactCounts) -> tuple[Catalogue, Release, Grid]:
    """What is released of the counts, local tables first."""
    guess = float(exact.counts.sum(axis=2).mean())
    return catalogue_of(exact, prior=guess, epsilon=Fraction(1), delta=None, priority="local")


def setting(exact: ExactCounts) -> Setting:
    """The plan and what errors are held against."""
    catalogue, release, grid = declared(exact)
    plan = make_plan(catalogue, release, exact.period)
    two = {f"{t} {s}": b.two for (t, s), b in baselines(release, grid, Fraction(1), None).items()}
    spent = float(sum(m.epsilon for m in plan.measurements if m.levels["area"] == "area" and m.epsilon))
    return Setting(exact, plan, exact_tables(exact, grid, release), two, spent)


def measured(plan: Plan, level: tuple[str, str], variance: float, shape: tuple[int, ...]) -> Measurement:
    """A measurement at area × level, as if its noise were independent."""
    levels = {"area": "area", "date": level[0], "band": level[1]}
    like = next(m for m in plan.measurements if m.levels["area"] == "area")
    name = f"count@area.{level[0]}.{level[1]}"
    return like.model_copy(update={"id": name, "levels": levels, "shape": shape, "scale": scale_of(variance)})


def with_norm(s: Setting, norm: Norm, seed: int) -> tuple[Plan, NoisyMeasurements]:
    """The plan with days and bands of areas measured jointly, and a draw."""
    rng, counts = np.random.default_rng(seed), s.exact.counts
    areas, days, bands = counts.shape
    weeks = days // WEEK
    x, y = sample(rng, norm, s.epsilon, (areas * weeks, WEEK, bands))
    variances = as_levels(x, y)
    noisy_days = counts.sum(axis=2) + x.reshape(areas, days)
    noisy_bands = counts.reshape(areas, weeks, WEEK, bands).sum(axis=2) + y.reshape(areas, weeks, bands)
    others = tuple(m for m in s.plan.measurements if m.levels["area"] != "area")
    values = {m.id: v for m, v in zip(s.plan.measurements, _drawn(s, seed), strict=True) if m in others}
    kinds = {("day", "all"): noisy_days[:, :, None], ("week", "band"): noisy_bands}
    if variances[2]:
        kinds["week", "all"] = noisy_days.reshape(areas, weeks, WEEK).sum(axis=2)[:, :, None]
    own = tuple(measured(s.plan, k, v, a.shape) for (k, a), v in zip(kinds.items(), variances, strict=False))
    values |= {m.id: a for m, a in zip(own, kinds.values(), strict=True)}
    plan = s.plan.model_copy(update={"measurements": (*own, *others)})
    return plan, NoisyMeasurements(plan.hash, values)


def _drawn(s: Setting, seed: int) -> list[Integers]:
    _, _, grid = declared(s.exact)
    noisy = draw(s.plan, s.exact, grid, np.random.default_rng(1000 + seed))
    return [noisy.values[m.id] for m in s.plan.measurements]


def check(rng: np.random.Generator, bands: Sequence[int]) -> None:
    """Print the variances of max(‖x‖₁, ‖y‖₁) as computed and as drawn."""
    print("variance × ε² of max(‖x‖₁, ‖y‖₁) with 7 days: day, band (two tables at ε/2: 8, 8)")
    for m in bands:
        epsilon = 0.02
        x, y = sample(rng, Norm(0, 1), epsilon, (20_000, WEEK, m))
        drawn = [epsilon**2 * float(np.mean(z.astype(float) ** 2)) for z in (x, y)]
        computed = largest_norm_variances(WEEK, m)
        print(f"  {m} bands: {computed[0]:.2f}, {computed[1]:.2f}; drawn {drawn[0]:.2f}, {drawn[1]:.2f}")


NORMS = (
    Norm(0.5, 0.5),
    Norm(0.5, 0.5, equal=True),
    Norm(0.83, 0.83, equal=True),
    Norm(0.83, 0.83, total=0.25),
    Norm(0, 1),
    Norm(0, 1, equal=True),
    Norm(0.75, 1, equal=True),
    Norm(0.75, 1, total=0.25, equal=True),
    Norm(0.8, 0.9, total=0.25, equal=True),
    Norm(0.83, 0.83, total=0.25, equal=True),
    Norm(0.8, 0.8, total=0.3, equal=True),
)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exact", type=Path)
    parser.add_argument("--areas", type=Path, required=True, help="CSV of code and region")
    parser.add_argument("--weeks", type=int, default=13)
    parser.add_argument("--skip", type=int, default=0, help="weeks before them that are left out")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--only", default="", help="only norms whose line holds this text")
    options = parser.parse_args()
    check(np.random.default_rng(0), (3, 6, 10))
    columns = {name: name for name in ("date", "area", "count", "band") if name in _header(options.exact)}
    exact = read_exact_counts(options.exact, columns=columns, lookup=options.areas)
    s = setting(days_of(exact, WEEK * options.skip, WEEK * options.weeks))
    print(
        f"\nfrom {s.exact.start}: times better than two tables, by least squares and as released; errors: {', '.join(LOCAL)}"
    )
    for norm in (None, *(n for n in NORMS if options.only in str(n))):
        found = []
        for seed in range(options.draws):
            plan, noisy = (
                with_norm(s, norm, seed) if norm else (s.plan, NoisyMeasurements(s.plan.hash, _named(s, seed)))
            )
            found.append(s.errors(plan, noisy))
        linear, ours = (np.sqrt(np.mean(np.square([f[i] for f in found]), axis=0)) for i in (0, 1))
        print(
            f"{'as planned' if norm is None else str(norm):36} {s.times(linear):.3f} {s.times(ours):.3f}  "
            f"{' '.join(f'{e:6.2f}' for e in linear)} | {' '.join(f'{e:6.2f}' for e in ours)}",
            flush=True,
        )


def _named(s: Setting, seed: int) -> dict[str, Integers]:
    return {m.id: v for m, v in zip(s.plan.measurements, _drawn(s, seed), strict=True)}


if __name__ == "__main__":
    main()
