"""Intervals across editions hold the truth 93 to 97 % of the time: rolling, compared, over borders, with late rows or without.

False alarms: as in ``test_coverage``, five standard errors between series are spared. The check must catch intervals that
leave out what two windows share: the editions that lie in both, and the late rows that were measured for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dp_stats.estimate import across as estimating
from tests.across_examples import BY_DAY, BY_WEEK, covered, declare_series, failures, tables_across

SERIES = 16
FEW_VALUES = float(np.sqrt(0.05 * 0.95 / 3))
"""What the coverage of three regions differs by from series to series, if each is covered 95 % of the time."""
CASES: dict[str, tuple[Any, dict[str, Any], int, int]] = {
    "Laplace, by week": (BY_WEEK, {"epsilon": 1}, 0, 2000),
    "Laplace, by day, sparse": (BY_DAY, {"epsilon": 1}, 0, 60),
    "Gaussian, by day, late rows in the same tables": (BY_DAY, {"rho": "0.1"}, 2, 2000),
    "Laplace, late rows by day": (BY_DAY, {"epsilon": "0.05"}, 2, 4000),
}
"""Tables, privacy loss, for how many weeks late rows count, and rows a week."""

ROLLING: tuple[dict[str, Any], ...] = (
    {
        "id": "rolling",
        "title": "Rolling",
        "levels": {"area": "area"},
        "period": "week",
        "last": 2,
        "statistics": [
            {"id": "change", "kind": "difference", "of": "count", "periods": 4, "lag": 1},
            {"id": "ratio", "kind": "ratio", "of": "count", "periods": 4, "lag": 1},
        ],
    },
)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_intervals_across_editions_hold_the_truth(case: str) -> None:
    tables, loss, late, total = CASES[case]
    wanted = tables_across(days=tables is BY_DAY)
    series = declare_series(weeks=9, tables=tables, loss=loss, late=late, total=total, across=wanted)
    found = covered(series, np.random.default_rng(20240304), releases=SERIES, total=total, late=late)
    assert len(found) == sum(len(table["statistics"]) for table in wanted)
    assert failures(found, least=FEW_VALUES) == []
    assert 0.925 <= np.mean([shares.mean() for shares in found.values()]) <= 0.975


def rolling_coverage() -> list[str]:
    """What is wrong with the coverage of rolling changes, with late rows in the same tables."""
    series = declare_series(weeks=7, tables=BY_WEEK, loss={"epsilon": 1}, late=2, total=2000, across=ROLLING)
    return failures(covered(series, np.random.default_rng(7), releases=SERIES, total=2000, late=2))


def test_what_two_windows_share_cancels() -> None:
    assert rolling_coverage() == []


@pytest.mark.parametrize("left_out", ["everything that is shared", "late rows that are shared"])
def test_a_covariance_that_is_left_out_is_caught(left_out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = estimating._Table._sum

    def wrong(self: Any, statistic: Any, pairs: Sequence[Any], signs: tuple[int, int]) -> Any:
        found = right(self, statistic, pairs, signs)
        if signs == (1, -1):
            apart = sum(right(self, statistic, pairs, one).variance for one in ((1, 0), (0, 1)))
            if left_out == "late rows that are shared":
                bare = replace(self, editions={label: replace(e, late=()) for label, e in self.editions.items()})
                apart -= sum(right(bare, statistic, pairs, one).variance for one in ((1, 0), (0, 1)))
                apart += right(bare, statistic, pairs, signs).variance
            found.noise, found.added, found.subtracted = apart, 0 * apart, 0 * apart
        return found

    monkeypatch.setattr(estimating._Table, "_sum", wrong)
    assert len(rolling_coverage()) == 2
