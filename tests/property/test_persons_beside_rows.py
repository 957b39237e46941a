"""Distinct persons never contradict the rows published beside them: in values, in intervals, at every level, whatever is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.periods import parse_period
from dp_stats.errors import NotDerivableError
from dp_stats.estimate import EditionEstimates
from dp_stats.estimate import answer as answering
from dp_stats.estimate import derived as deriving
from dp_stats.estimate import tables as estimating
from dp_stats.estimate.answer import answer
from dp_stats.estimate.measured_edition import Measured
from dp_stats.plan.noisy import NoisyMeasurements
from tests.estimate_examples import DeclaredEdition, declare_edition

STATISTICS = ({"id": "count", "kind": "count", "expected_total": 300}, {"id": "people", "kind": "persons"})
AREAS, TIMES = ("area", "region", None), ("day", "week", None)


def table(name: str, area: str | None, time: str | None, statistics: list[str]) -> dict[str, Any]:
    levels = {dimension: level for dimension, level in (("area", area), ("date", time)) if level}
    return {"id": name, "levels": levels, "statistics": statistics}


@st.composite
def declared(draw: st.DrawFn) -> DeclaredEdition:
    """An edition with rows at some levels and persons at some, the same or others."""
    place = st.tuples(st.sampled_from(AREAS), st.sampled_from(TIMES))
    rows = draw(st.lists(place, min_size=1, max_size=3, unique=True))
    persons = draw(st.lists(place, min_size=1, max_size=3, unique=True))
    tables = [table(f"rows-{n}", *at, ["count"]) for n, at in enumerate(rows)]
    tables += [table(f"persons-{n}", *at, ["people"]) for n, at in enumerate(persons)]
    loss = draw(st.sampled_from(({"epsilon": "0.2"}, {"epsilon": 4}, {"rho": "0.1"})))
    bound = draw(st.sampled_from(({"rows": 3}, {"rows": 1, "why_nothing_is_truncated": "One row per person."})))
    return declare_edition(
        statistics=STATISTICS, tables=tables, loss=loss, contribution=bound, bands=1, period="2024-03-04--2024-03-17"
    )


def contradictions(edition: DeclaredEdition, found: EditionEstimates) -> Iterator[str]:
    """Cells in which persons contradict rows, after both are added up to the level they share."""
    grid = edition.grid
    published: dict[str, list[tuple[Mapping[str, str], Any]]] = {"count": [], "people": []}
    for one in edition.release.tables:
        for name in one.statistics:
            published[name].append((grid.complete(one.levels), found.tables[one.id][name]))
    for (at, people), (level, rows) in product(published["people"], published["count"]):
        order = {d.name: [lv.name for lv in d.levels] for d in grid.dimensions}
        shared = {n: order[n][max(order[n].index(at[n]), order[n].index(level[n]))] for n in order}
        most = grid.roll_up(rows.value, shared, level)
        # persons of one cell are among those of the larger one, of which there are no more than rows
        largest = _largest_within(edition, people.value, at, shared)
        if (largest > most).any():
            yield f"{at}: more persons than rows at {shared}"
        if shared == at and ((most > 0) & (people.value < 1)).any():
            yield f"{at}: rows of nobody"
        if shared == level:
            for end in ("lower", "upper"):
                if (_largest_within(edition, getattr(people, end), at, shared) > getattr(rows, end) + 1e-9).any():
                    yield f"{at}: {end} ends above those of rows at {shared}"
    for _, people in published["people"]:
        if not ((people.lower <= people.value) & (people.value <= people.upper)).all():
            yield "an interval without its value"
        if (people.value != np.rint(people.value)).any() or (people.value < 0).any():
            yield "no number of persons"


def _largest_within(edition: DeclaredEdition, values: Any, at: Mapping[str, str], shared: Mapping[str, str]) -> Any:
    """The largest value in each cell of a coarser level."""
    found = np.full(edition.grid.shape(shared), -np.inf)
    places = []
    for dimension in edition.grid.dimensions:
        fine, coarse = dimension.level(at[dimension.name]), dimension.level(shared[dimension.name])
        places.append(coarse.group[[int(np.argmax(fine.group == g)) for g in range(len(fine.codes))]])
    np.maximum.at(found, np.ix_(*places), values)
    return found


def drawn(edition: DeclaredEdition, seed: int) -> NoisyMeasurements:
    """Noisy numbers of few rows, some of persons with several."""
    rng = np.random.default_rng(seed)
    rows = rng.poisson(rng.gamma(0.5, 1.5, (9, 1, 1)), edition.grid.shape())
    people = rng.binomial(rows, rng.uniform(0.3, 1))
    few = rng.binomial(rows, 0.1)
    return edition.draw({"count": rows, "people": people, "truncated_rows": few, "truncated_persons": few}, rng)


def estimated(edition: DeclaredEdition, seed: int) -> EditionEstimates:
    """Their estimates."""
    return edition.estimate(drawn(edition, seed))


@settings(max_examples=25, deadline=None)
@given(declared(), st.integers(0, 2**32 - 1))
def test_persons_never_contradict_rows(edition: DeclaredEdition, seed: int) -> None:
    assert list(contradictions(edition, estimated(edition, seed))) == []


def contradicting_answers(edition: DeclaredEdition, seed: int) -> Iterator[str]:
    """Free answers about persons that contradict answers about rows of the same cell."""
    period = parse_period("2024-03-04--2024-03-17")
    stored = Measured(edition.plan, period, edition.grid, edition.release, drawn(edition, seed), edition.catalogue)
    levels = {(t.levels.get("area"), t.levels.get("date")) for t in edition.release.tables if "people" in t.statistics}
    for area, time in sorted(levels, key=str):
        days = {"day": (period.start, period.start), "week": (period.start, period.start + timedelta(days=6))}
        first, last = days.get(time or "", (period.start, period.end))
        where = {"area": ("A0" if area == "area" else "R0",)} if area else {}
        people = answer([stored], "people", where=where, start=first, end=last)
        try:
            rows = answer([stored], "count", where=where, start=first, end=last)
        except NotDerivableError:
            continue
        if people.value > rows.value or people.lower > rows.lower or people.upper > max(rows.upper, people.value):
            yield f"{where} {first} to {last}: more persons than rows"
        if rows.value > 0 and people.value < 1:
            yield f"{where} {first} to {last}: rows of nobody"
        if not people.lower <= people.value <= people.upper:
            yield f"{where}: an interval without its value"


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(declared(), st.integers(0, 2**32 - 1))
def test_answers_about_persons_never_contradict_those_about_rows(edition: DeclaredEdition, seed: int) -> None:
    assert list(contradicting_answers(edition, seed)) == []


def test_the_check_sees_answers_about_persons_that_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "_beside_rows", lambda persons, *given: persons)
    edition = declare_edition(
        statistics=STATISTICS,
        tables=[table("one", "area", "day", ["count", "people"])],
        loss={"epsilon": "0.2"},
        bands=1,
        period="2024-03-04--2024-03-17",
    )
    assert any(list(contradicting_answers(edition, seed)) for seed in range(20))


@pytest.mark.parametrize("left_out", ["values", "intervals"])
def test_the_check_sees_persons_that_are_left_as_they_are(left_out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if left_out == "values":
        monkeypatch.setattr(estimating, "between_rows", lambda persons, *given: persons)
    else:
        monkeypatch.setattr(deriving, "interval_beside_rows", lambda value, interval, *given: interval)
    edition = declare_edition(
        statistics=STATISTICS,
        tables=[table("one", "area", "day", ["count", "people"])],
        loss={"epsilon": 1},
        bands=1,
        period="2024-03-04--2024-03-17",
    )
    assert list(contradictions(edition, estimated(edition, 1)))


@pytest.mark.parametrize("loss", [{"epsilon": 1}, {"rho": "0.1"}], ids=["Laplace", "Gaussian"])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_intervals_of_persons_still_hold_the_truth(loss: dict[str, Any], share: float) -> None:
    edition = declare_edition(
        statistics=STATISTICS,
        tables=[table("one", "area", "week", ["count", "people"]), table("day", "area", "day", ["count"])],
        loss=loss,
        bands=1,
    )
    rng = np.random.default_rng(11)
    rows = rng.poisson(6.0, edition.grid.shape())
    people = rng.binomial(rows, share)
    true = edition.grid.roll_up(people, edition.grid.complete({"area": "area", "date": "week"}))
    inside = []
    for _ in range(60):
        e = edition.estimate(edition.draw({"count": rows, "people": people}, rng)).tables["one"]["people"]
        inside.append(float(((e.lower <= true) & (true <= e.upper)).mean()))
    spare = 5 * max(float(np.std(inside)), 0.01) / np.sqrt(len(inside))
    assert 0.93 - spare <= np.mean(inside) <= 0.97 + spare
