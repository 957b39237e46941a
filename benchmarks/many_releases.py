"""How long Airflow takes to read the DAG files of an agency with hundreds of releases.

``python -m benchmarks.many_releases --datasets 20 --releases 10`` declares as many datasets, each with the public lists of the
demonstration under names of its own and with as many releases, and reads in processes of their own, as Airflow's DAG processor
does: one file with the DAGs of all, one file per dataset, and the DAG of one task.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deploy.local.environment import ROOT, local_environment
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


def main() -> None:
    """Declare, read and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=20)
    parser.add_argument("--releases", type=int, default=10, help="of each dataset")
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
            **local_environment(folder / "home"),
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
            print(f"{file:24} {wanted or 'all it has':28} {made:5} {parsed:7} {seconds:7.2f}")


if __name__ == "__main__":
    main()
