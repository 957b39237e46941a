"""Sentences about noisy figures are wrong no more often than they may be, and rules that ignore how many were looked at are not.

Over pairs of simulated editions that are estimated as real ones are: of the areas of which it is said that they rose or fell, and
of those that are put above or below the middle one, on average at most one in twenty is named wrongly; the widened intervals of
changes that were picked out hold in 95 of 100; at most one level series in twenty is given a peak or a trough. False alarms:
shares are spared five standard errors between pairs, a chance under 1e-6. Each check must catch the rule without its correction.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import pytest

from dp_stats.charts import findings
from dp_stats.charts.clear import Sides, among_each_other, may_be_highest, may_be_lowest, sides_of_the_middle
from dp_stats.charts.series import Group, Series
from dp_stats.settings import load_settings
from dp_stats.texts.numbers import Change, Figure
from dp_stats.texts.words import Texts
from tests.estimate_examples import declare_edition

AREAS = (14, 13, 13)
MOVED = 4
"""Areas that truly rise by a lot; the others stay as they are."""
PAIRS = 70
TABLES = (
    {"id": "area", "levels": {"area": "area"}, "statistics": ["count"]},
    {"id": "region", "levels": {"area": "region"}, "statistics": ["count"]},
    {"id": "all-day", "levels": {"date": "day"}, "statistics": ["count"]},
)
TEXTS = Texts.of(load_settings())


@cache
def pairs(epsilon: float, rho: float = 0.0) -> list[tuple[list[Figure], list[Figure], list[Figure]]]:
    """Figures of all areas in two editions, and of the days of the first; true counts are those of ``totals_of_areas``."""
    loss = {"rho": rho} if rho else {"epsilon": epsilon}
    edition = declare_edition(tables=TABLES, areas=AREAS, bands=1, loss=loss)
    rng = np.random.default_rng(7)
    found = []
    for _ in range(PAIRS):
        counts = [
            edition.estimate(edition.draw({"count": spread(total, edition.grid.shape())}, rng))
            for total in totals_of_areas()
        ]
        first, second = (each.tables["area"]["count"] for each in counts)
        days = counts[0].tables["all-day"]["count"]
        found.append(tuple(figures(one.value, one.lower, one.upper) for one in (first, second, days)))
    return found


def figures(*ends: np.ndarray) -> list[Figure]:
    return [Figure(*map(float, one)) for one in zip(*(end.ravel() for end in ends), strict=True)]


def totals_of_areas() -> tuple[np.ndarray, np.ndarray]:
    """The totals of each area before and after."""
    before = np.full(sum(AREAS), 280)
    after = before.copy()
    after[:MOVED] += 56
    return before, after


def spread(totals: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Totals of areas over the days, the same every day."""
    return np.broadcast_to(totals[:, None, None] // shape[1], shape).astype(np.int64)


def false_share(told: list[tuple[int, int]]) -> tuple[float, float]:
    """The mean share of what was told wrongly (0 where nothing was told), and its standard error between pairs."""
    shares = np.array([wrong / max(said, 1) for said, wrong in told])
    return float(shares.mean()), float(shares.std(ddof=1) / np.sqrt(len(shares)))


def clear(before: list[Figure], after: list[Figure]) -> dict[str, Change]:
    """As the site tells changes between two editions."""
    return among_each_other(
        {str(i): Change(a, b, independent=True) for i, (a, b) in enumerate(zip(before, after, strict=True))}
    )


def told(changes: dict[str, Change]) -> tuple[int, int]:
    """How many changes are told, and how many of them wrongly."""
    said = {int(key): change.direction for key, change in changes.items() if change.direction in ("rose", "fell")}
    return len(said), sum(direction == "fell" or index >= MOVED for index, direction in said.items())


LOSSES = [pytest.param(0.5, 0.0, id="laplace"), pytest.param(0.0, 0.01, id="gaussian")]


@pytest.mark.parametrize(("epsilon", "rho"), LOSSES)
def test_of_areas_said_to_have_changed_one_in_twenty_is_named_wrongly_at_most(epsilon: float, rho: float) -> None:
    every = [clear(before, after) for before, after, _ in pairs(epsilon, rho)]
    share, error = false_share([told(changes) for changes in every])
    assert share <= 0.05 + 5 * error
    assert np.mean([told(changes)[0] for changes in every]) > MOVED / 3, "what did change is mostly found"
    alone = [{key: replace(c, reach=1.0) for key, c in changes.items()} for changes in every]
    share, error = false_share([told(changes) for changes in alone])
    assert share > 0.05 + 5 * error, "95 % intervals alone name too many"


@pytest.mark.parametrize(("epsilon", "rho"), LOSSES)
def test_intervals_of_changes_that_were_picked_out_hold(epsilon: float, rho: float) -> None:
    before, after = totals_of_areas()
    true = after - before

    def missed(many: bool) -> tuple[float, float]:
        shares = []
        for first, second, _ in pairs(epsilon, rho):
            found = {int(key): c if many else replace(c, reach=1.0) for key, c in clear(first, second).items()}
            picked = [(k, c.within(c.reach)) for k, c in found.items() if c.direction in ("rose", "fell")]
            shares.append((len(picked), sum(not f.lower <= true[k] <= f.upper for k, f in picked)))
        return false_share(shares)

    share, error = missed(True)
    assert share <= 0.05 + 5 * error
    share, error = missed(False)
    assert share > 0.05 + 5 * error, "95 % intervals of what was picked for being large miss more"


@pytest.mark.parametrize(("epsilon", "rho"), LOSSES)
def test_areas_are_put_above_or_below_the_middle_one_rightly(epsilon: float, rho: float) -> None:
    sides = [sides_of_the_middle(groups(second)) for _, second, _ in pairs(epsilon, rho)]
    level = [sides_of_the_middle(groups(first)) for first, _, _ in pairs(epsilon, rho)]
    assert np.mean([s.above for s in sides]) > MOVED / 4
    share, error = false_share([(1, int(s != Sides(0, 0))) for s in level])
    assert share <= 0.05 + 5 * error, "where all are alike, one in twenty editions may name any"


def groups(areas: list[Figure]) -> list[Group]:
    return [Group(f"A{i}", f"Area {i}", figure) for i, figure in enumerate(areas)]


@pytest.mark.parametrize(("epsilon", "rho"), LOSSES)
def test_a_level_series_is_given_no_peak_and_no_trough(epsilon: float, rho: float) -> None:
    days = [found for _, _, found in pairs(epsilon, rho)]
    missed = [
        0 not in may_be_highest(one) or 0 not in may_be_lowest(one) for one in days
    ]  # the first is as high as any
    share, error = false_share([(1, int(miss)) for miss in missed])
    assert share <= 0.05 + 5 * error
    said = [findings.of_series(TEXTS, series(one), what="Cases") for one in days]
    share, error = false_share([(1, int("highest" in one or "lowest" in one)) for one in said])
    assert share <= 0.05 + 5 * error
    narrow = [sum(f.upper >= max(g.lower for g in one) for f in one) < len(one) for one in days]
    assert np.mean(narrow) > 0.15, "95 % intervals alone leave some out that are as high"


def series(days: list[Figure]) -> Series:
    dates = tuple(date(2024, 3, 4) + timedelta(days=i) for i in range(len(days)))
    value, lower, upper = (np.array([getattr(f, end) for f in days]) for end in ("value", "lower", "upper"))
    whole = np.ones(len(days), dtype=bool)
    return Series("All", "all", dates, tuple(map(str, dates)), whole, value, lower, upper, ("",) * len(days), (), True)
