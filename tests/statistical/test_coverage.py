"""Over repeated releases, 95 % intervals hold the truth 93 to 97 % of the time, for every kind of statistic.

False alarms: each statistic's coverage is compared over independent releases, with five standard errors between
releases to spare (a normal tail of 3e-7). The same check must catch intervals a fifth too narrow or too wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.estimate_examples import DeclaredEdition, declare_edition

DERIVED: tuple[dict[str, Any], ...] = (
    {"id": "rate", "kind": "rate", "of": "count"},
    {"id": "share", "kind": "share", "of": "count", "across": "band"},
    {"id": "rolling", "kind": "rolling", "of": "count"},
    {"id": "cumulative", "kind": "cumulative", "of": "count"},
    {"id": "mean", "kind": "mean", "of": "cost", "over": "count"},
    {"id": "people-rate", "kind": "rate", "of": "people"},
)
TABLES: tuple[dict[str, Any], ...] = (
    {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count", "rolling", "cumulative"]},
    {
        "id": "area-week-band",
        "levels": {"area": "area", "date": "week", "band": "band"},
        "statistics": ["count", "share"],
    },
    {
        "id": "region-week",
        "levels": {"area": "region", "date": "week"},
        "statistics": ["count", "rate", "cost", "mean"],
    },
    {"id": "region", "levels": {"area": "region"}, "statistics": ["people", "people-rate"]},
    {"id": "all-day", "levels": {"date": "day"}, "statistics": ["count", "rolling"]},
)
STATISTICS: tuple[dict[str, Any], ...] = (
    {"id": "count", "kind": "count", "expected_total": 15000},
    {
        "id": "cost",
        "kind": "sum",
        "column": "cost",
        "lower": 0,
        "upper": 10,
        "resolution": "0.5",
        "expected_total": 60000,
    },
    {"id": "people", "kind": "persons"},
)
RELEASES = 150

Covered = dict[tuple[str, str], np.ndarray]


def true_values(edition: DeclaredEdition, counts: np.ndarray, cost: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    grid, found = edition.grid, {}
    for table in edition.release.tables:
        levels = grid.complete(table.levels)
        count = grid.roll_up(counts, levels).astype(float)
        total = np.cumsum(count, axis=1)
        rolling = np.full_like(count, np.nan)
        if count.shape[1] > 7:
            rolling[:, 6:] = total[:, 6:] - np.concatenate([np.zeros_like(total[:, :1]), total[:, :-7]], axis=1)
        people = np.bincount(np.repeat([0, 1, 2], (3, 4, 2)), weights=1000.0 * np.arange(1, 10)).reshape(3, 1, 1)
        money = grid.roll_up(cost, levels) * 0.5
        values = {
            "count": count,
            "people": count,
            "rolling": rolling,
            "cumulative": total,
            "cost": money,
            "mean": money / count,
            "share": 100 * count / count.sum(axis=2, keepdims=True),
        }
        if count.shape[0] == 3:
            values["rate"] = values["people-rate"] = count * 100_000 / people
        for name in table.statistics:
            found[table.id, name] = values[name]
    return found


def covered(loss: Mapping[str, Any], *, releases: int, stretch: tuple[float, ...] = (1.0,)) -> dict[float, Covered]:
    """Share of covered cells of each statistic in each release, with intervals stretched around the unrounded value."""
    edition = declare_edition(statistics=STATISTICS, derived=DERIVED, tables=TABLES, loss=loss)
    rng = np.random.default_rng(20240304)
    counts = rng.poisson(15000 / edition.grid.cells() * rng.gamma(2, 0.5, (9, 1, 1)), edition.grid.shape())
    cost = rng.binomial(20 * counts, 0.2)
    true = true_values(edition, counts, cost)
    rows: dict[float, dict[tuple[str, str], list[float]]] = {s: {key: [] for key in true} for s in stretch}
    for _ in range(releases):
        estimates = edition.estimate(edition.draw({"count": counts, "cost": cost, "people": counts}, rng))
        for (table, name), value in true.items():
            e = estimates.tables[table][name]
            known = ~np.isnan(e.value)
            for s in stretch:
                lower = np.where(e.lower > 0, e.unrounded + s * (e.lower - e.unrounded), 0.0)
                upper = e.unrounded + s * (e.upper - e.unrounded)
                if s == 1.0:
                    lower, upper = e.lower, e.upper
                inside = (lower <= value + 1e-9) & (value - 1e-9 <= upper)
                rows[s][table, name].append(float(np.mean(inside[known])))
    return {s: {key: np.array(values) for key, values in by.items()} for s, by in rows.items()}


def failures(found: Covered) -> list[str]:
    """Statistics whose coverage is clearly outside 93 to 97 %."""
    bad = []
    for (table, name), shares in found.items():
        mean, error = shares.mean(), max(shares.std(ddof=1), 0.01) / np.sqrt(len(shares))
        if not 0.93 - 5 * error <= mean <= 0.97 + 5 * error:
            bad.append(f"{table} {name}: {mean:.3f} ± {error:.4f}")
    return bad


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss",
    [{"epsilon": "0.5"}, {"epsilon": 2}, {"rho": "0.05"}],
    ids=["Laplace, much noise", "Laplace, little noise", "Gaussian"],
)
def test_intervals_hold_the_truth_as_often_as_they_say(loss: dict[str, Any]) -> None:
    found = covered(loss, releases=RELEASES, stretch=(0.8, 1.0, 1.25))
    assert failures(found[1.0]) == []
    assert failures(found[0.8])
    assert failures(found[1.25])
