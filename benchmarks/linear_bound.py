"""How accurate could local statistics be? The bound for linear estimators that know every cell's true rate.

    python -m benchmarks.linear_bound EXACT.csv.gz --weeks 13 --epsilon 1

Measured are area × day and area × week × band with any split of a pure ε. The best linear estimator knows the rate of
each area, day and band exactly (counts are Poisson around it), which no real one can. Its errors, with the split that
is best for the five local statistics together, are compared with two tables at ε/2: no linear estimator gains more
from these two tables, whatever it assumes of neighbours, other weeks or earlier editions.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.accuracy import _header
from benchmarks.exact_counts import read_exact_counts
from dp_stats.plan.accounting import scale_for_epsilon
from dp_stats.plan.mechanism import noise_variance

NAMES = ("day", "7 days", "cumulative", "week", "week and band")


def variance(epsilon: float) -> float:
    """Of one cell's noise."""
    return noise_variance(scale_for_epsilon(1, Fraction(epsilon).limit_denominator(10_000)), "discrete_laplace")


def errors(counts: np.ndarray, day: float, band: float) -> np.ndarray:
    """Root-mean-square errors of ``NAMES``; ``counts`` has shape (areas, weeks, 7, bands), variances as measured."""
    days, bands = counts.sum(axis=3), counts.sum(axis=2)
    size = 7 + counts.shape[3]
    prior = np.zeros((*counts.shape[:2], size, size))
    prior[..., :7, :7] = days[..., :, None] * np.eye(7)
    prior[..., 7:, 7:] = bands[..., :, None] * np.eye(counts.shape[3])
    prior[..., :7, 7:], prior[..., 7:, :7] = counts, np.swapaxes(counts, 2, 3)
    noise = np.diag([day] * 7 + [band] * counts.shape[3])
    left = prior - prior @ np.linalg.solve(prior + noise, prior)
    of_days = left[..., :7, :7]
    first = np.stack([of_days[..., :j, :j].sum(axis=(-1, -2)) for j in range(8)], axis=-1)
    last = np.stack([of_days[..., j:, j:].sum(axis=(-1, -2)) for j in range(8)], axis=-1)
    week = first[..., 7]
    before = np.cumsum(week, axis=1) - week
    found = [
        np.einsum("awii->", of_days) / days.size,
        float(np.mean(last[:, :-1, 1:7] + first[:, 1:, 1:7]) * 6 / 7 + np.mean(week) / 7),
        float(np.mean(before[..., None] + first[..., 1:])),
        float(np.mean(week)),
        np.einsum("awii->", left[..., 7:, 7:]) / bands.size,
    ]
    return np.sqrt(np.array(found))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exact", type=Path)
    parser.add_argument("--weeks", type=int, default=13)
    parser.add_argument("--skip", type=int, default=0, help="weeks before them that are left out")
    parser.add_argument("--epsilon", type=float, default=1.0)
    options = parser.parse_args()
    columns = {name: name for name in ("date", "area", "count", "band") if name in _header(options.exact)}
    exact = read_exact_counts(options.exact, columns=columns, lookup=None)
    counts = exact.counts[:, 7 * options.skip :][:, : 7 * options.weeks].astype(float)
    counts = counts.reshape(len(counts), options.weeks, 7, -1)
    half = variance(options.epsilon / 2)
    bands = counts.shape[3]
    windows = np.array([1.0, 7.0, (7 * options.weeks + 1) / 2, min(7.0, bands), 1.0])
    two = np.sqrt(half * windows)
    best = max(
        (
            (float(np.exp(np.mean(np.log(two / found)))), share, found)
            for share in np.linspace(0.3, 0.95, 14)
            for found in [errors(counts, variance(share * options.epsilon), variance((1 - share) * options.epsilon))]
        ),
        key=lambda one: one[0],
    )
    print(f"best split: area × day {best[1]:.2f}; at most {best[0]:.2f} times better than two tables (geometric mean)")
    for name, before, after in zip(NAMES, two, best[2], strict=True):
        print(f"area {name}: two tables {before:.2f}, bound {after:.2f}, {before / after:.2f} times")


if __name__ == "__main__":
    main()
