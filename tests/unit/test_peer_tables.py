"""What the benchmark hands to its peer and takes back are the same tables as ours."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np

from benchmarks.accuracy import exact_tables
from benchmarks.exact_counts import ExactCounts, catalogue_of
from benchmarks.peer_mbi import measured_by_plan, published
from dp_stats.plan import make_plan
from dp_stats.plan.noisy import NoisyMeasurements


def test_a_peer_without_noise_publishes_the_exact_statistics_and_is_given_the_tables_that_were_measured() -> None:
    counts = np.random.default_rng(0).poisson(9.0, (5, 14, 3))
    exact = ExactCounts(counts, tuple("abcde"), ("",) * 5, date(2024, 1, 1), ("x", "y", "z"))
    catalogue, release, grid = catalogue_of(exact, prior=27.0, epsilon=Fraction(1), delta=None, priority="local")
    weekly = counts.reshape(5, 2, 7, 3)
    found = published({"day": weekly.sum(axis=3), "band": weekly.sum(axis=2)}, exact, grid, release)
    true = exact_tables(exact, grid, release)
    assert found.keys() == true.keys()
    for mark, values in true.items():
        np.testing.assert_allclose(found[mark], values)
    plan = make_plan(catalogue, release, exact.period)
    noiseless = NoisyMeasurements(plan.hash, {m.id: grid.roll_up(counts, m.levels) for m in plan.measurements})
    for values, axes, _ in measured_by_plan(plan, noiseless).values():
        others = tuple(axis for axis in range(4) if axis not in axes)
        np.testing.assert_allclose(values.ravel(), weekly.sum(axis=others).ravel())
