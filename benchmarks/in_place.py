"""What it costs to leave rows where they are: processor time of each step, beside the exact query on the same engine.

    python -m benchmarks.in_place [--rows 1000000] [--engines postgres spark duckdb]

One table of visits (four clinics, seven days, a fifth of the rows beyond the bound) is put into a PostgreSQL server, and into a
Parquet folder that a Spark cluster of two workers reads; both are started here, on the loopback. An edition is pulled,
checked and measured as the DAG would. ``duckdb`` reads the same folder as a file. Times are user and system time of all
processes of the engine and of the step, so a busy machine changes them little.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TIMES = 10
"""How often the exact query is run, as the system counts in hundredths of a second."""
TICKS = os.sysconf("SC_CLK_TCK")
EDITION = "visits/2024-W02"
VISITS = """
SELECT 'p' || (hash(i, 1) % CAST({rows} / 1.5 AS BIGINT)) AS "Patient", DATE '2024-01-08' + CAST(hash(i, 2) % 7 AS INT) AS "Day",
  (['north', 'South ', 'EAST', 'west'])[CAST(1 + hash(i, 3) % 4 AS INT)] AS "Clinic",
  CAST((hash(i, 4) % 9000) / 100.0 AS DECIMAL(9, 2)) AS "Cost"
FROM range({rows}) numbers(i)
"""
EXACT = 'SELECT "Clinic", "Day", count(*) FROM {table} GROUP BY 1, 2'
COLUMNS = {
    "patient": {"from": "Patient", "type": "person", "identifier": {"pattern": "p[0-9]+"}},
    "day": {"from": "Day", "type": "date"},
    "clinic": {"from": "Clinic", "type": "code", "codes": "clinics", "unknown": True},
    "cost": {"from": "Cost", "type": "number"},
}


def spent(roots: set[int]) -> tuple[float, set[int]]:
    """Processor time in seconds of processes and of all that they have started, and which of them are there."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            used[int(entry.name)] = sum(map(int, fields[11:15])) / TICKS
    ours = {pid for pid in used if _is_below(pid, roots, parents)}
    return sum(used[pid] for pid in ours), ours


def taken_by(work: Callable[[], object], roots: set[int]) -> float:
    """Processor time of a piece of work; what it has started counts once it has ended."""
    before, there = spent(roots)
    work()
    until = time.monotonic() + 5
    while time.monotonic() < until and not spent(roots)[1] <= there:
        time.sleep(0.1)
    return spent(roots)[0] - before


def _is_below(pid: int, roots: set[int], parents: dict[int, int]) -> bool:
    while pid and pid not in roots:
        pid = parents.get(pid, 0)
    return pid in roots


class Clinic:
    """A catalogue and a state folder for one engine."""

    def __init__(self, folder: Path, **dataset: Any) -> None:
        from dp_stats.catalogue import yaml
        from dp_stats.settings import load_settings
        from tests.conftest import make_clinic

        made = make_clinic(folder / "catalogue")
        path = made / "datasets" / "visits.yaml"
        path.write_text(yaml.write({**yaml.parse(path.read_text()), "columns": COLUMNS, **dataset}))
        self.settings = load_settings(
            {**os.environ, "DP_STATS_HOME": str(folder / "home"), "DP_STATS_CATALOGUE": str(made)}
        )

    def steps(self, timed: Callable[[str, Callable[[], object]], None]) -> None:
        """An edition up to its measurements."""
        from dp_stats import pipeline

        timed("pull", lambda: pipeline.pull(EDITION, settings=self.settings))
        timed("check", lambda: pipeline.check(EDITION, settings=self.settings))
        pipeline.reserve(EDITION, settings=self.settings)
        timed("measure", lambda: pipeline.measure(EDITION, settings=self.settings))
        pipeline.clean_up(EDITION, settings=self.settings)


@contextmanager
def in_postgres(folder: Path, rows: Path) -> Iterator[tuple[Clinic, Callable[[], object], set[int]]]:
    """The rows in a server's table."""
    import duckdb
    import psycopg2

    from tests.ledger_examples import postgres

    with postgres() as database:
        url = database()
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE SCHEMA clinic; CREATE SCHEMA work;"
                'CREATE TABLE clinic.visits ("Patient" text, "Day" date, "Clinic" text, "Cost" numeric)'
            )
            csv = folder / "visits.csv"
            duckdb.execute(f"COPY (FROM read_parquet('{rows}/*.parquet')) TO '{csv}' (HEADER false)")
            with csv.open() as file:
                cursor.copy_expert("COPY clinic.visits FROM STDIN (FORMAT csv)", file)
            cursor.execute("SELECT pg_backend_pid()")
            (backend,) = cursor.fetchone() or (0,)
        os.environ["CLINIC_URL"] = url
        server = int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])
        source = {"kind": "postgres", "table": "clinic.visits", "url_env": "CLINIC_URL"}

        def exact() -> object:
            with psycopg2.connect(url) as connection, connection.cursor() as cursor:
                cursor.execute(EXACT.format(table="clinic.visits"))
                return cursor.fetchall()

        yield Clinic(folder, source=source, engine="source", work_schema="work"), exact, {server}


@contextmanager
def in_spark(folder: Path, rows: Path) -> Iterator[tuple[Clinic, Callable[[], object], set[int]]]:
    """The rows in a folder that a cluster reads; one session for all steps, as its start is no cost of rows."""
    from dp_stats.catalogue.models import Source
    from dp_stats.secure.in_place.cluster import open_cluster
    from tests.spark_cluster import spark_cluster

    with spark_cluster(folder / "cluster", quick=False) as address:
        os.environ["LAKE_SPARK"] = address
        work = folder / "work"
        work.mkdir()
        source = {"kind": "parquet", "path": str(rows), "url_env": "LAKE_SPARK"}
        clinic = Clinic(folder, source=source, engine="source", work_folder=str(work))
        session, closing = open_cluster(Source.model_validate(source), "the lake", settings=clinic.settings)
        with closing:
            session.read.parquet(str(rows)).createOrReplaceTempView("visits")
            exact = EXACT.format(table="visits").replace('"', "`")
            yield clinic, lambda: session.sql(exact).collect(), set()


@contextmanager
def in_duckdb(folder: Path, rows: Path) -> Iterator[tuple[Clinic, Callable[[], object], set[int]]]:
    """The same folder, read into a private snapshot."""
    import duckdb

    exact = EXACT.format(table=f"read_parquet('{rows}/*.parquet')")
    clinic = Clinic(folder, source={"kind": "parquet", "path": str(rows)})
    yield clinic, lambda: duckdb.execute(exact).fetchall(), set()


ENGINES = {"postgres": in_postgres, "spark": in_spark, "duckdb": in_duckdb}


def main() -> None:
    """Print seconds of processor time, and how many times the exact query they are."""
    import duckdb

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    arguments = parser.parse_args()
    print(f"{arguments.rows:,} rows; seconds of processor time, and times the engine's own exact query", flush=True)
    for name in arguments.engines:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            rows = folder / "visits"
            rows.mkdir()
            for part in range(4):
                duckdb.execute(
                    f'COPY (SELECT * FROM ({VISITS.format(rows=arguments.rows)}) WHERE hash("Patient", "Day") % 4 = {part}) '
                    f"TO '{rows}/{part}.parquet' (FORMAT parquet)"
                )
            with ENGINES[name](folder, rows) as (clinic, exact, more):
                _measure(name, clinic, exact, {os.getpid()} | more)


def _measure(name: str, clinic: Clinic, exact: Callable[[], object], roots: set[int]) -> None:
    exact()  # what is compiled and read at the first time only
    taken: dict[str, float] = {}

    def timed(step: str, work: Callable[[], object]) -> None:
        taken[step] = taken_by(work, roots)

    alone = taken_by(lambda: [exact() for _ in range(TIMES)], roots) / TIMES
    clinic.steps(timed)
    told = "; ".join(f"{step} {used:.1f} s ({used / alone:.0f}×)" for step, used in taken.items())
    print(f"{name}: exact {alone:.3f} s; {told}", flush=True)


if __name__ == "__main__":
    main()
