"""Sums that readers make of any cells and days: their 95 % intervals hold the truth 95 % of the time.

Over 500 random selections, ten for each draw of the noise; and those of differences of two, three for each draw. False
alarms: the share of all is spared five standard errors between draws, a chance under 1e-6. The check must catch intervals three
tenths too short.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from dp_stats.estimate.answer import Answer, answer, fit_of
from dp_stats.estimate.difference import difference
from dp_stats.estimate.measured_edition import Measured
from tests.combined_examples import AREAS, BANDS, WEEKS, measured, published

SELECTIONS = 500
DRAWS = 50
DIFFERENCES = 3
MEAN = 12.0
FIRST = date(2024, 3, 4)


@dataclass(frozen=True)
class Selection:
    """Some areas and either bands of whole weeks or any days."""

    areas: tuple[int, ...]
    bands: tuple[int, ...]
    first: int
    last: int

    @property
    def asked(self) -> dict[str, Any]:
        where = {"area": tuple(f"A{i}" for i in self.areas)}
        if len(self.bands) < BANDS:
            where["band"] = tuple(f"B{i}" for i in self.bands)
        return {"where": where, "start": FIRST + timedelta(self.first), "end": FIRST + timedelta(self.last)}

    def exact(self, counts: np.ndarray) -> int:
        """From counts by area, day of three weeks, and band."""
        return int(counts[np.ix_(self.areas, range(self.first, self.last + 1), self.bands)].sum())


def selections(rng: np.random.Generator) -> list[Selection]:
    found = []
    for _ in range(SELECTIONS):
        areas = tuple(sorted(rng.choice(AREAS, int(rng.integers(1, AREAS + 1)), replace=False).tolist()))
        if rng.random() < 0.5:
            bands = tuple(sorted(rng.choice(BANDS, int(rng.integers(1, BANDS)), replace=False).tolist()))
            weeks = sorted(rng.choice(3, 2).tolist())
            found.append(Selection(areas, bands, 7 * weeks[0], 7 * weeks[1] + 6))
        else:
            days = sorted(rng.integers(0, 21, 2).tolist())
            found.append(Selection(areas, tuple(range(BANDS)), *days))
    return found


def drawn(case: str, seed: int) -> tuple[list[Measured], np.ndarray]:
    """The editions of one draw of the noise as they are published, and the true counts by area, day of three weeks, and band."""
    made = [measured(case, week, seed=seed, mean=MEAN) for week in WEEKS]
    return [published(one) for one, _ in made], np.concatenate([truth for _, truth in made], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["plain", "gaussian"])
def test_intervals_of_any_sum_hold_the_truth(case: str) -> None:
    held, short, wider = (np.zeros((DRAWS, SELECTIONS // DRAWS)) for _ in range(3))
    apart, alone = (np.zeros((DRAWS, DIFFERENCES)) for _ in range(2))
    chosen = selections(np.random.default_rng(11))
    for draw in range(DRAWS):
        editions, counts = drawn(case, draw)
        for number in range(SELECTIONS // DRAWS):
            one = chosen[draw * (SELECTIONS // DRAWS) + number]
            truth, found = one.exact(counts), answer(editions, "count", **one.asked)
            held[draw, number] = found.lower <= truth <= found.upper
            short[draw, number] = abs(found.unrounded - truth) < 0.7 * 1.96 * found.standard_error
            wider[draw, number] = _of_parts(editions, one) / found.standard_error
            if number < DIFFERENCES:
                other = replace(one, areas=other_areas(one.areas, draw))
                between = compared(editions, one, other)
                apart[draw, number] = between.lower <= truth - other.exact(counts) <= between.upper
                second = answer(editions, "count", **other.asked).standard_error
                alone[draw, number] = np.hypot(found.standard_error, second) / between.standard_error
    spare = 5 * apart.mean(axis=1).std() / np.sqrt(DRAWS)
    assert spare < 0.12
    assert 0.95 - spare < apart.mean() < 0.95 + spare + 0.015, "of differences, too"
    assert np.quantile(alone, 0.9) / np.quantile(alone, 0.1) > 1.05, (
        "the two sides alone do not tell how far off their difference is"
    )
    spare = 5 * held.mean(axis=1).std() / np.sqrt(DRAWS)
    assert spare < 0.06
    assert 0.95 - spare < held.mean() < 0.95 + spare + 0.015  # intervals of whole numbers cover a little more
    assert short.mean() < 0.95 - spare, "intervals three tenths too short must not pass"
    assert np.quantile(wider, 0.9) > 1.3, "what the parts are unsure of says little about their sum"


def other_areas(areas: tuple[int, ...], draw: int) -> tuple[int, ...]:
    """Areas to compare with: in turn all, which hold the others, and the next ones."""
    return (
        tuple(range(AREAS))
        if draw % 3 == 0 and len(areas) < AREAS
        else ((areas[0] + 1) % AREAS, (areas[0] + 2) % AREAS)
    )


def compared(editions: list[Measured], one: Selection, other: Selection) -> Answer:
    """How much more the one selection has than the other."""
    days = {name: one.asked[name] for name in ("start", "end")}
    return difference(editions, "count", of=one.asked["where"], less=other.asked["where"], **days)


def _of_parts(editions: list[Measured], chosen: Selection) -> float:
    """The standard error that follows from the variances of single cells, as if their errors had nothing to do with each
    other: what readers had who added up published rows."""
    variance = 0.0
    for number, edition in enumerate(editions):
        days = [d - 7 * number for d in range(chosen.first, chosen.last + 1) if 0 <= d - 7 * number < 7]
        if not days:
            continue
        fit = fit_of(edition)["count"].fit
        if len(chosen.bands) < BANDS:
            cells = fit.variance({"area": "area", "date": "week", "band": "band"})
            variance += float(cells[np.ix_(chosen.areas, [0], chosen.bands)].sum())
        else:
            cells = fit.variance({"area": "area", "date": "day"})
            variance += float(cells[np.ix_(chosen.areas, days, [0])].sum())
    return float(np.sqrt(variance))
