"""The noise has the scale the plan claims: a smaller and a larger one are told apart, and false alarms are rarer than 1e-6."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from dp_stats.errors import BudgetError
from dp_stats.plan.accounting import gaussian_rho, laplace_epsilon
from dp_stats.plan.mechanism import Mechanism
from dp_stats.secure import noise
from dp_stats.secure.noise import add_noise

DRAWS = 40_000
FALSE_ALARM = 2e-7
SCALE = 20.0
MECHANISMS: tuple[Mechanism, ...] = ("discrete_laplace", "discrete_gaussian")


def drawn(mechanism: Mechanism, scale: float, size: int = DRAWS) -> NDArray[np.int64]:
    return add_noise(
        np.zeros(size, dtype=np.int64),
        mechanism=mechanism,
        scale=scale,
        l1=1,
        l2_squared=1,
        epsilon=laplace_epsilon(1, scale),
        rho=gaussian_rho(1, scale),
    )


def masses(mechanism: Mechanism, scale: float, reach: int) -> NDArray[np.float64]:
    """Probabilities of −reach … reach, from the definition of the discrete distribution."""
    k = np.arange(-reach, reach + 1, dtype=np.float64)
    weight = np.exp(-np.abs(k) / scale) if mechanism == "discrete_laplace" else np.exp(-(k**2) / (2 * scale**2))
    return weight / weight.sum()


def fits(values: NDArray[np.int64], mechanism: Mechanism, scale: float) -> bool:
    """A χ² test over sixty cells of about equal probability."""
    reach = math.ceil(40 * scale)
    probability = masses(mechanism, scale, reach)
    cell = np.minimum((np.cumsum(probability) * 60).astype(int), 59)
    expected = np.bincount(cell, weights=probability, minlength=60) * len(values)
    observed = np.bincount(cell[np.clip(values, -reach, reach) + reach], minlength=60)
    used = expected > 0
    statistic = ((observed[used] - expected[used]) ** 2 / expected[used]).sum()
    return bool(stats.chi2.sf(statistic, used.sum() - 1) > FALSE_ALARM)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_noise_fits_the_claimed_scale_and_neither_a_smaller_nor_a_larger_one(mechanism: Mechanism) -> None:
    values = drawn(mechanism, SCALE)
    assert fits(values, mechanism, SCALE)
    assert not fits(values, mechanism, 0.9 * SCALE)
    assert not fits(values, mechanism, 1.1 * SCALE)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("wrong", [0.9, 1.1])
def test_noise_drawn_at_a_wrong_scale_is_caught(mechanism: Mechanism, wrong: float) -> None:
    assert not fits(drawn(mechanism, wrong * SCALE), mechanism, SCALE)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_cells_and_chunks_get_independent_noise(mechanism: Mechanism) -> None:
    """Neighbouring cells, and cells one chunk apart, are uncorrelated; a copy of a chunk's noise would be seen."""
    values = drawn(mechanism, SCALE).astype(float)
    limit = stats.norm.isf(FALSE_ALARM / 2) / math.sqrt(DRAWS - noise.CHUNK)
    for lag in (1, noise.CHUNK):
        assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) < limit
    copied = np.tile(values[: noise.CHUNK], 4)
    assert abs(np.corrcoef(copied[: -noise.CHUNK], copied[noise.CHUNK :])[0, 1]) > limit


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_two_draws_differ(mechanism: Mechanism) -> None:
    assert (drawn(mechanism, SCALE, 200) != drawn(mechanism, SCALE, 200)).any()


class NeverDrawing:
    """A mechanism of OpenDP that says what it costs, and fails the test if it is asked to draw."""

    def __init__(self, honest: Any) -> None:
        self.map = honest.map

    def __call__(self, _: Any) -> Any:
        pytest.fail("noise was drawn")


HONEST = noise._measurement


def never_drawing(mechanism: Mechanism, scale: float) -> Any:
    return NeverDrawing(HONEST(mechanism, scale))


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("factor", [0.99, 1 - 1e-9])
def test_a_mechanism_that_would_draw_less_noise_than_was_paid_for_is_asked_and_refused(
    mechanism: Mechanism, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cost that is compared is the cost of what draws, not of something made beside it from the same scale."""
    monkeypatch.setattr(noise, "_measurement", lambda kind, scale: never_drawing(kind, factor * scale))
    with pytest.raises(BudgetError, match="nothing was drawn"):
        drawn(mechanism, SCALE, 3)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_what_the_plan_pays_to_the_last_bit_is_enough_and_a_bit_less_is_not(mechanism: Mechanism) -> None:
    exact = {"epsilon": laplace_epsilon(3, SCALE), "rho": gaussian_rho(9, SCALE)}
    arguments = {"mechanism": mechanism, "scale": SCALE, "l1": 3, "l2_squared": 9}
    assert add_noise(np.zeros(3, dtype=np.int64), **arguments, **exact).shape == (3,)  # type: ignore[arg-type]
    for name, cost in exact.items():
        exact[name] = cost - Fraction(1, 10**30)
    with pytest.raises(BudgetError):
        add_noise(np.zeros(3, dtype=np.int64), **arguments, **exact)  # type: ignore[arg-type]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_nothing_is_drawn_when_the_vector_would_cost_more_than_the_plan_says(
    mechanism: Mechanism, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise, "_measurement", never_drawing)
    for wrong in ({"l1": 2, "l2_squared": 4}, {"scale": 0.99 * SCALE}, {"epsilon": None, "rho": None}):
        arguments = {
            "scale": SCALE,
            "l1": 1,
            "l2_squared": 1,
            "epsilon": laplace_epsilon(1, SCALE),
            "rho": gaussian_rho(1, SCALE),
        } | wrong
        with pytest.raises(BudgetError):
            add_noise(np.zeros(3, dtype=np.int64), mechanism=mechanism, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_only_integers_of_a_safe_size_meet_noise(mechanism: Mechanism) -> None:
    arguments = {
        "mechanism": mechanism,
        "scale": SCALE,
        "l1": 1,
        "l2_squared": 1,
        "epsilon": Fraction(9),
        "rho": Fraction(9),
    }
    with pytest.raises(TypeError, match="only 64-bit integers"):
        add_noise(np.zeros(3), **arguments)  # type: ignore[arg-type]
    for extreme in (2**62 + 1, -(2**63)):
        with pytest.raises(OverflowError, match="too large"):
            add_noise(np.array([0, extreme], dtype=np.int64), **arguments)  # type: ignore[arg-type]
    big = add_noise(np.full((2, 5), 2**62, dtype=np.int64), **arguments)  # type: ignore[arg-type]
    assert big.shape == (2, 5)
    assert (abs(big - 2**62) < 50 * SCALE).all()


def test_an_empty_vector_stays_empty() -> None:
    assert drawn("discrete_laplace", SCALE, 0).shape == (0,)
