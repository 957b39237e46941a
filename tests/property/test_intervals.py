"""Whatever is released and however noisy: what every interval promises, and one number has one interval."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.estimate.spread import spread_of_level
from dp_stats.estimate.tables import fit_all
from tests.estimate_examples import DeclaredEdition, declare_edition

LOSSES: tuple[dict[str, Any], ...] = (
    {"epsilon": "0.1"}, {"epsilon": 1}, {"epsilon": 5}, {"epsilon": 15}, {"rho": "0.02"}, {"rho": 1}, {"rho": 20},
    {"epsilon": 1, "delta": "1e-6"},
)  # fmt: skip
BOUNDS: tuple[dict[str, Any] | None, ...] = (None, {"rows": 2, "repeats": {"1": 0.6, "2": 0.3, "5": 0.1}})


@st.composite
def released(draw: st.DrawFn) -> tuple[DeclaredEdition, dict[str, np.ndarray], int]:
    """An edition with days, their 7-day and cumulative sums, weeks, and perhaps more; its exact counts; and a seed."""
    sizes = draw(st.sampled_from([(1,), (3, 4, 2), (1, 12), (2, 14, 20)]))
    further = draw(st.lists(st.sampled_from(["region", "all", "band"]), max_size=2, unique=True))
    levels: dict[str, dict[str, str]] = {
        "region": {"area": "region", "date": "day"},
        "all": {"date": "day"},
        "band": {"area": "area", "date": "week", "band": "band"},
    }
    tables = (
        {"id": "day", "levels": {"area": "area", "date": "day"}, "statistics": ["count", "rolling", "cumulative"]},
        {"id": "week", "levels": {"area": "area", "date": "week"}, "statistics": ["count"]},
        {"id": "area", "levels": {"area": "area"}, "statistics": ["count"]},
        *({"id": name, "levels": levels[name], "statistics": ["count"]} for name in further),
    )
    derived = (
        {"id": "rolling", "kind": "rolling", "of": "count", "days": 7},
        {"id": "cumulative", "kind": "cumulative", "of": "count"},
    )
    edition = declare_edition(
        areas=sizes,
        tables=tables,
        derived=derived,
        bands=2,
        loss=draw(st.sampled_from(LOSSES)),
        contribution=draw(st.sampled_from(BOUNDS)),
    )
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    exact = rng.poisson(draw(st.sampled_from([0.02, 1.0, 40.0])), edition.grid.shape())
    exact[rng.random(exact.shape) < draw(st.sampled_from([0.0, 0.01]))] += 60
    drawn = {"count": exact, "truncated_rows": exact // 6, "truncated_persons": exact // 8}
    return edition, drawn, seed


@settings(max_examples=6, deadline=None)
@given(released())
def test_intervals_hold_their_value_are_no_point_no_wider_than_those_of_least_squares_and_one_for_each_number(
    case: tuple[DeclaredEdition, dict[str, np.ndarray], int],
) -> None:
    edition, exact, seed = case
    noisy = edition.draw(exact, np.random.default_rng(seed))
    tables = edition.estimate(noisy).tables
    count = fit_all(edition.plan, grid=edition.grid, release=edition.release, noisy=noisy)["count"]
    for table in edition.release.tables:
        for name in table.statistics:
            e = tables[table.id][name]
            known = ~np.isnan(e.value)
            assert ((e.lower <= e.value) & (e.value <= e.upper))[known].all()
            assert ((e.upper - e.lower) >= 1)[known].all(), "noise can move every value, so none is known exactly"
            assert (e.lower[known] >= 0).all()
        e = tables[table.id]["count"]
        spread = spread_of_level(count, e.levels)
        lower, upper = spread.interval(0.0)
        moved = np.maximum(np.maximum(lower - e.value, e.value - upper), 0.0)
        own = 2 * spread.law.two_sided_reach(spread.error)
        least = np.where(moved > 0, 3.0, 2.0)  # three whole numbers, where none or one is inside
        assert (e.upper - e.lower <= np.maximum(own, least) + moved + 1e-6).all()
    # a Sunday's 7-day sum is its week, and the last cumulative sum the area's total
    for side in ("value", "lower", "upper"):
        days, so_far = (getattr(tables["day"][name], side) for name in ("rolling", "cumulative"))
        np.testing.assert_array_equal(days[:, 6::7], getattr(tables["week"]["count"], side))
        np.testing.assert_array_equal(so_far[:, -1:], getattr(tables["area"]["count"], side))
