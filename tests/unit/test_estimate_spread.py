"""One number has one interval, whichever way it is come to, and sums over windows have the law of their own length."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dp_stats.estimate.laws import ALIKE, _nodes, laws_of_cells
from dp_stats.estimate.parts import Part, total
from dp_stats.estimate.spread import spread_of_windows
from dp_stats.estimate.tables import fit_all
from tests.estimate_examples import DeclaredEdition, declare_edition

WEEKS = tuple(range(6, 28, 7))
"""Sundays of the four weeks of the examples."""


def edition(epsilon: float, *, count: str = "count", **options: Any) -> DeclaredEdition:
    derived = (
        {"id": "week-to-day", "kind": "rolling", "of": count, "days": 7},
        {"id": "so-far", "kind": "cumulative", "of": count},
        {"id": "rate", "kind": "rate", "of": count, "per": 1000},
    )
    tables = (
        {
            "id": "day",
            "levels": {"area": "area", "date": "day"},
            "statistics": [count, "week-to-day", "so-far", "rate"],
        },
        {"id": "week", "levels": {"area": "area", "date": "week"}, "statistics": [count, "rate"]},
        {"id": "area", "levels": {"area": "area"}, "statistics": [count]},
    )
    return declare_edition(tables=tables, derived=derived, loss={"epsilon": epsilon}, **options)


@pytest.mark.parametrize("epsilon", [0.2, 1, 4, 12])
@pytest.mark.parametrize("mean", [0.1, 20.0])
def test_one_number_has_one_interval_whichever_way_one_comes_to_it(epsilon: float, mean: float) -> None:
    """A Sunday's 7-day sum is its week's count, the last cumulative number is the area's, and a rate is its count's."""
    made = edition(epsilon)
    exact = np.random.default_rng(1).poisson(mean, made.grid.shape())
    tables = made.estimate(made.draw({"count": exact}, np.random.default_rng(2))).tables
    day, week = tables["day"], tables["week"]["count"]
    whole = tables["area"]["count"]
    people = 1000.0 * np.arange(1, 10).reshape(-1, 1, 1)
    for side in ("value", "lower", "upper"):
        np.testing.assert_array_equal(getattr(day["week-to-day"], side)[:, WEEKS], getattr(week, side))
        np.testing.assert_array_equal(getattr(day["so-far"], side)[:, -1:], getattr(whole, side))
        np.testing.assert_allclose(getattr(day["rate"], side) * people / 1000, getattr(day["count"], side))


@pytest.mark.parametrize("epsilon", [0.2, 4, 12])
def test_intervals_of_sums_over_windows_are_whole_numbers_and_never_a_point(epsilon: float) -> None:
    made = edition(epsilon)
    exact = np.random.default_rng(1).poisson(3.0, made.grid.shape())
    tables = made.estimate(made.draw({"count": exact}, np.random.default_rng(2))).tables
    for name in ("week-to-day", "so-far"):
        found = tables["day"][name]
        known = ~np.isnan(found.value)
        for side in (found.lower[known], found.upper[known]):
            np.testing.assert_array_equal(side, np.rint(side))
        assert ((found.upper - found.lower)[known] >= 1).all()
        assert ((found.lower <= found.value) & (found.value <= found.upper))[known].all()


@pytest.mark.parametrize("loss", [{"epsilon": 1}, {"epsilon": 6}, {"epsilon": 14}, {"rho": 2}, {"rho": 12}])
def test_each_cumulative_sum_is_held_95_percent_of_the_time_by_its_own_law(loss: dict[str, Any]) -> None:
    """With little noise an error is none, one or two steps, and how often depends on the number of days. With more, whole
    steps still make single windows differ a little; all together hold."""
    made = declare_edition(
        tables=({"id": "day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},),
        loss=loss,
    )
    exact = np.full(made.grid.shape(), 50)
    noisy = made.draw({"count": exact}, np.random.default_rng(0))
    count = fit_all(made.plan, grid=made.grid, release=made.release, noisy=noisy)["count"]
    dates = made.grid["date"]
    window = np.tril(np.ones((len(dates), len(dates))))
    levels = {"area": "area", "date": "day", "band": "all"}
    spread, queries = spread_of_windows(count, levels, dates, window)
    lower, upper = spread.law.interval(np.zeros_like(spread.error), spread.error)
    outside = np.zeros(len(dates))
    for day in range(len(dates)):
        own = count.law({**queries, "date": window[[day]]})
        reach = (upper - lower)[0, day, 0] / 2 / spread.error[0, day, 0]
        outside[day] = 2 * float(np.interp(reach, own.points, own.beyond))
        step = 1 / spread.error[0, day, 0]  # what is published is at least that wide
        assert reach <= max(1.35 * max(own.two_sided, 1.96), 1.01 * step), day
    assert outside.max() <= (0.055 if np.median(spread.error) < 2 else 0.075)
    assert outside.mean() <= 0.055


@given(
    errors=st.lists(st.one_of(st.floats(0.01, 50), st.just(float("nan"))), min_size=1, max_size=40),
    most=st.integers(2, 6),
    alike=st.sampled_from([1.0, ALIKE]),
)
def test_a_window_takes_the_law_of_one_that_is_no_more_certain(errors: list[float], most: int, alike: float) -> None:
    error = np.array(errors)
    nodes, which, stretch = _nodes(error, most, alike=alike)
    wanted = ~np.isnan(error)
    assert len(nodes) <= most
    assert wanted[nodes].all()
    assert (stretch >= 1).all()
    if wanted.any():
        np.testing.assert_allclose(error[nodes][which[wanted]], (error * stretch)[wanted], rtol=1e-6)
    if len(np.unique(np.round(error[wanted], 9))) <= most:
        assert (stretch <= alike * (1 + 1e-6)).all()


def test_an_answer_is_never_a_point_while_noise_can_move_it() -> None:
    made = edition(14)
    exact = np.random.default_rng(1).poisson(3.0, made.grid.shape())
    noisy = made.draw({"count": exact}, np.random.default_rng(2))
    count = fit_all(made.plan, grid=made.grid, release=made.release, noisy=noisy)["count"]
    day = {"area": "area", "date": "day"}
    part = Part("e", date(2024, 3, 4), date(2024, 4, 1), count.value(day), count.variance(day), count.law(day))
    found = total([part], made.release.statistics[0])
    assert ((found.upper - found.lower) >= 1).all()


def test_the_rate_of_distinct_persons_holds_those_who_may_be_missing_as_their_number_does() -> None:
    statistics = ({"id": "count", "kind": "count", "expected_total": 5000}, {"id": "people", "kind": "persons"})
    made = declare_edition(
        statistics=statistics,
        derived=({"id": "rate", "kind": "rate", "of": "people", "per": 1000},),
        tables=(
            {"id": "area", "levels": {"area": "area"}, "statistics": ["count", "people", "rate"]},
            {"id": "day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},
        ),
        contribution={"rows": 2, "repeats": {"1": 0.5, "2": 0.3, "8": 0.2}},
    )
    exact = np.random.default_rng(1).poisson(20.0, made.grid.shape())
    drawn = {"count": exact, "people": exact, "truncated_rows": exact // 4, "truncated_persons": exact // 8}
    area = made.estimate(made.draw(drawn, np.random.default_rng(2))).tables["area"]
    people = 1000.0 * np.arange(1, 10).reshape(-1, 1, 1)
    np.testing.assert_allclose(area["rate"].upper * people / 1000, area["people"].upper)
    assert (area["people"].upper - area["people"].value > (area["people"].value - area["people"].lower) + 20).all()


@pytest.mark.parametrize("level", ["day", "week"])
def test_regions_of_unlike_size_have_laws_of_their_own_where_there_is_little_noise(level: str) -> None:
    """A region's error is none, one or two steps, and how often depends on how many areas it is the sum of: the law of one
    does not hold for another, and its own does."""
    made = declare_edition(
        tables=({"id": "day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},),
        loss={"epsilon": 3},
        areas=(1, 3, 9, 20),
    )
    count = fit_all(
        made.plan,
        grid=made.grid,
        release=made.release,
        noisy=made.draw({"count": np.full(made.grid.shape(), 50)}, np.random.default_rng(0)),
    )["count"]
    queries = {"area": "region", "date": level, "band": "all"}
    error = np.sqrt(count.variance(queries))
    outside, shared = [], []
    for region in range(4):
        row = (count.grid["area"].level("region").group == region)[None].astype(float)
        own = count.law({**queries, "area": row})
        for reach, found in ((laws_of_cells(count, queries).two_sided_reach(error), outside),
                             (count.law(queries).two_sided * error, shared)):  # fmt: skip
            steps = reach[region, 0, 0] / error[region, 0, 0]
            found.append(2 * float(np.interp(steps, own.points, own.beyond)))
    assert max(outside) <= 0.05 + 1e-6
    assert max(shared) > 0.06, "one law for all is caught"
