"""How fast and how lean bounding, aggregating and noise are: counts by 400 areas × 365 days, at most 3 rows a person.

    python -m benchmarks.bounding [--rows 10000000] [--repeats 5] [--peer]

Contestants take turns, each in a fresh process on the same Parquet file, and the median of each is compared:
the exact unbounded DuckDB query (the limit), our bounded aggregation, ours with noise, and with ``--peer``
OpenDP's own Polars API in an environment made for it in the temporary folder.
Times start when everything is imported; memory is the process's peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

AREAS, K, YEAR, EPSILON = 400, 3, "2021", 1.0
PEER = "opendp_polars"
GOALS = {"slower than exact": 12.0, "gigabytes": 1.0, "faster than the peer": 8.0}

LINE_LIST = """
COPY (
  WITH persons AS (
    SELECT i AS id, CASE WHEN u < .740 THEN 1 WHEN u < .885 THEN 2 WHEN u < .940 THEN 3 WHEN u < .967 THEN 4
      WHEN u < .982 THEN 5 WHEN u < .991 THEN 6 WHEN u < .996 THEN 7 ELSE 8 END AS found
    FROM (SELECT i, (hash(i) % 1000000) / 1e6 AS u FROM range(CAST({rows} / 1.49 AS BIGINT)) numbers(i)))
  SELECT printf('P%09d', id) AS person, DATE '2021-01-01' + CAST(hash(id, j, 1) % 365 AS INT) AS date,
    printf('E%08d', hash(id, j, 2) % {areas}) AS area
  FROM persons, range(8) numbers(j) WHERE j < found ORDER BY hash(id, j, 9) LIMIT {rows}
) TO '{path}' (FORMAT parquet)
"""


def make(path: Path, rows: int) -> None:
    """Write a line list in which most persons have one row and 8 % of the rows exceed the bound."""
    import duckdb

    duckdb.connect().execute(LINE_LIST.format(rows=rows, areas=AREAS, path=path))


def exact(path: Path) -> Callable[[], int]:
    """The unbounded counts, without noise: no privacy at all."""
    import duckdb

    connection = duckdb.connect()
    query = f"SELECT area, date, count(*) AS n FROM '{path}' GROUP BY ALL"
    return lambda: int(connection.execute(query).fetchnumpy()["n"].sum())


def bounded(path: Path) -> Callable[[], int]:
    """Our bounded counts, exact."""
    return lambda: int(_answers(path).sum())


def noisy(path: Path) -> Callable[[], int]:
    """Our bounded counts with discrete Laplace noise."""
    from dp_stats.plan.accounting import laplace_epsilon
    from dp_stats.secure.noise import add_noise

    def run() -> int:
        values = add_noise(
            _answers(path),
            mechanism="discrete_laplace",
            scale=K / EPSILON,
            l1=K,
            l2_squared=K * K,
            epsilon=laplace_epsilon(K, K / EPSILON),
        )
        return int(values.sum())

    return run


def _answers(path: Path) -> Any:
    import numpy as np

    from dp_stats.catalogue.grid import Dimension, Grid, Level, date_dimension, flat_level
    from dp_stats.catalogue.periods import parse_period
    from dp_stats.secure.aggregate import exact_answers
    from dp_stats.secure.bound import Bound, apply_bound
    from dp_stats.secure.engines import open_snapshot
    from dp_stats.secure.rows import rows_that_count
    from dp_stats.secure.staging import secure_folder
    from dp_stats.settings import load_settings

    period = parse_period(YEAR)
    codes = tuple(f"E{i:08d}" for i in range(AREAS))
    leaf = Level("area", codes, codes, np.arange(AREAS, dtype=np.intp))
    area = Dimension("area", "area", "code", (leaf, flat_level("all", "all", "all", AREAS)))
    grid = Grid((area, date_dimension("day", "date", period, ("day", "year"))))
    dataset, release, plan = _declared(grid.shape({"area": "area", "day": "day"}))
    settings = load_settings({"DP_STATS_HOME": str(path.parent / "home")})
    secure_folder(settings.secure)
    with open_snapshot(path, engine="duckdb", settings=settings) as (backend, table):
        rows = rows_that_count(
            backend, table, dataset=dataset, release=release, grid=grid, period=period, blocks="lifetime"
        )
        bound = Bound(K, one_per_cell=False, truncated_rows=4 * K, key="benchmark")
        kept = apply_bound(backend, rows, bound, grid=grid, period=period)
        return exact_answers(plan, kept, grid=grid, release=release, period=period)["cases@area.day"]


def _declared(shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
    from dp_stats.catalogue.models import Dataset, Release
    from dp_stats.plan.model import Measurement, Plan

    dataset = Dataset.model_validate(
        {
            "id": "benchmark",
            "title": "Benchmark",
            "description": "",
            "custodians": [{"name": "Nobody"}],
            "source": {"kind": "parquet", "path": "rows.parquet"},
            "columns": {"person": {"from": "person", "type": "person"}, "date": {"from": "date", "type": "date"}},
            "date_column": "date",
            "privacy_unit": {"column": "person"},
            "opt_outs": None,
            "expectations": "none.json",
            "budget": {"rho": 1},
        }
    )
    release = Release.model_validate(
        {
            "id": "benchmark",
            "title": "Benchmark",
            "dataset": "benchmark",
            "period": "year",
            "start": date(2021, 1, 1),
            "dimensions": [{"name": "area", "column": "area"}, {"name": "day", "column": "date"}],
            "statistics": [{"id": "cases"}],
            "tables": [{"id": "daily", "title": "Daily", "levels": {}, "statistics": ["cases"]}],
            "contribution": {"rows": K},
            "privacy_loss": {"epsilon": EPSILON},
            "texts": {"summary": ""},
        }
    )
    measurement = Measurement(
        id="cases@area.day",
        statistic="cases",
        role="statistic",
        levels={"area": "area", "day": "day"},
        shape=shape,
        l1=K,
        l2_squared=K * K,
        scale=K / EPSILON,
        rho=Fraction(1, 2),
        epsilon=Fraction(1),
    )
    plan = Plan(
        release="benchmark",
        dataset="benchmark",
        period=YEAR,
        mechanism="discrete_laplace",
        measurements=(measurement,),
        contribution_rows=K,
        one_per_cell=False,
        truncated_rows_cap=4 * K,
        block_kind="lifetime",
        blocks=("lifetime",),
        series=False,
        rho=Fraction(1, 2),
        pure_epsilon=Fraction(1),
        epsilon=EPSILON,
        delta=Fraction(1, 10**6),
        expected=(),
        series_hash="",
        hash="",
    )
    return dataset, release, plan


def opendp_polars(path: Path) -> Callable[[], int]:
    """The same counts by OpenDP's own Polars API, over the same public keys."""
    import opendp.prelude as dp
    import polars as pl

    dp.enable_features("contrib")
    areas = pl.DataFrame({"area": [f"E{i:08d}" for i in range(AREAS)]})
    days = pl.DataFrame({"date": pl.date_range(date(2021, 1, 1), date(2021, 12, 31), eager=True)})
    keys = areas.join(days, how="cross")

    def run() -> int:
        context = dp.Context.compositor(
            data=pl.scan_parquet(path),
            privacy_unit=dp.unit_of(contributions=1, identifier=pl.col("person")),
            privacy_loss=dp.loss_of(epsilon=EPSILON),
            split_evenly_over=1,
        )
        query = context.query().truncate_per_group(K).group_by("area", "date").agg(dp.len()).with_keys(keys)
        return int(query.release().collect()["len"].sum())

    return run


CONTESTANTS: dict[str, Callable[[Path], Callable[[], int]]] = {
    "exact": exact,
    "bounded": bounded,
    "noisy": noisy,
    PEER: opendp_polars,
}


def one(name: str, path: Path) -> None:
    """Run one contestant once and print its seconds, peak gigabytes and total."""
    import importlib

    for module in () if name == PEER else ("duckdb", "ibis.backends.duckdb", "dp_stats.secure.measure"):
        importlib.import_module(module)
    work = CONTESTANTS[name](path)
    started = time.perf_counter()
    total = work()
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "gigabytes": peak_gigabytes(), "total": total}))


def peak_gigabytes() -> float:
    """Peak resident memory of this process alone, in GB (getrusage would also count what its parent had held)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def peer_python(folder: Path) -> str:
    """The interpreter of an environment that holds OpenDP with its Polars extra, made if missing."""
    python = folder / "peer" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "peer")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "opendp[polars]==0.16.*"], check=True)
    return str(python)


def main() -> int:
    """Run all contestants in turns and print medians, ratios and whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer", action="store_true", help="also install and run OpenDP's Polars API")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "dp-stats-bounding")
    parser.add_argument("--one", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one, arguments.path)
        return 0
    arguments.folder.mkdir(parents=True, exist_ok=True)
    path = arguments.folder / f"rows-{arguments.rows}.parquet"
    if not path.exists():
        make(path, arguments.rows)
    names = [name for name in CONTESTANTS if name != PEER or arguments.peer]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for turn in range(arguments.repeats):
        for name in names:
            if name == PEER and turn >= 2:
                continue  # it takes long, and two turns tell
            python = peer_python(arguments.folder) if name == PEER else sys.executable
            command = [python, __file__] if name == PEER else [python, "-m", "benchmarks.bounding"]
            run = subprocess.run(
                [*command, "--one", name, "--path", str(path)], check=True, capture_output=True, text=True
            )
            found[name].append(json.loads(run.stdout.splitlines()[-1]))
    return report(found)


def report(found: dict[str, list[dict[str, float]]]) -> int:
    """Print the medians and ratios; 1 if a goal is missed."""
    median = {name: statistics.median(run["seconds"] for run in runs) for name, runs in found.items()}
    peak = {name: max(run["gigabytes"] for run in runs) for name, runs in found.items()}
    print(f"{'':16}{'seconds':>10}{'GB':>8}{'× exact':>10}")
    for name, seconds in median.items():
        print(f"{name:16}{seconds:10.2f}{peak[name]:8.2f}{seconds / median['exact']:10.1f}")
    met = [
        median["bounded"] / median["exact"] <= GOALS["slower than exact"],
        max(peak["bounded"], peak["noisy"]) < GOALS["gigabytes"],
    ]
    if PEER in median:
        faster = median[PEER] / median["noisy"]
        print(
            f"with noise {faster:.1f} times faster than OpenDP's Polars API, {peak['noisy'] / peak[PEER]:.2f} of its memory"
        )
        met.append(faster >= GOALS["faster than the peer"])
    print("goals met" if all(met) else "goals missed")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
