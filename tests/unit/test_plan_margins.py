"""The margins a plan promises are near the errors of what is published, and fall as the privacy loss rises."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from benchmarks.sampling import discrete_gaussian, discrete_laplace
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.periods import parse_period
from dp_stats.plan.curve import curve
from dp_stats.plan.make import make_plan
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.plan.scenarios import scenarios_of
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


RATIOS: tuple[dict[str, Any], ...] = (
    {"id": "area-band", "levels": {"area": "area", "band": "band"}, "statistics": ["count", "share"]},
    {
        "id": "region-week",
        "levels": {"area": "region", "date": "week"},
        "statistics": ["count", "cost", "mean", "median"],
    },
)


def _share(grid: Grid, levels: dict[str, str], count: np.ndarray, cost: np.ndarray) -> np.ndarray:
    table = grid.roll_up(count, levels)
    return np.asarray(100 * table / table.sum(axis=2, keepdims=True))


def _mean(grid: Grid, levels: dict[str, str], count: np.ndarray, cost: np.ndarray) -> np.ndarray:
    return np.asarray(grid.roll_up(cost, levels) / grid.roll_up(count, levels))


def _median(grid: Grid, levels: dict[str, str], count: np.ndarray, cost: np.ndarray) -> np.ndarray:
    bins = grid.roll_up(count, {**levels, "band": "band"}).astype(float)
    edges = np.arange(0.0, 90.0, 10.0)
    below = np.concatenate([np.zeros((*bins.shape[:-1], 1)), np.cumsum(bins, axis=-1)], axis=-1)
    found = [np.interp(row[-1] / 2, row, edges) for row in below.reshape(-1, 9)]
    return np.array(found).reshape(*bins.shape[:-1], 1)


TRUE = {"share": _share, "mean": _mean, "median": _median}


def draw(edition: DeclaredEdition, truth: np.ndarray, rng: np.random.Generator) -> NoisyMeasurements:
    values = {}
    for m in edition.plan.measurements:
        sample = discrete_gaussian if m.epsilon is None else discrete_laplace
        values[m.id] = edition.grid.roll_up(truth, m.levels) + sample(rng, m.scale, m.shape)
    return NoisyMeasurements(edition.plan.hash, values)


def make(
    loss: float | dict[str, Any], *, total: float = TOTAL, populations: bool = True, **contribution: Any
) -> DeclaredEdition:
    return declare_edition(
        areas=(15, 20, 15),
        tables=TABLES,
        statistics=({"id": "count", "kind": "count", "expected_total": total},),
        loss=loss if isinstance(loss, dict) else {"epsilon": loss},
        period=PERIOD,
        contribution=contribution or None,
        populations=populations,
    )


@pytest.mark.parametrize("total", [TOTAL, TOTAL / 10])
@pytest.mark.parametrize("loss", [{"epsilon": 0.25}, {"epsilon": 1}, {"epsilon": 4}, {"epsilon": 7}, {"rho": 2}])
def test_errors_lie_in_the_range_of_margins_in_dense_and_in_sparse_data(loss: dict[str, Any], total: float) -> None:
    """In data whose bands are alike everywhere, so near the lower end; and with little noise, where an error is no or
    one whole step and there is nothing to round."""
    edition = make(loss, total=total)
    rng = np.random.default_rng(3)
    size = rng.gamma(2.0, 1.0, (50, 1, 1))
    truth = rng.poisson(total * size / (size.sum() * 56 * 3), edition.grid.shape())
    estimates = [edition.estimate(draw(edition, truth, rng)) for _ in range(8)]
    for e in edition.plan.expected:
        true = edition.grid.roll_up(truth, edition.grid.complete(estimates[0].tables[e.table]["count"].levels))
        mse = np.mean([np.mean((run.tables[e.table]["count"].value - true) ** 2) for run in estimates])
        low, high = e.between or (e.margin_95, e.margin_95)
        assert low <= e.margin_95 <= high
        assert 0.75 * low < 1.96 * np.sqrt(mse) < 1.25 * high


def few(rng: np.random.Generator) -> np.ndarray:
    """Three of 50 areas have nearly all rows."""
    rate = np.full((50, 56, 3), 0.005)
    rate[[3, 20, 40]] = 40.0
    return rng.poisson(rate)


def bursts(rng: np.random.Generator) -> np.ndarray:
    """Three of a hundred areas and days have some forty rows, all others next to none."""
    large = np.where(rng.random((50, 56, 1)) < 0.03, rng.gamma(0.8, 16.0, (50, 56, 1)), 0.003)
    return rng.poisson(np.broadcast_to(large, (50, 56, 3)))


@pytest.mark.parametrize(
    ("simulate", "loss"),
    [
        pytest.param(few, {"rho": 2}, id="few areas have nearly all rows, with little noise"),
        pytest.param(few, {"epsilon": 0.2}, id="few areas, and much noise, so that they take that of their region"),
        pytest.param(bursts, {"epsilon": 0.3}, id="bursts as large as noise hides"),
    ],
)
def test_the_range_of_margins_reaches_to_data_that_a_guess_of_the_mean_allows(
    simulate: Callable[[np.random.Generator], np.ndarray], loss: dict[str, Any]
) -> None:
    rng = np.random.default_rng(5)
    truth = simulate(rng)
    edition = make(loss, total=float(truth.sum()), populations=False)
    estimates = [edition.estimate(draw(edition, truth, rng)) for _ in range(4)]
    for e in edition.plan.expected:
        true = edition.grid.roll_up(truth, edition.grid.complete(estimates[0].tables[e.table]["count"].levels))
        mse = np.mean([np.mean((run.tables[e.table]["count"].value - true) ** 2) for run in estimates])
        low, high = e.between or (e.margin_95, e.margin_95)
        assert 0.8 * low < 1.96 * np.sqrt(mse) < 1.25 * high, e


def test_with_hardly_any_noise_the_range_reaches_down_to_what_whole_numbers_take_out() -> None:
    """Two measurements of one number that differ tell the right one half of the time (0.74 of the margin was seen)."""
    assert all(0.65 * e.margin_95 < e.lowest < 0.8 * e.margin_95 for e in make(10).plan.expected)


def test_few_places_or_groups_have_nearly_all_rows_unless_lists_say_how_many_people_are_in_each() -> None:
    def many(levels: tuple[str, ...], **lists: Any) -> int:
        edition = declare_edition(**lists)
        return len(list(scenarios_of(edition.catalogue, edition.grid, edition.release, levels)))

    by_band = {f"population_{code}": [100.0] * 9 for code in ("B0", "B1", "B2")}
    area, both, national, days = (
        ("area", "day", "all"),
        ("area", "week", "band"),
        ("all", "week", "band"),
        ("all", "day", "all"),
    )
    assert [many(at, populations=False) for at in (area, both, national, days)] == [7, 7, 7, 5]
    assert [many(at) for at in (area, both, national, days)] == [5, 7, 7, 5]
    assert [many(at, population_columns=by_band) for at in (area, both, national, days)] == [5, 5, 5, 5]


def test_where_people_are_known_to_live_everywhere_the_range_is_narrower() -> None:
    known, unknown = make(1, populations=True), make(1, populations=False)
    for told, open_to in zip(known.plan.expected, unknown.plan.expected, strict=True):
        (low, high), (lowest, highest) = told.between or (1.0, 1.0), open_to.between or (1.0, 1.0)
        assert lowest <= low <= high <= highest or told.between is None
    day = {e.table: e for e in unknown.plan.expected}["area-day"]
    assert day.lowest < 0.7 * next(e.lowest for e in known.plan.expected if e.table == "area-day")


@pytest.mark.parametrize("epsilon", [0.25, 1, 4])
@pytest.mark.parametrize("total", [20_000.0, 2_000.0])
def test_errors_of_shares_means_and_quantiles_lie_in_the_range_of_their_margins(epsilon: float, total: float) -> None:
    """Of typical cells, in bands that are ten wide; a quantile's margin once was that of bands one wide."""
    edition = declare_edition(
        areas=(10, 10, 10),
        bands=8,
        tables=RATIOS,
        statistics=(
            {"id": "count", "kind": "count", "expected_total": total},
            {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 10, "expected_total": 5 * total},
        ),
        derived=(
            {"id": "share", "kind": "share", "of": "count", "across": "band"},
            {"id": "mean", "kind": "mean", "of": "cost", "over": "count"},
            {"id": "median", "kind": "quantile", "of": "count", "across": "band", "q": 0.5},
        ),
        loss={"epsilon": epsilon},
    )
    rng = np.random.default_rng(4)
    shape = edition.grid.shape()
    rate = np.broadcast_to(rng.gamma(4.0, 1.0, (shape[0], 1, 1)) * np.hanning(10)[1:-1], shape)
    count = rng.poisson(total * rate / rate.sum())
    cost = rng.binomial(10 * count, 0.5)
    runs = [edition.estimate(edition.draw({"count": count, "cost": cost}, rng)).tables for _ in range(12)]
    for e in edition.plan.expected:
        if e.statistic in ("share", "mean", "median"):
            levels = edition.grid.complete(runs[0][e.table][e.statistic].levels)
            true = TRUE[e.statistic](edition.grid, levels, count, cost)
            squares = np.nanmean([(run[e.table][e.statistic].value - true) ** 2 for run in runs], axis=0)
            low, high = e.between or (e.margin_95, e.margin_95)
            assert 0.7 * low < 1.96 * np.median(np.sqrt(squares)) < 1.4 * high, e


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


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_margins_of_means_and_quantiles_have_the_room_for_truncated_rows_that_intervals_have(share: float) -> None:
    """What is published is as wide as was foreseen, where truncated rows are as many as was declared; and the error is no larger
    where all of them lie on one side, nor smaller than the range where they are like the kept ones."""
    truncated = {1: 1 - share, 3: share}
    edition = declare_edition(
        areas=(10, 10, 10),
        bands=8,
        tables=RATIOS,
        statistics=(
            {"id": "count", "kind": "count", "expected_total": 60_000},
            {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 10, "expected_total": 240_000},
        ),
        derived=(
            {"id": "share", "kind": "share", "of": "count", "across": "band"},
            {"id": "mean", "kind": "mean", "of": "cost", "over": "count"},
            {"id": "median", "kind": "quantile", "of": "count", "across": "band", "q": 0.5},
        ),
        loss={"epsilon": 4},
        contribution={"rows": 1, "repeats": {str(n): p for n, p in truncated.items()}},
    )
    rng = np.random.default_rng(5)
    shape = edition.grid.shape()
    rate = np.broadcast_to(np.hanning(10)[1:-1], shape)
    kept = rng.poisson(60_000 / (1 + 2 * share) * rate / rate.sum())
    cost, lost = rng.binomial(10 * kept, 0.4), rng.binomial(kept, 2 * share)
    below = np.zeros_like(lost)
    below[..., 0] = lost.sum(axis=2)
    exact = {"count": kept, "cost": cost, "truncated_persons": rng.binomial(lost, 0.5)}
    levels = edition.grid.complete({"area": "region", "date": "week"})
    expected = {e.statistic: e for e in edition.plan.expected if e.table == "region-week"}
    for where, missing in {"like the kept ones": lost, "all below": below}.items():
        drawn = {**exact, "truncated_rows": missing}
        runs = [edition.estimate(edition.draw(drawn, rng)).tables["region-week"] for _ in range(8)]
        half = float(np.median([(run["mean"].upper - run["mean"].lower) / 2 for run in runs]))
        if where == "like the kept ones":
            margin, (_, high) = expected["mean"].margin_95, expected["mean"].between
            assert 0.8 * margin < half < 1.25 * margin
            assert half < 1.25 * high
        nothing = 0.4 * lost if where == "like the kept ones" else 0 * lost
        of_all = {
            "mean": _mean(edition.grid, levels, kept + missing, cost + 10 * nothing),
            "median": _median(edition.grid, levels, kept + missing, cost),
        }
        for name, true in of_all.items():
            error = 1.96 * np.sqrt(np.mean([(run[name].value - true) ** 2 for run in runs]))
            low, high = expected[name].between or (expected[name].margin_95,) * 2
            assert error < 1.25 * high, (name, where)
            if where == "like the kept ones":
                assert error > 0.8 * low, (name, where)
    unmeasured = edition.release.model_copy(
        update={"contribution": edition.release.contribution.model_copy(update={"measure_truncation": False})}
    )
    plain = {
        e.statistic: e.margin_95
        for e in make_plan(edition.catalogue, unmeasured, parse_period("2024-03-04--2024-03-31")).expected
    }
    if share == 0.1:
        assert expected["mean"].margin_95 > 2 * plain["mean"], "no room for missing rows is caught"
        assert expected["median"].margin_95 > 2 * plain["median"]
