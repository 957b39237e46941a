"""Tables across editions over changes of what editions are: merged areas are added up, what an edition lacks is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dp_stats.catalogue.grid import Dimension, Level
from dp_stats.estimate.across import across
from dp_stats.estimate.answer import Measured
from tests.across_examples import BY_WEEK, Series, arrivals, declare_series

TABLES: tuple[dict[str, Any], ...] = (
    {
        "id": "areas",
        "title": "Areas",
        "levels": {"area": "area"},
        "period": "week",
        "last": 2,
        "statistics": [{"id": "change", "kind": "difference", "of": "count"}],
    },
)


def drawn() -> tuple[Series, list[Measured]]:
    """Three weeks."""
    series = declare_series(weeks=3, tables=BY_WEEK, loss={"epsilon": 4}, across=TABLES)
    rng = np.random.default_rng(3)
    return series, series.draw(arrivals(series, rng, total=2000, late=0), rng)


def without_the_last_area(edition: Measured) -> Measured:
    """An edition whose code list had one area less; its noisy cells stay."""
    area = edition.grid["area"]
    levels = tuple(
        Level(one.name, tuple("gone" if code == "A8" else code for code in one.codes), one.names, one.group)
        for one in area.levels
    )
    changed: Dimension = replace(area, levels=levels)
    grid = replace(edition.grid, dimensions=tuple(changed if d.name == "area" else d for d in edition.grid.dimensions))
    return replace(edition, grid=grid)


def test_an_area_that_an_edition_did_not_have_is_missing_alone_and_says_why() -> None:
    _, (first, second, own) = drawn()
    found = across(own, [first, without_the_last_area(second)])["areas"]
    value = found.estimates["change"].value[:, :, 0]
    assert np.isnan(value[8]).all()
    assert not np.isnan(value[:8]).any()
    assert {(m.reason, m.editions) for m in found.missing} == {("cells", (second.period.label,))}


def test_values_do_not_depend_on_what_an_edition_called_its_areas() -> None:
    _, (first, second, own) = drawn()
    area = second.grid["area"]
    renamed = tuple(
        Level(one.name, one.codes, tuple(f"The {name}" for name in one.names), one.group) for one in area.levels
    )
    grid = replace(second.grid, dimensions=(replace(area, levels=renamed), *second.grid.dimensions[1:]))
    plain, told = (across(own, [first, e])["areas"].estimates["change"] for e in (second, replace(second, grid=grid)))
    np.testing.assert_array_equal(plain.value, told.value)


def test_another_meaning_of_a_statistic_is_no_part_of_a_sum() -> None:
    _, (first, second, own) = drawn()
    (count,) = second.release.statistics
    other = second.release.model_copy(update={"statistics": (count.model_copy(update={"kind": "sum"}),)})
    found = across(own, [first, replace(second, release=other)])["areas"]
    assert np.isnan(found.estimates["change"].value).all()
    assert {m.reason for m in found.missing} == {"meaning"}
