"""With late rows added, 95 % intervals hold what had been reported 93 to 97 % of the time: provisional, revised and final.

False alarms: as in ``test_coverage``, five standard errors between releases are spared. The check must catch intervals that
leave the noise of late rows out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dp_stats.catalogue.models import Late
from dp_stats.catalogue.periods import next_period, parse_period
from dp_stats.estimate import estimate
from dp_stats.estimate import tables as estimating
from dp_stats.estimate.late import LateTables
from dp_stats.plan.make import make_sealed
from dp_stats.plan.model import Measurement
from tests.estimate_examples import DeclaredEdition, declare_edition

PERIODS = 4
RELEASES = 60
TOTAL = 2000
WEEKDAYS = np.array([1.2, 1.1, 1.05, 1.0, 1.0, 0.8, 0.8])
DAILY = (
    {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},
    {"id": "area-week", "levels": {"area": "area", "date": "week"}, "statistics": ["count"]},
    {"id": "all-day", "levels": {"date": "day"}, "statistics": ["count"]},
)
WEEKLY = (
    {"id": "area-week", "levels": {"area": "area", "date": "week"}, "statistics": ["count"]},
    {"id": "region-week", "levels": {"area": "region", "date": "week"}, "statistics": ["count"]},
    {"id": "all-week", "levels": {"date": "week"}, "statistics": ["count"]},
)


def declared(tables: Any, loss: Mapping[str, Any]) -> tuple[DeclaredEdition, tuple[Measurement, ...]]:
    """A week with late reports, and how a later edition measures them."""
    made = declare_edition(
        period="2024-W10",
        kind="week",
        tables=tables,
        loss=loss,
        bands=1,
        statistics=({"id": "count", "kind": "count", "expected_total": TOTAL},),
    )
    release = made.release.model_copy(update={"late": Late(periods=PERIODS, share=0.3)})
    catalogue = replace(made.catalogue, releases={"test": release}, _grids={})
    period = parse_period("2024-W10")
    first = make_sealed(catalogue, release, period)
    assert first.series is not None
    later = make_sealed(catalogue, release, next_period(period), stored={first.series.hash: [first]})
    edition = replace(made, catalogue=catalogue, release=release, plan=first.plan, grid=first.grid)
    return edition, later.plan.late[0].measurements


def arrivals(edition: DeclaredEdition, rng: np.random.Generator) -> list[np.ndarray]:
    """Rows reported by the day after the week, and in each week after it: half within two days, more slowly in some areas."""
    areas = edition.grid.shape()[0]
    size = rng.gamma(2, 0.5, areas)[:, None] * WEEKDAYS
    mean = TOTAL * size / size.sum()
    rate = 0.35 * np.exp(rng.normal(0, 0.2, areas))[:, None]
    before, found = np.zeros_like(mean), []
    for week in range(PERIODS + 1):
        there = 1 - np.exp(-rate * (7 - np.arange(7) + 7 * week))
        found.append(rng.poisson(mean * (there - before))[:, :, None])
        before = there
    return found


def covered(tables: Any, loss: Mapping[str, Any], *, releases: int = RELEASES) -> dict[tuple[str, int], np.ndarray]:
    """Share of covered cells of each table at each stage in each release."""
    edition, late = declared(tables, loss)
    rng = np.random.default_rng(20240304)
    measure = replace(edition, plan=edition.plan.model_copy(update={"measurements": late}))
    rows: dict[tuple[str, int], list[float]] = {}
    for _ in range(releases):
        reported = arrivals(edition, rng)
        noisy = edition.draw({"count": reported[0]}, rng)
        added: list[LateTables] = []
        for stage in range(PERIODS + 1):
            if stage:
                plain = {"count": reported[stage], "late_statistic": reported[stage], "late_rows": reported[stage]}
                added.append(LateTables(late, measure.draw(plain, rng).values))
            found = estimate(
                edition.plan,
                grid=edition.grid,
                release=edition.release,
                catalogue=edition.catalogue,
                noisy=noisy,
                late=added,
            )
            so_far = np.sum(reported[: stage + 1], axis=0)
            for table in edition.release.tables:
                e = found.tables[table.id]["count"]
                truth = edition.grid.roll_up(so_far, edition.grid.complete(table.levels))
                inside = (e.lower <= truth) & (truth <= e.upper)
                rows.setdefault((table.id, stage), []).append(float(inside.mean()))
    return {key: np.array(values) for key, values in rows.items()}


def failures(found: Mapping[tuple[str, int], np.ndarray]) -> list[str]:
    """Tables and stages whose coverage is clearly outside 93 to 97 %."""
    bad = []
    for (table, stage), shares in found.items():
        mean, error = shares.mean(), max(shares.std(ddof=1), 0.01) / np.sqrt(len(shares))
        if not 0.93 - 5 * error <= mean <= 0.97 + 5 * error:
            bad.append(f"{table} after {stage} late editions: {mean:.3f} ± {error:.4f}")
    return bad


CASES = {
    "the same tables, Laplace": (DAILY, {"epsilon": 1}, "late_statistic"),
    "the same tables, Gaussian": (WEEKLY, {"rho": "0.05"}, "late_statistic"),
    "by day": (DAILY, {"epsilon": "0.05"}, "late_rows"),
    "by region or of the whole": (WEEKLY, {"epsilon": "0.03"}, "late_rows"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_intervals_hold_what_was_reported_at_every_stage(case: str) -> None:
    tables, loss, role = CASES[case]
    assert {m.role for m in declared(tables, loss)[1]} == {role}
    assert failures(covered(tables, loss)) == []


@pytest.mark.slow
def test_noise_of_late_rows_that_is_left_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    with_late = estimating.with_late
    monkeypatch.setattr(estimating, "with_late", lambda *given: (with_late(*given)[0], 1))
    tables, loss, _ = CASES["the same tables, Laplace"]
    assert failures(covered(tables, loss, releases=20))
