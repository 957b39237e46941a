"""The margins a plan promises are near the errors of what is published, and fall as the privacy loss rises."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from dp_stats.catalogue.periods import parse_period
from dp_stats.plan.curve import curve
from tests.estimate_examples import DeclaredEdition, declare_edition

pytestmark = pytest.mark.slow  # many plans and simulated releases: part of every test, not of a quick check

TABLES: tuple[dict[str, Any], ...] = (
    {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},
    {"id": "area-week-band", "levels": {"area": "area", "date": "week", "band": "band"}, "statistics": ["count"]},
    {"id": "region-week", "levels": {"area": "region", "date": "week"}, "statistics": ["count"]},
)
PERIOD = "2024-03-04--2024-04-28"
TOTAL = 20_000
REPEATS = {"1": 0.9, "2": 0.06, "3": 0.04}


def make(epsilon: float, *, total: float = TOTAL, **contribution: Any) -> DeclaredEdition:
    return declare_edition(
        areas=(15, 20, 15),
        tables=TABLES,
        statistics=({"id": "count", "kind": "count", "expected_total": total},),
        loss={"epsilon": epsilon},
        period=PERIOD,
        contribution=contribution or None,
    )


@pytest.mark.parametrize("total", [TOTAL, TOTAL / 10])
@pytest.mark.parametrize("epsilon", [0.25, 1, 4])
def test_margins_match_the_errors_of_published_values_in_dense_and_in_sparse_data(epsilon: float, total: float) -> None:
    """In a world whose bands are alike everywhere; the less so, the nearer the larger margins come."""
    edition = make(epsilon, total=total)
    rng = np.random.default_rng(3)
    size = rng.gamma(2.0, 1.0, (50, 1, 1))
    truth = rng.poisson(total * size / (size.sum() * 56 * 3), edition.grid.shape())
    estimates = [edition.estimate(edition.draw({"count": truth}, rng)) for _ in range(8)]
    for e in edition.plan.expected:
        true = edition.grid.roll_up(truth, edition.grid.complete(estimates[0].tables[e.table]["count"].levels))
        mse = np.mean([np.mean((run.tables[e.table]["count"].value - true) ** 2) for run in estimates])
        assert 0.65 < 1.96 * np.sqrt(mse) / e.margin_95 < 1.25


@pytest.mark.parametrize("contribution", [{}, {"rows": 2, "repeats": REPEATS}])
def test_margins_fall_as_the_privacy_loss_rises(contribution: dict[str, Any]) -> None:
    """All together always; one statistic may give up a few per cent where the split changes to the others' gain."""
    edition = make(1, **contribution)
    points = curve(edition.catalogue, edition.release, parse_period(PERIOD), [Fraction(2) ** k for k in range(-3, 4)])
    together = [sum(float(np.log(m)) for m in p.margins.values()) for p in points]
    assert together == sorted(together, reverse=True)
    for place in points[0].margins:
        margins = [p.margins[place] for p in points]
        assert all(after < 1.05 * before for before, after in pairwise(margins))


def test_margins_hold_the_doubt_about_rows_that_the_bound_truncates() -> None:
    known = make(8, rows=2, measure_truncation=False)
    corrected = make(8, rows=2, repeats=REPEATS)
    pairs = zip(known.plan.expected, corrected.plan.expected, strict=True)
    assert all(less.margin_95 < more.margin_95 for less, more in pairs)
