"""A whole table answered at once says of every cell what asking for the cell alone says."""

from __future__ import annotations

from datetime import date
from itertools import product
from typing import Any

import pytest

from dp_stats.errors import NotDerivableError
from dp_stats.estimate.answer import answer
from dp_stats.estimate.answer_each import answer_each
from tests.unit.test_answers import edition

START, END = date(2024, 3, 6), date(2024, 3, 13)
AREAS = tuple(f"A{i}" for i in range(9))


@pytest.mark.parametrize(
    ("statistic", "cells", "days"),
    [
        ("count", {"area": AREAS}, (START, END)),
        ("count", {"area": ("R0", "R2", "A4")}, (START, END)),
        ("count", {}, (START, END)),
        ("cost", {"band": ("B1", "B0"), "area": ("A3", "A1")}, (date(2024, 3, 4), date(2024, 3, 17))),
        ("people", {"area": ("R0", "R1")}, (date(2024, 3, 4), date(2024, 3, 10))),
    ],
)
def test_a_table_and_its_cells_agree(statistic: str, cells: dict[str, Any], days: tuple[date, date]) -> None:
    editions = [edition(week, seed=seed)[2] for seed, week in enumerate(("2024-W10", "2024-W11"))]
    start, end = days
    together = answer_each(editions, statistic, cells=cells, start=start, end=end)
    for codes, found in zip(product(*cells.values()), together, strict=True):
        where = {name: (code,) for name, code in zip(cells, codes, strict=True)}
        alone = answer(editions, statistic, where=where, start=start, end=end)
        assert found.unrounded == pytest.approx(alone.unrounded)
        assert found.standard_error == pytest.approx(alone.standard_error)
        assert (found.value, found.editions) == (alone.value, alone.editions)
        assert (found.lower, found.upper) == pytest.approx((alone.lower, alone.upper), abs=1.0)


@pytest.mark.parametrize(
    ("cells", "end", "reason"),
    [
        ({"area": ("A0", "Z9")}, END, "is no code"),
        ({"sex": ("F",)}, END, "no dimension 'sex'"),
        ({"area": AREAS}, date(2024, 3, 20), "no measured edition covers"),
        ({"area": AREAS, "band": ("B0",)}, END, "did not measure"),
    ],
)
def test_one_cell_that_does_not_follow_refuses_the_table(cells: dict[str, Any], end: date, reason: str) -> None:
    editions = [edition(week)[2] for week in ("2024-W10", "2024-W11")]
    with pytest.raises(NotDerivableError, match=reason):
        answer_each(editions, "count", cells=cells, start=START, end=end)
