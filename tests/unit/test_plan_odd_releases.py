"""Odd releases that check accepts are planned: of rolling sums alone, of rates where nobody lives, of months in weeks."""

from __future__ import annotations

import math
from datetime import date

import pytest
from conftest import Clinic

from dp_stats.catalogue import load_catalogue
from dp_stats.catalogue.calendar import WEEKDAYS
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import parse_period
from dp_stats.plan import make_plan
from dp_stats.plan.make import make_sealed
from dp_stats.plan.model import Plan
from dp_stats.plan.sealed import SealedPlan
from tests.plan_examples import catalogue, release


def plan_of(clinic: Clinic, table: dict[str, object], derived: dict[str, object]) -> object:
    clinic.change("releases/visits.yaml", derived=[derived], tables=[table], headline=None)
    catalogue = load_catalogue(clinic.folder)
    release = catalogue.release("visits")
    return make_plan(catalogue, release, catalogue.period(release, "2024-W02"))


def test_a_release_of_rolling_sums_alone_is_planned(clinic: Clinic) -> None:
    derived = {"id": "week", "kind": "rolling", "of": "visits", "days": 7}
    table = {"id": "t", "title": "T", "levels": {"clinic": "clinic", "date": "day"}, "statistics": ["week"]}
    assert plan_of(clinic, table, derived).measurements  # type: ignore[attr-defined]


def test_a_rate_where_nobody_lives_is_planned_without_a_margin(clinic: Clinic) -> None:
    path = clinic.folder / "codes/clinics.csv"
    head, *lines = path.read_text().splitlines()
    path.write_text("\n".join([head, *(f"{line.rpartition(',')[0]},0" for line in lines)]))
    derived = {"id": "rate", "kind": "rate", "of": "visits", "per": 1000}
    table = {"id": "t", "title": "T", "levels": {"clinic": "clinic"}, "statistics": ["visits", "rate"]}
    assert plan_of(clinic, table, derived).measurements  # type: ignore[attr-defined]


@pytest.mark.parametrize("level", ["month", "year"])
def test_months_and_years_of_weeks_are_measured_so_that_every_week_can_be_published(clinic: Clinic, level: str) -> None:
    dimensions = [{"name": "clinic", "column": "clinic"}, {"name": "date", "column": "day", "levels": ["day", level]}]
    table = {"id": "t", "title": "T", "levels": {"date": level}, "statistics": ["visits"]}
    clinic.change("releases/visits.yaml", dimensions=dimensions, tables=[table])
    catalogue = load_catalogue(clinic.folder)
    release = catalogue.release("visits")
    within, across = (make_plan(catalogue, release, catalogue.period(release, w)) for w in ("2024-W02", "2025-W01"))
    assert [e.cells for e in (*within.expected, *across.expected)] == [1, 2]
    assert within.rho == across.rho


def odd(week_starts: str, **fields: object) -> Release:
    """A release of months by weeks from any day."""
    return release(
        {},
        **{
            "period": "month",
            "start": date(2024, 1, 1),
            "calendar": {"week_starts": week_starts},
            "dimensions": [{"name": "date", "column": "day", "levels": ["day", "week"]}],
            **fields,
        },
    )


def plans_of(one: Release) -> list[Plan]:
    """The plans of fifteen editions, of one series."""
    made: list[SealedPlan] = []
    for period in (f"{2024 + n // 12}-{n % 12 + 1:02d}" for n in range(15)):
        known = [made[0].series] if made and made[0].series else []
        made.append(make_sealed(catalogue(one), one, parse_period(period), known=known))
    assert len({m.plan.series_hash for m in made}) == 1
    return [m.plan for m in made]


@pytest.mark.parametrize("week_starts", WEEKDAYS)
def test_the_last_days_of_every_month_can_be_told_not_only_of_one_that_ends_with_a_week(week_starts: str) -> None:
    one = odd(
        week_starts,
        derived=[{"id": "last", "kind": "rolling", "of": "visits", "days": 7}],
        tables=[{"id": "t", "title": "T", "levels": {}, "statistics": ["last"]}],
    )
    for plan in plans_of(one):
        (error,) = plan.expected
        assert math.isfinite(error.margin_95)


@pytest.mark.parametrize("weights", [(0, 0, 0), (0, 1, 1), (1, 0, 0), (1e-9, 1e-9, 0), (1e9, 0, 1e-12)])
def test_what_has_no_weight_is_measured_too(weights: tuple[float, float, float]) -> None:
    levels = ({"date": "day"}, {"date": "week"}, {})
    statistics = [
        {"id": "visits", "kind": "count"},
        {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 9},
    ]
    tables = [
        {
            "id": f"t{i}",
            "title": "T",
            "levels": level,
            "statistics": ["cost"] if i == 1 else ["visits"],
            "weight": weight,
        }
        for i, (level, weight) in enumerate(zip(levels, weights, strict=True))
    ]
    for plan in plans_of(odd("monday", statistics=statistics, tables=tables)):
        assert len(plan.expected) == 3
        assert all(math.isfinite(error.margin_95) for error in plan.expected)


def test_weights_that_are_all_alike_say_nothing() -> None:
    def tables(weight: float) -> list[dict[str, object]]:
        levels = ("day", "week")
        return [
            {"id": i, "title": "T", "levels": {"date": i}, "statistics": ["visits"], "weight": weight} for i in levels
        ]

    first, *others = (plans_of(odd("monday", tables=tables(weight)))[0] for weight in (1, 0, 1e-7))
    assert all(other.measurements == first.measurements for other in others)
