"""Populations are known from public lists or said to be unknown; plans, which must say something, guess."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.populations import (
    likely_population,
    numbers_of_leaves,
    of_groups,
    population_of,
    shares_of_leaves,
)
from tests.estimate_examples import DeclaredEdition, declare_edition

RATE: dict[str, Any] = {"id": "rate", "kind": "rate", "of": "count", "per": 1000}
BY_BAND = {f"population_B{i}": [100.0 * (i + 1)] * 9 for i in range(3)}
LEVELS = {"area": "region", "date": "week", "band": "band"}


def edition(columns: dict[str, list[float]] | None = None) -> DeclaredEdition:
    table = {"id": "region-band", "levels": {"area": "region", "band": "band"}, "statistics": ["count", "rate"]}
    return declare_edition(derived=[RATE], tables=[table], population_columns=columns)


def test_populations_by_band_come_from_the_list_or_are_not_known() -> None:
    given = edition(BY_BAND)
    known = population_of(given.grid, given.release, given.catalogue, LEVELS, "population")
    np.testing.assert_array_equal(known.reshape(3, 3), np.outer([3, 4, 2], [100, 200, 300]))
    given = edition()
    assert np.isnan(population_of(given.grid, given.release, given.catalogue, LEVELS, "population")).all()


def test_a_plan_guesses_alike_in_every_band_only_where_the_list_does_not_say() -> None:
    given = edition()
    guessed = likely_population(given.grid, given.release, given.catalogue, LEVELS, "population")
    assert guessed is not None
    np.testing.assert_allclose(guessed.ravel(), np.array([6000, 22000, 17000]) / 3)
    given = edition(BY_BAND)
    known = likely_population(given.grid, given.release, given.catalogue, LEVELS, "population")
    assert known is not None
    np.testing.assert_array_equal(known.reshape(3, 3), np.outer([3, 4, 2], [100, 200, 300]))
    assert likely_population(given.grid, given.release, given.catalogue, LEVELS, "households") is None


def test_the_margin_of_a_rate_is_foreseen_for_the_people_of_each_band() -> None:
    plan = edition(BY_BAND).plan
    count, rate = ({e.statistic: e for e in plan.expected}[name] for name in ("count", "rate"))
    smallest = 2 * 100  # two areas in the smallest region, a hundred people in the first band
    assert rate.worst == pytest.approx(count.worst * 1000 / smallest, rel=0.2)


def test_groups_of_which_nothing_is_known_have_no_population_and_a_guess_gives_them_none() -> None:
    rows = tuple(
        {"code": c, "name": c, "region": r, "population": p}
        for c, r, p in (("a", "X", "4"), ("b", "X", ""), ("c", "Y", ""), ("d", "X", "6"))
    )
    codes = CodeList("areas", Path("areas.csv"), ("code", "name", "region", "population"), rows)
    dimension = codes.dimension("area", "area", ("area", "region"), unknown=True)
    numbers = numbers_of_leaves(codes, dimension, "population")
    assert numbers is not None
    np.testing.assert_array_equal(numbers, [4, np.nan, np.nan, 6, np.nan])
    np.testing.assert_array_equal(of_groups(numbers, dimension.level("region")), [10, np.nan, np.nan])
    np.testing.assert_array_equal(shares_of_leaves(codes, dimension), [0.4, 0, 0, 0.6, 0])
    np.testing.assert_array_equal(shares_of_leaves(None, dimension), [0.2] * 5)
