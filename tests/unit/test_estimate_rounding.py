"""Fitting and rounding keep totals exactly and stay near the values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog, nnls

from dp_stats.estimate.fit import nearest_with_margins
from dp_stats.estimate.rounding import round_two_way, round_within


def test_largest_remainders_are_rounded_up() -> None:
    rounded = round_within(np.array([1.5, 1.4, 1.1, 0.2, 0.8]), np.array([0, 0, 0, 1, 1]), np.array([4, 1]))
    assert rounded.tolist() == [2, 1, 1, 0, 1]


def test_the_fit_is_the_nearest_point_of_the_simplex() -> None:
    fitted = nearest_with_margins(np.array([3.0, 1.0, -5.0]), [(np.zeros(3, dtype=np.intp), np.array([3.0]))])
    np.testing.assert_allclose(fitted, [2.5, 0.5, 0.0])


def test_the_fit_meets_two_margins_at_once() -> None:
    rng = np.random.default_rng(0)
    truth = rng.poisson(3.0, (8, 5)).astype(float)
    rows, columns = (index.ravel() for index in np.indices(truth.shape))
    noisy = (truth + rng.normal(size=truth.shape) * 2).ravel()
    fitted = nearest_with_margins(noisy, [(rows, truth.sum(axis=1)), (columns, truth.sum(axis=0))])
    assert fitted.min() >= 0
    np.testing.assert_allclose(fitted.reshape(truth.shape).sum(axis=1), truth.sum(axis=1), atol=0.01)
    np.testing.assert_allclose(fitted.reshape(truth.shape).sum(axis=0), truth.sum(axis=0), atol=0.01)


def test_a_group_whose_total_is_zero_is_zero() -> None:
    fitted = nearest_with_margins(np.array([3.0, -1.0, 2.0]), [(np.array([0, 0, 1]), np.array([0.0, 2.0]))])
    np.testing.assert_allclose(fitted, [0.0, 0.0, 2.0], atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_two_way_rounding_keeps_both_margins_and_is_near_the_best_there_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (30, 7)
    exact = rng.poisson(1.0, shape)
    rows, columns = (index.ravel() for index in np.indices(shape))
    values = nearest_with_margins(
        (exact + rng.normal(size=shape)).ravel(),
        [(columns, exact.sum(axis=0).astype(float)), (rows, exact.sum(axis=1).astype(float))],
    )
    block = np.zeros_like(rows)
    whole = round_two_way(values, block, rows, exact.sum(axis=1), columns, exact.sum(axis=0))
    assert whole.min() >= 0
    np.testing.assert_array_equal(whole.reshape(shape).sum(axis=1), exact.sum(axis=1))
    np.testing.assert_array_equal(whole.reshape(shape).sum(axis=0), exact.sum(axis=0))
    assert np.abs(whole - values).sum() <= 1.1 * _least_absolute_rounding(values, rows, columns, exact) + 1


def test_totals_are_exact_however_large_they_are() -> None:
    rng = np.random.default_rng(0)
    exact = rng.integers(0, 10**12, (20, 6))
    exact[:, 2] = 0
    rows, columns = (index.ravel() for index in np.indices(exact.shape))
    margins = [(columns, exact.sum(axis=0).astype(float)), (rows, exact.sum(axis=1).astype(float))]
    values = nearest_with_margins(exact.ravel() + rng.normal(size=exact.size) * 1e10, margins)
    whole = round_two_way(values, rows * 0, rows, exact.sum(axis=1), columns, exact.sum(axis=0))
    assert whole.min() >= 0
    np.testing.assert_array_equal(whole.reshape(exact.shape).sum(axis=1), exact.sum(axis=1))
    np.testing.assert_array_equal(whole.reshape(exact.shape).sum(axis=0), exact.sum(axis=0))


def _least_absolute_rounding(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, exact: np.ndarray) -> float:
    """By the network linear programme: each cell is its floor or one more."""
    floor = np.floor(values)
    part = values - floor
    matrix = np.concatenate([rows == np.arange(exact.shape[0])[:, None], columns == np.arange(exact.shape[1])[:, None]])
    totals = np.concatenate([exact.sum(axis=1), exact.sum(axis=0)]) - matrix @ floor
    best = linprog(1 - 2 * part, A_eq=matrix.astype(float), b_eq=totals, bounds=(0, 1))
    return float(best.fun + part.sum()) if best.status == 0 else np.inf


def test_ties_are_decided_alike_whatever_the_last_digits_are() -> None:
    """Equal remainders and exact wholes, as another processor would compute them."""
    rng = np.random.default_rng(4)
    values = np.array([2.25, 3.25, 1.25, 5.25, 7.0, 0.5, 0.5, 4.0])
    row = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    column = np.array([0, 1, 0, 1, 2, 3, 3, 2])
    block = np.zeros(8, dtype=np.intp)
    rows, columns = np.array([13, 11]), np.array([4, 8, 11, 1])
    found = set()
    for _ in range(50):
        other = values + rng.choice([-1e-12, 0, 1e-12], size=8)
        within = round_within(other, row, rows).tolist()
        both = round_two_way(other, block, row, rows, column, columns).tolist()
        found.add((tuple(within), tuple(both)))
    assert len(found) == 1


@pytest.mark.parametrize("seed", range(60))
def test_the_fit_is_the_nearest_also_where_rows_and_columns_are_empty(seed: int) -> None:
    """Compared with another solver, to which margins are observations of great weight."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 12, 2))
    true = rng.poisson(rng.choice([0.1, 1.0, 10.0]), shape)
    noisy = (true + rng.laplace(scale=rng.choice([0.3, 3.0, 30.0]), size=shape)).ravel()
    row, column = np.divmod(np.arange(noisy.size), shape[1])
    margins = [(column, true.sum(axis=0).astype(float)), (row, true.sum(axis=1).astype(float))]
    member = np.concatenate([np.equal.outer(np.arange(len(total)), group) for group, total in margins])
    totals = np.concatenate([total for _, total in margins])
    heavy = 1e4
    nearest, _ = nnls(
        np.concatenate([np.eye(noisy.size), heavy * member]), np.concatenate([noisy, heavy * totals]), maxiter=10_000
    )
    np.testing.assert_allclose(nearest_with_margins(noisy, margins), nearest, atol=0.02)
