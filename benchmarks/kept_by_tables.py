"""How much of the accuracy of its own separate noising every table keeps in a balanced plan: the least of it, by data and loss.

    python -m benchmarks.kept_by_tables EXACT.csv.gz --areas AREAS.csv

Plans of the first 13 weeks of EXACT and of the four made-up tables of exact counts, at six ε and two ρ; no noise is drawn.
Errors are least squares' own, in the mean over a table's cells by exact variances, and with rounding to whole numbers;
rolling and cumulative sums are left out. Tables of areas are planned by what is published where they are shrunken, so they
may keep less by least squares; those of regions and of the whole, which are never shrunken, are told apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from benchmarks.baselines import baselines
from benchmarks.exact_counts import ExactCounts, catalogue_of, read_exact_counts
from benchmarks.exact_counts_made_up import build, bursts, skewed
from dp_stats.plan import make_plan
from dp_stats.plan.expected import accuracy
from dp_stats.plan.targets import group_of, targets

LOSSES = (
    *((Fraction(e), None) for e in ("0.1", "0.3", "1", "2", "4", "8")),
    *((Fraction(r), Fraction(0)) for r in ("0.045", "2")),
)


def data(options: argparse.Namespace) -> Iterator[tuple[str, ExactCounts, float]]:
    """Name, exact counts, and the guessed mean of an area and day."""
    names = {name: name for name in ("date", "area", "count", "band")}
    exact = read_exact_counts(options.exact, columns=names, lookup=options.areas)
    yield "real", exact.first_days(91), 35.0
    yield "sparse", build("sparse"), 0.15
    yield "small", build("small"), 12.0
    yield "bursts", bursts(), 0.2
    yield "skewed", skewed(), 7.0


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exact", type=Path)
    parser.add_argument("--areas", type=Path, help="CSV of area and region")
    least, plans = [], 0
    for name, exact, guess in data(parser.parse_args()):
        for loss, delta in LOSSES:
            catalogue, release, grid = catalogue_of(exact, prior=guess, epsilon=loss, delta=delta)
            given = accuracy(grid, release, make_plan(catalogue, release, exact.period).measurements)
            own = baselines(release, grid, loss, delta)
            kept = {}
            for target in targets(grid, release):
                if not target.windowed:
                    noise = float(given.variance(target).mean())
                    error = (noise + min(1 / 12, noise / 4)) ** 0.5
                    kept[target.table] = own[target.table, "count"].own / error, group_of(grid, release, target)
            wide = min((figure, table) for table, (figure, group) in kept.items() if group != "local")
            every = min((figure, table) for table, (figure, _) in kept.items())
            unit = "ε" if delta is None else "ρ"
            print(
                f"{name}, {unit} = {float(loss):g}: least of regions and the whole {wide[0]:.3f} ({wide[1]}), "
                f"of all {every[0]:.3f} ({every[1]})",
                flush=True,
            )
            plans += 1
            least.append(wide[0])
    print(f"\n{plans} plans: the least that a table of regions or of the whole keeps is {min(least):.3f}")


if __name__ == "__main__":
    main()
