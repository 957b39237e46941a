"""What the planner takes to be shrunken is what the estimator may shrink."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.estimate.lattice import Lattice, without_unused_levels
from dp_stats.estimate.shrink import LEAST_CELLS, differences, is_local, margins_of
from dp_stats.plan.adjusted import gain_of_shrinkage
from dp_stats.plan.targets import targets
from tests.estimate_examples import DeclaredEdition, declare_edition

CALENDARS = (("day",), ("day", "week"), ("week", "month"), ("day", "week", "month"))


@st.composite
def editions(draw: st.DrawFn) -> tuple[DeclaredEdition, bool]:
    """An edition of any tables over some areas, days and bands, and whether its calendar's levels are nested."""
    calendar = draw(st.sampled_from(CALENDARS))
    levels = st.fixed_dictionaries(
        {},
        optional={
            "area": st.sampled_from(["area", "region"]),
            "date": st.sampled_from(calendar),
            "band": st.just("band"),
        },
    )
    tables: list[dict[str, Any]] = [
        {"id": f"table-{number}", "levels": one, "statistics": ["count"]}
        for number, one in enumerate(draw(st.lists(levels, min_size=1, max_size=3, unique_by=str)))
    ]
    edition = declare_edition(
        areas=draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)),
        bands=draw(st.integers(1, 12)),
        period=draw(st.sampled_from(["2024-01-01--2024-01-14", "2024-01-08--2024-03-17"])),
        levels_of_dates=calendar,
        tables=tables,
    )
    return edition, not {"week", "month"} <= set(calendar)


def _asked(edition: DeclaredEdition) -> Iterator[tuple[bool, bool]]:
    """Of each published level, whether the planner foresees that it leans, and whether the estimator lets it."""
    found = targets(edition.grid, edition.release)
    measured = [m.levels for m in edition.plan.measurements if m.role == "statistic"]
    names = [{d.name: n for d, n in zip(edition.grid.dimensions, t.levels, strict=True)} for t in found]
    lattice = Lattice(without_unused_levels(edition.grid, [*measured, *names]))
    for target, levels in zip(found, names, strict=True):
        key = lattice.key(levels)
        enough = differences(lattice, key, margins_of(lattice, key)) >= LEAST_CELLS
        foreseen = gain_of_shrinkage(edition.grid, edition.release, target) is not None
        yield foreseen, is_local(lattice, key) and enough


@given(editions())
@settings(max_examples=20, deadline=None)
def test_a_level_is_foreseen_to_lean_where_the_estimator_can_let_it_lean(drawn: tuple[DeclaredEdition, bool]) -> None:
    """Where levels are not nested (weeks and months) the planner may say no where the estimator says yes, never otherwise."""
    edition, nested = drawn
    for foreseen, leans in _asked(edition):
        assert foreseen == leans if nested else foreseen <= leans


@pytest.mark.parametrize("more", [0, 1])
def test_both_need_as_many_differences(more: int) -> None:
    tables = [{"id": "areas", "levels": {"area": "area"}, "statistics": ["count"]}]
    edition = declare_edition(areas=(LEAST_CELLS - 9 + more, 10), tables=tables)
    assert list(_asked(edition)) == [(bool(more), bool(more))]
