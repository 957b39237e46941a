"""Run scheduled DAGs through real Airflow, in one process, for the editions named: what ``make demo`` does.

Each run goes through Airflow's own database, task runner and XCom, like a run under the scheduler, but
without starting one: the first run takes Airflow some seconds to build its interfaces, later ones less.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TextIO

from deploy.local.environment import ROOT, local_environment
from dp_stats.catalogue import load_catalogue, parse_period
from dp_stats.catalogue.due import day_at
from dp_stats.settings import load_settings

RECORDS = (
    (
        "line-list.duckdb",
        "data",
        "a synthetic line list: invented people in the 381 real local authorities, one year of cases",
        ("covid-cases-by-area",),
    ),
    (
        "hospital-record.duckdb",
        "hospital",
        "a synthetic hospital record: invented stays in seven real hospital trusts, over seventeen months",
        ("hospital-beds",),
    ),
    (
        "practices.duckdb",
        "practices",
        "synthetic records of hospitals and of practices about the same people, and a link table",
        ("people-at-risk", "people-at-risk-for-county"),
    ),
)
"""File of an invented source, the command that makes it, what it is, and the releases that are made of it."""

EDITIONS = (
    *(f"covid-cases-by-area/2021-W{week}" for week in (25, 26, 27)),
    *(f"hospital-beds/{year}-W0{week}" for year in (2021, 2022) for week in (3, 4)),
)
"""What the demonstration publishes: the last two weeks of beds against the same weeks the year before."""


class Progress:
    """Writes a line per run and a mark per finished task; Airflow tells it through its listeners."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.failed: list[str] = []

    def say(self, text: str, end: str = "\n") -> None:
        self.out.write(text + end)
        self.out.flush()

    def listener(self) -> object:
        """The object to register with Airflow."""
        from airflow.listeners import hookimpl

        progress = self

        class Listener:
            @hookimpl
            def on_task_instance_success(self, previous_state: object, task_instance: object) -> None:
                progress.say(f" {task_instance.task_id} ✓", end="")  # type: ignore[attr-defined]

            @hookimpl
            def on_task_instance_failed(self, previous_state: object, task_instance: object, error: object) -> None:
                progress.failed.append(f"{task_instance.task_id}: {error}")  # type: ignore[attr-defined]
                progress.say(f" {task_instance.task_id} ✗", end="")  # type: ignore[attr-defined]

        return Listener()


@contextlib.contextmanager
def quiet(log: Path) -> Iterator[TextIO]:
    """Send everything Airflow prints to ``log``; yields the terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    terminal = os.fdopen(os.dup(1), "w", encoding="utf-8")
    kept = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield terminal
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)


class Runner:
    """Airflow in this process with the DAGs of scheduled releases; the environment must be that of ``local_environment``."""

    def __init__(self, progress: Progress, home: Path) -> None:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import BundleDagBag
        from airflow.sdk.listener import get_listener_manager
        from airflow.utils.db import initdb

        initdb()
        bundle = next(iter(DagBundlesManager().get_all_dag_bundles()))
        bag = BundleDagBag(
            dag_folder=str(ROOT / "dags" / "scheduled_releases.py"), bundle_path=bundle.path, bundle_name=bundle.name
        )
        if bag.import_errors:
            raise SystemExit("\n".join(bag.import_errors.values()))
        self._dags = bag.dags
        for task in (task for dag in bag.dags.values() for task in dag.tasks):
            task.retries = 0  # nobody wants to watch a demonstration wait
        get_listener_manager().add_listener(progress.listener())
        # A million objects of Airflow stay for good, and little that a task makes is rubbish in circles: to look for it
        # as often as Python does by itself takes a tenth of the time.
        gc.freeze()
        gc.set_threshold(1_000_000, 20, 20)
        self._home = home
        self._catalogue = load_catalogue(load_settings().catalogue)

    def run(self, edition: str) -> bool:
        """Make an edition (``release/period``) in an Airflow run of its own; whether it succeeded.

        Invented sources show what was known by the evening before.
        """
        from dp_stats.airflow.schedule import run_date

        release, period = edition.split("/")
        declared = self._catalogue.release(release)
        when = run_date(declared, parse_period(period))
        _known_by(self._home / "source", day_at(declared, when) - timedelta(days=1))
        run = self._dags[release.replace("-", "_")].test(logical_date=when)
        return bool(run.state == "success")


def _known_by(source: Path, day: date) -> None:
    """Let the invented sources that are there be as they stood at the end of a day."""
    from dp_stats.demo import hospital, line_list

    for file, as_it_stood in ((line_list.FILE, line_list.report_until), (hospital.FILE, hospital.recorded_until)):
        if (source / file).exists():
            as_it_stood(source / file, day)


def run_editions(editions: Sequence[str], home: Path, *, data: Sequence[subprocess.Popen[bytes]] = ()) -> list[str]:
    """Make editions (``release/period``) in order, as Airflow runs, up to the first that fails.

    The environment must already be that of :func:`deploy.local.environment.local_environment`. ``data``
    is waited for before the first run. Returns what failed (empty: all editions are published);
    Airflow's log is ``home/airflow/demo.log``.
    """
    with quiet(home / "airflow" / "demo.log") as terminal:
        progress = Progress(terminal)
        started = time.monotonic()
        progress.say("Starting Airflow …", end="")
        runner = Runner(progress, home)
        progress.say(f" ready in {time.monotonic() - started:.0f} s. Its log is {home / 'airflow' / 'demo.log'}")
        if any(made.wait() != 0 for made in data):
            raise SystemExit("The synthetic records could not be made; see the message above.")
        for edition in editions:
            began = time.monotonic()
            progress.say(f"  {edition}:", end="")
            succeeded = runner.run(edition)
            progress.say(f"  {time.monotonic() - began:.1f} s")
            if succeeded and not any((home / folder / edition).exists() for folder in ("public", "restricted")):
                progress.failed.append(f"{edition}: its run ended, and nothing was published; read Airflow's log")
            if progress.failed or not succeeded:
                break
        return progress.failed


def make_data(home: Path, editions: Sequence[str]) -> list[subprocess.Popen[bytes]]:
    """Start making the synthetic records that editions need and that are not there; they are made beside Airflow's start."""
    made = []
    wanted = {edition.partition("/")[0] for edition in editions}
    for file, command, what, releases in RECORDS:
        if wanted & {*releases} and not (home / "source" / file).exists():
            print(f"Making {what}.", flush=True)
            made.append(
                subprocess.Popen(  # noqa: S603  our own fixed commands
                    [sys.executable, "-m", "dp_stats.cli.main", "demo", command], stdout=subprocess.DEVNULL
                )
            )
    return made


def main() -> None:
    """Make the data, run the editions, say where the site is or what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--editions", nargs="+", default=EDITIONS, help="release/period, in the order to make them in")
    parser.add_argument("--home", type=Path, default=load_settings().home, help="state folder")
    options = parser.parse_args()
    home = options.home.absolute()
    os.environ.update(local_environment(home))
    failed = run_editions(options.editions, home, data=make_data(home, options.editions))
    if failed:
        raise SystemExit("\n".join(["", "Not published:", *failed]))
    print(f"\nPublished. Open {home / 'public' / 'index.html'} or run: make serve")
    catalogue = load_catalogue(load_settings().catalogue)
    for release in dict.fromkeys(edition.partition("/")[0] for edition in options.editions):
        for name in catalogue.release(release).organisations:
            one = catalogue.organisations[name]
            print(f"{release} is for {one.name} alone: make ui, log in as {one.users[0]}, and open My files.")


if __name__ == "__main__":
    main()
