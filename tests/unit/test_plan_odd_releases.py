"""Odd releases that check accepts are planned: of rolling sums alone, of rates where nobody lives, of months in weeks."""

from __future__ import annotations

import pytest
from conftest import Clinic

from dp_stats.catalogue import load_catalogue
from dp_stats.plan import make_plan


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
