"""Small grids and catalogues that tests of plans share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue import Catalogue, CodeList, Dataset, Dimension, Grid, Level, Release
from dp_stats.catalogue.grid import flat_level
from dp_stats.plan.algebra import Key, weights
from tests.builders import code_list, declared_dataset, declared_release

REGIONS = (12, 39, 21, 40, 30, 45, 33, 67, 30, 32, 22, 10)
"""Sizes of the 12 regions and nations that 381 local authorities fall in."""


def dimension(name: str, *groups: Sequence[int]) -> Dimension:
    """A dimension with leaves ``name`` and one level ``name1``, ``name2``, … per list of groups, topped by ``all``."""
    leaves = len(groups[0])
    levels = [_level(name, range(leaves))]
    levels += [_level(f"{name}{i}", np.unique(g, return_inverse=True)[1]) for i, g in enumerate(groups, 1)]
    return Dimension(name, name, "code", (*levels, flat_level("all", "all", "all", leaves)))


def _level(name: str, group: Any) -> Level:
    group = np.asarray(group, dtype=np.intp)
    codes = tuple(f"{name}-{i}" for i in range(group.max() + 1))
    return Level(name, codes, codes, group)


def dense(grid: Grid, precision: Mapping[Key, float]) -> NDArray[np.float64]:
    """The normal equations as one matrix over all leaves."""
    total = np.zeros((grid.cells(grid.complete({d.name: d.leaf.name for d in grid.dimensions})),) * 2)
    for key, p in precision.items():
        rows = rows_of(grid, dict(zip((d.name for d in grid.dimensions), key, strict=True)))
        total += p * rows.T @ rows
    return total


def rows_of(grid: Grid, queries: Mapping[str, Any]) -> NDArray[np.float64]:
    """A product query as rows over all leaves."""
    rows = np.ones((1, 1))
    for d in grid.dimensions:
        rows = np.kron(rows, weights(d, queries.get(d.name, d.top.name)))
    return rows


def dataset(**fields: Any) -> Dataset:
    """Visits of patients to clinics."""
    columns = {"patient": "person", "day": "date", "area": "code areas", "age": "code bands", "cost": "number"}
    return Dataset.model_validate(
        declared_dataset("visits", columns, **{"budget": {"epsilon": 8, "delta": 1e-6}, **fields})
    )


def code_lists(regions: Sequence[int] = (3, 2), bands: int = 3) -> dict[str, CodeList]:
    """Areas in regions, with populations, and age bands."""
    places = [(r, i) for r, size in enumerate(regions) for i in range(size)]
    areas = code_list(
        "areas",
        [f"A{r:02d}{i:03d}" for r, i in places],
        [f"Area {r}.{i}" for r, i in places],
        region=[f"R{r:02d}" for r, _ in places],
        population=[str(1000 * (1 + i)) for _, i in places],
    )
    ages = code_list("bands", [f"B{i}" for i in range(bands)], [f"Band {i}" for i in range(bands)])
    return {"areas": areas, "bands": ages}


def release(published: Mapping[str, tuple[Mapping[str, str], Sequence[str]]], **fields: Any) -> Release:
    """A release of visits: table id → (levels, statistics)."""
    return Release.model_validate(
        declared_release(
            **{
                "id": "visits-by-area",
                "dataset": "visits",
                "dimensions": [
                    {"name": "area", "column": "area", "levels": ["area", "region", "all"]},
                    {"name": "date", "column": "day", "levels": ["day", "week"]},
                    {"name": "age", "column": "age", "levels": ["band", "all"]},
                ],
                "statistics": [{"id": "visits", "kind": "count", "expected_total": 5000}],
                "tables": [
                    {"id": name, "levels": dict(levels), "statistics": list(statistics)}
                    for name, (levels, statistics) in published.items()
                ],
                **fields,
            },
        )
    )


def catalogue(one: Release, data: Dataset | None = None, codes: Mapping[str, CodeList] | None = None) -> Catalogue:
    """A catalogue in memory."""
    data = data or dataset()
    return Catalogue(Path("catalogue"), {data.id: data}, {one.id: one}, codes or code_lists())


BASIC: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "area-day": ({"area": "area", "date": "day"}, ("visits",)),
    "area-week-age": ({"area": "area", "date": "week", "age": "band"}, ("visits",)),
    "region-day": ({"area": "region", "date": "day"}, ("visits",)),
}
