"""The same code estimates other shapes: flat dimensions without time, deep hierarchies, a single table, sums alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.models import Dataset, Release
from dp_stats.catalogue.periods import parse_period
from dp_stats.estimate.lattice import Lattice
from dp_stats.plan import make_plan
from tests.builders import code_list, declared_dataset, declared_release
from tests.estimate_examples import DeclaredEdition


def declare(
    lists: dict[str, CodeList], dimensions: list[dict[str, Any]], tables: list[dict[str, Any]], **more: Any
) -> DeclaredEdition:
    columns: dict[str, Any] = {name: f"code {name}" for name in lists}
    columns |= {"person": "person", "day": "date", "stay": "number"}
    unit = {"column": "person"}
    dataset = Dataset.model_validate(declared_dataset("stays", columns, privacy_unit=unit))
    release = Release.model_validate(
        declared_release(
            "test",
            **{
                "dataset": "stays",
                "period": "year",
                "start": "2024-01-01",
                "dimensions": dimensions,
                "statistics": [{"id": "count", "expected_total": 20_000}],
                "tables": tables,
                **more,
            },
        )
    )
    catalogue = Catalogue(Path("test"), {"stays": dataset}, {"test": release}, lists)
    period = parse_period("2024")
    return DeclaredEdition(catalogue, release, catalogue.grid(release, period), make_plan(catalogue, release, period))


def flat(name: str, size: int) -> CodeList:
    return code_list(name, [f"{name}{i}" for i in range(size)], [f"{name} {i}" for i in range(size)])


def check(edition: DeclaredEdition, counts: np.ndarray, statistic: str = "count") -> None:
    estimates = edition.estimate(edition.draw({statistic: counts}, np.random.default_rng(0)))
    lattice = Lattice(edition.grid)
    tables = {t.id: estimates.tables[t.id][statistic] for t in edition.release.tables}
    for e in tables.values():
        unit = float(edition.plan.measurements[0].unit)
        true = edition.grid.roll_up(counts, e.levels) * unit
        assert e.value.shape == true.shape
        assert (np.abs(e.unrounded - true) < 8 * e.standard_error).all()
        assert np.mean((e.lower <= true) & (true <= e.upper)) > 0.8
    for a, b in combinations(tables.values(), 2):
        first, second = lattice.key(a.levels), lattice.key(b.levels)
        shared = lattice.coarsest((first, second))
        np.testing.assert_allclose(lattice.roll_up(a.value, first, shared), lattice.roll_up(b.value, second, shared))


def test_two_flat_dimensions_without_time() -> None:
    edition = declare(
        {"sex": flat("sex", 2), "cause": flat("cause", 40)},
        [{"name": "sex", "column": "sex"}, {"name": "cause", "column": "cause"}],
        [
            {"id": "both", "levels": {"sex": "code", "cause": "code"}},
            {"id": "cause", "levels": {"cause": "code"}},
            {"id": "all", "levels": {}},
        ],
    )
    check(edition, np.random.default_rng(1).poisson(250, edition.grid.shape()))


def test_a_deep_unbalanced_hierarchy() -> None:
    rows = []
    for i in range(60):
        district, county = i // 3 if i < 30 else 10 + (i - 30) // 7, i // 9
        county = district // 3
        rows.append(
            {
                "code": f"W{i}",
                "name": f"Ward {i}",
                "district": f"D{district}",
                "county": f"C{county}",
                "nation": f"N{county // 3}",
            }
        )
    wards = CodeList("ward", Path("ward.csv"), ("code", "name", "district", "county", "nation"), tuple(rows))
    names = ["ward", "district", "county", "nation"]
    edition = declare(
        {"ward": wards},
        [{"name": "area", "column": "ward", "levels": names}, {"name": "date", "column": "day", "levels": ["month"]}],
        [{"id": f"by-{name}", "levels": {"area": name, "date": "month"}} for name in names]
        + [{"id": "year", "levels": {"area": "ward"}}],
    )
    check(edition, np.random.default_rng(1).poisson(25, edition.grid.shape()))


def test_a_single_table() -> None:
    edition = declare(
        {"sex": flat("sex", 2)}, [{"name": "sex", "column": "sex"}], [{"id": "one", "levels": {"sex": "code"}}]
    )
    check(edition, np.array([9000, 11000]))


def test_sums_alone_in_fixed_point_with_negative_values() -> None:
    edition = declare(
        {"cause": flat("cause", 12)},
        [{"name": "cause", "column": "cause"}],
        [
            {"id": "one", "levels": {"cause": "code"}, "statistics": ["stay"]},
            {"id": "all", "levels": {}, "statistics": ["stay"]},
        ],
        statistics=[{"id": "stay", "kind": "sum", "column": "stay", "lower": -5, "upper": 20, "resolution": "0.25"}],
    )
    check(edition, np.random.default_rng(1).integers(-4000, 8000, edition.grid.shape()), "stay")


@pytest.mark.parametrize("levels", [["day", "week", "month"], ["day", "month"]])
def test_weeks_and_months_that_do_not_nest(levels: list[str]) -> None:
    edition = declare(
        {"sex": flat("sex", 2)},
        [{"name": "date", "column": "day", "levels": levels}, {"name": "sex", "column": "sex"}],
        [
            {"id": f"by-{level}", "levels": {"date": level, **({"sex": "code"} if level != "day" else {})}}
            for level in levels
        ],
    )
    check(edition, np.random.default_rng(1).poisson(40, edition.grid.shape()))


def gather(
    edition: DeclaredEdition, draw: Callable[[np.random.Generator], np.ndarray], releases: int = 30
) -> dict[str, np.ndarray]:
    """Table → mean squared error of published and of unbiased values, and coverage, over simulated releases."""
    rng = np.random.default_rng(5)
    rows: dict[str, list[tuple[float, ...]]] = {}
    for _ in range(releases):
        counts = draw(rng)
        estimates = edition.estimate(edition.draw({"count": counts}, rng))
        for table in edition.release.tables:
            e = estimates.tables[table.id]["count"]
            true = edition.grid.roll_up(counts, e.levels)
            inside = np.mean((e.lower <= true) & (true <= e.upper))
            rows.setdefault(table.id, []).append(
                (float(np.mean((e.value - true) ** 2)), float(np.mean((e.unrounded - true) ** 2)), float(inside))
            )
    return {table: np.mean(found, axis=0) for table, found in rows.items()}


@pytest.mark.parametrize("expected", [{"expected_total": 20_000}, {}])
def test_intervals_cover_two_flat_dimensions_with_a_guess_and_without(expected: dict[str, float]) -> None:
    edition = declare(
        {"sex": flat("sex", 2), "cause": flat("cause", 40)},
        [{"name": "sex", "column": "sex"}, {"name": "cause", "column": "cause"}],
        [{"id": "both", "levels": {"sex": "code", "cause": "code"}}, {"id": "cause", "levels": {"cause": "code"}}],
        statistics=[{"id": "count", **expected}],
    )
    found = gather(edition, lambda rng: rng.poisson(250 * rng.gamma(0.5, 2, (1, 40)) * rng.gamma(4, 0.25, (2, 40))))
    for mse, unbiased, covered in found.values():
        assert mse < unbiased + 0.1
        assert 0.92 < covered < 0.98


@pytest.mark.parametrize("sparse", [True, False])
def test_a_single_long_table_is_covered_and_gains_where_most_of_it_is_empty(sparse: bool) -> None:
    edition = declare(
        {"cause": flat("cause", 300)},
        [{"name": "cause", "column": "cause"}],
        [{"id": "one", "levels": {"cause": "code"}}],
    )

    def draw(rng: np.random.Generator) -> np.ndarray:
        return rng.poisson(100.0 * (rng.random(300) < 0.05) if sparse else 66 * rng.gamma(0.3, 3, 300))

    ((mse, unbiased, covered),) = gather(edition, draw).values()
    assert mse < (0.7 if sparse else 1.0) * unbiased
    assert 0.93 < covered < 0.98
