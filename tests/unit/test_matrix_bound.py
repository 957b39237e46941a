"""The benchmark's lower bound of any strategy has the singular values of the published statistics."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pytest

from benchmarks.exact_counts import ExactCounts, catalogue_of
from benchmarks.matrix_bound import bound, singular_values
from dp_stats.plan.algebra import weights
from dp_stats.plan.targets import targets


@pytest.mark.parametrize("days", [7, 11])
def test_it_is_the_nuclear_norm_of_dense_queries(days: int) -> None:
    exact = ExactCounts(
        np.zeros((5, days, 2), dtype=np.int64), tuple("abcde"), tuple("RRRSS"), date(2024, 1, 1), ("x", "y")
    )
    _, release, grid = catalogue_of(exact, prior=1.0, epsilon=Fraction(1), delta=None)
    found = targets(grid, release)
    rows = []
    for target in found:
        dense = np.ones((1, 1))
        for dimension in grid.dimensions:
            dense = np.kron(dense, weights(dimension, target.queries[dimension.name]))
        rows.append(dense)
    scales = np.linspace(0.5, 2.0, len(found))
    nuclear = np.linalg.norm(
        np.concatenate([np.sqrt(c) * part for c, part in zip(scales, rows, strict=True)]), ord="nuc"
    )
    values, often = singular_values(grid, found, scales.tolist())
    assert values @ often == pytest.approx(nuclear, rel=1e-6)


def test_one_table_noised_by_itself_cannot_be_bettered() -> None:
    exact = ExactCounts(np.zeros((4, 7, 1), dtype=np.int64), tuple("abcd"), ("",) * 4, date(2024, 1, 1), ("x",))
    _, release, grid = catalogue_of(exact, prior=1.0, epsilon=Fraction(1), delta=None)
    cells = [t for t in targets(grid, release) if t.table == "area-day" and not t.windowed]
    assert bound(grid, cells, [3.0], 3.0) == pytest.approx(1.0)
    assert bound(grid, cells, [12.0], 3.0) == pytest.approx(2.0)
