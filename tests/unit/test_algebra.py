"""Least squares over levels agrees with plain dense algebra, at any size and shape."""

from __future__ import annotations

import resource
import time
from itertools import product

import numpy as np
import pytest

from dp_stats.catalogue import Grid
from dp_stats.plan.algebra import Structure
from tests.plan_examples import REGIONS, dense, dimension, rows_of


def random_case(seed: int) -> tuple[Grid, dict[tuple[str, ...], float]]:
    """Up to three dimensions of unequal groups, nested or not, some of the levels measured."""
    rng = np.random.default_rng(seed)
    dimensions = []
    for name in "xyz"[: rng.integers(1, 4)]:
        leaves = int(rng.integers(1, 9))
        fine = np.unique(rng.integers(0, 4, leaves), return_inverse=True)[1]
        nested = rng.integers(0, 2, fine.max() + 1)[fine]
        crossing = rng.integers(0, 3, leaves)
        dimensions.append(dimension(name, fine, crossing if seed % 3 == 0 else nested))
    grid = Grid(tuple(dimensions))
    keys = list(product(*([level.name for level in d.levels] for d in dimensions)))
    chosen = rng.choice(len(keys), min(len(keys), int(rng.integers(1, 6))), replace=False)
    precision = {keys[i]: float(np.exp(2 * rng.normal())) for i in chosen}
    if seed % 2:
        precision[keys[0]] = 0.3
    return grid, precision


@pytest.mark.parametrize("seed", range(40))
def test_estimates_equal_dense_least_squares(seed: int) -> None:
    grid, precision = random_case(seed)
    structure = Structure(grid, precision)
    rng = np.random.default_rng(seed)
    names = [d.name for d in grid.dimensions]
    measured = {key: rng.normal(size=grid.shape(dict(zip(names, key, strict=True)))) for key in precision}
    h = sum(
        p * rows_of(grid, dict(zip(names, key, strict=True))).T @ measured[key].ravel() for key, p in precision.items()
    )
    expected = np.linalg.pinv(dense(grid, precision), rcond=1e-11) @ h
    np.testing.assert_allclose(structure.normal(measured).ravel(), h, atol=1e-10)
    np.testing.assert_allclose(structure.estimate(measured).ravel(), expected, atol=1e-8)


@pytest.mark.parametrize("seed", range(40))
def test_variances_of_all_cells_equal_dense_algebra_and_are_infinite_where_nothing_was_measured(seed: int) -> None:
    grid, precision = random_case(seed)
    structure = Structure(grid, precision)
    matrix = dense(grid, precision)
    inverse = np.linalg.pinv(matrix, rcond=1e-11)
    for key in product(*([level.name for level in d.levels] for d in grid.dimensions)):
        levels = dict(zip((d.name for d in grid.dimensions), key, strict=True))
        rows = rows_of(grid, levels)
        unseen = np.abs(rows - rows @ inverse @ matrix).max(axis=1) > 1e-7
        expected = np.where(unseen, np.inf, np.einsum("ij,jk,ik->i", rows, inverse, rows))
        np.testing.assert_allclose(structure.variance(levels).ravel(), expected, rtol=1e-8)


@pytest.mark.parametrize("seed", range(1, 20, 2))
def test_product_queries_have_exact_variances_and_covariances(seed: int) -> None:
    grid, precision = random_case(seed)
    structure = Structure(grid, precision)
    inverse = np.linalg.inv(dense(grid, precision))
    rng = np.random.default_rng(seed)
    first, second = ({d.name: rng.normal(size=(3, len(d))) for d in grid.dimensions} for _ in range(2))
    a, b = rows_of(grid, first), rows_of(grid, second)
    np.testing.assert_allclose(structure.query_variance(first).ravel(), ((a @ inverse) * a).sum(axis=1), rtol=1e-8)
    np.testing.assert_allclose(
        structure.covariance(first, second).ravel(), ((a @ inverse) * b).sum(axis=1), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("seed", range(40))
def test_covariances_with_every_cell_are_those_of_dense_algebra_each_with_the_number_of_its_cells(seed: int) -> None:
    grid, precision = random_case(seed)
    inverse = np.linalg.pinv(dense(grid, precision), rcond=1e-11)
    rng = np.random.default_rng(seed)
    sizes = (3000, 1) if seed % 2 else (3000,)  # conjugate gradients need a query that is told
    structures = [Structure(grid, precision, largest_dense=largest) for largest in sizes]
    for key in product(*([level.name for level in d.levels] for d in grid.dimensions)):
        levels = dict(zip((d.name for d in grid.dimensions), key, strict=True))
        # queries with symmetries, such as single groups, and without
        query = [
            rng.normal(size=len(d)) if seed % 4 == 0 else (d.levels[1].group == rng.integers(0, 2)) * rng.normal()
            for d in grid.dimensions
        ]
        row = rows_of(grid, {d.name: q[None] for d, q in zip(grid.dimensions, query, strict=True)})
        expected = np.sort((row @ inverse @ rows_of(grid, levels).T).ravel())
        for structure in structures:
            found, count = structure.covariances_with(query, levels)
            np.testing.assert_allclose(np.sort(np.repeat(found.ravel(), count.ravel())), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("seed", range(1, 20, 2))
def test_large_blocks_are_solved_as_exactly_by_conjugate_gradients(seed: int) -> None:
    grid, precision = random_case(seed)
    inverted, iterated = Structure(grid, precision), Structure(grid, precision, largest_dense=1)
    h = np.random.default_rng(seed).normal(size=grid.shape())
    np.testing.assert_allclose(iterated.solve(h), inverted.solve(h), rtol=1e-8, atol=1e-8)
    for d in grid.dimensions:
        levels = {d.name: d.levels[1].name}
        np.testing.assert_allclose(iterated.variance(levels), inverted.variance(levels), rtol=1e-8)


def test_conjugate_gradients_also_see_what_was_not_measured() -> None:
    grid = Grid((dimension("x", [0, 0, 0, 1, 1]), dimension("y", [0, 0, 1])))
    precision = {("x1", "y1"): 2.0, ("all", "all"): 0.1}
    structure = Structure(grid, precision, largest_dense=1)
    assert np.isinf(structure.variance({"x": "x", "y": "y"})).all()
    exact = Structure(grid, precision).variance({"x": "x1"})
    np.testing.assert_allclose(structure.variance({"x": "x1"}), exact, rtol=1e-8)


def test_a_year_of_four_hundred_areas_and_ten_bands_takes_seconds_and_little_memory() -> None:
    areas = np.repeat(np.arange(len(REGIONS)), REGIONS)
    days = np.arange(364)
    grid = Grid(
        (dimension("area", areas), dimension("day", days // 7, days // 28), dimension("band", np.zeros(10, int)))
    )
    precision = {("area", "day1", "band"): 1 / 9.2, ("area", "day", "all"): 1 / 9.7, ("all", "day", "band"): 1 / 300}
    h = np.random.default_rng(0).normal(size=grid.shape())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    structure = Structure(grid, precision)
    structure.solve(h)
    structure.variance({"area": "area", "day": "day"})
    structure.query_variance({"area": "area", "day": np.tril(np.ones((364, 364)))})
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000
