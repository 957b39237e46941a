"""Whatever is published and however noisy: nothing is negative and every two tables agree on what they share."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.grid import Dimension, Grid, Level, date_dimension, flat_level
from dp_stats.catalogue.periods import parse_period
from dp_stats.estimate.consistent import make_consistent
from dp_stats.estimate.lattice import Lattice, LevelIndex


def grid_of(sizes: list[int], period: str, bands: int, date_levels: tuple[str, ...]) -> Grid:
    leaves = sum(sizes)
    names = tuple(f"A{i}" for i in range(leaves))
    regions = tuple(f"R{i}" for i in range(len(sizes)))
    area = Dimension(
        "area",
        "area",
        "code",
        (
            Level("area", names, names, np.arange(leaves)),
            Level("region", regions, regions, np.repeat(np.arange(len(sizes)), sizes)),
            flat_level("all", "all", "All", leaves),
        ),
    )
    band_names = tuple(f"B{i}" for i in range(bands))
    band = Dimension(
        "band",
        "band",
        "code",
        (Level("band", band_names, band_names, np.arange(bands)), flat_level("all", "all", "All", bands)),
    )
    return Grid((area, date_dimension("date", "date", parse_period(period), date_levels), band))


@st.composite
def published(draw: st.DrawFn) -> tuple[Grid, list[dict[str, str]], np.ndarray]:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    levels = draw(st.sampled_from([("day", "week"), ("day", "week", "month"), ("week",), ("month", "day")[::-1]]))
    grid = grid_of(sizes, "2024-02-26--2024-04-07", draw(st.integers(1, 3)), levels)
    tables = draw(
        st.lists(
            st.fixed_dictionaries(
                {d.name: st.sampled_from([level.name for level in d.levels]) for d in grid.dimensions}
            ),
            min_size=1,
            max_size=5,
        )
    )
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    leaves = rng.poisson(draw(st.sampled_from([0.05, 1.0, 20.0])), grid.shape()) + rng.laplace(
        scale=draw(st.sampled_from([0.1, 3.0, 50.0])), size=grid.shape()
    )
    return grid, tables, leaves


@settings(max_examples=150, deadline=None)
@given(published())
def test_tables_are_not_negative_and_agree_on_all_they_share(
    case: tuple[Grid, list[dict[str, str]], np.ndarray],
) -> None:
    grid, tables, leaves = case
    lattice = Lattice(grid)
    keys = [lattice.key(t) for t in tables]
    settled = make_consistent(grid, keys, lambda key: grid.roll_up(leaves, lattice.names(key)))
    for key in keys:
        assert settled[key].dtype == np.int64
        assert settled[key].min() >= 0
    for a, b in combinations(keys, 2):
        shared = lattice.coarsest((a, b))
        np.testing.assert_array_equal(lattice.roll_up(settled[a], a, shared), lattice.roll_up(settled[b], b, shared))


@settings(max_examples=50, deadline=None)
@given(published())
def test_signed_sums_agree_without_being_limited_at_zero(case: tuple[Grid, list[dict[str, str]], np.ndarray]) -> None:
    grid, tables, leaves = case
    lattice = Lattice(grid)
    keys = [lattice.key(t) for t in tables]
    target = {}

    def value(key: LevelIndex) -> np.ndarray:
        target[key] = grid.roll_up(leaves - leaves.mean(), lattice.names(key))
        return target[key]

    settled = make_consistent(grid, keys, value, signed=True)
    for a, b in combinations(keys, 2):
        shared = lattice.coarsest((a, b))
        np.testing.assert_array_equal(lattice.roll_up(settled[a], a, shared), lattice.roll_up(settled[b], b, shared))


@settings(max_examples=50, deadline=None)
@given(published())
def test_whole_numbers_that_agree_already_stay_as_they_are(case: tuple[Grid, list[dict[str, str]], np.ndarray]) -> None:
    grid, tables, leaves = case
    exact = np.maximum(np.rint(leaves), 0).astype(np.int64)
    lattice = Lattice(grid)
    keys = [lattice.key(t) for t in tables]
    settled = make_consistent(grid, keys, lambda key: grid.roll_up(exact, lattice.names(key)).astype(float))
    for key in keys:
        np.testing.assert_array_equal(settled[key], grid.roll_up(exact, lattice.names(key)))
