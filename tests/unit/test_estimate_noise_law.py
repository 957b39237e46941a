"""The law of an error is exact, and its intervals hold every true value 95 % of the time, also near zero."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.sampling import discrete_gaussian, discrete_laplace
from dp_stats.estimate.noise_law import Draws, NoiseLaw, law_of, normal_law, one_draw
from dp_stats.plan.mechanism import Mechanism, noise_variance

DRAWS = 200_000


def test_a_law_is_that_of_simulated_sums() -> None:
    rng = np.random.default_rng(1)
    for scale, weights in ((0.4, (1.0, 0.5, 0.25)), (1.0, (1.0, 0.3, 0.3, 0.3)), (5.0, (1.0,) * 7)):
        parts = [Draws(w, 1, scale, "discrete_laplace") for w in weights]
        error = sum(w * discrete_laplace(rng, scale, (DRAWS,)) for w in weights)
        deviation = sum(p.variance for p in parts) ** 0.5
        law = law_of(parts)
        for tail in (0.1, 0.05, 0.025):
            beyond = np.mean(error > float(law.reach(tail)) * deviation)
            assert beyond <= tail + 5 * (tail / DRAWS) ** 0.5
            less = np.mean(error > (float(law.reach(tail)) - 0.03) * deviation - 1e-9)
            assert less >= tail - 5 * (tail / DRAWS) ** 0.5


@pytest.mark.parametrize("mechanism", ["discrete_laplace", "discrete_gaussian"])
@pytest.mark.parametrize("scale", [0.3, 0.6, 1.0, 1.5, 3.0, 12.0])
def test_an_interval_of_one_discrete_draw_holds_95_percent_and_no_step_too_many(
    mechanism: Mechanism, scale: float
) -> None:
    reach = int(one_draw(scale, mechanism).two_sided * noise_variance(scale, mechanism) ** 0.5)
    steps = np.arange(-600, 601)
    mass = np.exp(-np.abs(steps) / scale if mechanism == "discrete_laplace" else -(steps**2) / (2 * scale**2))
    mass /= mass.sum()
    assert mass[np.abs(steps) <= reach].sum() >= 0.95
    assert reach == 0 or mass[np.abs(steps) < reach].sum() < 0.95


def test_many_draws_and_dominant_ones_reach_as_far_as_they_should() -> None:
    assert law_of([Draws(1.0, 1000, 5.0, "discrete_laplace")]).two_sided == pytest.approx(1.96, abs=0.01)
    one = law_of([Draws(1.0, 1, 50.0, "discrete_laplace"), Draws(1e-4, 50, 50.0, "discrete_laplace")])
    assert one.two_sided == pytest.approx(np.log(20) / np.sqrt(2), abs=0.01)
    assert law_of([]).two_sided == normal_law().two_sided


LAWS = {
    "normal": (normal_law(), lambda rng: rng.normal(size=DRAWS)),
    "Laplace": (
        one_draw(4.0, "discrete_laplace"),
        lambda rng: discrete_laplace(rng, 4.0, (DRAWS,)) / noise_variance(4.0, "discrete_laplace") ** 0.5,
    ),
    "Gaussian": (one_draw(4.0, "discrete_gaussian"), lambda rng: discrete_gaussian(rng, 4.0, (DRAWS,)) / 4.0),
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("truth", [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 6.0])
def test_every_true_value_is_held_95_percent_of_the_time_also_near_the_limit(name: str, truth: float) -> None:
    law, draw = LAWS[name]
    estimate = truth + draw(np.random.default_rng(3))
    lower, upper = law.interval(estimate, np.ones(DRAWS), low=0.0)
    inside = np.mean((lower <= truth + 1e-9) & (truth - 1e-9 <= upper))
    atom = 0.0 if name == "normal" else 0.025  # a discrete law may hold more
    assert 0.95 - 5 * (0.0475 / DRAWS) ** 0.5 <= inside <= 0.955 + atom
    narrow_lower, narrow_upper = law.interval(estimate, np.full(DRAWS, 0.8), low=0.0)
    assert np.mean((narrow_lower <= truth) & (truth <= narrow_upper)) < 0.95, "a narrower one is caught"


def test_intervals_are_never_wider_than_the_two_sided_ones_never_empty_and_never_below_the_limit() -> None:
    law: NoiseLaw = one_draw(3.0, "discrete_laplace")
    estimate = np.linspace(-30, 30, 601)
    lower, upper = law.interval(estimate, np.ones(601), low=0.0)
    assert (lower >= 0).all()
    assert (upper - lower <= 2 * law.two_sided + 1e-9).all()
    assert (upper >= 0.5).all()
    assert (np.diff(lower) >= 0).all()
    assert (np.diff(upper) >= 0).all()
