"""Intervals reach as far as the noise does, and never where no count can be."""

from __future__ import annotations

import numpy as np
import pytest

from dp_stats.estimate.intervals import (
    around,
    laplace_sum_quantile,
    never_a_point,
    ratio_interval,
    whole_numbers,
)
from dp_stats.plan.expected import NORMAL_95


@pytest.mark.parametrize("draws", [1, 2, 5, 20])
def test_the_quantile_of_a_sum_of_laplace_draws_is_what_simulation_gives(draws: int) -> None:
    rng = np.random.default_rng(draws)
    sums = rng.laplace(size=(400_000, draws)).sum(axis=1) / np.sqrt(2 * draws)
    inside = np.mean(np.abs(sums) <= laplace_sum_quantile(float(draws)))
    assert abs(inside - 0.95) < 5 * np.sqrt(0.95 * 0.05 / 400_000)


def test_the_quantile_falls_to_the_normal_one_as_draws_grow() -> None:
    reach = [laplace_sum_quantile(n) for n in (1.0, 1.5, 3.0, 10.0, 90.0, 1000.0)]
    assert reach == sorted(reach, reverse=True)
    assert reach[0] == pytest.approx(np.log(20) / np.sqrt(2), abs=1e-3)
    assert reach[-1] == pytest.approx(NORMAL_95)


def test_an_interval_holds_the_published_value_and_all_that_it_held_before() -> None:
    lower, upper = around(np.array([6.0, 0.0, 0.0]), np.array([0.0, 2.0, 2.0]), np.array([5.0, 4.0, 9.0]))
    assert lower.tolist() == [0.0, 0.0, 0.0]
    assert upper.tolist() == [6.0, 4.0, 9.0]


def test_an_interval_is_never_a_single_point_while_noise_can_move_the_value() -> None:
    ends = np.array([0.0, 4.0, 4.0])
    lower, upper = never_a_point(ends, ends, np.array([1.0, 1.0, 0.0]), low=0.0)
    assert lower.tolist() == [0.0, 3.0, 4.0]
    assert upper.tolist() == [1.0, 5.0, 4.0]


def test_whole_numbers_of_an_interval_are_those_inside_it() -> None:
    lower, upper = whole_numbers(np.array([0.2, 3.0, 1.3]), np.array([4.7, 5.0, 1.6]))
    assert lower.tolist() == [1.0, 3.0, 1.0]
    assert upper.tolist() == [4.0, 5.0, 1.0]


def test_a_ratio_over_something_that_may_be_zero_can_be_anything() -> None:
    one = np.array([1.0])
    lower, upper, _ = ratio_interval(one, one, one, one * 4, 0.0, 1.96, low=0.0, high=50.0)
    assert (lower.item(), upper.item()) == (0.0, 50.0)


def test_ratio_intervals_cover_also_where_the_bottom_is_noisy() -> None:
    rng = np.random.default_rng(3)
    top, bottom = 30 + 6 * rng.normal(size=100_000), 12 + 2 * rng.normal(size=100_000)
    lower, upper, _ = ratio_interval(
        top, bottom, np.full(100_000, 36.0), np.full(100_000, 4.0), 0.0, NORMAL_95, low=-np.inf, high=np.inf
    )
    assert abs(np.mean((lower <= 2.5) & (upper >= 2.5)) - 0.95) < 0.005
