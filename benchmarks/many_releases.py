"""How long Airflow takes to read the DAG files of an agency with hundreds of releases.

``python -m benchmarks.many_releases --datasets 20 --releases 10`` declares as many datasets, each with the public lists of the
demonstration under names of its own and with as many releases, and reads in processes of their own, as Airflow's DAG processor
does: one file with the DAGs of all, one file per dataset, and the DAG of one task.

With ``--airflow MINUTES`` it then starts a real Airflow with the files per dataset and watches it as long: when all DAGs are known,
how long reading a file takes there, how much of a core each process takes when nothing is due, and how long pages of the list take.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

from deploy.local.environment import ROOT, local_environment, passwords
from deploy.local.processes import LocalAirflow, free_port
from dp_stats.catalogue import yaml

SHIPPED = ROOT / "dags" / "catalogue"
DATASET, RELEASE = "covid-cases", "covid-cases-by-area"

READ = """
import json, os, resource, sys, time
from airflow.dag_processing.dagbag import BundleDagBag
import airflow.sdk, airflow.timetables.assets, airflow.providers.standard.operators.hitl
for file, dag in json.loads(sys.argv[1]):
    if child := os.fork():  # as Airflow does: a child per file, with Airflow itself already imported
        os.wait()
        continue
    if dag:
        os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag  # as Airflow tells a task's process what it wants
    from dp_stats.catalogue import yaml
    parse, parsed = yaml.parse, []
    yaml.parse = lambda text: parsed.append(1) or parse(text)
    began = time.process_time()
    bag = BundleDagBag(dag_folder=file, bundle_path=os.path.dirname(file), bundle_name="dags-folder")
    took = time.process_time() - began
    print("read", json.dumps([os.path.basename(file), dag, len(bag.dags), len(parsed), took]), flush=True)
    assert not bag.import_errors, bag.import_errors
    os._exit(0)
"""


def declare(place: Path, datasets: int, releases: int) -> list[str]:
    """A catalogue of copies of the demonstration's dataset and release; the names of its datasets."""
    for kind in ("datasets", "releases", "codes"):
        (place / kind).mkdir(parents=True)
    dataset = yaml.parse((SHIPPED / "datasets" / f"{DATASET}.yaml").read_text())
    release = yaml.parse((SHIPPED / "releases" / f"{RELEASE}.yaml").read_text())
    names = [f"records-{number:02d}" for number in range(datasets)]
    for name in names:
        lists = {column["codes"] for column in dataset["columns"].values() if "codes" in column}
        own = json.loads(json.dumps({**dataset, "id": name}, default=str))
        for listed in lists:
            (place / "codes" / f"{name}-{listed}.csv").write_bytes((SHIPPED / "codes" / f"{listed}.csv").read_bytes())
        for column in own["columns"].values():
            if "codes" in column:
                column["codes"] = f"{name}-{column['codes']}"
        (place / "datasets" / f"{name}.yaml").write_text(yaml.write(own))
        for number in range(releases):
            mine = {**release, "id": f"{name}-release-{number:02d}", "dataset": name}
            (place / "releases" / f"{mine['id']}.yaml").write_text(yaml.write(mine))
    return names


def read(
    files: list[tuple[Path, str | None]], environment: Mapping[str, str]
) -> list[tuple[str, str | None, int, int, float]]:
    """For each file and DAG that is wanted: DAGs made, declarations parsed, and seconds of processor time."""
    asked = json.dumps([(str(file), dag) for file, dag in files])
    done = subprocess.run(
        [sys.executable, "-c", READ, asked], env=environment, capture_output=True, text=True, check=True
    )
    found = [json.loads(line.removeprefix("read ")) for line in done.stdout.splitlines() if line.startswith("read ")]
    if len(found) != len(files):
        raise SystemExit(done.stdout + done.stderr)
    return [tuple(one) for one in found]


def watch(environment: Mapping[str, str], dags: int, *, minutes: float) -> None:
    """Start Airflow, wait until it knows all DAGs, watch it, and print what was seen."""
    home = Path(environment["DP_STATS_HOME"])
    began = time.monotonic()
    with LocalAirflow(environment) as airflow, httpx.Client(base_url=airflow.url, timeout=60) as client:
        login = {"username": "engineer", "password": passwords(home)["engineer"]}
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"

        def page(offset: int = 0) -> dict[str, Any]:
            found = client.get("/api/v2/dags", params={"limit": 50, "offset": offset, "order_by": "dag_id"})
            return dict(found.raise_for_status().json())

        started = time.monotonic() - began
        while page()["total_entries"] < dags:
            time.sleep(0.5)
        known = time.monotonic() - began
        processes = {name: psutil.Process(one.pid) for name, one in airflow.running.items()}
        before = {name: _used(one) for name, one in processes.items()}
        time.sleep(60 * minutes)
        shares = {name: (_used(one) - before[name]) / (60 * minutes) for name, one in processes.items()}
        memory = {name: _memory(one) for name, one in processes.items()}
        pages, took = [], []
        for offset in range(0, dags, 50):
            at = time.monotonic()
            pages += page(offset)["dags"]
            took.append(time.monotonic() - at)
        durations = [one["last_parse_duration"] for one in pages]
    print(f"Airflow answers after {started:.0f} s and knows {len(pages)} DAGs after {known:.0f} s")
    print(f"reading a file: {statistics.median(durations):.2f} s in the middle, {max(durations):.2f} s at most")
    for name, share in shares.items():
        print(f"{name:14} {100 * share:5.1f} % of a core when nothing is due, {memory[name] / 1e6:6.0f} MB")
    print(f"a page of 50 DAGs: {max(took):.2f} s at most")


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _used(process: psutil.Process) -> float:
    """Seconds of processor time of a process, its children, and those that have ended."""
    return sum(sum(one.cpu_times()[:4]) for one in _family(process))


def _memory(process: psutil.Process) -> int:
    """Bytes that a process and its children have for themselves."""
    return sum(one.memory_full_info().uss for one in _family(process))


def main() -> None:
    """Declare, read and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=20)
    parser.add_argument("--releases", type=int, default=10, help="of each dataset")
    parser.add_argument("--airflow", type=float, metavar="MINUTES", help="also watch a real Airflow for so long")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = declare(folder / "catalogue", options.datasets, options.releases)
        dags = folder / "dags"
        dags.mkdir()
        heading = "from dp_stats.airflow import adhoc_releases, scheduled_releases  # DAG\n"
        both = "globals().update({{**scheduled_releases({0}), **adhoc_releases({0})}})\n"
        (dags / "all.py").write_text(heading + both.format(""))
        for one in names:
            (dags / f"{one}.py").write_text(heading + both.format(f"'{one}'"))

        environment = {
            **os.environ,
            **local_environment(folder / "home", port=free_port()),
            "DP_STATS_CATALOGUE": str(folder / "catalogue"),
        }
        environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(dags)
        dag = f"{names[0]}-release-00".replace("-", "_")
        asked: list[tuple[Path, str | None]] = [(dags / "all.py", None), (dags / "all.py", dag)]
        asked += [(dags / f"{one}.py", None) for one in names] + [(dags / f"{names[0]}.py", dag)]
        found = read(asked, environment)
        print(f"{options.datasets} datasets with {options.releases} releases each")
        print(f"{'file':24} {'for':28} {'DAGs':>5} {'parsed':>7} {'CPU s':>7}")
        shown = [found[0], found[1], max(found[2:-1], key=lambda one: one[4]), found[-1]]
        for file, wanted, made, parsed, seconds in shown:
            print(f"{file:24} {wanted or 'all it has':28} {made:5} {parsed:7} {seconds:7.2f}", flush=True)
        if options.airflow:
            (dags / "all.py").unlink()
            watch(environment, found[0][2], minutes=options.airflow)


if __name__ == "__main__":
    main()
