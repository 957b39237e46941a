"""ExactCounts tables for the benchmark: any CSV of date, area, count and optional bands, as an array and a catalogue.

The catalogue declares, in memory, a release of nine tables over the cells of the counts: area, region and everything,
each by day, by week and by week and band, with 7-day and cumulative sums by day. Tables that the counts have no
columns for (no bands, no regions, no dates) are left out.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Dataset, Release
from dp_stats.catalogue.periods import Period, parse_period


@dataclass(frozen=True, eq=False)
class ExactCounts:
    """Counts of rows and what is public about their cells.

    Attributes:
        counts: int64, shape ``(areas, days, bands)``; one band if there are none.
        areas: code of each area; regions: region of each area ('' if unknown).
        start: first day. bands: code of each band.
        people: public populations, ``population`` and ``population_BAND`` → one number per area; empty where not given.
    """

    counts: NDArray[np.int64]
    areas: tuple[str, ...]
    regions: tuple[str, ...]
    start: date
    bands: tuple[str, ...]
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def period(self) -> Period:
        """All days that are counted."""
        return parse_period(f"{self.start}--{self.start + timedelta(days=self.counts.shape[1] - 1)}")

    def first_days(self, days: int) -> ExactCounts:
        """The counts of the first ``days`` days alone."""
        return replace(self, counts=self.counts[:, :days])


def read_rows(path: Path) -> list[dict[str, str]]:
    """A CSV file, gzipped or not, as dictionaries."""
    with (
        gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as file
    ):
        return list(csv.DictReader(file))


def read_exact_counts(
    path: Path, *, columns: Mapping[str, str], lookup: Path | None, lookup_columns: tuple[str, str] = ("code", "region")
) -> ExactCounts:
    """Read a table of exact counts.

    Args:
        path: CSV with one row per date, area (and band).
        columns: ``date``, ``area``, ``count`` and, if there is one, ``band`` → name in the file.
        lookup: CSV of area and region, if regions are wanted; lookup_columns: its two columns. Columns ``population`` and
            ``population_BAND`` say how many people live where.
    """
    rows = read_rows(path)
    areas = sorted({row[columns["area"]] for row in rows})
    bands = sorted({row[columns["band"]] for row in rows}) if "band" in columns else ["all-ages"]
    days = [date.fromisoformat(row[columns["date"]][:10]) for row in rows]
    start, end = min(days), max(days)
    place = {a: i for i, a in enumerate(areas)}
    band = {b: i for i, b in enumerate(bands)}
    counts = np.zeros((len(areas), (end - start).days + 1, len(bands)), dtype=np.int64)
    for row, day in zip(rows, days, strict=True):
        at = band[row[columns["band"]]] if "band" in columns else 0
        counts[place[row[columns["area"]]], (day - start).days, at] += round(float(row[columns["count"]] or 0))
    code, group = lookup_columns
    known = {row[code]: row for row in read_rows(lookup)} if lookup is not None else {}
    regions = tuple(known.get(a, {}).get(group, "rest") if known else "" for a in areas)
    header = next(iter(known.values()), {})
    people = {c: tuple(known.get(a, {}).get(c, "") for a in areas) for c in header if c.split("_")[0] == "population"}
    return ExactCounts(counts, tuple(areas), regions, start, tuple(bands), people)


def catalogue_of(
    exact: ExactCounts,
    *,
    prior: ExactCounts | float,
    epsilon: Fraction,
    delta: Fraction | None,
    priority: str = "balanced",
) -> tuple[Catalogue, Release, Grid]:
    """A catalogue in memory that declares the nine tables, with prior means from other counts or a guess.

    Args:
        exact: whose cells are published; its counts are not looked at.
        prior: earlier counts, or a guess of the mean count of an area and day.
        epsilon, delta: privacy loss of the release; pure if ``delta`` is None, ρ if it is 0.
        priority: whose figures the budget serves first.
    """
    codes = {"areas": _areas(exact), "bands": _plain("bands", exact.bands)}
    dataset = Dataset.model_validate(_DATASET)
    release = Release.model_validate({**_release(exact, prior, epsilon, delta), "priority": priority})
    catalogue = Catalogue(Path("benchmark"), {dataset.id: dataset}, {release.id: release}, codes)
    return catalogue, release, catalogue.grid(release, exact.period)


_DATASET: dict[str, Any] = {
    "id": "exact-counts",
    "title": "ExactCounts",
    "description": "Exact counts.",
    "custodians": [{"name": "Benchmark"}],
    "source": {"kind": "csv", "path": "exact-counts.csv"},
    "columns": {
        "person": {"from": "person", "type": "person"},
        "date": {"from": "date", "type": "date"},
        "area": {"from": "area", "type": "code", "codes": "areas"},
        "band": {"from": "band", "type": "code", "codes": "bands"},
    },
    "date_column": "date",
    "privacy_unit": {"column": "person", "per": "lifetime"},
    "opt_outs": None,
    "expectations": "exact-counts.json",
    "budget": {"epsilon": 100, "delta": "1e-6"},
}


def _areas(exact: ExactCounts) -> CodeList:
    regions = bool(exact.regions[0])
    header = ("code", "name", *(("region",) if regions else ()), *exact.people)
    rows = tuple(
        {"code": a, "name": a, **({"region": r} if regions else {}), **{c: p[i] for c, p in exact.people.items()}}
        for i, (a, r) in enumerate(zip(exact.areas, exact.regions, strict=True))
    )
    return CodeList("areas", Path("areas.csv"), header, rows)


def _plain(name: str, codes: Sequence[str]) -> CodeList:
    return CodeList(name, Path(f"{name}.csv"), ("code", "name"), tuple({"code": c, "name": c} for c in codes))


def _release(
    exact: ExactCounts, prior: ExactCounts | float, epsilon: Fraction, delta: Fraction | None
) -> dict[str, Any]:
    banded, regional = len(exact.bands) > 1, bool(exact.regions[0])
    dimensions: list[dict[str, Any]] = [
        {"name": "area", "column": "area", "levels": ["area", "region"] if regional else ["area"]},
        {"name": "date", "column": "date", "levels": ["day", "week"]},
    ]
    if banded:
        dimensions.append({"name": "band", "column": "band", "levels": ["band"]})
    daily_mean = prior if isinstance(prior, float) else float(prior.counts.sum(axis=2).mean())
    counts = {"area": len(exact.areas), "region": len(set(exact.regions)), "all": 1}
    tables: list[dict[str, Any]] = []
    for area in [name for name in ("area", "region", "all") if name != "region" or regional]:
        mean = daily_mean * len(exact.areas) / counts[area]
        base = {} if area == "all" else {"area": area}
        for level, days in (("day", 1), ("week", 7)):
            statistics = ["count", "rolling", "cumulative"] if level == "day" else ["count"]
            tables.append(
                {"id": f"{area}-{level}", "title": f"{area} by {level}", "levels": {**base, "date": level},
                 "statistics": statistics, "prior_mean": mean * days}
            )  # fmt: skip
        if banded:
            tables.append(
                {"id": f"{area}-week-band", "title": f"{area} by week and band",
                 "levels": {**base, "date": "week", "band": "band"}, "statistics": ["count"],
                 "prior_mean": mean * 7 / len(exact.bands)}
            )  # fmt: skip
    loss = {"epsilon": str(epsilon), **({"delta": str(delta)} if delta else {})}
    if delta == 0:
        loss = {"rho": str(epsilon)}
    return {
        "id": "benchmark",
        "title": "Benchmark",
        "dataset": "exact-counts",
        "period": "range",
        "start": exact.period.start,
        "end": exact.period.end,
        "dimensions": dimensions,
        "statistics": [{"id": "count", "kind": "count"}],
        "derived": [
            {"id": "rolling", "kind": "rolling", "of": "count", "days": 7},
            {"id": "cumulative", "kind": "cumulative", "of": "count"},
        ],
        "tables": tables,
        "contribution": {"rows": 1, "why_nothing_is_truncated": "One row per person by definition."},
        "privacy_loss": loss,
        "series": False,
        "texts": {"summary": "A benchmark."},
    }
