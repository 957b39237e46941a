"""Whatever the calendar and the resolution: sums add up to the last published digit, and no levels are taken to nest
that do not."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.calendar import WEEKDAYS
from dp_stats.catalogue.partitions import refines
from dp_stats.editions.facts import StatisticFacts
from dp_stats.editions.tidy import shown_values
from dp_stats.estimate.lattice import Lattice
from tests.estimate_examples import DeclaredEdition, declare_edition

TIMES = ("day", "week", "4-week", "month", "quarter", "financial-year")
RESOLUTIONS = ("0.01", "0.05", "0.1", "0.25", "1/2", "0.000001", "1", "2.5", "10", "300")
SUM = StatisticFacts(id="cost", title="Cost", kind="sum", integer=False)


@st.composite
def editions(draw: st.DrawFn) -> DeclaredEdition:
    """Sums of a release with two or three levels of time that may cross, for periods with and without cut parts."""
    levels = draw(st.lists(st.sampled_from(TIMES), min_size=2, max_size=3, unique=True))
    year, month, day = 2023, draw(st.integers(1, 12)), draw(st.integers(1, 28))
    start = np.datetime64(f"{year}-{month:02d}-{day:02d}")
    stop = start + np.timedelta64(draw(st.sampled_from([20, 45, 90])), "D")
    resolution = draw(st.sampled_from(RESOLUTIONS))
    largest = 20 * Fraction(resolution)
    tables = [
        {"id": f"t{i}", "levels": {"date": level, **draw(st.sampled_from([{}, {"area": "area"}, {"area": "region"}]))}}
        for i, level in enumerate(levels)
    ]
    return declare_edition(
        period=f"{start}--{stop}",
        areas=(2, 1),
        bands=1,
        levels_of_dates=levels,
        tables=[{**t, "statistics": ["cost"]} for t in tables],
        statistics=[
            {"id": "cost", "kind": "sum", "column": "cost", "lower": draw(st.sampled_from([0, f"-{largest}"])),
             "upper": str(largest), "resolution": resolution}
        ],
        loss={"epsilon": draw(st.sampled_from(["0.2", "4"]))},
        calendar={
            "week_starts": draw(st.sampled_from(WEEKDAYS)),
            "financial_year_starts": draw(st.sampled_from(["04-01", "04-06", "07-01"])),
        },
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(editions(), st.integers(0, 10**6), st.sampled_from([0.0, 1.0]))
def test_published_sums_add_up_to_the_last_digit_at_every_level_that_two_tables_share(
    edition: DeclaredEdition, seed: int, noise: float
) -> None:
    rng = np.random.default_rng(seed)
    exact = rng.integers(0, 400, edition.grid.shape())
    estimates = edition.estimate(edition.draw({"cost": exact}, rng, noise=noise))
    lattice = Lattice(edition.grid)
    published = {}
    for table in edition.release.tables:
        e = estimates.tables[table.id]["cost"]
        written = [Decimal(repr(v)) for v in shown_values(SUM, e.value.ravel(), e.standard_error.ravel()).tolist()]
        published[table.id] = (lattice.key(table.levels), written)
    for (a, left), (b, right) in combinations(published.values(), 2):
        shared = lattice.coarsest((a, b))
        totals = []
        for key, written in ((a, left), (b, right)):
            sums: dict[int, Decimal] = defaultdict(Decimal)
            for group, value in zip(lattice.cell_index(key, shared).tolist(), written, strict=True):
                sums[group] += value
            totals.append(sums)
        assert totals[0] == totals[1]


@settings(max_examples=25, deadline=None)
@given(editions(), st.integers(0, 10**6))
def test_without_noise_every_part_of_time_has_its_own_sum_whether_or_not_levels_nest(
    edition: DeclaredEdition, seed: int
) -> None:
    """A month was once the sum of the weeks that end in it."""
    exact = np.random.default_rng(seed).integers(0, 400, edition.grid.shape())
    estimates = edition.estimate(edition.draw({"cost": exact}, np.random.default_rng(seed), noise=0.0))
    step = float(edition.release.statistics[0].resolution)
    for table in edition.release.tables:
        true = edition.grid.roll_up(exact, table.levels) * step
        np.testing.assert_allclose(estimates.tables[table.id]["cost"].unrounded, true, rtol=1e-6, atol=1e-6 * step)
    dates = edition.grid["date"]
    for fine, coarse in combinations(dates.levels, 2):
        lattice = Lattice(edition.grid)
        keys = [lattice.key({"date": level.name}) for level in (fine, coarse)]
        assert lattice.sums_to(*keys) == refines(fine.group, coarse.group)
