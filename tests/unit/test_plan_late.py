"""Late tables cost a person no more than current ones, are sealed with the plan, and lie on their own period's calendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.due import periods_before
from dp_stats.catalogue.grid import Grid, Level
from dp_stats.catalogue.models import Late, Release
from dp_stats.catalogue.periods import parse_period
from dp_stats.plan import make
from dp_stats.plan.late import late_periods
from dp_stats.plan.late_cost import allowance, costs_no_more
from dp_stats.plan.make import make_sealed
from dp_stats.plan.model import Measurement
from dp_stats.plan.sealed import SealedPlan, unseal
from tests.estimate_examples import declare_edition
from tests.plan_examples import catalogue, release

WEEKLY = (
    {"id": "area-week", "levels": {"area": "area", "date": "week"}, "statistics": ["count"]},
    {"id": "all-week", "levels": {"date": "week"}, "statistics": ["count"]},
)
LOSSES: dict[str, Mapping[str, Any]] = {"Laplace": {"epsilon": "0.03"}, "Gaussian": {"rho": "0.0002"}}


def declared(loss: Mapping[str, Any] = LOSSES["Laplace"], **late: Any) -> tuple[Catalogue, Release]:
    made = declare_edition(period="2024-W10", kind="week", tables=WEEKLY, loss=loss, bands=1)
    release = made.release.model_copy(update={"late": Late(**{"periods": 3, **late})})
    return replace(made.catalogue, releases={"test": release}, _grids={}), release


def weeks(catalogue: Catalogue, release: Release, *labels: str) -> list[SealedPlan]:
    """Editions planned one after the other, each after all before it were stored."""
    made: list[SealedPlan] = []
    for label in labels:
        stored = {one.series.hash: list(made) for one in made if one.series is not None}
        made.append(make_sealed(catalogue, release, parse_period(label), stored=stored))
    return made


def table(role: Any, *, rho: Fraction = Fraction(0), epsilon: Fraction | None = None) -> Measurement:
    return Measurement(
        id="t",
        statistic="count",
        role=role,
        levels={},
        shape=(),
        l1=1,
        l2_squared=1,
        scale=1.0,
        rho=rho,
        epsilon=epsilon,
    )


COSTS = st.lists(st.fractions(Fraction(1, 100), 3), min_size=1, max_size=5)


@example(own=[Fraction(2)], late=[Fraction(1)] * 3, rows=1, bound=5)  # less ρ, but more pure ε
@example(own=[Fraction(1)] * 3, late=[Fraction(2)], rows=1, bound=5)  # less pure ε, but more ρ
@given(own=COSTS, late=COSTS, rows=st.integers(1, 5), bound=st.integers(5, 9))
def test_what_is_accepted_costs_no_more_for_any_number_of_rows(
    own: list[Fraction], late: list[Fraction], rows: int, bound: int
) -> None:
    def tables(role: str, costs: list[Fraction]) -> list[Measurement]:
        return [table(role, rho=cost**2 / 2, epsilon=cost) for cost in costs]

    accepted = costs_no_more(tables("late_statistic", late), tables("statistic", own), "discrete_laplace")
    share = Fraction(rows, bound)
    pure = sum(share * cost for cost in late) <= sum(share * cost for cost in own)
    rho = sum((share * cost) ** 2 for cost in late) <= sum((share * cost) ** 2 for cost in own)
    assert accepted == (pure and rho)


def test_each_noise_is_compared_with_its_like() -> None:
    small, pure = table("late_rows", rho=Fraction(1, 8)), table("late_rows", rho=Fraction(1, 8), epsilon=Fraction(1, 2))
    own = [table("statistic", rho=Fraction(1, 2), epsilon=Fraction(1))]
    assert costs_no_more([pure], own, "discrete_laplace")
    assert not costs_no_more([pure, small], own, "discrete_laplace")
    assert costs_no_more([small], [table("statistic", rho=Fraction(1, 2))], "discrete_gaussian")
    assert not costs_no_more([pure], [table("statistic", rho=Fraction(1, 2))], "discrete_gaussian")


def test_one_table_of_all_their_epsilon_would_cost_more_rho() -> None:
    own = [table("statistic", rho=Fraction(1, 2), epsilon=Fraction(1))] * 2
    whole = table("late_rows", rho=Fraction(2), epsilon=Fraction(2))
    assert not costs_no_more([whole], own, "discrete_laplace")
    most = allowance(own, "discrete_laplace")
    assert Fraction(14142, 10000) < most < Fraction(14143, 10000)
    assert costs_no_more([table("late_rows", rho=most**2 / 2, epsilon=most)], own, "discrete_laplace")


def test_what_the_bound_truncates_gives_late_rows_nothing() -> None:
    own = [table("statistic", rho=Fraction(1, 2)), table("truncated_rows", rho=Fraction(5))]
    assert allowance(own, "discrete_gaussian") == Fraction(1, 2)
    assert not costs_no_more([table("late_rows", rho=Fraction(1))], own, "discrete_gaussian")


@pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
@pytest.mark.parametrize("share", [0.01, 0.6])
def test_late_tables_cost_nothing_more(loss: Mapping[str, Any], share: float) -> None:
    catalogue, release = declared(loss, share=share)
    first, second = weeks(catalogue, release, "2024-W10", "2024-W11")
    (late,) = second.plan.late
    assert {m.role for m in late.measurements} == ({"late_rows"} if share < 0.1 else {"late_statistic"})
    assert costs_no_more(late.measurements, second.plan.measurements, second.plan.mechanism)
    without = release.model_copy(update={"late": None})
    plain = make_sealed(replace(catalogue, releases={"test": without}, _grids={}), without, parse_period("2024-W11"))
    assert second.plan.rho == plain.plan.rho
    assert second.plan.measurements == plain.plan.measurements
    assert first.plan.late == ()


def test_where_no_count_is_published_late_rows_are_counted_in_the_same_tables() -> None:
    """There is no pattern of rows by which one coarse table of them could be spread."""
    statistics = [
        {"id": "visits", "kind": "count"},
        {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 9},
    ]
    one = release(
        {"week": ({"date": "week"}, ["cost"])}, statistics=statistics, late={"periods": 2}, start="2024-01-01"
    )
    made = catalogue(one)
    first = make_sealed(made, one, parse_period("2024-W01"))
    assert first.series is not None
    second = make_sealed(made, one, parse_period("2024-W02"), known=[first.series], stored={first.series.hash: [first]})
    assert {(m.statistic, m.role) for late in second.plan.late for m in late.measurements} == {
        ("cost", "late_statistic")
    }


def test_the_periods_before_that_are_stored_are_late_and_sealed() -> None:
    catalogue, release = declared(periods=2)
    made = weeks(catalogue, release, "2024-W09", "2024-W10", "2024-W12", "2024-W11")
    assert [[late.label for late in one.plan.late] for one in made] == [
        [],
        ["2024-W09"],
        ["2024-W10"],  # W11 is not stored, W09 is too long ago
        ["2024-W10", "2024-W09"],
    ]
    last = made[-1]
    read = unseal(last.hash, last.aside, last.parts).plan
    assert read == last.plan
    for one, other_one in zip(read.late, last.plan.late, strict=True):
        assert [list(m.levels) for m in one.measurements] == [list(m.levels) for m in other_one.measurements]
    other = last.plan.model_copy(update={"late": last.plan.late[:1]})
    assert last.plan.blocks == other.blocks
    assert make_sealed(catalogue, release, parse_period("2024-W11")).hash != last.hash


def test_an_edition_covers_the_blocks_of_its_late_periods() -> None:
    catalogue, release = declared()
    dataset = catalogue.datasets["visits"]
    weekly = dataset.model_copy(update={"privacy_unit": dataset.privacy_unit.model_copy(update={"per": "week"})})
    catalogue = replace(catalogue, datasets={"visits": weekly}, _grids={})
    made = weeks(catalogue, release, "2024-W09", "2024-W10", "2024-W11")
    assert made[-1].plan.blocks == ("2024-W09", "2024-W10", "2024-W11")


def test_a_period_with_other_cells_is_not_added_to() -> None:
    catalogue, release = declared()
    (first, second) = weeks(catalogue, release, "2024-W10", "2024-W11")
    assert second.series is not None
    area = first.grid["area"]
    leaf = area.levels[0]
    renamed = Level(leaf.name, ("other", *leaf.codes[1:]), leaf.names, leaf.group)
    moved = Grid((replace(area, levels=(renamed, *area.levels[1:])), *first.grid.dimensions[1:]))
    for grid, late in ((first.grid, 1), (moved, 0)):
        found = late_periods(
            [m.model_copy(update={"role": "late_statistic"}) for m in second.series.measurements],
            release,
            canonical=first.grid,
            grid=second.grid,
            period=second.period,
            stored={first.period: grid},
        )
        assert len(found) == late


def test_turning_late_rows_on_starts_a_series_and_their_number_of_periods_does_not() -> None:
    catalogue, release = declared()
    (first,) = weeks(catalogue, release, "2024-W10")
    assert first.series is not None
    longer = release.model_copy(update={"late": Late(periods=9, share=0.4)})
    without = release.model_copy(update={"late": None})
    for edited, same in ((longer, True), (without, False)):
        own = replace(catalogue, releases={"test": edited}, _grids={})
        made = make_sealed(own, edited, parse_period("2024-W11"), known=[first.series])
        assert (made.plan.series_hash == first.plan.series_hash) is same


def test_a_series_whose_late_rows_would_cost_more_is_not_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue, release = declared()
    (first,) = weeks(catalogue, release, "2024-W10")
    assert first.series is not None
    dear = first.series.model_copy(
        update={"late": tuple(m.model_copy(update={"rho": m.rho * 100}) for m in first.series.late)}
    )
    made = make_sealed(catalogue, release, parse_period("2024-W11"), known=[dear])
    assert made.plan.series_hash != dear.hash
    monkeypatch.setattr(make, "costs_no_more", lambda *_: True)
    assert make_sealed(catalogue, release, parse_period("2024-W11"), known=[dear]).plan.series_hash == dear.hash


def test_periods_before_end_at_the_first_day_of_the_release() -> None:
    _, release = declared()
    cut = release.model_copy(update={"start": date(2024, 2, 28)})
    found = periods_before(cut, parse_period("2024-W11"), 9)
    assert [(p.label, p.start) for p in found] == [("2024-W10", date(2024, 3, 4)), ("2024-W09", date(2024, 2, 28))]


@pytest.mark.parametrize("areas", [(3, 3), (3, 4), (4, 4)])
def test_a_week_of_one_of_seven_areas_is_no_whole_day(areas: tuple[int, ...]) -> None:
    """Areas that differ in how many rows are late are not told so by days, however many areas and days there are."""
    tables = (
        {"id": "region-week", "levels": {"area": "region", "date": "week"}, "statistics": ["count"]},
        {"id": "area", "levels": {"area": "area"}, "statistics": ["count"]},
        {"id": "day", "levels": {"date": "day"}, "statistics": ["count"]},
    )
    counted = ({"id": "count", "kind": "count", "expected_total": 3000},)
    made = declare_edition(
        period="2024-W10", kind="week", areas=areas, tables=tables, loss={"epsilon": 2}, bands=1, statistics=counted
    )
    release = made.release.model_copy(update={"late": Late(periods=3, share=0.5)})
    catalogue = replace(made.catalogue, releases={"test": release}, _grids={})
    series = make_sealed(catalogue, release, parse_period("2024-W10")).series
    assert series is not None
    assert {m.role for m in series.late} == {"late_statistic"}
