"""A series goes on at no charge while areas come, go, merge and move, as long as nobody can move it further than was paid for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import parse_period
from dp_stats.catalogue.validity import in_force, not_comparable
from dp_stats.errors import CatalogueError
from dp_stats.plan import make, sensitivity
from dp_stats.plan.make import make_sealed
from dp_stats.plan.sealed import SealedPlan
from dp_stats.plan.series import Series
from dp_stats.requests.questions import Question, chosen
from tests.plan_examples import BASIC, catalogue, code_lists, dataset, release

COST = {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 10}
KINDS = (
    {"id": "visits", "kind": "count", "expected_total": 5000},
    {"id": "visits", **{k: v for k, v in COST.items() if k != "id"}},
    {"id": "visits", "kind": "persons"},
)


def sealed(
    one: Release, lists: dict[str, CodeList], week: str, known: list[Series] | None = None, per: str = "year"
) -> SealedPlan:
    data = dataset(privacy_unit={"column": "patient", "per": per})
    made: Catalogue = catalogue(one, data, lists)
    return make_sealed(made, one, parse_period(week), known=known or [])


@settings(max_examples=25, deadline=None)
@given(
    lists=st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=2, max_size=4),
    kind=st.sampled_from(KINDS),
    rows=st.integers(1, 4),
    loss=st.sampled_from([{"epsilon": 1}, {"rho": "1/10"}]),
)
def test_any_areas_and_regions_are_one_series(
    lists: list[list[int]], kind: dict[str, object], rows: int, loss: dict[str, object]
) -> None:
    """Whatever the kind of statistic: what is measured, with how much noise, at what cost, is what the series began with."""
    one = release(BASIC, statistics=[kind], contribution={"rows": rows}, privacy_loss=loss)
    known: list[Series] = []
    for week, regions in enumerate(lists, start=1):
        made = sealed(one, code_lists(regions), f"2024-W0{week}", known)
        assert made.series is not None
        known = known or [made.series]
        assert made.plan.series_hash == known[0].hash
        assert {(m.id, m.scale, m.l1, m.l2_squared, m.rho) for m in made.plan.measurements} <= {
            (m.id, m.scale, m.l1, m.l2_squared, m.rho) for m in known[0].measurements
        }
        for m in made.plan.measurements:
            assert m.shape == made.grid.shape(m.levels), "the tables are those of the edition's own cells"
            own = sensitivity.of(
                one.statistics[0], m.role, contribution=one.contribution, cap=made.plan.truncated_rows_cap,
                grids=[made.grid], levels=m.levels, joint=True,
            )  # fmt: skip
            assert (own.l1, own.l2_squared) <= (m.l1, m.l2_squared)


def by_region(lists: dict[str, CodeList], one: Release) -> Series:
    """A series that measures regions by day, as they are in these lists."""
    first = sealed(one, lists, "2024-W01")
    assert first.series is not None
    at = {"area": "region", "date": "day", "age": "all"}
    moved = sensitivity.of(
        one.statistics[0], "statistic", contribution=one.contribution, cap=1, grids=[first.grid], levels=at, joint=True
    )
    m = next(m for m in first.series.measurements if m.role == "statistic")
    table = m.model_copy(update={"levels": at, "l1": moved.l1, "l2_squared": moved.l2_squared})
    return first.series.model_copy(update={"measurements": (table,)})


def test_with_one_row_per_cell_a_region_of_more_areas_is_charged_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    contribution = {"rows": 4, "one_per_cell": True}
    days = {"region-day": BASIC["region-day"]}
    one = release(
        days,
        contribution=contribution,
        privacy_loss={"rho": "1/10"},
        dimensions=[
            {"name": "area", "column": "area", "levels": ["area", "region", "all"]},
            {"name": "date", "column": "day", "levels": ["day"]},
            {"name": "age", "column": "age", "levels": ["band", "all"]},
        ],
    )
    series = by_region(code_lists((3, 3), bands=1), one)
    assert series.measurements[0].l2_squared == 3**2 + 1

    def goes_on(regions: tuple[int, ...]) -> bool:
        made = sealed(one, code_lists(regions, bands=1), "2024-W02", [series])
        return made.plan.series_hash == series.hash

    assert goes_on((3, 3))
    assert goes_on((3, 2, 1, 1)), "regions that are no larger cost no more"
    assert not goes_on((4, 2)), "four rows of a person may now lie in one cell"
    monkeypatch.setattr(make, "_sensitivity", lambda *_: sensitivity.Sensitivity(0, 0))
    assert goes_on((4, 2)), "it is the sensitivity on today's grid that decides"


def dated(lists: dict[str, CodeList]) -> dict[str, CodeList]:
    """The same lists, and in April an area more in the first region."""
    areas = lists["areas"]
    header = (*areas.header, "valid_from")
    rows = tuple({**row, "valid_from": ""} for row in areas.rows)
    new = {**rows[0], "code": "NEW", "valid_from": "2024-04-01"}
    return {**lists, "areas": replace(areas, header=header, rows=(*rows, new))}


def test_what_is_declared_in_advance_is_paid_for_when_the_series_begins() -> None:
    one = release(
        {"region-day": BASIC["region-day"]},
        contribution={"rows": 4, "one_per_cell": True},
        privacy_loss={"rho": "1/10"},
        start=date(2024, 1, 1),
    )
    lists = dated(code_lists((3, 3), bands=1))
    first = sealed(one, lists, "2024-W01")
    assert first.series is not None
    assert len(first.grid["area"]) == 6
    after = sealed(one, lists, "2024-W20", [first.series])
    assert len(after.grid["area"]) == 7
    assert after.plan.series_hash == first.plan.series_hash
    levels = {"area": "region", "date": "day", "age": "all"}
    place = ("visits", tuple(levels.values()))
    grids = [first.grid, after.grid]
    largest = make._largest(one, grids, place, True)
    assert largest == make._sensitivity(one, after.grid, place, "statistic", True)
    assert largest.l2_squared > make._sensitivity(one, first.grid, place, "statistic", True).l2_squared
    assert sealed(one, code_lists((3, 3), bands=1), "2024-W01").codes["areas"].replaced is None


def test_the_first_edition_under_a_new_name_breaks_with_those_under_the_old_one() -> None:
    """A release is named anew as its districts merge: on one day, in April."""
    lists = dated(code_lists((3, 3), bands=1))
    for former, broken in (((), ()), (("visits-by-clinic",), ("NEW",))):
        one = release(BASIC, start=date(2024, 4, 1), formerly=former)
        assert sealed(one, lists, "2024-W14").codes["areas"].breaks.get("code", ()) == broken, former
    later = release(BASIC, start=date(2024, 4, 8), formerly=("visits-by-clinic",))
    assert not sealed(later, lists, "2024-W15").codes["areas"].breaks


@pytest.mark.parametrize("unknown", [False, True])
def test_the_only_code_that_is_left_breaks_and_the_whole_does_not(unknown: bool) -> None:
    """Beside it 'unknown' is a cell of its own, while the whole holds that, too."""
    lines = [
        {"code": code, "name": code, "region": "R", "valid_from": first, "valid_to": last, "replaced_by": by}
        for code, first, last, by in (
            ("a", "", "2024-03-31", "c"),
            ("b", "", "2024-03-31", "c"),
            ("c", "2024-04-01", "", ""),
        )
    ]
    listed = CodeList("areas", Path("areas.csv"), tuple(lines[0]), tuple(lines))
    then, now = (in_force(listed, day) for day in (date(2024, 3, 31), date(2024, 4, 1)))
    assert not_comparable(then, now, "code", unknown=unknown) == ("c",)
    assert not_comparable(then, now, "region", unknown=unknown) == ()
    assert not_comparable(then, now, "all", unknown=unknown) == ()


def test_who_asks_chooses_among_the_codes_of_the_period_asked_for() -> None:
    made = catalogue(release(BASIC), dataset(), dated(code_lists((3, 3))))
    asked = {
        "dataset": "visits",
        "by": ("area/area",),
        "purpose": "To plan next winter's visits.",
        "only": ("new",),
        "epsilon": 1,
    }
    assert chosen(Question.model_validate({**asked, "period": "2024-W20"}), made) == {"area": {"NEW"}}
    with pytest.raises(CatalogueError, match="there is no 'new'"):
        chosen(Question.model_validate({**asked, "period": "2024-W10"}), made)


def test_regions_that_merge_into_one_are_the_whole() -> None:
    one = release(BASIC, contribution={"rows": 2})
    first = sealed(one, code_lists((2, 2)), "2024-W01")
    assert first.series is not None
    merged = sealed(one, code_lists((4,)), "2024-W02", [first.series])
    apart = sealed(one, code_lists((1, 1, 2)), "2024-W03", [first.series])
    assert merged.grid["area"].top.name == "region"
    assert {merged.plan.series_hash, apart.plan.series_hash} == {first.plan.series_hash}
    assert all(m.levels["area"] != "all" for m in merged.plan.measurements)


def test_what_follows_from_what_is_measured_costs_nothing_and_what_does_not_is_a_new_series() -> None:
    flat = [
        {"name": "area", "column": "area", "levels": ["area", "all"]},
        {"name": "date", "column": "day", "levels": ["day", "week"]},
        {"name": "age", "column": "age", "levels": ["band", "all"]},
    ]
    few = {"area-day": BASIC["area-day"]}
    first = sealed(release(few, dimensions=flat), code_lists(), "2024-W01")
    assert first.series is not None
    rate = {"id": "rate", "kind": "rate", "of": "visits", "per": 1000, "population": "population"}
    more = {
        **few,
        "region-day": BASIC["region-day"],
        "region-week": ({"area": "region", "date": "week"}, ("visits", "rate")),
        "whole": ({}, ("visits",)),
    }
    extended = release(more, derived=[rate])
    assert sealed(extended, code_lists(), "2024-W02", [first.series]).plan.series_hash == first.plan.series_hash
    ages = release({**more, "ages": ({"age": "band"}, ("visits",))}, derived=[rate])
    assert all(m.levels["age"] == "all" for m in first.series.measurements)
    assert sealed(ages, code_lists(), "2024-W02", [first.series]).plan.series_hash != first.plan.series_hash
