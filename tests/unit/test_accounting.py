"""Accounting never says that less privacy is lost than is."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from dp_stats.catalogue.models import Budget
from dp_stats.plan import accounting
from dp_stats.plan.mechanism import noise_variance
from dp_stats.plan.noise_scale import noise_scale
from dp_stats.plan.sensitivity import Sensitivity

SCALES = [0.3, 1.0, 1.7320508075688772, 3.3, 47.11, 1e6]


def test_epsilon_is_shown_at_the_budgets_own_delta_or_at_the_usual_one() -> None:
    assert accounting.delta_of(Budget(epsilon=1, delta="1e-9")) == Fraction(1, 10**9)
    assert accounting.delta_of(Budget(rho="0.02")) == accounting.DEFAULT_DELTA == Fraction(1, 10**6)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("moved", [1, 2, 3, 7, 1000])
def test_the_cost_of_noise_is_never_below_the_exact_formula_and_hardly_above(scale: float, moved: int) -> None:
    exact = Fraction(scale)
    assert accounting.laplace_epsilon(moved, scale) >= moved / exact
    assert accounting.laplace_epsilon(moved, scale) <= moved / exact * Fraction(10**9 + 1, 10**9)
    assert accounting.gaussian_rho(moved, scale) >= moved / (2 * exact**2)
    assert accounting.gaussian_rho(moved, scale) <= moved / (2 * exact**2) * Fraction(10**9 + 1, 10**9)


@pytest.mark.parametrize("budget", [Fraction(1, 3), Fraction(1), Fraction(7, 1000), Fraction(10)])
@pytest.mark.parametrize("moved", [1, 2, 3, 400])
def test_the_scale_for_a_budget_keeps_it_and_no_smaller_double_does(budget: Fraction, moved: int) -> None:
    laplace = accounting.scale_for_epsilon(moved, budget)
    assert accounting.laplace_epsilon(moved, laplace) <= budget
    assert accounting.laplace_epsilon(moved, math.nextafter(laplace, 0)) > budget
    gaussian = accounting.scale_for_rho(moved, budget)
    assert accounting.gaussian_rho(moved, gaussian) <= budget
    assert accounting.gaussian_rho(moved, math.nextafter(gaussian, 0)) > budget


def delta_of(rho: float, epsilon: float) -> float:
    """δ of ρ-zCDP at ε (Canonne, Kamath and Steinke 2020, corollary 13), minimised numerically."""

    def log_delta(t: float) -> float:
        a = 1 + math.exp(t)
        return (a - 1) * (a * rho - epsilon) - math.log(a - 1) + a * math.log1p(-1 / a)

    grid = np.linspace(-5, 12, 200)
    best = grid[np.argmin([log_delta(t) for t in grid])]
    found = minimize_scalar(log_delta, bounds=(best - 0.2, best + 0.2), method="bounded", options={"xatol": 1e-12})
    return math.exp(min(found.fun, 0.0))


@pytest.mark.parametrize("rho", ["1/100000", "1/200", "1/10", "1/2", "3"])
@pytest.mark.parametrize("delta", ["1/1000000", "1/10000000000"])
def test_epsilon_at_delta_holds_by_the_published_formula(rho: str, delta: str) -> None:
    epsilon = accounting.epsilon_at(Fraction(rho), Fraction(delta))
    assert delta_of(float(Fraction(rho)), epsilon) <= float(Fraction(delta)) * (1 + 1e-6)
    assert delta_of(float(Fraction(rho)), 0.99 * epsilon) > float(Fraction(delta))


def test_a_pure_table_costs_half_its_square() -> None:
    assert accounting.pure_rho(Fraction(1, 3)) == Fraction(1, 18)


@pytest.mark.parametrize("scale", [0.2, 0.5, 1.0, 2.5, 4.9, 5.1, 40.0])
def test_the_variance_is_that_of_the_discrete_noise(scale: float) -> None:
    k = np.arange(-3000, 3001, dtype=float)
    gaussian = np.exp(-(k**2) / (2 * scale**2))
    laplace = np.exp(-np.abs(k) / scale)
    assert noise_variance(scale, "discrete_gaussian") == pytest.approx((k**2 @ gaussian) / gaussian.sum())
    assert noise_variance(scale, "discrete_laplace") == pytest.approx((k**2 @ laplace) / laplace.sum())


@pytest.mark.parametrize("scale", [0.03, 0.05, 0.07, 0.1])
def test_hardly_any_noise_still_varies(scale: float) -> None:
    most = 2 * math.exp(-1 / (2 * scale**2))  # of ±1; ±2 is rarer by far
    assert noise_variance(scale, "discrete_gaussian") == pytest.approx(most, rel=1e-9, abs=0)


def test_noise_too_small_to_matter_has_no_variance() -> None:
    assert noise_variance(1e-4, "discrete_laplace") == 0
    assert noise_variance(1e-3, "discrete_gaussian") == 0


def test_roots_are_rounded_upwards_and_whole_roots_are_exact() -> None:
    assert accounting.root_up(Fraction(9)) == 3.0
    for square in (Fraction(2), Fraction(3), Fraction(1, 3), Fraction(10**9 + 7)):
        assert Fraction(accounting.root_up(square)) ** 2 >= square


@pytest.mark.parametrize(
    "square", [Fraction(n, d) for n in (1, 2, 3, 5, 10**15 + 37, 10**31 + 1) for d in (1, 3, 10**12 + 39)]
)
def test_a_root_is_the_smallest_double_that_is_not_too_small(square: Fraction) -> None:
    root = accounting.root_up(square)
    assert Fraction(root) ** 2 >= square
    assert Fraction(math.nextafter(root, 0.0)) ** 2 < square


@pytest.mark.parametrize("value", [Fraction(1, 10), Fraction(1, 3), Fraction(2, 3), Fraction(1, 10**6), Fraction(1, 4)])
def test_a_delta_is_rounded_to_the_largest_double_that_is_not_too_large(value: Fraction) -> None:
    rounded = accounting._down(value)
    assert Fraction(rounded) <= value
    assert Fraction(math.nextafter(rounded, 1.0)) > value


@pytest.mark.parametrize("delta", ["1/10", "1/1000000", "1/1000000000000"])
def test_nothing_lost_is_epsilon_zero(delta: str) -> None:
    assert accounting.epsilon_at(Fraction(0), Fraction(delta)) == 0


@pytest.mark.parametrize("rho", ["1001/10", "1000", "123456789"])
@pytest.mark.parametrize("delta", ["1/10", "1/1000000", "1/1000000000000"])
def test_epsilon_of_a_huge_loss_is_the_published_bound_rounded_up(rho: str, delta: str) -> None:
    loss, at = Decimal(int(Fraction(rho) * 10)) / 10, Decimal(Fraction(delta).denominator)
    bound = Fraction(loss + 2 * (loss * at.ln()).sqrt())
    assert bound <= accounting.epsilon_at(Fraction(rho), Fraction(delta)) < bound * (1 + Fraction(1, 2**50))


def test_epsilon_is_exactly_converted_up_to_the_largest_loss_and_bounded_from_there_on() -> None:
    delta, largest = Fraction(1, 10**6), Fraction(accounting.LARGEST_CONVERTED)
    exact = accounting.epsilon_at(largest, delta)
    assert delta_of(float(largest), 0.999 * exact) > float(delta)
    assert 1.005 * exact < accounting.epsilon_at(largest + Fraction(1, 10**9), delta) < 1.05 * exact


@pytest.mark.parametrize("rho", [Fraction(1, 512), Fraction(1, 2), Fraction(3, 4), Fraction(1), Fraction(3)])
def test_a_rho_whose_epsilon_is_exactly_what_is_allowed_is_allowed(rho: Fraction) -> None:
    delta = Fraction(1, 10**6)
    assert accounting.rho_of(Fraction(accounting.epsilon_at(rho, delta)), delta) >= rho


@pytest.mark.parametrize(
    ("epsilon", "rho"),
    [
        ("1/1000", Fraction(1208133749425, 2**64)),
        ("1", Fraction(1713899047429, 2**46)),
        ("50", Fraction(1309564114295, 2**36)),
    ],
)
def test_the_cap_that_a_budget_in_epsilon_means_stays_what_it_is(epsilon: str, rho: Fraction) -> None:
    """Ledgers are full of sums that were held against it."""
    assert accounting.rho_of(Fraction(epsilon), Fraction(1, 10**6)) == rho


@pytest.mark.parametrize("epsilon", ["1/100000", "1/1000", "1/4", "1", "8", "50"])
@pytest.mark.parametrize("delta", ["1/10", "1/1000000", "1/1000000000000"])
def test_rho_of_an_epsilon_is_the_largest_to_forty_places(epsilon: str, delta: str) -> None:
    wanted, at = Fraction(epsilon), Fraction(delta)
    rho = accounting.rho_of(wanted, at)
    assert rho > 0
    assert accounting.epsilon_at(rho, at) <= wanted
    assert accounting.epsilon_at(rho * (1 + Fraction(1, 2**39)), at) > wanted


def test_noise_is_for_what_a_person_moves_by_the_measure_of_its_kind_and_costs_what_its_scale_says() -> None:
    moves, budget = Sensitivity(l1=3, l2_squared=5), Fraction(1, 7)
    laplace = noise_scale(moves, "discrete_laplace", budget)
    assert laplace.scale == accounting.scale_for_epsilon(3, budget)
    assert laplace.epsilon == accounting.laplace_epsilon(3, laplace.scale)
    assert laplace.rho == accounting.pure_rho(laplace.epsilon)
    gaussian = noise_scale(moves, "discrete_gaussian", budget)
    scale = accounting.scale_for_rho(5, budget)
    assert gaussian == (scale, None, accounting.gaussian_rho(5, scale))
