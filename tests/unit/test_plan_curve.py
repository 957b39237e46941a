"""A statistician can see what accuracy costs, how long the budget lasts, and which bound suits her data."""

from __future__ import annotations

from fractions import Fraction

import pytest

from dp_stats.catalogue import parse_period
from dp_stats.errors import CatalogueError
from dp_stats.plan import make_plan
from dp_stats.plan.accounting import rho_of
from dp_stats.plan.bounds import best_bound, bounds, caps
from dp_stats.plan.curve import cost_of, curve, lasting
from tests.plan_examples import BASIC, catalogue, dataset, release

WEEK = parse_period("2021-W05")


def test_margins_fall_as_epsilon_grows() -> None:
    one = release(BASIC)
    points = curve(catalogue(one), one, WEEK)
    for place in points[0].margins:
        margins = [p.margins[place] for p in points]
        assert margins == sorted(margins, reverse=True)
    assert [p.epsilon for p in points] == [Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), 1, 2, 4, 8]
    assert [p.rho for p in points] == sorted(p.rho for p in points)


@pytest.mark.parametrize("loss", [{"epsilon": 1}, {"epsilon": 1, "delta": 1e-6}, {"rho": "1/50"}])
def test_the_cost_of_a_margin_buys_it_and_a_little_less_does_not(loss: dict[str, object]) -> None:
    one = release({"area-week": ({"area": "area", "date": "week"}, ("visits",))}, privacy_loss=loss)
    known = catalogue(one)
    found = cost_of(known, one, WEEK, table="area-week", statistic="visits", margin=10)
    assert found.margins[("area-week", "visits")] <= 10
    (less,) = curve(known, one, WEEK, [found.epsilon * Fraction(99, 100)])
    assert less.margins[("area-week", "visits")] > 10


def test_a_margin_nobody_publishes_is_refused_with_what_there_is() -> None:
    one = release(BASIC)
    with pytest.raises(CatalogueError, match=r"area-day\.visits"):
        cost_of(catalogue(one), one, WEEK, table="area-month", statistic="visits", margin=10)
    with pytest.raises(CatalogueError, match="above zero"):
        cost_of(catalogue(one), one, WEEK, table="area-day", statistic="visits", margin=0)


def test_a_series_pays_once_and_lasts() -> None:
    one = release(BASIC)
    data = dataset()
    found = lasting(make_plan(catalogue(one), one, WEEK), one, data.budget)
    assert (found.editions, found.years) == (None, None)
    assert found.affordable
    assert found.share == pytest.approx(
        float(make_plan(catalogue(one), one, WEEK).rho / rho_of(Fraction(8), Fraction("1e-6")))
    )


def test_without_a_series_a_lifetimes_budget_runs_out() -> None:
    one = release(BASIC, series=False, privacy_loss={"rho": "1/100"})
    data = dataset(privacy_unit={"column": "patient", "per": "lifetime"}, budget={"rho": "1/2", "scheduled": "0.5"})
    found = lasting(make_plan(catalogue(one, data), one, WEEK), one, data.budget)
    assert found.editions == 25
    assert found.years == pytest.approx(25 * 7 / 365.2425)


def test_bounds_trade_bias_for_noise() -> None:
    repeats = {"1": 0.5, "2": 0.3, "3": 0.2}
    one = release(BASIC, contribution={"rows": 1, "repeats": repeats})
    choices = bounds(catalogue(one), one, WEEK)
    assert [c.rows for c in choices] == [1, 2, 3]
    assert [c.truncated_share for c in choices] == pytest.approx([0.7 / 1.7, 0.2 / 1.7, 0])
    place = ("area-day", "visits")
    assert choices[0].bias[place] == pytest.approx(0.7 / 1.7 * 5000 / 35)
    assert choices[0].margin[place] < choices[1].margin[place] < choices[2].margin[place]


def test_the_best_bound_is_small_for_sparse_cells_and_large_for_full_ones() -> None:
    repeats = {"1": 0.95, "2": 0.04, "5": 0.01}
    chosen = []
    for total in (50, 1_000_000):
        statistics = [{"id": "visits", "kind": "count", "expected_total": total}]
        one = release(BASIC, contribution={"rows": 1, "repeats": repeats}, statistics=statistics)
        best = best_bound(bounds(catalogue(one), one, WEEK))
        assert best is not None
        chosen.append(best.rows)
    assert chosen == [1, 5]


def test_the_total_error_is_of_what_is_published_corrected_or_not() -> None:
    repeats = {"1": 0.9, "2": 0.05, "5": 0.05}
    statistics = [{"id": "visits", "kind": "count", "expected_total": 100_000}]
    place = ("area-day", "visits")
    found = {}
    for measured in (True, False):
        bound = {"rows": 1, "repeats": repeats, "measure_truncation": measured}
        one = release(BASIC, contribution=bound, statistics=statistics)
        found[measured] = bounds(catalogue(one), one, WEEK)
    for corrected, bounded in zip(found[True], found[False], strict=True):
        assert (corrected.bias, corrected.margin) == (bounded.bias, bounded.margin)
        assert bounded.error[place] == pytest.approx(
            ((bounded.margin[place] / 1.96) ** 2 + bounded.bias[place] ** 2) ** 0.5, rel=1e-3
        )
    assert found[True][0].error[place] < found[False][0].error[place]
    one = release(BASIC, contribution={"rows": 1, "repeats": repeats}, statistics=statistics)
    plan = make_plan(catalogue(one), one, WEEK)
    margin = next(e.margin_95 for e in plan.expected if (e.table, e.statistic) == place)
    assert found[True][0].error[place] == pytest.approx(margin / 1.96, rel=1e-3)


def test_a_cap_below_what_people_have_leaves_rows_uncounted_and_one_above_costs_noise() -> None:
    repeats = {"1": 0.9, "2": 0.05, "9": 0.05}
    statistics = [{"id": "visits", "kind": "count", "expected_total": 100_000}]
    one = release(BASIC, contribution={"rows": 1, "repeats": repeats}, statistics=statistics)
    choices = caps(catalogue(one), one, WEEK, 1)
    assert [c.cap for c in choices] == [1, 2, 3, 5, 8]
    best = best_bound(choices)
    assert best is not None
    assert best.cap == 8  # many are beyond a smaller one
    few = release(
        BASIC, contribution={"rows": 1, "repeats": {"1": 0.95, "2": 0.0499, "9": 0.0001}}, statistics=statistics
    )
    best = best_bound(caps(catalogue(few), few, WEEK, 1))
    assert best is not None
    assert best.cap < 8
    assert caps(catalogue(one), one, WEEK, 9) == ()


def test_bounds_need_a_guess() -> None:
    one = release(BASIC)
    with pytest.raises(CatalogueError, match="repeats"):
        bounds(catalogue(one), one, WEEK)
