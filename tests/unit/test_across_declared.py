"""Tables across editions as they are declared: what is refused and why, which days they are about, and what is sealed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from english import TEXTS
from pydantic import ValidationError

from dp_stats.catalogue.across import AcrossStatistic
from dp_stats.catalogue.across_windows import check_levels_across, rows_of, windows, year_before
from dp_stats.catalogue.models import Release, Statistic
from dp_stats.catalogue.periods import parse_period
from dp_stats.editions.across import missing_said
from dp_stats.editions.across_facts import MissingFacts
from dp_stats.errors import CatalogueError
from dp_stats.estimate.compared import Compared, Spans, estimate_of
from dp_stats.estimate.noise_law import normal_law
from dp_stats.plan import declaration
from dp_stats.plan.make import make_sealed
from tests.across_examples import BY_DAY, BY_WEEK, declare_series
from tests.estimate_examples import declare_edition

TOTAL = {"id": "sum", "kind": "total", "of": "count"}


def table(*statistics: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": "wide", "title": "Wide", "period": "week", "statistics": list(statistics), **fields}


def release(*tables: dict[str, Any], by: Any = BY_DAY) -> Release:
    return declare_series(weeks=1, tables=by, loss={"epsilon": 1}, across=tables).release


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (table({**TOTAL, "lag": 2}), "has no 'against' or 'lag'"),
        (table({**TOTAL, "kind": "ratio", "against": "year", "lag": 2}), "either 'lag' or 'against: year'"),
        (table({**TOTAL, "kind": "growth", "against": "year"}), "use a ratio"),
        (table({**TOTAL, "since": "2024-01-01"}), "'since' is for a cumulative sum"),
        (table({**TOTAL, "kind": "cumulative", "periods": 3}), "it has no 'periods'"),
        (table({**TOTAL, "of": "nothing"}), "neither a measured statistic nor a rate"),
        (table({**TOTAL, "id": "count"}), "another statistic has this id"),
        (table(TOTAL, TOTAL), "two statistics have the same id"),
        (table(TOTAL, id="area-week"), "another table has this id"),
        (table(TOTAL, levels={"planet": "earth"}), "there is no dimension 'planet'"),
    ],
)
def test_what_cannot_be_is_refused_in_words(declared: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        release(declared)


def test_persons_do_not_add_up_over_time_and_a_range_has_no_other_edition() -> None:
    people = ({"id": "count", "kind": "persons"},)
    weekly = declare_edition(period="2024-W10", kind="week", statistics=people, tables=BY_WEEK).release
    for one, said in ((weekly, "distinct persons"), (declare_edition().release, "a release of one range")):
        content = one.model_dump(mode="json") | {"across": [table(TOTAL)]}
        with pytest.raises(ValidationError, match=said):
            Release.model_validate(content)


@pytest.mark.parametrize(
    ("declared", "by", "said"),
    [
        (table(TOTAL, period="month"), BY_WEEK, "by month or by parts that a month is made of"),
        (table(TOTAL, period="day"), BY_WEEK, "by day or by parts"),
        (table(TOTAL, levels={"area": "street"}), BY_DAY, "there is no level 'street'"),
        (table(TOTAL, levels={"date": "week"}), BY_DAY, "time is what 'period' says"),
        (
            table({**TOTAL, "kind": "cumulative", "since": "2024-01-03"}),
            BY_WEEK,
            "a day on which something published begins",
        ),
    ],
)
def test_what_no_table_tells_is_refused(declared: dict[str, Any], by: Any, said: str) -> None:
    made = declare_series(weeks=1, tables=by, loss={"epsilon": 1})
    content = made.release.model_dump(mode="json") | {"across": [declared]}
    with pytest.raises(CatalogueError, match=said):
        check_levels_across(Release.model_validate(content), made.sealed[0].grid, "releases/test.yaml")


def statistic(**fields: Any) -> AcrossStatistic:
    return AcrossStatistic.model_validate({**TOTAL, **fields})


def test_rows_are_the_newest_whole_periods_that_have_ended() -> None:
    one = release(table(TOTAL, period="month", last=2))
    (wide,) = one.across
    assert [r.label for r in rows_of(wide, one, date(2024, 3, 31))] == ["2024-02", "2024-03"]
    assert [r.label for r in rows_of(wide, one, date(2024, 3, 30))] == ["2024-01", "2024-02"]
    assert [r.label for r in rows_of(wide, one, date(2024, 1, 7))] == ["2024-01"]  # which has not ended


def test_windows_have_the_days_they_are_named_after() -> None:
    one = release()
    week = parse_period("2024-W10")
    days = {name: windows(statistic(**fields), one, week) for name, fields in {
        "rolling": {"periods": 4},
        "change": {"kind": "difference"},
        "overlapping": {"kind": "ratio", "periods": 4, "lag": 1},
        "since": {"kind": "cumulative", "since": "2024-02-01"},
    }.items()}  # fmt: skip
    own = (date(2024, 3, 4), date(2024, 3, 10))
    assert days["rolling"] == ((date(2024, 2, 12), own[1]), None)
    assert days["change"] == (own, (date(2024, 2, 26), date(2024, 3, 3)))
    assert days["overlapping"] == ((date(2024, 2, 12), own[1]), (date(2024, 2, 5), date(2024, 3, 3)))
    assert days["since"] == ((date(2024, 2, 1), own[1]), None)


@pytest.mark.parametrize(
    ("period", "before"),
    [
        ("2024-W10", "2023-W10"),
        ("2021-W52", "2020-W52"),
        ("2020-W53", None),
        ("2024-02-29", None),
        ("2024-02", "2023-02"),
        ("2024-Q1", "2023-Q1"),
        ("2024", "2023"),
    ],
)
def test_the_same_period_a_year_before(period: str, before: str | None) -> None:
    found = year_before(release(), parse_period(period))
    assert (found.label if found else None) == before


def test_titles_and_tables_start_no_new_series_and_titles_no_new_plan() -> None:
    made = declare_series(weeks=1, tables=BY_DAY, loss={"epsilon": 1})
    period = made.sealed[0].period

    def sealed(*tables: dict[str, Any]) -> Any:
        content = made.release.model_dump(mode="json") | {"across": list(tables)}
        told = Release.model_validate(content)
        return make_sealed(replace(made.made.catalogue, releases={"test": told}, _grids={}), told, period)

    without, plain, told = sealed(), sealed(table(TOTAL)), sealed(table({**TOTAL, "title": "All"}, title="Told"))
    assert without.hash == made.sealed[0].hash
    assert without.plan.series_hash == plain.plan.series_hash
    assert plain.hash == told.hash != without.hash
    assert "across" not in declaration.declared(without.release)
    again = plain.told_by(told.catalogue)
    assert again.release == told.release


def test_growth_and_doubling_time_follow_from_the_ratio_and_are_missing_where_unclear() -> None:
    count = Statistic(id="count", kind="count")
    value, before = np.array([[200.0], [100.0], [100.0], [3.0]]), np.array([[100.0], [200.0], [100.0], [1.0]])
    variance = np.full((4, 1), 4.0)
    week = ((date(2024, 3, 4), date(2024, 3, 10)), (date(2024, 2, 26), date(2024, 3, 3)))
    made = {
        kind: estimate_of(
            statistic(kind=kind), count, Compared(value, variance, before, variance, 2 * variance),
            laws=(normal_law(), normal_law()), spans=Spans.of([week] * 4),
        )
        for kind in ("growth", "doubling-time")
    }  # fmt: skip
    growth, lower, upper = (made["growth"][n][:, 0] for n in (0, 2, 3))
    np.testing.assert_allclose(growth[:3], [100 * np.log(2) / 7, -100 * np.log(2) / 7, 0], atol=1e-9)
    assert lower[2] < 0 < upper[2]
    assert np.isnan(growth[3])  # one against three, each give or take two
    doubling, low, high = (made["doubling-time"][n][:, 0] for n in (0, 2, 3))
    np.testing.assert_allclose(doubling[:2], [7, -7])
    assert low[0] < 7 < high[0]
    assert low[1] < -7 < high[1] < 0
    assert np.isnan(doubling[2:]).all()


def test_figures_per_day_are_means_and_compare_by_weeks() -> None:
    daily = {"id": "a-day", "kind": "daily", "of": "count"}

    def declared(across: dict[str, Any]) -> Release:
        made = declare_series(weeks=1, tables=BY_DAY, loss={"epsilon": 1}).release.model_dump(by_alias=True)
        return Release.model_validate({**made, "derived": [daily], "across": [across]})

    of = {"id": "beds", "of": "a-day"}
    with pytest.raises(ValidationError, match="figures per day do not add up"):
        declared(table({**of, "kind": "total"}))
    with pytest.raises(ValidationError, match="compared by day or week"):
        declared(table({**of, "kind": "difference"}, period="month"))
    assert declared(table({**of, "kind": "difference", "against": "year"})).across


def test_many_reasons_of_one_kind_are_one_sentence() -> None:
    def said(weeks: int) -> list[str]:
        labels = [f"2024-W{number:02d}" for number in range(1, weeks + 1)]
        missing = [
            MissingFacts(statistic="beds", period=label, reason="edition", editions=(label,)) for label in labels
        ]
        across: Any = SimpleNamespace(across=SimpleNamespace(missing=missing, kind="week"))
        edition: Any = SimpleNamespace(statistic=lambda name: SimpleNamespace(title="Beds"))
        return missing_said(edition, across, TEXTS)

    assert len(said(3)) == 3
    (one,) = said(12)
    assert "12 periods (the first 1 to 7 January 2024, the last 18 to 24 March 2024)" in one
