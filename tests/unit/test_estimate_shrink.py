"""Sparse local cells lean on their neighbours where the plan expects less error; nothing else does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.estimate_examples import DeclaredEdition, declare_edition

pytestmark = pytest.mark.slow  # many plans and simulated releases: part of every test, not of a quick check

TABLES: tuple[dict[str, Any], ...] = (
    {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},
    {"id": "area-week-band", "levels": {"area": "area", "date": "week", "band": "band"}, "statistics": ["count"]},
    {"id": "region-week", "levels": {"area": "region", "date": "week"}, "statistics": ["count"]},
    {"id": "all-week-band", "levels": {"date": "week", "band": "band"}, "statistics": ["count"]},
)
SIZES = (15, 20, 15)


def make(total: float | None, **loss: Any) -> DeclaredEdition:
    statistic = {"id": "count", "kind": "count", **({"expected_total": total} if total else {})}
    return declare_edition(
        areas=SIZES,
        tables=TABLES,
        statistics=(statistic,),
        loss=loss or {"epsilon": "0.5"},
        period="2024-03-04--2024-04-28",
    )


def true_counts(edition: DeclaredEdition, total: float, rng: np.random.Generator) -> np.ndarray:
    areas, days, bands = edition.grid.shape()
    size = rng.gamma(1.0, 1.0, (areas, 1, 1)) * np.array([1.0, 2.0, 0.5]).reshape(1, 1, bands)
    wave = 1 + 0.8 * np.sin(np.arange(days) / 9).reshape(1, days, 1)
    return rng.poisson(total * size * wave / (size * wave).sum())


@pytest.mark.parametrize("table", ["area-day", "area-week-band"])
def test_sparse_cells_have_a_smaller_error_than_by_least_squares(table: str) -> None:
    edition = make(20_000)
    rng = np.random.default_rng(1)
    counts = true_counts(edition, 20_000, rng)
    e = edition.estimate(edition.draw({"count": counts}, rng)).tables[table]["count"]
    true = edition.grid.roll_up(counts, e.levels)
    assert e.shrunken
    assert np.mean((e.value - true) ** 2) < 0.75 * np.mean((np.maximum(e.unrounded, 0) - true) ** 2)
    assert 0.93 < np.mean((e.lower <= true) & (true <= e.upper)) < 0.985
    assert (e.lower <= e.value).all()
    assert (e.value <= e.upper).all()


@pytest.mark.parametrize("table", ["area-day", "area-week-band"])
def test_a_shrunken_value_has_a_smaller_error_and_an_interval_no_wider_than_that_of_least_squares(table: str) -> None:
    edition = make(20_000)
    rng = np.random.default_rng(1)
    e = edition.estimate(edition.draw({"count": true_counts(edition, 20_000, rng)}, rng)).tables[table]["count"]
    assert e.unrounded_error is not None
    assert np.median(e.standard_error) < 0.8 * np.median(e.unrounded_error)
    wider = e.upper - e.lower > 2 * 2.13 * e.unrounded_error + 2
    assert wider.mean() < 0.05
    assert ((e.value == e.lower) | (e.value == e.upper))[wider].all(), (
        "wider than noise where settling moved no value out"
    )


def test_what_cells_lean_on_leans_on_its_own_margins_in_turn() -> None:
    """Bands of an area over all weeks lean on its region's, so sums over the weeks have half the squared error."""
    edition = make(20_000)
    ratios = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        counts = true_counts(edition, 20_000, rng)
        e = edition.estimate(edition.draw({"count": counts}, rng)).tables["area-week-band"]["count"]
        true = edition.grid.roll_up(counts, e.levels).sum(axis=1)
        ratios.append(np.mean((e.value.sum(axis=1) - true) ** 2) / np.mean((e.unrounded.sum(axis=1) - true) ** 2))
    assert np.mean(ratios) < 0.6


@pytest.mark.parametrize("table", ["area-day", "area-week-band"])
def test_intervals_hold_outbreaks_as_often_as_quiet_cells_in_sparse_data(table: str) -> None:
    edition = make(20_000)
    rng = np.random.default_rng(7)
    inside: dict[str, list[float]] = {"quiet": [], "outbreak": []}
    counts = true_counts(edition, 2_000, rng)
    counts[rng.random(counts.shape) < 0.004] += 25
    for _ in range(12):
        e = edition.estimate(edition.draw({"count": counts}, rng)).tables[table]["count"]
        true = edition.grid.roll_up(counts, e.levels)
        held = (e.lower <= true) & (true <= e.upper)
        inside["outbreak"].append(float(held[true >= 20].mean()))
        inside["quiet"].append(float(held[true < 20].mean()))
    for shares in inside.values():
        assert np.mean(shares) > 0.93


def test_figures_of_regions_and_of_the_whole_are_never_shrunken() -> None:
    edition = make(20_000)
    estimates = edition.estimate(
        edition.draw({"count": true_counts(edition, 20_000, np.random.default_rng(0))}, np.random.default_rng(1))
    )
    assert not estimates.tables["region-week"]["count"].shrunken
    assert not estimates.tables["all-week-band"]["count"].shrunken


def test_whether_a_table_is_shrunken_depends_on_the_plan_and_not_on_the_data_or_a_guess() -> None:
    for total, epsilon, expected in ((20_000.0, 0.5, True), (2e7, 0.5, True), (None, 0.5, True), (20_000.0, 40, False)):
        edition = make(total, epsilon=epsilon)
        for counts in (np.zeros(edition.grid.shape(), dtype=np.int64), np.full(edition.grid.shape(), 5000)):
            estimates = edition.estimate(edition.draw({"count": counts}, np.random.default_rng(1)))
            assert estimates.tables["area-day"]["count"].shrunken is expected


def test_large_counts_stay_as_they_are() -> None:
    edition = make(None, epsilon=1)
    rng = np.random.default_rng(4)
    counts = true_counts(edition, 2e7, rng) + rng.integers(0, 3000, edition.grid.shape())
    e = edition.estimate(edition.draw({"count": counts}, rng)).tables["area-day"]["count"]
    true = edition.grid.roll_up(counts, e.levels)
    assert np.mean((e.value - true) ** 2) < np.mean((e.unrounded - true) ** 2) + 0.3  # rounding
    assert 0.93 < np.mean((e.lower <= true) & (true <= e.upper)) < 0.97


def test_too_few_cells_to_learn_from_are_left_alone() -> None:
    edition = declare_edition(
        areas=(3, 4), tables=({"id": "area", "levels": {"area": "area"}, "statistics": ["count"]},)
    )
    estimates = edition.estimate(edition.draw({"count": np.full(edition.grid.shape(), 9)}, np.random.default_rng(0)))
    assert not estimates.tables["area"]["count"].shrunken


def test_areas_that_differ_from_their_region_are_not_drawn_to_it_where_there_is_little_noise() -> None:
    edition = make(20_000, epsilon=8)
    rng = np.random.default_rng(4)
    counts = true_counts(edition, 20_000, rng)
    e = edition.estimate(edition.draw({"count": counts}, rng)).tables["area-week-band"]["count"]
    true = edition.grid.roll_up(counts, e.levels)
    assert np.mean((e.value - true) ** 2) <= 1.05 * np.mean((e.unrounded - true) ** 2)


def test_intervals_hold_a_day_of_many_among_empty_cells_of_its_region() -> None:
    """Its region's total of the day has more noise than it, which no empty cell takes where it is below nothing: the value of the
    day takes it all and lies far outside what was measured. Drawn in to be no wider than noise, its interval held 7 in 10."""
    edition = declare_edition(
        areas=(2, 20, 26),
        tables=(*TABLES, {"id": "region-day", "levels": {"area": "region", "date": "day"}, "statistics": ["count"]}),
        statistics=({"id": "count", "kind": "count", "expected_total": 400},),
        loss={"epsilon": 2},
    )
    rng = np.random.default_rng(3)
    counts = rng.poisson(0.02, edition.grid.shape())
    days = np.array([2, 9, 13, 17, 25])
    counts[[4, 11, 25, 33, 44], days, 0] += 50
    held, moved = [], []
    for _ in range(16):
        e = edition.estimate(edition.draw({"count": counts}, rng)).tables["area-day"]["count"]
        many = edition.grid.roll_up(counts, e.levels)
        here = many >= 50
        held.append(((e.lower <= many) & (many <= e.upper))[here])
        moved.append((e.value - many)[here])
    assert np.mean(moved) < -1, "settling moves none of them: nothing is tested"
    assert np.mean(held) > 0.9
