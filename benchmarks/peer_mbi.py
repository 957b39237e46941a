"""How accurate, against Private-PGM: the same noisy tables of the same privacy loss, and two tables.

    python -m benchmarks.peer_mbi EXACT.csv.gz --areas AREAS.csv --weeks 13

The peer is Private-PGM (McKenna, Sheldon and Miklau 2019, *Graphical-model based estimation and inference for differential
privacy*), ``mbi`` on PyPI, in an environment made for it in ``--folder`` (650 MB; its JAX and NumPy are newer than ours, so it
is in no lock file). It estimates a joint distribution of area, week, weekday and band from noisy tables, here by mirror
descent; published statistics are sums of its tables, in fractions. It gets, first, the noisy values that our plan measures,
so that only estimation differs (not where regions are measured, which are no variable of its own and keep it from
converging); then two tables, area × day and area × week × band at ε/2. Weeks must be whole.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import _header, draw, exact_tables
from benchmarks.exact_counts import ExactCounts, catalogue_of, read_exact_counts
from benchmarks.sampling import discrete_laplace
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.estimate import estimate
from dp_stats.plan import make_plan
from dp_stats.plan.accounting import scale_for_epsilon
from dp_stats.plan.mechanism import noise_variance
from dp_stats.plan.model import Plan
from dp_stats.plan.noisy import NoisyMeasurements

Floats = NDArray[np.float64]
Tables = Mapping[tuple[str, str], Floats]

AXES = {"area": [0], "day": [1, 2], "week": [1], "band": [3]}
"""Level → axes of the peer's domain."""


def peer_python(folder: Path) -> str:
    """The interpreter of an environment that holds mbi, made if missing."""
    python = folder / "peer-mbi" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "peer-mbi")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "mbi==2.0.*"], check=True)
    return str(python)


def by_peer(
    folder: Path, exact: ExactCounts, noisy: Mapping[str, tuple[Floats, list[int], float]]
) -> dict[str, Floats]:
    """The peer's tables by day and by band from noisy values, their axes and standard deviations."""
    areas, days, bands = exact.counts.shape
    content: dict[str, object] = {"sizes": (areas, days // 7, 7, bands)}
    for i, (values, axes, deviation) in enumerate(noisy.values()):
        content |= {f"values-{i}": values, f"axes-{i}": axes, f"deviation-{i}": deviation}
    given, found = folder / "noisy.npz", folder / "estimates.npz"
    np.savez(given, **content)  # type: ignore[arg-type]
    fit = Path(__file__).with_name("peer_mbi_fit.py")
    subprocess.run([peer_python(folder), str(fit), str(given), str(found)], check=True, stderr=subprocess.DEVNULL)
    with np.load(found) as loaded:
        return {name: loaded[name] for name in loaded.files}


def measured_by_plan(plan: Plan, noisy: NoisyMeasurements) -> dict[str, tuple[Floats, list[int], float]]:
    """What the plan measures, as the peer takes it."""
    return {
        m.id: (
            noisy.values[m.id].astype(np.float64),
            [axis for level in m.levels.values() for axis in AXES.get(level, [])],
            float(np.sqrt(m.variance)),
        )
        for m in plan.measurements
    }


def two_tables(
    exact: ExactCounts, epsilon: Fraction, rng: np.random.Generator
) -> dict[str, tuple[Floats, list[int], float]]:
    """Area × day and area × week × band, at half of ε each."""
    areas, days, bands = exact.counts.shape
    scale = scale_for_epsilon(1, epsilon / 2)
    deviation = float(np.sqrt(noise_variance(scale, "discrete_laplace")))
    by_day = exact.counts.sum(axis=2)
    by_band = exact.counts.reshape(areas, days // 7, 7, bands).sum(axis=2)
    return {
        "day": (by_day + discrete_laplace(rng, scale, by_day.shape), AXES["area"] + AXES["day"], deviation),
        "band": (by_band + discrete_laplace(rng, scale, by_band.shape), [0, 1, 3], deviation),
    }


def published(found: Mapping[str, Floats], exact: ExactCounts, grid: Grid, release: Release) -> Tables:
    """All statistics as sums of the peer's tables: those with bands of one, all others of the other."""
    areas, days, bands = exact.counts.shape
    plain = np.zeros((areas, days, bands))
    plain[:, :, 0] = found["day"].reshape(areas, days)
    banded = np.zeros((areas, days // 7, 7, bands))
    banded[:, :, 0] = found["band"]
    tables = {}
    for values, chosen in ((plain, False), (banded.reshape(areas, days, bands), True)):
        some = ExactCounts(values, exact.areas, exact.regions, exact.start, exact.bands)  # type: ignore[arg-type]
        for mark, one in exact_tables(some, grid, release).items():
            if mark[0].endswith("band") is chosen:
                tables[mark] = one
    return tables


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exact", type=Path)
    parser.add_argument("--areas", type=Path, required=True, help="CSV of code and region")
    parser.add_argument("--weeks", type=int, default=13)
    parser.add_argument("--guess", type=float, default=35.0, help="guessed mean of an area and day")
    parser.add_argument("--epsilon", type=Fraction, default=Fraction(1))
    parser.add_argument("--priority", default="local")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "dp-stats-peer")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    columns = {name: name for name in ("date", "area", "count", "band") if name in _header(options.exact)}
    exact = read_exact_counts(options.exact, columns=columns, lookup=options.areas).first_days(7 * options.weeks)
    catalogue, release, grid = catalogue_of(
        exact, prior=options.guess, epsilon=options.epsilon, delta=None, priority=options.priority
    )
    plan = make_plan(catalogue, release, exact.period)
    true = exact_tables(exact, grid, release)
    errors: dict[str, dict[tuple[str, str], list[float]]] = {}
    for seed in range(options.seeds):
        rng = np.random.default_rng(1000 + seed)
        noisy = draw(plan, exact, grid, rng)
        began = time.process_time()
        own = estimate(plan, grid=grid, release=release, catalogue=catalogue, noisy=noisy)
        print(f"ours: {time.process_time() - began:.1f} s of processor time")
        found: dict[str, Tables] = {"ours": {(t, n): own.tables[t][n].value for t, n in true}}
        inputs = {"peer, two": two_tables(exact, options.epsilon, rng)}
        if all("region" not in m.levels.values() for m in plan.measurements):
            inputs["peer"] = measured_by_plan(plan, noisy)
        for name, given in inputs.items():
            model = by_peer(options.folder, exact, given)
            print(f"{name}: {model['processor']:.1f} s of processor time, {model['gigabytes']:.1f} GB")
            found[name] = published(model, exact, grid, release)
        for name, tables in found.items():
            for mark, value in tables.items():
                errors.setdefault(name, {}).setdefault(mark, []).append(_square(mark, value - true[mark]))
    report(errors)


def _square(mark: tuple[str, str], error: Floats) -> float:
    """Mean squared error; of rolling sums those of whole windows, as the first six days have none."""
    return float(np.mean((error[:, 6:] if mark[1] == "rolling" else error) ** 2))


def report(errors: Mapping[str, Mapping[tuple[str, str], list[float]]]) -> None:
    """Print root-mean-square errors and how many times larger the peer's are."""
    peers = [name for name in errors if name != "ours"]
    print("\n| statistic | ours | " + " | ".join(f"{name} | times ours" for name in peers) + " |")
    print("| --- " * (2 + 2 * len(peers)) + "|")
    ratios: dict[str, dict[str, list[float]]] = {}
    for mark, squares in errors["ours"].items():
        ours = float(np.sqrt(np.mean(squares)))
        cells = [" ".join(mark), f"{ours:.2f}"]
        for name in peers:
            theirs = float(np.sqrt(np.mean(errors[name][mark])))
            cells += [f"{theirs:.2f}", f"{theirs / ours:.2f}"]
            for group in (mark[0].split("-")[0], "all statistics"):
                ratios.setdefault(name, {}).setdefault(group, []).append(theirs / ours)
        print(f"| {' | '.join(cells)} |")
    for name, groups in ratios.items():
        means = ", ".join(f"{group} {np.exp(np.mean(np.log(r))):.2f}" for group, r in groups.items())
        print(f"{name}, times our error (geometric means): {means}")


if __name__ == "__main__":
    main()
