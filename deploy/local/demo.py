"""Run the scheduled DAGs through real Airflow, in one process, for the editions named: what ``make demo`` does.

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
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from deploy.local.environment import ROOT, local_environment
from dp_stats.catalogue import load_catalogue, parse_period
from dp_stats.catalogue.due import day_at
from dp_stats.settings import load_settings


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
    """Airflow in this process with the DAG of one release; the environment must be that of ``local_environment``."""

    def __init__(self, release: str, progress: Progress, home: Path) -> None:
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
        self._dag = bag.dags[release.replace("-", "_")]
        for task in self._dag.tasks:
            task.retries = 0  # nobody wants to watch a demonstration wait
        get_listener_manager().add_listener(progress.listener())
        # A million objects of Airflow stay for good, and little that a task makes is rubbish in circles: to look for it
        # as often as Python does by itself takes a tenth of the time.
        gc.freeze()
        gc.set_threshold(100_000, 20, 20)
        self._home = home
        self._declared = load_catalogue(load_settings().catalogue).release(release)

    def run(self, period: str) -> bool:
        """Make the edition of a period in an Airflow run of its own; whether it succeeded.

        The line list shows what had been reported by the evening before.
        """
        from dp_stats.airflow.schedule import run_date
        from dp_stats.demo.line_list import FILE, report_until

        when = run_date(self._declared, parse_period(period))
        if (path := self._home / "source" / FILE).exists():
            report_until(path, day_at(self._declared, when) - timedelta(days=1))
        run = self._dag.test(logical_date=when)
        return bool(run.state == "success")


def run_editions(
    release: str, periods: Sequence[str], home: Path, *, data: subprocess.Popen[bytes] | None = None
) -> list[str]:
    """Make the editions of ``release`` for ``periods``, in order, as Airflow runs, up to the first that fails.

    The environment must already be that of :func:`deploy.local.environment.local_environment`. ``data``
    is waited for before the first run. Returns what failed (empty: all editions are published);
    Airflow's log is ``home/airflow/demo.log``.
    """
    with quiet(home / "airflow" / "demo.log") as terminal:
        progress = Progress(terminal)
        started = time.monotonic()
        progress.say("Starting Airflow …", end="")
        runner = Runner(release, progress, home)
        progress.say(f" ready in {time.monotonic() - started:.0f} s. Its log is {home / 'airflow' / 'demo.log'}")
        if data is not None and data.wait() != 0:
            raise SystemExit("The synthetic line list could not be made; see the message above.")
        for period in periods:
            began = time.monotonic()
            progress.say(f"  {release}/{period}:", end="")
            succeeded = runner.run(period)
            progress.say(f"  {time.monotonic() - began:.1f} s")
            if not succeeded:
                break
        return progress.failed


def make_data(home: Path) -> subprocess.Popen[bytes] | None:
    """Start making the synthetic line list, unless it is there; it runs beside Airflow's start."""
    if (home / "source" / "line-list.duckdb").exists():
        return None
    print(
        "Making a synthetic line list: invented people in the 381 real local authorities, one year of cases.",
        flush=True,
    )
    return subprocess.Popen([sys.executable, "-m", "dp_stats.cli.main", "demo", "data"], stdout=subprocess.DEVNULL)


def main() -> None:
    """Make the data, run the editions, say where the site is or what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", default="covid-cases-by-area", help="id of a scheduled release")
    parser.add_argument("--periods", nargs="+", default=["2021-W25", "2021-W26", "2021-W27"])
    parser.add_argument("--home", type=Path, default=load_settings().home, help="state folder")
    options = parser.parse_args()
    home = options.home.absolute()
    os.environ.update(local_environment(home))
    failed = run_editions(options.release, options.periods, home, data=make_data(home))
    if failed:
        raise SystemExit("\n".join(["", "Not published:", *failed]))
    print(f"\nPublished. Open {home / 'public' / 'index.html'} or run: make serve")


if __name__ == "__main__":
    main()
