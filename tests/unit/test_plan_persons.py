"""Margins of distinct persons have the room that their intervals have for persons whose rows are truncated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from dp_stats.plan.model import ExpectedError
from dp_stats.plan.noisy import NoisyMeasurements
from tests.estimate_examples import DeclaredEdition, declare_edition

PERSONS, DAYS, AREAS = 20_000, 28, (10, 10, 10)
PEOPLE = ["people", "count"]
TABLES: tuple[dict[str, Any], ...] = (
    {"id": "area-week", "levels": {"area": "area", "date": "week"}, "statistics": PEOPLE},
    {"id": "region-day", "levels": {"area": "region", "date": "day"}, "statistics": PEOPLE},
    {"id": "area", "levels": {"area": "area"}, "statistics": PEOPLE},
    {"id": "all", "levels": {}, "statistics": PEOPLE},
)


def declare(share: float, epsilon: float, **more: Any) -> DeclaredEdition:
    """A release of which a share of persons have three rows, where one counts."""
    return declare_edition(
        areas=AREAS,
        bands=1,
        tables=TABLES,
        statistics=(
            {"id": "count", "kind": "count", "expected_total": PERSONS * (1 + 2 * share)},
            {"id": "people", "kind": "persons", "expected_total": PERSONS},
        ),
        loss={"epsilon": epsilon},
        contribution={"rows": 1, "repeats": {"1": 1 - share, "3": share}},
        **more,
    )


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of persons, of whom a share have three: person, area and day of each, and which of them the bound keeps."""

    person: np.ndarray
    area: np.ndarray
    day: np.ndarray
    kept: np.ndarray

    def leaves(self, chosen: np.ndarray) -> np.ndarray:
        """How many of the chosen rows are in each leaf cell."""
        found = np.zeros((sum(AREAS), DAYS, 1), dtype=np.int64)
        np.add.at(found, (self.area[chosen], self.day[chosen], 0), 1)
        return found

    def distinct(self, edition: DeclaredEdition, levels: dict[str, str], chosen: np.ndarray) -> np.ndarray:
        """How many different persons have one of the chosen rows in each cell."""
        grid, named = edition.grid, edition.grid.complete(levels)
        area, day = (grid[name].level(named[name]) for name in ("area", "date"))
        place = np.stack([self.person[chosen], area.group[self.area[chosen]], day.group[self.day[chosen]]])
        once = np.unique(place, axis=1)
        found = np.zeros((len(area.codes), len(day.codes), 1), dtype=np.int64)
        np.add.at(found, (once[1], once[2], 0), 1)
        return found


def some_rows(share: float, *, same_day: bool, rng: np.random.Generator) -> Rows:
    """Everybody lives in one area; a person's rows fall on any days, or all on one, where the bound leaves nobody out."""
    size = rng.gamma(3.0, 1.0, sum(AREAS))
    home = rng.choice(sum(AREAS), p=size / size.sum(), size=PERSONS)
    many = 1 + 2 * (rng.random(PERSONS) < share)
    person = np.repeat(np.arange(PERSONS), many)
    day = np.repeat(rng.integers(DAYS, size=PERSONS), many) if same_day else rng.integers(DAYS, size=person.size)
    return Rows(person, home[person], day, np.r_[True, person[1:] != person[:-1]])


def draw(edition: DeclaredEdition, rows: Rows, rng: np.random.Generator) -> NoisyMeasurements:
    kept, lost = rows.leaves(rows.kept), rows.leaves(~rows.kept)
    first_lost = ~rows.kept & np.r_[False, rows.kept[:-1]]
    truncated = {"truncated_rows": lost, "truncated_persons": rows.leaves(first_lost)}
    noisy = edition.draw({"count": kept, "people": 0 * kept, **truncated}, rng)
    values = dict(noisy.values)
    for m in edition.plan.measurements:
        if m.statistic == "people":
            values[m.id] = values[m.id] + rows.distinct(edition, dict(m.levels), rows.kept).reshape(m.shape)
    return NoisyMeasurements(edition.plan.hash, values)


def expected(edition: DeclaredEdition, table: str) -> ExpectedError:
    return next(e for e in edition.plan.expected if (e.table, e.statistic) == (table, "people"))


@pytest.mark.slow
@pytest.mark.parametrize("same_day", [False, True])
@pytest.mark.parametrize(("share", "epsilon"), [(0.02, 0.5), (0.02, 4), (0.15, 4)])
def test_margins_of_persons_come_true_with_truncated_rows(share: float, epsilon: float, same_day: bool) -> None:
    """Intervals are as wide as was foreseen, and errors lie in the range: near its lower end where all rows of a person fall on
    one day, and much above the one number where each is a day's only one."""
    edition, rng = declare(share, epsilon), np.random.default_rng(7)
    rows = some_rows(share, same_day=same_day, rng=rng)
    runs = [edition.estimate(draw(edition, rows, rng)).tables for _ in range(6)]
    for table in TABLES:
        e, found = expected(edition, table["id"]), [run[table["id"]]["people"] for run in runs]
        true = rows.distinct(edition, table["levels"], np.ones(rows.person.size, dtype=np.bool_))
        low, high = e.between or (e.margin_95, e.margin_95)
        half = float(np.median([(one.upper - one.lower) / 2 for one in found]))
        assert 0.7 * e.margin_95 < half < 1.25 * e.margin_95, e
        assert np.mean([(one.lower <= true) & (true <= one.upper) for one in found]) > 0.94 or true.size == 1, e
        if true.size > 1:  # eight draws of one number tell no error
            error = 1.96 * float(np.sqrt(np.mean([(one.value - true) ** 2 for one in found])))
            assert 0.8 * low < error < 1.25 * high, e


def test_nobody_is_missing_from_the_number_of_all_persons() -> None:
    """The bound keeps a row of everybody, so the number of all has the interval and the margin of its noise, and no mark."""
    edition, rng = declare(0.15, 4), np.random.default_rng(8)
    rows = some_rows(0.15, same_day=False, rng=rng)
    one = edition.estimate(draw(edition, rows, rng)).tables["all"]["people"]
    deviation = float(one.standard_error.ravel()[0])
    assert np.abs(one.value - PERSONS) < 5 * deviation
    assert one.upper - one.lower < 6 * deviation
    assert one.outweighed is not None
    assert not one.outweighed.any()
    assert expected(edition, "all").margin_95 == pytest.approx(1.96 * deviation, rel=0.01)
    assert expected(edition, "region-day").margin_95 > 2 * expected(edition, "all").margin_95


def test_margins_of_persons_rest_on_their_own_table_alone() -> None:
    """Tables of persons do not add up, so nothing need be known of a coarser one, and no area takes an error of its region."""
    alone = declare_edition(
        areas=AREAS,
        bands=1,
        tables=({"id": "area-week", "levels": {"area": "area", "date": "week"}, "statistics": ["people"]},),
        statistics=({"id": "people", "kind": "persons", "expected_total": PERSONS},),
        loss={"epsilon": 1},
        contribution={"rows": 1},
        populations=False,
    )
    own = expected(alone, "area-week")
    assert own.between is None, "the noise of a table of persons is known"
    assert own.margin_95 == pytest.approx(1.96 * alone.plan.tables[0].variance ** 0.5, rel=1e-3)


def test_someone_may_be_missing_from_all_persons_where_editions_share_the_bound() -> None:
    """Whose bound is used up in one week has no row in the next one."""
    weekly = declare(0.15, 4, kind="week", period="2024-W10")
    assert expected(weekly, "all").margin_95 > 20 * 1.96 * 6
