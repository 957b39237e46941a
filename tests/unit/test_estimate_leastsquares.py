"""Least squares and its variances are those of dense algebra; what was not measured is infinitely uncertain."""

from __future__ import annotations

import numpy as np
import pytest

from dp_stats.estimate import leastsquares
from dp_stats.estimate.leastsquares import LeastSquares
from dp_stats.plan.algebra import weights
from dp_stats.plan.model import Measurement
from tests.estimate_examples import DeclaredEdition, declare_edition

TABLES = (
    {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},
    {"id": "region-week-band", "levels": {"area": "region", "date": "week", "band": "band"}, "statistics": ["count"]},
    {"id": "all-day-band", "levels": {"date": "day", "band": "band"}, "statistics": ["count"]},
)


@pytest.fixture
def small() -> DeclaredEdition:
    return declare_edition(period="2024-03-04--2024-03-12", areas=(2, 3), bands=2, tables=TABLES)


def dense(edition: DeclaredEdition, noisy: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Least-norm generalised least squares of the leaves, and its covariance."""
    rows, values, precisions = [], [], []
    for m in edition.plan.measurements:
        matrix = np.ones((1, 1))
        for dimension in edition.grid.dimensions:
            matrix = np.kron(matrix, weights(dimension, m.levels[dimension.name]))
        rows.append(matrix)
        values.append(noisy[m.id].ravel())
        precisions.append(np.full(len(matrix), 1 / m.variance))
    q, y, p = np.concatenate(rows), np.concatenate(values), np.concatenate(precisions)
    inverse = np.linalg.pinv(q.T @ (p[:, None] * q), rcond=1e-9)
    return inverse @ (q.T @ (p * y)), inverse


def test_values_variances_and_covariances_are_those_of_dense_algebra(small: DeclaredEdition) -> None:
    counts = np.random.default_rng(0).poisson(9, small.grid.shape())
    noisy = small.draw({"count": counts}, np.random.default_rng(1)).values
    fit = LeastSquares(small.grid, small.plan.measurements, noisy)
    leaves, covariance = dense(small, dict(noisy))
    for table in small.release.tables:
        levels = small.grid.complete(table.levels)
        matrix = np.ones((1, 1))
        for dimension in small.grid.dimensions:
            matrix = np.kron(matrix, weights(dimension, levels[dimension.name]))
        np.testing.assert_allclose(fit.value(levels).ravel(), matrix @ leaves, atol=1e-6)
        np.testing.assert_allclose(fit.variance(levels).ravel(), np.diag(matrix @ covariance @ matrix.T), rtol=1e-6)
        everything = small.grid.complete({})
        np.testing.assert_allclose(
            fit.covariance(levels, everything).ravel(), matrix @ covariance @ np.ones(len(leaves)), rtol=1e-6
        )


def test_a_sum_is_in_its_own_unit() -> None:
    edition = declare_edition(
        statistics=({"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 10, "resolution": "0.5"},),
        tables=({"id": "a", "levels": {"area": "area"}, "statistics": ["cost"]},),
    )
    steps = np.full(edition.grid.shape(), 3)
    fit = LeastSquares(
        edition.grid, edition.plan.measurements, edition.draw({"cost": steps}, np.random.default_rng(0), noise=0).values
    )
    np.testing.assert_allclose(fit.value({"area": "area"}).ravel(), 3 * 0.5 * 28 * 3)
    np.testing.assert_allclose(fit.variance({"area": "area"}).ravel(), edition.plan.measurements[0].variance * 0.25)


def test_what_was_not_measured_is_infinitely_uncertain(small: DeclaredEdition) -> None:
    first = small.plan.measurements[0]
    levels = {**first.levels, "band": "all"}
    coarse = [first.model_copy(update={"id": "one", "levels": levels, "shape": small.grid.shape(levels)})]
    noisy = {"one": np.zeros(coarse[0].shape, dtype=np.int64)}
    fit = LeastSquares(small.grid, coarse, noisy, needed=[{"area": "area", "band": "band"}])
    assert np.isinf(fit.variance({"band": "band"})).all()


def test_few_laplace_draws_have_wider_intervals_than_many(small: DeclaredEdition) -> None:
    noisy = small.draw({"count": np.zeros(small.grid.shape(), dtype=np.int64)}, np.random.default_rng(1)).values
    fit = LeastSquares(small.grid, small.plan.measurements, noisy)
    cell, total = fit.law({"area": "area", "date": "day"}).two_sided, fit.law({}).two_sided
    assert 1.9 <= total < cell <= 2.13


def test_the_law_of_a_value_is_that_of_its_simulated_errors(small: DeclaredEdition) -> None:
    rng = np.random.default_rng(5)
    zeros = {"count": np.zeros(small.grid.shape(), dtype=np.int64)}
    for query in ({"area": "area", "date": "day"}, {"date": "week", "band": "band"}):
        fits = [LeastSquares(small.grid, small.plan.measurements, small.draw(zeros, rng).values) for _ in range(300)]
        errors = np.stack([f.value(query) / np.sqrt(f.variance(query)) for f in fits])
        reach = fits[0].law(query).two_sided
        assert np.mean(np.abs(errors) <= reach) > 0.95 - 0.032  # five standard errors of the shorter table
        assert np.mean(np.abs(errors) <= 0.7 * reach) < 0.95 - 0.032


@pytest.mark.parametrize("seed", range(8))
def test_a_law_that_was_kept_is_the_one_that_would_be_found(
    small: DeclaredEdition, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fits that differ in one thing that the law depends on, asked for by turns, never get each other's."""
    rng = np.random.default_rng(seed)
    first = small.plan.measurements

    def scaled(factor: float) -> list[Measurement]:
        return [m.model_copy(update={"scale": m.scale * factor}) for m in first]

    others = {
        "as planned": (small.grid, first, 1),
        "one louder": (small.grid, [*scaled(3)[:1], *first[1:]], 1),
        "gaussian": (small.grid, [m.model_copy(update={"epsilon": None}) for m in first], 1),
        "one level only": (small.grid, first[:1], 1),
        "four draws": (small.grid, first, 4),
    }
    wider = declare_edition(period="2024-03-04--2024-03-12", areas=(2, 5), bands=2, tables=TABLES)
    others["another grid"] = (wider.grid, wider.plan.measurements, 1)
    fits = {
        name: LeastSquares(grid, ms, {m.id: np.zeros(m.shape, np.int64) for m in ms}, draws=draws)
        for name, (grid, ms, draws) in others.items()
    }
    tails = np.array([0.4, 0.1, 0.025])
    queries = [{"area": "area", "date": "day"}, {"date": "week"}, {"area": "region", "date": np.tri(9)[6:]}]
    for _ in range(30):
        name, query = rng.choice(list(fits)), queries[rng.integers(3)]
        kept = fits[name].law(query)
        with monkeypatch.context() as fresh:
            fresh.setattr(leastsquares, "_laws", {})
            found = fits[name].law(query)
        assert np.array_equal(kept.reach(tails), found.reach(tails)), name
