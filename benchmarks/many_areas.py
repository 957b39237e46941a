"""What a release of many small areas costs to publish: files, bytes and seconds by outlet, edition after edition.

    python -m benchmarks.many_areas [--areas 3000 35000] [--editions 2] [--pages each] [--regions together]

Made-up counts of areas in regions, week after week, go the whole way that real ones go after their noise: estimates, the
edition's folder with charts and spreadsheets, lists and API, pages in two languages, and an upload to a target in memory.
Each size runs in a process of its own. Printed are processor seconds, files written and kept, and the peak of memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bounding import peak_gigabytes
from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.models import Dataset, Release
from dp_stats.catalogue.periods import Period, next_period, parse_period
from dp_stats.plan import make_plan
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.settings import shipped
from dp_stats.texts.words import Texts
from tests.builders import code_list, declared_dataset, declared_release

BASE = "https://statistics.example"
REGION = 100
"""Areas of a region."""


def declared(areas: int, pages: Mapping[str, str]) -> tuple[Catalogue, Release]:
    """Weekly counts and rates of made-up areas, their regions and all; ``pages``: how levels are shown (default: by number)."""
    codes = [f"E{1_000_000 + i:08d}" for i in range(areas)]
    parents = [i // REGION for i in range(areas)]
    listed = code_list(
        "small-areas",
        codes,
        [f"{NAMES[p % len(NAMES)]} {p // len(NAMES) + 1:02d}{i % REGION:02d}" for i, p in enumerate(parents)],
        region=[f"R{p:04d}" for p in parents],
        region_name=[f"{NAMES[p % len(NAMES)]} {p // len(NAMES) + 1:02d}" for p in parents],
        population=[1000 + i % 1000 for i in range(areas)],
    )
    dataset = Dataset.model_validate(
        declared_dataset("records", {"person": "person", "date": "date", "area": "code small-areas"})
    )
    dimension: dict[str, Any] = {"name": "area", "column": "area", "levels": ["small-areas", "region"]}
    if pages:
        dimension["pages"] = dict(pages)
    tables = [
        {"id": "area-week", "levels": {"area": "small-areas", "date": "week"}, "prior_mean": 20},
        {"id": "region-week", "levels": {"area": "region", "date": "week"}, "prior_mean": 2000},
        {"id": "week", "levels": {"date": "week"}, "prior_mean": 20 * areas},
    ]
    release = Release.model_validate(
        declared_release(
            "records-by-area",
            dataset=dataset.id,
            dimensions=[dimension, {"name": "date", "column": "date", "levels": ["week"]}],
            statistics=[{"id": "count"}],
            derived=[{"id": "rate", "kind": "rate", "of": "count"}],
            tables=[{**table, "statistics": ["count", "rate"]} for table in tables],
        )
    )
    return Catalogue(Path("benchmark"), {dataset.id: dataset}, {release.id: release}, {"small-areas": listed}), release


NAMES = ("Ashford", "Birchwood", "Cedarham", "Dunmere", "Eastleigh", "Foxton", "Granby", "Hazelmere")


class Clock:
    """Processor seconds, files and bytes by outlet."""

    def __init__(self, public: Path) -> None:
        self.public = public
        self.rows: list[dict[str, Any]] = []

    @contextmanager
    def part(self, edition: int, name: str) -> Any:
        """Count what runs inside as ``name``."""
        before, began = _states(self.public), time.process_time()
        yield
        seconds, after = time.process_time() - began, _states(self.public)
        changed = {path for path, state in after.items() if before.get(path) != state}
        self.rows.append(
            {
                "edition": edition,
                "outlet": name,
                "seconds": seconds,
                "written": len(changed),
                "megabytes": sum(after[path][1] for path in changed) / 1e6,
                "files": len(after),
                "peak": peak_gigabytes(),
            }
        )


def _states(public: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in public.rglob("*"):
        if path.is_file():
            state = path.stat()
            found[path.relative_to(public).as_posix()] = (state.st_mtime_ns, state.st_size, state.st_ino)
    return found


def publish_one(
    clock: Clock, number: int, catalogue: Catalogue, release: Release, period: Period, texts: list[Texts], remote: Any
) -> None:
    """One edition, from made-up noisy counts to the target."""
    from dp_stats.charts.edition_chart import illustrator
    from dp_stats.editions import publish_edition
    from dp_stats.editions.describe import describe
    from dp_stats.estimate import estimate
    from dp_stats.estimate.measured_edition import Measured
    from dp_stats.estimate.open_measurements import document
    from dp_stats.outlets.index import refresh_index
    from dp_stats.outlets.targets import upload
    from dp_stats.site import build

    public, reports, (first, *further) = clock.public, shipped("reports"), texts
    with clock.part(number, "plan and estimates"):
        plan, grid = make_plan(catalogue, release, period), catalogue.grid(release, period)
        noisy = NoisyMeasurements(plan.hash, {m.id: _made_up(m.shape, number) for m in plan.tables})
        estimates = estimate(plan, grid=grid, release=release, catalogue=catalogue, noisy=noisy)
        own = Measured(plan, period, grid, release, noisy, catalogue, ())
        estimates = replace(estimates, document=document(own, estimates.fitted))
    with clock.part(number, "facts"):
        edition = describe(
            release,
            dataset=catalogue.dataset_of(release),
            catalogue=catalogue,
            period=period,
            grid=grid,
            estimates=estimates,
            texts=first,
            languages=further,
            revision=1,
            reason="",
            published=datetime.combine(period.end + timedelta(days=3), datetime.min.time(), UTC),
        )
    with clock.part(number, "edition's folder"):
        publish_edition(
            edition,
            estimates,
            public,
            texts=first,
            further=further,
            illustrate=illustrator(reports, first, further),
        )
    with clock.part(number, "lists, history and API"):
        refresh_index(public, base_url=BASE, texts=first, further=further, releases=[release], isolate=False)
    with clock.part(number, "pages"):
        built = build(public, base_url=BASE, language="en", further=("cy",), isolate=False)
        assert not built.not_shown
    with clock.part(number, "upload"):
        done = upload(public, "memory://site", filesystem=remote)
    clock.rows[-1] |= {"written": len(done.written), "megabytes": sum(map(_size(public), done.written)) / 1e6}


def _size(public: Path) -> Callable[[str], int]:
    return lambda name: (public / name).stat().st_size


def _made_up(shape: tuple[int, ...], seed: int) -> Any:
    """Counts of areas around 20, with noise; of what holds more areas the more."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    mean = 20.0 * MADE_UP_AREAS[0] / size
    return rng.poisson(mean, shape).astype(np.int64) + rng.integers(-5, 6, shape)


MADE_UP_AREAS = [0]


def run(areas: int, editions: int, pages: Mapping[str, str], keep: Path | None) -> dict[str, Any]:
    """Publish; a row for each edition and outlet, and where the files are."""
    from fsspec.implementations.memory import MemoryFileSystem

    MADE_UP_AREAS[0] = areas
    texts = [Texts.load(shipped("reports"), language, marked=True) for language in ("en", "cy")]
    catalogue, release = declared(areas, pages)
    remote = MemoryFileSystem()
    with tempfile.TemporaryDirectory() as name:
        public = keep or Path(name) / "public"
        public.mkdir(parents=True, exist_ok=True)
        clock, period = Clock(public), parse_period("2025-W06")
        for number in range(1, editions + 1):
            publish_one(clock, number, catalogue, release, period, texts, remote)
            period = next_period(period)
        kinds: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for path, (_, size, _) in _states(public).items():
            kind = _kind(path)
            kinds[kind] += 1
            sizes[kind] += size
    return {"rows": clock.rows, "kinds": {k: [kinds[k], sizes[k]] for k in kinds}, "peak": peak_gigabytes()}


def _kind(path: str) -> str:
    parts = path.split("/")
    tree = "cy/" if parts[0] == "cy" else ""
    parts = parts[1:] if tree else parts
    if parts[0] == "api":
        return "api: " + ("areas' leaves" if "geographies" in parts else "shared files")
    if len(parts) > 2 and parts[1] == "areas":
        return f"{tree}<release>/areas/*{Path(path).suffix}"
    if len(parts) > 2:
        return f"{tree}<release>/{parts[1] if parts[1] in ('latest', 'history') else '<period>'}/"
    return f"{tree}the rest"


def report(areas: int, found: dict[str, Any]) -> None:
    """Print the figures of one size."""
    print(f"\n{areas:,} areas, peak memory {found['peak']:.2f} GB")
    print(f"{'edition':>7} {'outlet':26}{'CPU s':>8}{'written':>9}{'MB':>9}{'files':>9}{'peak GB':>9}")
    for row in found["rows"]:
        print(
            f"{row['edition']:7} {row['outlet']:26}{row['seconds']:8.1f}{row['written']:9,}{row['megabytes']:9.1f}"
            f"{row['files']:9,}{row['peak']:9.2f}"
        )
    print("files in the end:")
    for kind, (count, size) in sorted(found["kinds"].items(), key=lambda one: -one[1][0]):
        print(f"  {kind:34}{count:9,} files{size / 1e6:10.1f} MB")


def main() -> None:
    """Run each size in a child process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--areas", type=int, nargs="*", default=[3_000, 35_000])
    parser.add_argument("--editions", type=int, default=2)
    parser.add_argument(
        "--pages", choices=("each", "together", ""), default="", help="default: as their number decides"
    )
    parser.add_argument("--regions", choices=("each", "together", ""), default="", help="the same of regions")
    parser.add_argument("--keep", type=Path, help="an empty folder for the files, to look at")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        given = {"small-areas": options.pages, "region": options.regions}
        pages = {level: how for level, how in given.items() if how}
        print(json.dumps(run(options.one, options.editions, pages, options.keep)))
        return
    for areas in options.areas:
        call = ["--one", str(areas), "--editions", str(options.editions)]
        call += [f"--pages={options.pages}", f"--regions={options.regions}"] + (
            ["--keep", str(options.keep)] if options.keep else []
        )
        child = subprocess.run(
            [sys.executable, "-m", "benchmarks.many_areas", *call], check=True, stdout=subprocess.PIPE, text=True
        )
        report(areas, json.loads(child.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
