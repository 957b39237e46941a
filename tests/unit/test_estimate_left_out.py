"""Persons, means and quantiles have no correction for truncated rows: their intervals hold what the missing rows may do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.estimate import EditionEstimates
from dp_stats.estimate.left_out import mean_interval
from dp_stats.estimate.quantiles import quantile_with_interval
from tests.estimate_examples import DeclaredEdition, declare_edition

MANY = {"rows": 2, "truncated_rows": 8}
SURE = {"rows": 2, "why_nothing_is_truncated": "Nobody has a third."}
UNKNOWN = {"rows": 2, "measure_truncation": False}
STATISTICS: tuple[dict[str, Any], ...] = (
    {"id": "count", "kind": "count", "expected_total": 40000},
    {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 10, "resolution": 1, "expected_total": 160000},
    {"id": "people", "kind": "persons"},
)
DERIVED: tuple[dict[str, Any], ...] = (
    {"id": "median", "kind": "quantile", "of": "count", "across": "band", "q": 0.5},
    {"id": "mean-cost", "kind": "mean", "of": "cost", "over": "count"},
    {"id": "people-rate", "kind": "rate", "of": "people", "per": 1000},
)
TABLES = (
    {
        "id": "region",
        "levels": {"area": "region"},
        "statistics": ["count", "cost", "people", "mean-cost", "people-rate", "median"],
    },
    {"id": "area-band", "levels": {"area": "area", "band": "band"}, "statistics": ["count"]},
)
KEPT_MEAN = 4


def make(contribution: dict[str, object]) -> DeclaredEdition:
    return declare_edition(
        statistics=STATISTICS, derived=DERIVED, tables=TABLES, contribution=contribution, loss={"epsilon": 4}
    )


def measured(edition: DeclaredEdition, *, share: float, band: int) -> tuple[np.ndarray, np.ndarray, EditionEstimates]:
    """Kept rows and truncated ones, all of these in one band, by area, day and band; and the estimates."""
    rng = np.random.default_rng(5)
    kept = rng.poisson(50, edition.grid.shape())
    truncated = np.zeros_like(kept)
    truncated[..., band] = rng.poisson(share * kept.sum(axis=2))
    exact = {
        "count": kept, "cost": kept * KEPT_MEAN, "people": kept, "truncated_rows": truncated,
        "truncated_persons": truncated // 2,
    }  # fmt: skip
    return kept, truncated, edition.estimate(edition.draw(exact, np.random.default_rng(6)))


def by_region(edition: DeclaredEdition, leaves: np.ndarray) -> np.ndarray:
    return edition.grid.roll_up(leaves, {"area": "region"}).reshape(-1)


@pytest.mark.parametrize("mean_of_missing", [0, 2 * KEPT_MEAN])
def test_a_mean_holds_missing_rows_of_nothing_and_of_twice_as_much(mean_of_missing: int) -> None:
    edition = make(MANY)
    kept, truncated, estimates = measured(edition, share=0.05, band=0)
    n, m = by_region(edition, kept), by_region(edition, truncated)
    truth = (n * KEPT_MEAN + m * mean_of_missing) / (n + m)
    e = estimates.tables["region"]["mean-cost"]
    lower, upper, value, error = (x.reshape(-1) for x in (e.lower, e.upper, e.value, e.standard_error))
    assert (abs(truth - value) > 3 * error).all()  # noise alone does not hold it
    assert ((lower <= truth) & (truth <= upper)).all()
    assert e.outweighed is not None
    assert e.outweighed.all()


@pytest.mark.parametrize("band", [0, 2])
def test_a_quantile_holds_missing_rows_that_all_lie_on_one_side(band: int) -> None:
    edition = make(MANY)
    kept, truncated, estimates = measured(edition, share=0.6, band=band)

    def bin_of_median(rows: np.ndarray) -> np.ndarray:
        below = np.cumsum(edition.grid.roll_up(rows, {"area": "region", "band": "band"}).reshape(3, 3), axis=1)
        return np.asarray((below < 0.5 * below[:, -1:]).sum(axis=1))

    inside = bin_of_median(kept + truncated)
    assert bin_of_median(kept).tolist() == [1] * 3
    assert inside.tolist() == [band] * 3
    e = estimates.tables["region"]["median"]
    lower, upper = e.lower.reshape(-1), e.upper.reshape(-1)
    assert ((lower <= 10 * inside) & (10 * (inside + 1) <= upper)).all()
    assert e.outweighed is not None
    assert e.outweighed.all()


@pytest.mark.parametrize(("contribution", "said"), [(MANY, True), (SURE, False)])
def test_persons_of_whom_many_may_be_missing_say_so(contribution: dict[str, object], said: bool) -> None:
    edition = make(contribution)
    kept, truncated, estimates = measured(edition, share=0.05, band=0)
    for name in ("people", "people-rate"):
        e = estimates.tables["region"][name]
        assert (e.outweighed is not None and bool(e.outweighed.all())) is said
    everybody = by_region(edition, kept + truncated)
    assert (everybody <= estimates.tables["region"]["people"].upper.reshape(-1)).all() == said


def test_nothing_is_said_of_counts_and_sums_that_are_corrected() -> None:
    _, _, estimates = measured(make(MANY), share=0.05, band=0)
    assert all(estimates.tables["region"][name].outweighed is None for name in ("count", "cost"))
    assert not estimates.truncation_unmeasured


def test_an_edition_knows_that_nobody_measured_what_is_truncated() -> None:
    assert measured(make(UNKNOWN), share=0.05, band=0)[2].truncation_unmeasured
    assert not measured(make(SURE), share=0.0, band=0)[2].truncation_unmeasured


@settings(max_examples=200, deadline=None)
@given(
    kept=st.lists(st.integers(1, 12), min_size=1, max_size=30),
    missing=st.lists(st.integers(1, 12), max_size=20),
)
def test_the_interval_of_a_mean_holds_the_mean_of_all_rows(kept: list[int], missing: list[int]) -> None:
    low, high = 1.0, 12.0
    mean = np.array(np.mean(kept))
    n, m = np.array(float(len(kept))), float(len(missing))
    lower, upper = mean_interval(mean, mean, kept=n, missing=m, low=low, high=high)
    everything = float(np.mean([*kept, *missing]))
    plausible = not missing or np.mean(missing) <= min(2 * mean - low, high)
    assert lower - 1e-9 <= everything
    assert not plausible or everything <= upper + 1e-9
    signed = mean_interval(mean, mean, kept=n, missing=m, low=-low, high=high)
    assert signed[0] - 1e-9 <= everything <= signed[1] + 1e-9


@settings(max_examples=200, deadline=None)
@given(
    kept=st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any),
    missing=st.lists(st.integers(0, 9), min_size=4, max_size=4),
    q=st.sampled_from((0.1, 0.25, 0.5, 0.9)),
)
def test_the_interval_of_a_quantile_holds_the_bin_of_all_rows(kept: list[int], missing: list[int], q: float) -> None:
    edges = np.arange(5.0)
    below = np.concatenate([[0.0], np.cumsum(kept)])
    balance = (below - q * below[-1])[None]
    counts = np.array([kept], dtype=float)
    _, lower, upper = quantile_with_interval(
        counts, balance, np.zeros_like(balance), edges, q, 1.96, np.array([[float(sum(missing))]])
    )
    everything = np.concatenate([[0], np.cumsum(np.add(kept, missing))])
    inside = int(np.argmax(everything[1:] > q * everything[-1]))
    assert lower[0] <= edges[inside]
    assert edges[inside + 1] <= upper[0] or everything[inside] == q * everything[-1]
