"""Where areas differ in how often people repeat, corrected totals of areas still hold the truth, and are better.

Exact tables are made from simulated persons: how many rows each has, what the bound keeps and what it truncates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import binom

from dp_stats.estimate.tables import fit_all
from tests.estimate_examples import DeclaredEdition, declare_edition

AREAS = (12, 10, 14, 9)
TABLES = (
    {"id": "area", "levels": {"area": "area"}, "statistics": ["count"]},
    {"id": "region-week", "levels": {"area": "region", "date": "week"}, "statistics": ["count"]},
    {"id": "area-week", "levels": {"area": "area", "date": "week"}, "statistics": ["count"]},
)
RELEASES = 25


@dataclass(frozen=True)
class People:
    """Exact tables at the leaves, and the true number of all rows by area."""

    exact: dict[str, np.ndarray]
    rows: np.ndarray


def people(
    edition: DeclaredEdition, *, persons: int, k: int, spread: float, rng: np.random.Generator, tail: float = 0.0
) -> People:
    shape = edition.grid.shape()
    areas = shape[0]
    cap = edition.plan.truncated_rows_cap
    exact = {n: np.zeros(shape, dtype=np.int64) for n in ("count", "truncated_rows", "truncated_persons")}
    truth = np.zeros(areas)
    more = 0.25 * k * np.exp(spread * rng.normal(size=areas) - spread**2 / 2)
    for area, size in enumerate(rng.poisson(persons / areas * rng.gamma(3, 1 / 3, areas))):
        rows = 1 + rng.poisson(more[area], size) + (rng.random(size) < 0.3) * (k - 1)
        if tail:
            rows = rng.geometric(tail, size)
        truth[area] = rows.sum()
        kept, lost = np.minimum(rows, k), np.minimum(np.maximum(rows - k, 0), cap)
        for name, counts in (("count", kept), ("truncated_rows", lost), ("truncated_persons", (lost > 0).astype(int))):
            place = rng.integers(shape[1] * shape[2], size=int(counts.sum()))
            exact[name][area] += np.bincount(place, minlength=shape[1] * shape[2]).reshape(shape[1:])
    return People(exact, truth)


def declared(*, persons: int, k: int) -> DeclaredEdition:
    rows = persons * (1 + 0.25 * k + 0.3 * (k - 1))
    return declare_edition(
        areas=AREAS,
        tables=TABLES,
        statistics=({"id": "count", "kind": "count", "expected_total": rows},),
        contribution={"rows": k, "repeats": {"1": 0.6, str(k): 0.2, str(k + 1): 0.15, str(k + 2): 0.05}},
    )


@pytest.mark.parametrize("spread", [0.3, 0.8])
@pytest.mark.parametrize("k", [1, 3])
def test_totals_of_areas_hold_the_truth_and_are_better_than_uncorrected_ones(k: int, spread: float) -> None:
    edition = declared(persons=40_000, k=k)
    rng = np.random.default_rng(k)
    inside, squared, bounded = [], [], []
    for _ in range(RELEASES):
        made = people(edition, persons=40_000, k=k, spread=spread, rng=rng)
        e = edition.estimate(edition.draw(made.exact, rng)).tables["area"]["count"]
        assert e.bounded is not None
        lower, upper, value, before = (side.ravel() for side in (e.lower, e.upper, e.value, e.bounded))
        inside.append(float(np.mean((lower <= made.rows) & (made.rows <= upper))))
        squared.append(float(np.mean((value - made.rows) ** 2)))
        bounded.append(float(np.mean((before - made.rows) ** 2)))
    assert np.mean(inside) > 0.93 - 5 * np.std(inside) / np.sqrt(RELEASES)
    assert np.mean(squared) < 0.6 * np.mean(bounded)


@pytest.mark.parametrize("persons", [300, 2_000])
def test_a_small_release_spends_enough_on_what_is_truncated(persons: int) -> None:
    """With a fiftieth of the budget the total of 300 rows was known to within 400, of 2,000 no better."""
    edition = declared(persons=persons, k=1)
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(RELEASES):
        made = people(edition, persons=persons, k=1, spread=0.3, rng=rng)
        e = edition.estimate(edition.draw(made.exact, rng)).tables["area"]["count"]
        errors.append(float(np.sum(e.value) - made.rows.sum()))
    assert np.sqrt(np.mean(np.square(errors))) < 75 * max(persons / 1000, 1)


def test_where_people_have_more_rows_than_are_counted_the_interval_says_so() -> None:
    edition = declare_edition(
        areas=AREAS,
        tables=TABLES,
        statistics=({"id": "count", "kind": "count", "expected_total": 60_000},),
        contribution={"rows": 1, "truncated_rows": 2},
    )
    rng = np.random.default_rng(2)
    inside = []
    for _ in range(10):
        made = people(edition, persons=20_000, k=1, spread=0.3, rng=rng, tail=0.35)
        e = edition.estimate(edition.draw(made.exact, rng)).tables["area"]["count"]
        assert e.bounded is not None
        inside.append(float(np.mean((e.lower.ravel() <= made.rows) & (made.rows <= e.upper.ravel()))))
        assert np.mean((e.value.ravel() - made.rows) ** 2) < np.mean((e.bounded.ravel() - made.rows) ** 2)
    assert np.mean(inside) > 0.93


ONCE_OR_MORE: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "nobody repeats": lambda _, size: np.ones(size, dtype=np.int64),
    "one in ten": lambda rng, size: 1 + rng.poisson(0.1, size),
    "one in a hundred has several": lambda rng, size: 1 + (rng.random(size) < 0.01) * rng.integers(1, 4, size),
}


@pytest.mark.parametrize("law", ONCE_OR_MORE)
@pytest.mark.parametrize("persons", [300, 2_000, 15_000])
def test_without_a_word_about_repeats_a_total_is_known_well_and_holds_the_truth(persons: int, law: str) -> None:
    """At ε = 1 it was known to within 84, whoever repeats: what is truncated got no more than a fifth of the budget, and persons an
    eighth of that."""
    edition = declare_edition(
        areas=AREAS,
        tables=({"id": "all", "levels": {}, "statistics": ["count"]},),
        statistics=({"id": "count", "kind": "count", "expected_total": persons},),
        contribution={"rows": 1},
    )
    rng = np.random.default_rng(3)
    releases, inside, widths = 60, 0, []
    for _ in range(releases):
        rows = ONCE_OR_MORE[law](rng, persons)
        lost = np.minimum(rows - 1, edition.plan.truncated_rows_cap)
        exact = {n: np.zeros(edition.grid.shape(), dtype=np.int64) for n in ("count", "truncated_rows")}
        exact["count"][0, 0, 0], exact["truncated_rows"][0, 0, 0] = persons, lost.sum()
        exact["truncated_persons"] = np.zeros_like(exact["count"])
        exact["truncated_persons"][0, 0, 0] = (lost > 0).sum()
        e = edition.estimate(edition.draw(exact, rng)).tables["all"]["count"]
        inside += int(e.lower.item() <= rows.sum() <= e.upper.item())
        widths.append(float((e.upper - e.lower).item()) / 2)
    assert binom.cdf(inside, releases, 0.93) > 1e-6
    assert np.median(widths) < {"nobody repeats": 30, "one in ten": 50}.get(law, 75)


def test_what_coarse_cells_share_is_an_error_of_all_of_them_together() -> None:
    """Regions lean on the factor of the whole, so where nobody repeats, which leaves half of the errors at zero, their
    total is as uncertain as that factor, and not as four that are wrong each by itself."""
    edition = declare_edition(
        areas=AREAS,
        tables=({"id": "region", "levels": {"area": "region"}, "statistics": ["count"]},),
        statistics=({"id": "count", "kind": "count", "expected_total": 60_000},),
        contribution={"rows": 1},
    )
    rows = next(m for m in edition.plan.measurements if m.role == "truncated_rows")
    assert rows.levels["area"] == "region"
    rng = np.random.default_rng(4)
    squared, variances = [], []
    for _ in range(200):
        exact = {n: np.zeros(edition.grid.shape(), dtype=np.int64) for n in ("truncated_rows", "truncated_persons")}
        exact["count"] = rng.poisson(48_000 / np.prod(edition.grid.shape()), edition.grid.shape())
        noisy = edition.draw(exact, rng)
        count = fit_all(edition.plan, grid=edition.grid, release=edition.release, noisy=noisy)["count"]
        squared.append((count.value({}).item() - exact["count"].sum()) ** 2)
        variances.append(count.variance({}).item())
    assert np.mean(squared) < 0.85 * np.mean(variances)


@pytest.mark.parametrize(("persons", "k"), [(40_000, 3), (4_000, 1)])
def test_where_nothing_is_truncated_no_area_is_doubted_without_bounds(persons: int, k: int) -> None:
    """Noise alone shows areas that differ by many times a share that is nothing."""
    edition = declared(persons=persons, k=k)
    widths = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        nothing = np.zeros(edition.grid.shape(), dtype=np.int64)
        kept = rng.poisson(2 * persons / edition.grid.cells(), edition.grid.shape())
        noisy = edition.draw({"count": kept, "truncated_rows": nothing, "truncated_persons": nothing}, rng)
        cells = edition.estimate(noisy).tables["area-week"]["count"]
        widths.append(float((cells.upper - cells.lower).max()))
    assert max(widths) < 8 * np.median(widths)
