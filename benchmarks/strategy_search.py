"""Does any linear strategy beat sums of levels for local tables at pure ε? A numerical search over arbitrary matrices.

    python -m benchmarks.strategy_search [--weeks 1] [--bands 10] [--starts 6]

An area's week is 7 days × m bands of counts. A strategy is any matrix A of real weights: its rows are queries, each gets
independent Laplace noise, and a row of the data moves the answers by one column of A, so columns have an L1 norm of at most 1.
The five local statistics of the release (days, 7-day sums, cumulative sums of 13 weeks, weeks, weeks by band) are estimated
by least squares; minimised is the geometric mean of their errors. Blocks of ``--weeks`` weeks have the same strategy and noise
of their own; sums that cross their borders add up variances.

The levels (days, weeks, weeks by band, single cells, the block by band or alone) with their best shares are what the planner
chooses from. Searched is from there with a little of everything added, and from random sparse matrices, by L-BFGS over all
entries; absolute values and the largest column are smoothed, in four steps ever less, and what is printed is exact.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]

WEEK, PERIOD, STATISTICS = 7, 13, 5
SMOOTH = ((1e-2, 20.0), (3e-3, 60.0), (1e-3, 200.0), (2e-4, 800.0))
"""Widths of the smoothed absolute value, and exponents of the smoothed maximum."""
RIDGE = 1e-9
MORE = 24


@dataclass(frozen=True)
class Workload:
    """Queries of a block's cells and, for each statistic, how much the variance of each counts."""

    queries: Floats
    parts: Floats

    @classmethod
    def of(cls, weeks: int, bands: int) -> Workload:
        """The five local statistics of 13 weeks; cells are days × bands."""
        days = WEEK * weeks
        single = np.eye(days)
        first = np.tril(np.ones((days, days)))  # until each day
        last = first[-1] - first  # after each day
        inside = np.array([first[d] - (first[d - WEEK] if d >= WEEK else 0) for d in range(days)])
        ended = np.array([last[days - WEEK + d] if d < WEEK - 1 else np.zeros(days) for d in range(days)])
        week = np.kron(np.eye(weeks), np.ones(WEEK))
        blocks = PERIOD / weeks
        by_day = np.concatenate([single, inside, ended, first, week])
        sizes = [days, days, days, days, weeks]
        alone = np.kron(by_day, np.ones(bands))
        by_band = np.kron(week, np.eye(bands))
        queries = np.concatenate([alone, by_band])
        at = np.split(np.arange(len(queries)), np.cumsum(sizes))
        parts = np.zeros((STATISTICS, len(queries)))
        parts[0, at[0]] = 1 / days
        parts[1, at[1]] = parts[1, at[2]] = 1 / days
        parts[2, at[3]] = 1 / days
        parts[2, at[3][-1]] += (blocks - 1) / 2
        parts[3, at[4]] = 1 / weeks
        parts[4, at[5]] = 1 / len(by_band)
        return cls(queries, parts)

    def errors(self, strategy: Floats) -> Floats:
        """Mean squared errors of the statistics for noise of variance 1, and columns as they are."""
        normal = strategy.T @ strategy
        inverse = np.linalg.inv(normal + RIDGE * np.trace(normal) * np.eye(len(normal)))
        return np.asarray(self.parts @ np.einsum("ij,jk,ik->i", self.queries, inverse, self.queries, optimize=True))

    def score(self, strategy: Floats) -> float:
        """Geometric mean of the statistics' errors, with columns of an L1 norm of at most 1."""
        return float(np.exp(np.log(self.errors(strategy)).mean() / 2) * np.abs(strategy).sum(axis=0).max())

    def smoothed(self, flat: Floats, shape: tuple[int, int], width: float, power: float) -> tuple[float, Floats]:
        """Logarithm of the score's square and its gradient, with a smooth absolute value and maximum."""
        strategy = flat.reshape(shape)
        normal = strategy.T @ strategy
        inverse = np.linalg.inv(normal + RIDGE * np.trace(normal) * np.eye(len(normal)))
        seen = self.queries @ inverse
        errors = self.parts @ np.einsum("ij,ij->i", seen, self.queries)
        count = (self.parts / errors[:, None]).sum(axis=0) / STATISTICS
        sizes = np.sqrt(strategy**2 + width**2) - width
        columns = np.maximum(sizes.sum(axis=0), width)
        largest = float(columns.max())
        scaled = (columns / largest) ** power
        together = float(scaled.sum())
        norm = float(np.log(largest) + np.log(together) / power)
        value = (
            float(np.log(errors).mean()) + 2 * norm + norm**2
        )  # the last keeps entries from hiding in what is smoothed
        by_column = (2 + 2 * norm) * scaled / columns / together
        gradient = -2 * strategy @ (seen.T @ (count[:, None] * seen)) + by_column * strategy / (sizes + width)
        return value, gradient.ravel()


def levels(weeks: int, bands: int) -> list[Floats]:
    """The level tables of a block, as queries of its cells."""
    day, week, all_days = np.eye(WEEK * weeks), np.kron(np.eye(weeks), np.ones(WEEK)), np.ones((1, WEEK * weeks))
    band, whole = np.eye(bands), np.ones((1, bands))
    return [np.kron(a, b) for a in (day, week, all_days) for b in (whole, band)]


def best_levels(work: Workload, tables: list[Floats]) -> Floats:
    """The tables with their best shares of the budget."""

    def strategy(logits: Floats) -> Floats:
        shares = np.exp(logits - logits.max())
        return np.concatenate([s * t for s, t in zip(shares / shares.sum(), tables, strict=True)])

    starts = [np.array([3.0, 0, -3, 2, -3, -3]), np.zeros(len(tables)), np.array([3.0, -3, -3, 1, -3, -3])]
    runs = [
        minimize(lambda x: np.log(work.score(strategy(x))), s, method="Nelder-Mead", options={"maxiter": 3000})
        for s in starts
    ]
    return strategy(min(runs, key=lambda run: float(run.fun)).x)


def search(work: Workload, start: Floats) -> Floats:
    """The best strategy that a descent from one finds."""
    best = start
    flat = (start / np.abs(start).sum(axis=0).max()).ravel()
    for width, power in SMOOTH:
        run = minimize(
            work.smoothed, flat, (start.shape, width, power), jac=True, method="L-BFGS-B", options={"maxiter": 1500}
        )
        flat = run.x
        now = flat.reshape(start.shape)
        best = min(best, now, key=work.score)
    return best


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weeks", type=int, default=1)
    parser.add_argument("--bands", type=int, default=10)
    parser.add_argument("--starts", type=int, default=6, help="random ones")
    options = parser.parse_args()
    work = Workload.of(options.weeks, options.bands)
    tables = levels(options.weeks, options.bands)
    cells = WEEK * options.weeks * options.bands
    two = work.score(np.concatenate([0.5 * tables[0], 0.5 * tables[3]]))
    ours = best_levels(work, tables)
    shares = [
        float(np.abs(part).sum(axis=0).max()) for part in np.split(ours, np.cumsum([len(t) for t in tables])[:-1])
    ]
    print(
        f"levels, shares {' '.join(f'{s:.3f}' for s in shares)}: {two / work.score(ours):.3f} times better than two tables"
    )
    rng = np.random.default_rng(0)
    ours = ours[np.abs(ours).sum(axis=1) > 1e-4]
    starts = {}
    for i, size in enumerate((0.002, 0.01, 0.05)):
        noise = size * rng.normal(size=(len(ours) + MORE, cells)) * (rng.random((len(ours) + MORE, cells)) < 0.3)
        noise[: len(ours)] += ours
        starts[f"levels {i}"] = noise
    for i in range(options.starts):
        shape = (len(ours) + MORE, cells)
        starts[f"random {i}"] = rng.choice([-1.0, 1.0, 1.0, 1.0], shape) * (rng.random(shape) < rng.uniform(0.2, 0.5))
    for name, start in starts.items():
        found = search(work, start)
        print(
            f"from {name}: {two / work.score(found):.3f} times better than two tables, "
            f"{work.score(ours) / work.score(found):.3f} than levels; {int((np.abs(found).sum(axis=1) > 0.01).sum())} queries",
            flush=True,
        )


if __name__ == "__main__":
    main()
