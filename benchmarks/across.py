"""How often intervals across editions hold the truth: dense and sparse counts, Laplace and Gaussian noise, late rows or none.

    python -m benchmarks.across                 # 60 series of each case
    python -m benchmarks.across --series 200 --case "late rows by day"

Each case is a space of weekly editions of nine areas in three regions (sizes and delays are drawn anew for each series), with
tables by week, by day and by month over the editions' borders. Noise is drawn by numpy: this script is for figures, not for people.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from tests.across_examples import BY_DAY, BY_WEEK, covered, declare_series, tables_across

CASES: dict[str, tuple[Any, dict[str, Any], int, int]] = {
    "dense, Laplace, by week": (BY_WEEK, {"epsilon": 1}, 0, 2000),
    "dense, Gaussian, by week": (BY_WEEK, {"rho": "0.05"}, 0, 2000),
    "dense, Laplace, by day": (BY_DAY, {"epsilon": 1}, 0, 2000),
    "sparse, Laplace, by day": (BY_DAY, {"epsilon": 1}, 0, 60),
    "sparse, Gaussian, by day": (BY_DAY, {"rho": "0.1"}, 0, 60),
    "late rows in the same tables": (BY_DAY, {"rho": "0.1"}, 2, 2000),
    "late rows, sparse": (BY_DAY, {"epsilon": 1}, 2, 200),
    "late rows by day": (BY_DAY, {"epsilon": "0.05"}, 2, 4000),
}
"""Tables, privacy loss, for how many weeks late rows count, and rows a week."""


def main() -> None:
    """Print coverage by case: of all values, and of the statistics that are covered least and most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=60)
    parser.add_argument("--case", choices=CASES)
    asked = parser.parse_args()
    print("| case | coverage | least | most | seconds |\n| --- | --- | --- | --- | --- |")
    for name in [asked.case] if asked.case else CASES:
        tables, loss, late, total = CASES[name]
        start = time.perf_counter()
        wanted = tables_across(days=tables is BY_DAY)
        series = declare_series(weeks=9, tables=tables, loss=loss, late=late, total=total, across=wanted)
        found = covered(series, np.random.default_rng(1), releases=asked.series, total=total, late=late)
        shares = {
            f"{table} {one}": (float(v.mean()), float(v.std() / np.sqrt(len(v)))) for (table, one), v in found.items()
        }
        every = float(np.mean([v.mean() for v in found.values()]))
        ends = [sorted(shares.items(), key=lambda item: item[1][0])[at] for at in (0, -1)]
        said = [f"{100 * mean:.1f} ± {100 * error:.1f} % ({which})" for which, (mean, error) in ends]
        print(
            f"| {name} | {100 * every:.1f} % | {said[0]} | {said[1]} | {time.perf_counter() - start:.0f} |", flush=True
        )


if __name__ == "__main__":
    main()
