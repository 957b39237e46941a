"""How what is done with the ledger grows with its entries: verifying, reserving, the budget pages, the public log, upkeep.

    python -m benchmarks.ledger_growth [--entries 1000 10000 100000] [--weeks 71] [--postgres] [--keep FOLDER]

Fills a ledger for each size (see ``benchmarks.ledgers``). Releases grow with the entries, ten to a dataset, and weeks stay, unless
``--weeks`` says otherwise. Each step then runs in a process of its own, with the catalogue read. Printed are its processor seconds
(the best of a few runs), its peak of resident memory, and how it grows between the two largest ledgers: the exponent (1 is
linear). ``--postgres`` also fills a PostgreSQL server of its own, where seconds are those of the clock.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.bounding import peak_gigabytes
from benchmarks.ledgers import Filled, moment_in, of_edition, reserve, weeks_before
from dp_stats.catalogue import load_catalogue, read_catalogue
from dp_stats.catalogue.periods import parse_period
from dp_stats.ledger import Ledger, disclosing, measuring
from dp_stats.ledger.chain import Writer
from dp_stats.ledger.database import Database
from dp_stats.plan import make_sealed

MOST_TIMES, QUICK = 3, 15.0
"""A step is run so many times, unless one run took so many seconds."""


def verify(filled: Filled, url: str) -> Callable[[], object]:
    return lambda: Ledger.open(url, read_only=True).verify()


def open_to_write(filled: Filled, url: str) -> Callable[[], object]:
    return lambda: Ledger.open(url, witnesses=filled.witnesses)


def reserve_one(filled: Filled, url: str) -> Callable[[], object]:
    catalogue = load_catalogue(filled.folder / "catalogue")
    last = weeks_before(datetime.now(UTC).date(), filled.weeks)[-1]
    following = parse_period("{}-W{:02d}".format(*(last.end + timedelta(days=1)).isocalendar()[:2]))
    release = next(r for r in catalogue.releases.values() if r.series)
    made = make_sealed(catalogue, release, last)
    sealed = of_edition(made, dataset=release.dataset, release=release.id, period=following)
    dataset = catalogue.dataset_of(release)

    def work() -> None:
        """Reserve, register, spend, store and give nothing back; all of it is undone."""
        database = Database(url, read_only=False)
        with undone(database) as connection:
            writer = Writer(connection, moment_in(following, 8))
            reservation = reserve(writer, sealed, dataset)
            known = measuring.register_entries(connection, reservation)
            measuring.register(writer, reservation, expected=len(known), digest="0" * 64)
            measuring.spend(writer, reservation, registered=None)
            measuring.store(writer, reservation, b"noisy", registered=None)

    return work


@contextmanager
def undone(database: Database) -> Iterator[Any]:
    """A transaction that is rolled back, so that every step finds the same ledger."""
    with database.engine.connect() as connection:
        if database.sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.rollback()


def disclose_one(filled: Filled, url: str) -> Callable[[], object]:
    ledger = Ledger.open(url, read_only=True)
    edition = ledger.publications()[-1].edition

    def work() -> None:
        database = Database(url, read_only=False)
        with undone(database) as connection:
            disclosing.disclose(Writer(connection, datetime.now(UTC)), edition, 1, measured=1)

    return work


def budget_page(filled: Filled, url: str) -> Callable[[], object]:
    os.environ |= {"DP_STATS_HOME": str(filled.folder / "home"), "DP_STATS_CATALOGUE": str(filled.folder / "catalogue")}
    from dp_stats.airflow import budget_view

    return budget_view.datasets


def show(filled: Filled, url: str) -> Callable[[], object]:
    return lambda: Ledger.open(url, read_only=True).blocks()


def export(filled: Filled, url: str) -> Callable[[], object]:
    return lambda: Ledger.open(url, read_only=True).export("csv")


def public_log(filled: Filled, url: str) -> Callable[[], object]:
    """The log for the public and its heads, with every proof of an earlier edition in its place."""
    from dp_stats.outlets import public_log as outlet
    from dp_stats.transparency.history import History
    from dp_stats.transparency.leaves import HEADS, LOG, proof_name

    public = filled.settings.public_dir
    public.mkdir(exist_ok=True)
    for known in Ledger.open(url, read_only=True).publications():
        proof = public / known.edition / proof_name(known.revision)
        proof.parent.mkdir(parents=True, exist_ok=True)
        proof.touch()
    if not (public / LOG).exists():
        there = History.read(Ledger.open(url, read_only=True).log()[:-1])
        (public / LOG).write_bytes(outlet._text(there.lines))
        (public / HEADS).write_bytes(outlet._text([head.line for head in there.heads()]))
    return lambda: outlet.refresh_log(public, Ledger.open(url, read_only=True).log)


def public_budget(filled: Filled, url: str) -> Callable[[], object]:
    """What the site's page of budgets adds up of the public log."""
    from dp_stats.outlets.budgets import _blocks
    from dp_stats.outlets.public_log import published_lines
    from dp_stats.transparency.history import History

    datasets = list(load_catalogue(filled.folder / "catalogue").datasets)

    def work() -> None:
        history = History.read(published_lines(filled.settings.public_dir))
        for dataset in datasets:
            _blocks(history, dataset, {}, cap=None, delta=Fraction(1, 10**6), known={})

    return work


def forecasts(filled: Filled, url: str) -> Callable[[], object]:
    from dp_stats.operations.upkeep import budget_alerts

    return lambda: budget_alerts(settings=filled.settings)


def watch(filled: Filled, url: str) -> Callable[[], object]:
    from dp_stats.operations import upkeep

    def work() -> None:
        upkeep.unfinished_corrections(settings=filled.settings)
        upkeep.late_editions(settings=filled.settings)

    return work


def where_published(filled: Filled, url: str) -> Callable[[], object]:
    """What ``verify_published`` asks of the ledger before it reads files."""
    from dp_stats.operations import upkeep

    ledger = Ledger.open(url, read_only=True)
    return lambda: list(upkeep.published_in(ledger, filled.settings))


STEPS: Mapping[str, Callable[[Filled, str], Callable[[], object]]] = {
    "dp-stats ledger verify": verify,
    "opening for a run": open_to_write,
    "reserve, register, spend, store": reserve_one,
    "disclose (before publishing)": disclose_one,
    "budget page in Airflow": budget_page,
    "dp-stats ledger show": show,
    "dp-stats ledger export": export,
    "public log, brought up to date": public_log,
    "budget page of the site": public_budget,
    "upkeep: forecasts of budgets": forecasts,
    "upkeep: corrections and late ones": watch,
    "upkeep: where editions are": where_published,
}
ON_POSTGRES = ("dp-stats ledger verify", "opening for a run", "reserve, register, spend, store")


def run_one(step: str, filled: Filled, url: str) -> dict[str, float]:
    """Seconds and memory of one step in this process, with the catalogue read; the best of a few times where it is quick."""
    read_catalogue(filled.folder / "catalogue")
    work = STEPS[step](filled, url)
    before, seconds = peak_gigabytes(), {"cpu": math.inf, "wall": math.inf}
    for _ in range(MOST_TIMES):
        began, started = time.process_time(), time.monotonic()
        work()
        took = {"cpu": time.process_time() - began, "wall": time.monotonic() - started}
        seconds = {of: min(seconds[of], took[of]) for of in took}
        if took["wall"] > QUICK:
            break
    return {**seconds, "gigabytes": peak_gigabytes(), "before": before}


def in_child(step: str, filled: Filled, url: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.ledger_growth", "--one", step, "--url", url]
    command += ["--keep", str(filled.folder), "--entries", str(filled.entries), "--weeks", str(filled.weeks)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(name: str, sizes: list[int], found: Mapping[tuple[str, int], Mapping[str, float]], of: str) -> None:
    """Print a table: a row for each step, with its growth between the two largest sizes."""
    print(f"\n{name}: seconds (peak memory in GB)")
    print(f"{'entries':34}" + "".join(f"{size:>18,}" for size in sizes) + "   exponent")
    for step in dict.fromkeys(step for step, _ in found):
        each = [found[step, size] for size in sizes]
        cells = "".join(f"{one[of]:>10.2f} ({one['gigabytes']:.2f})" for one in each)
        grown = ""
        if len(each) > 1:
            ratio = max(each[-1][of], 1e-3) / max(each[-2][of], 1e-3)
            grown = f"{math.log(ratio) / math.log(sizes[-1] / sizes[-2]):11.2f}"
        print(f"{step:34}{cells}{grown}")


def measured(all_filled: list[Filled], urls: list[str], steps: list[str]) -> dict[tuple[str, int], dict[str, float]]:
    """Fill what is not filled yet, and run the steps on each."""
    found = {}
    for filled, url in zip(all_filled, urls, strict=True):
        if not filled.folder.exists():
            began = time.process_time()
            filled.declare()
            filled.fill(url)
            print(f"filled {filled.folder.name} in {time.process_time() - began:.0f} s", flush=True)
        print(f"{Ledger.open(url, read_only=True).head().sequence:,} entries", flush=True)
        for step in steps:
            found[step, filled.entries] = in_child(step, filled, url)
            print(f"{step}: {found[step, filled.entries]}", flush=True)
    return found


def main() -> None:
    """Fill, run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--weeks", type=int, default=71)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder in which the SQLite ledgers stay, for another time")
    parser.add_argument("--steps", nargs="+", help="only those that have one of these words")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run_one(options.one, Filled(options.keep, options.entries[0], options.weeks), options.url)))
        return
    steps = [s for s in STEPS if not options.steps or any(word in s for word in options.steps)]
    with tempfile.TemporaryDirectory() as made:
        folder = options.keep or Path(made)
        there = [Filled(folder / f"{size}-{options.weeks}", size, options.weeks) for size in options.entries]
        report("SQLite", options.entries, measured(there, [f.settings.ledger_url for f in there], steps), "cpu")
        if options.postgres:
            from tests.ledger_examples import postgres

            there = [replace(f, folder=Path(made) / f"{f.folder.name}-postgres") for f in there]
            with postgres() as database:
                urls = [database() for _ in there]
                found = measured(there, urls, [s for s in ON_POSTGRES if s in steps])
            report("PostgreSQL (by the clock)", options.entries, found, "wall")


if __name__ == "__main__":
    main()
