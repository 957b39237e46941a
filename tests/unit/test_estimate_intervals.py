"""Intervals reach as far as the noise does, and never where no count can be."""

from __future__ import annotations

import numpy as np
import pytest

from dp_stats.estimate.intervals import (
    around,
    interval,
    laplace_sum_quantile,
    normal_quantile,
    one_draw_quantile,
    quantile_of_parts,
    ratio_interval,
    whole_numbers,
)
from dp_stats.plan.mechanism import Mechanism, noise_variance


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
    assert reach[-1] == pytest.approx(normal_quantile())


def test_one_dominant_draw_counts_as_one() -> None:
    assert quantile_of_parts(np.array([1.0, 1e-6])) == pytest.approx(laplace_sum_quantile(1.0))
    assert quantile_of_parts(np.ones(1000)) == pytest.approx(normal_quantile())
    assert quantile_of_parts(np.zeros(3)) == normal_quantile()


def test_intervals_are_limited_at_zero_and_hold_the_published_value() -> None:
    lower, upper = interval(np.array([1.0, -9.0]), np.array([2.0, 2.0]), 2.0, low=0.0)
    assert lower.tolist() == [0.0, 0.0]
    assert upper[0] == 5.0
    assert 0.0 < upper[1] < 2.0, "a single point would look like certainty"
    assert around(np.array([6.0, 0.0]), lower, upper)[1].tolist() == [6.0, upper[1]]


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
        top, bottom, np.full(100_000, 36.0), np.full(100_000, 4.0), 0.0, normal_quantile(), low=-np.inf, high=np.inf
    )
    assert abs(np.mean((lower <= 2.5) & (upper >= 2.5)) - 0.95) < 0.005


@pytest.mark.parametrize("mechanism", ["discrete_laplace", "discrete_gaussian"])
@pytest.mark.parametrize("scale", [0.3, 0.6, 1.0, 1.5, 3.0, 12.0])
def test_an_interval_of_one_discrete_draw_holds_95_percent(mechanism: Mechanism, scale: float) -> None:
    reach = round(one_draw_quantile(scale, mechanism) * noise_variance(scale, mechanism) ** 0.5)
    steps = np.arange(-600, 601)
    mass = np.exp(-np.abs(steps) / scale if mechanism == "discrete_laplace" else -(steps**2) / (2 * scale**2))
    mass /= mass.sum()
    assert mass[np.abs(steps) <= reach].sum() >= 0.95
    assert reach == 0 or mass[np.abs(steps) < reach].sum() < 0.95


def test_an_interval_never_shrinks_to_zero_where_noise_pushed_the_value_below_it() -> None:
    centre = np.array([-1000.0, -30.0, -20.0, -10.0, -0.001, 0.0, 5.0])
    lower, upper = interval(centre, np.full(7, 10.0), 1.96, low=0.0)
    assert (lower == 0).all()
    assert (np.diff(upper) > 0).all()
    assert upper[0] > 0.2
    assert upper[4] == pytest.approx(upper[5], abs=0.01)
    assert upper[5] == pytest.approx(19.6)
