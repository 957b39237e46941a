"""Counts are corrected for rows that the contribution bound truncates, and the doubt about it is in the intervals."""

from __future__ import annotations

import numpy as np
import pytest

from dp_stats.estimate import EditionEstimates
from dp_stats.plan.truncation import LEAST_SPREAD, UNKNOWN_SPREAD
from tests.estimate_examples import DeclaredEdition, declare_edition

TABLES = (
    {"id": "area-week", "levels": {"area": "area", "date": "week"}, "statistics": ["count"]},
    {"id": "region-week", "levels": {"area": "region", "date": "week"}, "statistics": ["count"]},
    {"id": "all", "levels": {"date": "range"}, "statistics": ["count"]},
)
BOUND = {"rows": 2, "truncated_rows": 8}


def make(total: float = 4e6, **contribution: object) -> DeclaredEdition:
    return declare_edition(
        tables=TABLES,
        statistics=({"id": "count", "kind": "count", "expected_total": total},),
        contribution={**BOUND, **contribution},
    )


def run(
    edition: DeclaredEdition, share: np.ndarray | float, *, total: float = 4e6, seed: int = 0
) -> tuple[dict[str, np.ndarray], EditionEstimates]:
    """True counts with a share of rows truncated that differs by area, and the estimates from what was kept."""
    rng = np.random.default_rng(seed)
    kept = rng.poisson(total / edition.grid.cells(), edition.grid.shape())
    truncated = rng.poisson(kept * np.asarray(share))
    exact = {"count": kept, "truncated_rows": truncated, "truncated_persons": truncated // 2}
    estimates = edition.estimate(edition.draw(exact, rng))
    return {t.id: edition.grid.roll_up(kept + truncated, t.levels) for t in edition.release.tables}, estimates


def test_corrected_totals_are_near_the_truth_and_bounded_ones_are_not() -> None:
    edition = make()
    truth, estimates = run(edition, 0.08)
    whole = estimates.tables["all"]["count"]
    assert whole.bounded is not None
    assert abs(whole.bounded.item() / truth["all"].item() - 1 / 1.08) < 0.002
    assert abs(whole.value.item() / truth["all"].item() - 1) < 0.002


def test_what_was_truncated_is_published_with_its_interval() -> None:
    edition = make()
    _, estimates = run(edition, 0.08, seed=1)
    truncated = estimates.truncation
    assert truncated is not None
    chance = 5 * (0.08 * 4e6) ** 0.5  # what was drawn differs from its mean
    assert truncated.lower - chance <= 0.08 * 4e6 <= truncated.upper + chance
    assert truncated.upper - truncated.lower < 4_000
    assert truncated.share == pytest.approx(0.08 / 1.08, rel=0.02)
    assert truncated.truncated_persons is not None
    assert truncated.factor.shape == edition.grid.shape(truncated.levels)
    assert (truncated.factor >= 1).all()


@pytest.mark.parametrize("seed", range(3))
def test_intervals_cover_where_areas_differ_in_how_often_people_repeat(seed: int) -> None:
    edition = make()
    share = np.random.default_rng(100 + seed).gamma(6, 0.08 / 6, (9, 1, 1))
    truth, estimates = run(edition, share, seed=seed)
    for table, true in truth.items():
        e = estimates.tables[table]["count"]
        # some error is shared by all weeks of an area, so a table has few independent chances
        assert np.mean((e.lower <= true) & (true <= e.upper)) >= 0.8
        assert e.bounded is not None
        assert np.mean((e.value - true) ** 2) < 0.5 * np.mean((e.bounded - true) ** 2)


def test_corrected_tables_still_add_up() -> None:
    edition = make()
    _, estimates = run(edition, np.linspace(0.0, 0.2, 9).reshape(9, 1, 1))
    area, region, whole = (estimates.tables[t]["count"].value for t in ("area-week", "region-week", "all"))
    np.testing.assert_array_equal(
        edition.grid.roll_up(area, {"area": "region", "date": "week"}, {"area": "area", "date": "week"}), region
    )
    assert region.sum() == whole.sum()


def test_one_factor_for_all_is_taken_to_hide_differences() -> None:
    small = make(total=3000.0)
    _, estimates = run(small, 0.08, total=3000.0)
    assert estimates.truncation is not None
    assert estimates.truncation.factor.size == 1
    assert estimates.truncation.spread == UNKNOWN_SPREAD
    large = make()
    _, estimates = run(large, 0.08)
    assert estimates.truncation is not None
    assert estimates.truncation.spread == pytest.approx(
        LEAST_SPREAD if estimates.truncation.factor.size >= 4 else UNKNOWN_SPREAD
    )


def test_where_nothing_can_be_truncated_nothing_is_corrected_and_the_reason_is_kept() -> None:
    edition = declare_edition(tables=TABLES, contribution={"rows": 1, "why_nothing_is_truncated": "First events only."})
    counts = np.full(edition.grid.shape(), 50)
    estimates = edition.estimate(edition.draw({"count": counts}, np.random.default_rng(0)))
    assert estimates.truncation is None
    assert estimates.nothing_truncated == "First events only."
    assert estimates.tables["all"]["count"].bounded is None


def test_correction_without_any_truncated_rows_changes_almost_nothing() -> None:
    edition = make()
    truth, estimates = run(edition, 0.0)
    e = estimates.tables["all"]["count"]
    assert abs(e.value.item() / truth["all"].item() - 1) < 0.001


@pytest.mark.parametrize("actual", [0.0, 0.02, 0.077])
def test_a_small_release_is_not_made_worse_by_the_noise_of_the_correction(actual: float) -> None:
    edition = make(total=6000.0, repeats={"1": 0.93, "2": 0.055, "3": 0.012, "4": 0.003})
    errors, bounded, covered = [], [], []
    for seed in range(30):
        truth, estimates = run(edition, actual, total=6000.0, seed=seed)
        e = estimates.tables["all"]["count"]
        assert e.bounded is not None
        errors.append(e.value.item() - truth["all"].item())
        bounded.append(e.bounded.item() - truth["all"].item())
        covered.append(e.lower.item() <= truth["all"].item() <= e.upper.item())
    # 1.65 % are guessed to be truncated: as much too many, or a little more, is the worst there is
    assert np.quantile(np.abs(errors), 0.9) < max(1.1 * np.quantile(np.abs(bounded), 0.9), 250)
    assert np.mean(covered) >= 0.8


def test_a_correction_that_differs_by_area_helps_and_its_intervals_cover() -> None:
    edition = make(total=4e5, rows=3, truncated_rows=12)
    squares: dict[str, list[tuple[float, float, float]]] = {t.id: [] for t in edition.release.tables}
    for seed in range(12):
        share = 0.083 * np.random.default_rng(200 + seed).gamma(4, 1 / 4, (9, 1, 1))
        truth, estimates = run(edition, share, total=4e5, seed=seed)
        for table, true in truth.items():
            e = estimates.tables[table]["count"]
            assert e.bounded is not None
            inside = np.mean((e.lower <= true) & (true <= e.upper))
            squares[table].append((np.mean((e.value - true) ** 2), np.mean((e.bounded - true) ** 2), float(inside)))
    for found in squares.values():
        mse, uncorrected, covered = np.mean(found, axis=0)
        assert mse < 0.5 * uncorrected
        assert covered > 0.88
