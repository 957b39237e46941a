"""Rates, shares, means, running sums and quantiles follow from what is published beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dp_stats.estimate import EditionEstimates
from dp_stats.estimate.quantiles import quantile_with_interval
from tests.estimate_examples import DeclaredEdition, declare_edition

DERIVED: tuple[dict[str, Any], ...] = (
    {"id": "rate", "kind": "rate", "of": "count", "per": 1000},
    {"id": "share", "kind": "share", "of": "count", "across": "band"},
    {"id": "week-to-day", "kind": "rolling", "of": "count", "days": 7},
    {"id": "so-far", "kind": "cumulative", "of": "count"},
    {"id": "a-day", "kind": "daily", "of": "count"},
    {"id": "median", "kind": "quantile", "of": "count", "across": "band", "q": 0.5},
    {"id": "mean-cost", "kind": "mean", "of": "cost", "over": "count"},
    {"id": "people-rate", "kind": "rate", "of": "people", "per": 1000},
)
STATISTICS: tuple[dict[str, Any], ...] = (
    {"id": "count", "kind": "count", "expected_total": 20000},
    {
        "id": "cost",
        "kind": "sum",
        "column": "cost",
        "lower": 0,
        "upper": 10,
        "resolution": "0.5",
        "expected_total": 80000,
    },
    {"id": "people", "kind": "persons"},
)
TABLES: tuple[dict[str, Any], ...] = (
    {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count", "week-to-day", "so-far"]},
    {"id": "area-band", "levels": {"area": "area", "band": "band"}, "statistics": ["count", "share", "rate"]},
    {
        "id": "region-week",
        "levels": {"area": "region", "date": "week"},
        "statistics": ["count", "rate", "median", "mean-cost", "so-far", "a-day"],
    },
    {"id": "region", "levels": {"area": "region"}, "statistics": ["people", "people-rate"]},
)


def make(**options: Any) -> DeclaredEdition:
    return declare_edition(statistics=STATISTICS, derived=DERIVED, tables=TABLES, **options)


def measured(
    edition: DeclaredEdition, *, noise: float = 1.0, mean: float = 30.0, rows_per_person: int = 1
) -> tuple[np.ndarray, EditionEstimates]:
    counts = np.random.default_rng(5).poisson(mean, edition.grid.shape())
    exact = {"count": counts, "cost": counts * 9, "people": counts // rows_per_person}
    return counts, edition.estimate(edition.draw(exact, np.random.default_rng(6), noise=noise))


def test_without_noise_everything_is_exact() -> None:
    edition = make(loss={"epsilon": 50})
    counts, estimates = measured(edition, noise=0)
    area_day = counts.sum(axis=2, keepdims=True)
    daily, banded, weekly = (estimates.tables[t] for t in ("area-day", "area-band", "region-week"))
    np.testing.assert_array_equal(daily["count"].value, area_day)
    np.testing.assert_array_equal(daily["so-far"].value, np.cumsum(area_day, axis=1))
    np.testing.assert_array_equal(daily["week-to-day"].value[:, 6:], sum(area_day[:, i : i + 22] for i in range(7)))
    shares = counts.sum(axis=1, keepdims=True) / counts.sum(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(banded["share"].value, 100 * shares)
    np.testing.assert_allclose(weekly["mean-cost"].value, 4.5)
    people = np.array([6000.0, 22000.0, 17000.0]).reshape(3, 1, 1)
    np.testing.assert_allclose(weekly["rate"].value, weekly["count"].value * 1000 / people)


def test_the_first_days_of_a_rolling_sum_have_no_value() -> None:
    _, estimates = measured(make())
    rolling = estimates.tables["area-day"]["week-to-day"]
    for array in (rolling.value, rolling.lower, rolling.upper, rolling.standard_error):
        assert np.isnan(array[:, :6]).all()
        assert not np.isnan(array[:, 6:]).any()


def test_a_rolling_sum_over_a_part_of_a_week_has_no_value() -> None:
    """2024 begins on a Monday and ends on a Tuesday: its last week has two days."""
    fortnight = {"id": "fortnight", "kind": "rolling", "of": "count", "days": 14}
    table = {"id": "weeks", "levels": {"date": "week"}, "statistics": ["count", "fortnight"]}
    edition = declare_edition(
        period="2024", kind="year", derived=(fortnight,), tables=(table,), levels_of_dates=("week",)
    )
    counts = np.random.default_rng(5).poisson(30, edition.grid.shape())
    found = edition.estimate(edition.draw({"count": counts}, np.random.default_rng(6))).tables["weeks"]["fortnight"]
    weeks = found.value.reshape(-1)
    assert np.isnan(weeks[[0, -1]]).all()
    assert not np.isnan(weeks[1:-1]).any()


def test_a_figure_per_day_is_the_sum_divided_by_the_days_that_there_are() -> None:
    """The last week of 2024 has two days in its year."""
    daily = {"id": "a-day", "kind": "daily", "of": "count"}
    table = {"id": "weeks", "levels": {"date": "week"}, "statistics": ["count", "a-day"]}
    edition = declare_edition(period="2024", kind="year", derived=(daily,), tables=(table,), levels_of_dates=("week",))
    counts = np.random.default_rng(5).poisson(30, edition.grid.shape())
    found = edition.estimate(edition.draw({"count": counts}, np.random.default_rng(6))).tables["weeks"]
    days = np.array([7.0] * 52 + [2.0])
    for name in ("value", "lower", "upper", "standard_error", "unrounded"):
        whole, each = (getattr(found[statistic], name).reshape(-1) for statistic in ("count", "a-day"))
        np.testing.assert_allclose(each, whole / days)
    expected = {e.statistic: e for e in edition.plan.expected}
    np.testing.assert_allclose(expected["a-day"].margin_95, expected["count"].margin_95 / 7)


def test_the_last_cumulative_number_is_the_weeks_added_up() -> None:
    _, estimates = measured(make())
    weekly = estimates.tables["region-week"]
    np.testing.assert_array_equal(weekly["so-far"].value[:, -1], weekly["count"].value.sum(axis=1))


def test_shares_add_up_to_one_hundred() -> None:
    _, estimates = measured(make())
    np.testing.assert_allclose(estimates.tables["area-band"]["share"].value.sum(axis=2), 100.0)


def test_a_rate_by_band_needs_populations_by_band() -> None:
    _, estimates = measured(make())
    assert np.isnan(estimates.tables["area-band"]["rate"].value).all()
    by_band = {f"population_B{i}": [100.0 * (i + 1)] * 9 for i in range(3)}
    _, estimates = measured(make(population_columns=by_band))
    rate = estimates.tables["area-band"]
    np.testing.assert_allclose(rate["rate"].value, rate["count"].value * 1000 / np.array([100.0, 200.0, 300.0]))


def test_nobody_lives_where_no_population_is_given() -> None:
    edition = make(population_columns={"population": [np.nan, *[500.0] * 8]})
    _, estimates = measured(edition)
    rate = estimates.tables["region-week"]["rate"]
    np.testing.assert_allclose(rate.value[0], estimates.tables["region-week"]["count"].value[0])


def test_persons_are_published_as_measured_with_their_rate() -> None:
    _, estimates = measured(make(), rows_per_person=2)  # fewer than rows, above which persons are not published
    region = estimates.tables["region"]
    assert (region["people"].value == np.maximum(region["people"].unrounded, 0)).all()
    people = np.array([6000.0, 22000.0, 17000.0]).reshape(3, 1, 1)
    np.testing.assert_allclose(region["people-rate"].value, region["people"].value * 1000 / people)


@pytest.mark.parametrize(
    ("table", "statistic"), [("region-week", "median"), ("region-week", "mean-cost"), ("area-band", "share")]
)
def test_every_value_lies_in_its_interval(table: str, statistic: str) -> None:
    _, estimates = measured(make(), mean=3.0)
    e = estimates.tables[table][statistic]
    assert ((e.lower <= e.value) & (e.value <= e.upper)).all()
    assert (e.lower >= 0).all()


def test_a_quantile_of_a_histogram_is_interpolated_in_its_bin() -> None:
    edition = make(loss={"epsilon": 50})
    counts = np.zeros(edition.grid.shape(), dtype=np.int64)
    counts[..., 0], counts[..., 1] = 1, 3
    exact = {"count": counts, "cost": counts, "people": counts}
    estimates = edition.estimate(edition.draw(exact, np.random.default_rng(0), noise=0))
    # two of four rows lie below the median: the first bin's one and a third of the second's three
    np.testing.assert_allclose(estimates.tables["region-week"]["median"].value, 10 + 10 / 3, atol=1e-6)


def test_the_interval_of_a_quantile_holds_all_of_the_bin_that_it_lies_in() -> None:
    """Where rows lie inside a bin is not known, however little noise there is."""
    counts = np.array([[10.0, 80.0, 10.0]])
    below = np.array([[0.0, 10.0, 90.0, 100.0]])
    value, lower, upper = quantile_with_interval(
        counts, below - 0.5 * 100, np.full((1, 4), 0.1), np.array([0.0, 2.0, 3.0, 9.0]), 0.5, 1.96
    )
    assert (lower.item(), upper.item()) == (2.0, 3.0)
    assert lower.item() < value.item() < upper.item()


def test_months_are_sums_of_days_also_where_only_weeks_are_published_beside_them() -> None:
    edition = declare_edition(
        period="2023",
        kind="year",
        tables=(
            {"id": "week", "levels": {"date": "week"}, "statistics": ["count"]},
            {"id": "month", "levels": {"date": "month"}, "statistics": ["count"]},
        ),
        statistics=({"id": "count", "kind": "count", "expected_total": 36_500},),
        loss={"epsilon": 8},
        levels_of_dates=("week", "month"),
    )
    exact = np.zeros(edition.grid.shape(), dtype=np.int64)
    exact[0, :, 0] = 100
    estimates = edition.estimate(edition.draw({"count": exact}, np.random.default_rng(0)))
    january = estimates.tables["month"]["count"]
    assert abs(january.value.ravel()[0] - 3100) < 60
    assert january.lower.ravel()[0] < january.upper.ravel()[0]


def test_sums_add_up_in_the_digits_that_are_published() -> None:
    edition = declare_edition(
        tables=(
            {"id": "region", "levels": {"area": "region"}, "statistics": ["cost"]},
            {"id": "all", "levels": {}, "statistics": ["cost"]},
        ),
        statistics=(
            {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 10, "resolution": "0.01"}
            | {"expected_total": 9000},
        ),
    )
    exact = np.random.default_rng(1).integers(0, 100, edition.grid.shape())
    for seed in range(5):
        tables = edition.estimate(edition.draw({"cost": exact}, np.random.default_rng(seed))).tables
        parts, whole = tables["region"]["cost"].value, tables["all"]["cost"].value
        assert np.round(parts, 0).sum() == pytest.approx(np.round(whole, 0).sum(), abs=1e-6)
