"""The benchmark of jointly drawn noise draws from the norm that it names, and a row moves that norm by one at most."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from benchmarks.joint_noise import NORMS, WEEK, Norm, as_levels, largest_norm_variances, sample, scale_of
from dp_stats.plan.mechanism import noise_variance


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_a_row_moves_each_norm_by_one_at_most(norm: Norm) -> None:
    days, bands = np.repeat(np.eye(WEEK, dtype=np.int64), 10, axis=0), np.tile(np.eye(10, dtype=np.int64), (WEEK, 1))
    for sign in (1, -1):
        assert norm.of(sign * days, sign * bands).max() <= 1 + 1e-12


@pytest.mark.parametrize("norm", [Norm(0, 1), Norm(0.6, 0.9, 0.25), Norm(0.6, 0.6, 0.25, equal=True)], ids=str)
def test_draws_have_the_law_of_their_norm(norm: Norm) -> None:
    x, y = sample(np.random.default_rng(1), norm, 1.0, (100_000, 1, 1))
    reach = range(-30, 31)
    cells = np.array([(a, b) for a, b in product(reach, reach) if a == b or not norm.equal])
    chance = np.exp(-norm.of(cells[:, :1], cells[:, 1:]))
    chance /= chance.sum()
    likely = chance > 1e-3
    drawn = np.array([np.mean((x[:, 0] == a) & (y[:, 0] == b)) for a, b in cells[likely]])
    assert (np.abs(drawn - chance[likely]) < 5 * np.sqrt(chance[likely] / 100_000)).all()


def test_the_largest_norm_has_the_variances_that_are_computed_and_levels_have_those_of_draws() -> None:
    x, y = sample(np.random.default_rng(2), Norm(0, 1), 0.02, (20_000, 7, 6))
    day, band = largest_norm_variances(7, 6)
    assert 0.02**2 * np.mean(x.astype(float) ** 2) == pytest.approx(day, rel=0.03)
    assert 0.02**2 * np.mean(y.astype(float) ** 2) == pytest.approx(band, rel=0.03)
    days, bands, _ = as_levels(x, y)
    assert 0.02**2 * days == pytest.approx(day, rel=0.03)
    assert 0.02**2 * bands == pytest.approx(band, rel=0.03)
    assert noise_variance(scale_of(days), "discrete_laplace") == pytest.approx(days)
