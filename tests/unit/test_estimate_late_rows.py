"""Late rows that are known coarsely: what they add to finer cells, and its noise, against numerical differentiation.

Exact and without chance: whatever was drawn, coarse cells are the sum of what was measured of them, and the stated variance
of any query is that of its derivatives by every noisy number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Grid
from dp_stats.estimate.late import LateTables, late_rows
from dp_stats.estimate.late_rows import LateRows
from dp_stats.estimate.leastsquares import LeastSquares
from dp_stats.estimate.noise_law import one_draw
from dp_stats.estimate.quantity import Quantity
from dp_stats.estimate.spread import spread_of_level
from dp_stats.plan.algebra import weights
from dp_stats.plan.model import Measurement
from tests.estimate_examples import declare_edition

TABLES = (
    {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},
    {"id": "area-week-band", "levels": {"area": "area", "date": "week", "band": "band"}, "statistics": ["count"]},
    {"id": "all-day", "levels": {"date": "day"}, "statistics": ["count"]},
)
COARSE: tuple[dict[str, str], ...] = ({}, {"area": "region"}, {"area": "area"}, {"date": "day"}, {"band": "band"})
ASKED: tuple[dict[str, str], ...] = (
    {},
    {"area": "region"},
    {"area": "area"},
    {"date": "day"},
    {"area": "area", "date": "day"},
    {"area": "region", "band": "band"},
)
AREAS = (1, 2)
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""A smaller case tells no more, and finding it takes minutes."""


@dataclass
class Drawn:
    """Noisy tables of an edition and of its late rows, at one coarse level."""

    grid: Grid
    measured: list[Measurement]
    noisy: dict[str, NDArray[Any]]
    late: tuple[Measurement, ...]
    editions: list[dict[str, NDArray[Any]]]

    def quantity(self, noisy: Mapping[str, Any] | None = None, editions: Any = None) -> Quantity:
        found = [LateTables(self.late, values) for values in (editions or self.editions)]
        levels = self.late[0].levels
        fit = LeastSquares(self.grid, self.measured, noisy or self.noisy, [levels, *ASKED])
        return Quantity(STATISTIC, fit, None, late_rows(self.grid, found, fit, guess=0.2))


EDITION = declare_edition(period="2024-W10", kind="week", tables=TABLES, areas=AREAS, bands=2)
STATISTIC = EDITION.release.statistics[0]


def drawn(seed: int, coarse: Mapping[str, str], *, size: float, scale: float, late: int) -> Drawn:
    rng = np.random.default_rng(seed)
    grid = EDITION.grid
    measured = [m.model_copy(update={"scale": scale}) for m in EDITION.plan.measurements if m.role == "statistic"]
    levels = grid.complete(coarse)
    table = measured[0].model_copy(
        update={
            "id": "late", "role": "late_rows", "levels": levels, "shape": grid.shape(levels), "scale": scale / 2
        }
    )  # fmt: skip
    mean = rng.gamma(1, size, grid.shape())

    def noisy(m: Measurement, rows: NDArray[Any]) -> NDArray[Any]:
        return grid.roll_up(rows, m.levels) + np.rint(rng.laplace(scale=m.scale, size=m.shape))

    own = rng.poisson(mean)
    editions = [{"late": noisy(table, rng.poisson(mean * 0.2))} for _ in range(late)]
    return Drawn(grid, measured, {m.id: noisy(m, own) for m in measured}, (table,), editions)


CASES = st.builds(
    drawn,
    st.integers(0, 10**6),
    st.sampled_from(COARSE),
    size=st.sampled_from([0.2, 3.0, 40.0]),
    scale=st.sampled_from([1.0, 15.0]),
    late=st.integers(1, 3),
)


@settings(max_examples=25, deadline=None, phases=NO_SHRINKING)
@given(case=CASES)
def test_coarse_cells_are_what_was_measured_of_them_however_noisy_that_is(case: Drawn) -> None:
    found, levels = case.quantity(), case.late[0].levels
    late = np.sum([values["late"] for values in case.editions], axis=0)
    assert found.value(levels) == pytest.approx(found.fit.value(levels) + late)
    noise = found.fit.variance(levels) + case.late[0].variance * len(case.editions)
    assert found.variance(levels) == pytest.approx(noise)
    assert found.value({}) == pytest.approx(found.fit.value({}) + late.sum())
    assert float(found.noise({}).reshape(())) == pytest.approx(
        float(found.fit.variance({}).reshape(())) + case.late[0].variance * len(case.editions) * late.size
    )


def moved(case: Drawn, levels: Mapping[str, str], step: float, share: NDArray[Any] | None) -> NDArray[Any]:
    """Variance of a value by the change that a step of each noisy number makes to it; with a fixed share, if one is given."""

    def value(noisy: Mapping[str, Any], editions: Any) -> NDArray[Any]:
        found = case.quantity(noisy, editions)
        assert found.late is not None
        late = found.late if share is None else replace(found.late, share=share)
        return found.fit.value(levels, of=late.leaves(found.fit))

    before, total = value(case.noisy, case.editions), np.zeros(case.grid.shape(levels))
    for m in case.measured:
        for place in np.ndindex(m.shape):
            other = case.noisy[m.id].astype(float)
            other[place] += step
            total += m.variance * ((value({**case.noisy, m.id: other}, case.editions) - before) / step) ** 2
    for place in np.ndindex(case.late[0].shape):
        one = case.editions[0]["late"].astype(float)
        one[place] += step
        change = (value(case.noisy, [{"late": one}, *case.editions[1:]]) - before) / step
        total += case.late[0].variance * len(case.editions) * change**2
    return total


def noise(found: Quantity, late: LateRows, levels: Mapping[str, str]) -> NDArray[Any]:
    own, more = late._noise(found.fit, levels, late._parts(found.fit, levels))
    return np.asarray(own + more)


@settings(max_examples=10, deadline=None, phases=NO_SHRINKING)
@given(case=CASES, asked=st.sampled_from(ASKED))
def test_the_noise_of_a_value_is_exact_for_a_share_that_is_known(case: Drawn, asked: Mapping[str, str]) -> None:
    found, levels = case.quantity(), case.grid.complete(asked)
    assert found.late is not None
    if "date" in case.late[0].levels and case.late[0].levels["date"] == "day" and "band" in asked:
        assert np.isfinite(found.late.noise(found.fit, levels)).all()  # bands of a day were not measured
        return
    known = replace(found.late, follows=np.zeros_like(found.late.share))
    assert noise(found, known, levels) == pytest.approx(moved(case, levels, 100.0, known.share), rel=1e-6)


@pytest.mark.parametrize("coarse", COARSE[1:4])
@pytest.mark.parametrize("asked", [ASKED[1], ASKED[2], ASKED[4]])
def test_the_noise_of_a_value_follows_the_share_where_much_is_known(
    coarse: Mapping[str, str], asked: Mapping[str, str]
) -> None:
    case = drawn(3, coarse, size=400.0, scale=15.0, late=2)
    found, levels = case.quantity(), case.grid.complete(asked)
    assert found.late is not None
    assert noise(found, found.late, levels) == pytest.approx(moved(case, levels, 1.0, None), rel=0.1)


@settings(max_examples=10, deadline=None, phases=NO_SHRINKING)
@given(case=CASES, asked=st.sampled_from(ASKED))
def test_one_number_has_one_variance_by_name_or_by_weights(case: Drawn, asked: Mapping[str, str]) -> None:
    found, levels = case.quantity(), case.grid.complete(asked)
    given = {d.name: weights(d, levels[d.name]) for d in found.fit.grid.dimensions}
    assert found.late is not None
    assert found.late.noise(found.fit, given) == pytest.approx(found.late.noise(found.fit, levels))
    for one, other in zip(found.late.doubt(found.fit, given), found.late.doubt(found.fit, levels), strict=True):
        assert np.broadcast_to(one, case.grid.shape(levels)) == pytest.approx(
            np.broadcast_to(other, case.grid.shape(levels)), abs=1e-9
        )


def test_the_law_of_coarse_cells_is_that_of_their_draws_together() -> None:
    """A cell of one Laplace draw and three late ones: its 95 % lie nearer than those of one Laplace draw."""
    case = drawn(1, {"area": "area"}, size=40.0, scale=15.0, late=3)
    found = case.quantity()
    own = found.fit.noise_draws({"area": "area"})
    assert len(found.noise_draws({"area": "area"})) == len(own) + 1
    assert found.law({"area": "area"}).two_sided < one_draw(15.0, "discrete_laplace").two_sided
    assert spread_of_level(found, case.grid.complete({"area": "area"})).error.shape == (3, 1, 1)
