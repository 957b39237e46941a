"""Tables across editions over changes of what editions are: merged areas are added up, what an edition lacks is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dp_stats.catalogue.grid import Dimension, Level
from dp_stats.estimate.across import across
from dp_stats.estimate.answer import answer
from dp_stats.estimate.answer_each import answer_each
from dp_stats.estimate.measured_edition import Measured
from tests.across_examples import BY_WEEK, Series, arrivals, declare_series, tables_across

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


@pytest.mark.parametrize("guess", [60, 4000])  # late rows by region, and by area
def test_an_answer_over_editions_is_as_uncertain_as_the_table_across_them(guess: int) -> None:
    """Areas that report slowly do so every week: what is unknown of that adds up as standard deviations."""
    wanted = [one for one in tables_across(days=False) if one["id"] == "area-weeks"]
    series = declare_series(weeks=7, tables=BY_WEEK, loss={"epsilon": 1}, late=2, total=guess, across=wanted)
    rng = np.random.default_rng(5)
    *before, own = series.draw(arrivals(series, rng, total=600, late=2), rng)
    table = across(own, before)["area-weeks"]
    since = table.estimates["since"]
    codes, editions = own.grid["area"].leaf.codes, [*before, own]
    first, last = before[0].period.start, own.period.end
    asked = [answer(editions, "count", where={"area": [code]}).standard_error for code in codes]
    newest = [row.label for row in table.rows].index(own.period.label)
    np.testing.assert_allclose(asked, since.standard_error[:, newest, 0], rtol=0.02)
    each = answer_each(editions, "count", cells={"area": codes}, start=first, end=last)
    np.testing.assert_allclose([one.standard_error for one in each], asked, rtol=1e-9)
    apart = [[answer([e], "count", where={"area": [code]}).standard_error for e in editions] for code in codes]
    assert np.mean(asked) > (1.05 if guess == 60 else 0.999) * np.mean(np.linalg.norm(apart, axis=1))
