"""Declared editions for tests of estimation: a catalogue in memory, true counts, and noise drawn by numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Dataset, Release
from dp_stats.catalogue.periods import parse_period
from dp_stats.estimate import EditionEstimates, estimate
from dp_stats.plan import make_plan
from dp_stats.plan.model import Plan
from dp_stats.plan.noisy import NoisyMeasurements
from tests.builders import code_list, declared_dataset, declared_release

AREAS = (3, 4, 2)
"""How many areas each of the regions R0, R1, R2 has; the areas are A0 to A8."""

DEFAULT_TABLES: tuple[dict[str, Any], ...] = (
    {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},
    {"id": "area-week-band", "levels": {"area": "area", "date": "week", "band": "band"}, "statistics": ["count"]},
    {"id": "region-week", "levels": {"area": "region", "date": "week"}, "statistics": ["count"]},
    {"id": "all-day", "levels": {"date": "day"}, "statistics": ["count"]},
)


@dataclass(frozen=True, eq=False)
class DeclaredEdition:
    """One edition of a release, ready to be measured and estimated."""

    catalogue: Catalogue
    release: Release
    grid: Grid
    plan: Plan

    def draw(
        self, exact: Mapping[str, NDArray[np.int64]], rng: np.random.Generator, *, noise: float = 1.0
    ) -> NoisyMeasurements:
        """Noisy measurements of exact leaf tables: statistic id, ``truncated_rows`` or ``truncated_persons`` → integers."""
        values = {}
        for m in self.plan.measurements:
            name = m.statistic if m.role == "statistic" else m.role
            values[m.id] = self.grid.roll_up(exact[name], m.levels)
            if noise and m.epsilon is None:
                values[m.id] = values[m.id] + discrete_gaussian(rng, m.scale * noise, m.shape)
            elif noise:
                stop = -np.expm1(-1 / (m.scale * noise))
                values[m.id] = values[m.id] + rng.geometric(stop, m.shape) - rng.geometric(stop, m.shape)
        return NoisyMeasurements(self.plan.hash, values)

    def estimate(self, noisy: NoisyMeasurements) -> EditionEstimates:
        """Estimates from noisy measurements."""
        return estimate(self.plan, grid=self.grid, release=self.release, catalogue=self.catalogue, noisy=noisy)


def discrete_gaussian(rng: np.random.Generator, scale: float, shape: Sequence[int]) -> NDArray[np.int64]:
    """Whole numbers with probabilities in proportion to exp(−x²/2σ²); of wide noise, a rounded normal draw is no other."""
    if scale > 5:
        return np.rint(rng.normal(scale=scale, size=shape)).astype(np.int64)
    steps = np.arange(-60, 61)
    chance = np.exp(-(steps**2) / (2 * scale**2))
    return np.asarray(rng.choice(steps, p=chance / chance.sum(), size=shape))


def declare_edition(
    *,
    period: str = "2024-03-04--2024-03-31",
    kind: str = "range",
    tables: Sequence[Mapping[str, Any]] = DEFAULT_TABLES,
    statistics: Sequence[Mapping[str, Any]] = ({"id": "count", "kind": "count", "expected_total": 5000},),
    derived: Sequence[Mapping[str, Any]] = (),
    contribution: Mapping[str, Any] | None = None,
    loss: Mapping[str, Any] | None = None,
    areas: Sequence[int] = AREAS,
    bands: int = 3,
    levels_of_dates: Sequence[str] = ("day", "week"),
    extra_dimensions: Sequence[Mapping[str, Any]] = (),
    population_columns: Mapping[str, Sequence[float]] | None = None,
    populations: bool = True,
    calendar: Mapping[str, str] | None = None,
) -> DeclaredEdition:
    """Declare a release over areas in regions, days in weeks, and bands; ``tables`` say what is published."""
    people = {"population": [1000.0 * (i + 1) for i in range(sum(areas))]} if populations else {}
    columns = {**people, **(population_columns or {})}
    codes = {"areas": _areas(areas, columns), "bands": _bands(bands)}
    dataset = Dataset.model_validate(
        declared_dataset(
            "visits",
            {
                "person": "person",
                "date": "date",
                "area": "code areas",
                "band": {"from": "age", "type": "band", "codes": "bands"},
                "cost": "number",
            },
            budget={"epsilon": 100, "delta": "1e-6"},
        )
    )
    span = parse_period(period)
    release = Release.model_validate(
        declared_release(
            "test",
            dataset="visits",
            period=kind,
            start=span.start if kind == "range" else span.start.replace(month=1, day=1),
            end=span.end if kind == "range" else None,
            dimensions=[
                {"name": "area", "column": "area", "levels": ["area", "region"]},
                {"name": "date", "column": "date", "levels": list(levels_of_dates)},
                {"name": "band", "column": "band", "levels": ["band"]},
                *extra_dimensions,
            ],
            statistics=list(statistics),
            derived=list(derived),
            tables=tables,
            contribution=contribution or {"rows": 1, "why_nothing_is_truncated": "One row per person."},
            privacy_loss=loss or {"epsilon": 1},
            **({"calendar": calendar} if calendar else {}),
        )
    )
    catalogue = Catalogue(Path("test"), {"visits": dataset}, {"test": release}, codes)
    grid = catalogue.grid(release, span)
    return DeclaredEdition(catalogue, release, grid, make_plan(catalogue, release, span))


def _areas(areas: Sequence[int], columns: Mapping[str, Sequence[float]]) -> CodeList:
    regions = [f"R{region}" for region, size in enumerate(areas) for _ in range(size)]
    places = range(len(regions))
    return code_list("areas", [f"A{i}" for i in places], [f"Area {i}" for i in places], region=regions, **columns)


def _bands(bands: int) -> CodeList:
    lowest = [10 * i for i in range(bands)]
    return code_list(
        "bands",
        [f"B{i}" for i in range(bands)],
        [f"{low} to {low + 9}" for low in lowest],
        lower=lowest,
        upper=[low + 10 for low in lowest],
    )
