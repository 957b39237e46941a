"""Questions are answered from stored editions, with the right interval, or refused with the reason."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from dp_stats.catalogue.periods import parse_period
from dp_stats.errors import NotDerivableError
from dp_stats.estimate.answer import Answer, answer
from dp_stats.estimate.measured_edition import Measured
from tests.combined_examples import PLAIN, TABLES
from tests.estimate_examples import DeclaredEdition, declare_edition

WEEKS = ("2024-W10", "2024-W11", "2024-W12", "2024-W13")


def edition(
    period: str, *, noise: float = 1.0, seed: int = 0, **options: Any
) -> tuple[DeclaredEdition, np.ndarray, Measured]:
    kind = "week" if "W" in period else "range"
    made = declare_edition(period=period, kind=kind, **{**PLAIN, **options})
    counts = np.random.default_rng(seed).poisson(20, made.grid.shape())
    exact = {"count": counts, "cost": counts * 4, "people": counts}
    return (
        made,
        counts,
        Measured(
            made.plan,
            parse_period(period),
            made.grid,
            made.release,
            made.draw(exact, np.random.default_rng(seed + 9), noise=noise),
            made.catalogue,
        ),
    )


def test_any_set_of_cells_is_summed_exactly_without_noise() -> None:
    _, counts, stored = edition("2024-03-04--2024-03-31", noise=0)
    asked = {"area": ("R0", "A5"), "band": ("B1",)}
    found = answer([stored], "count", where=asked, start=date(2024, 3, 11), end=date(2024, 3, 24))
    assert found.value == counts[[0, 1, 2, 5], 7:21, 1].sum()
    days = answer([stored], "count", where={"area": ("A3",)}, start=date(2024, 3, 6), end=date(2024, 3, 8))
    assert days.value == counts[3, 2:5].sum()


def test_the_same_cells_named_twice_count_once() -> None:
    _, counts, stored = edition("2024-W10", noise=0)
    assert answer([stored], "count", where={"area": ("R0", "A1")}).value == counts[:3].sum()


def test_weeks_add_up_to_a_month_with_the_right_error() -> None:
    editions = [edition(week, seed=i) for i, week in enumerate(WEEKS)]
    stored = [m for _, _, m in editions]
    found = answer(stored, "count", where={"area": ("R1",)}, start=date(2024, 3, 4), end=date(2024, 3, 31))
    assert found.editions == tuple(f"test/{week}" for week in WEEKS)
    parts = [answer([m], "count", where={"area": ("R1",)}) for m in stored]
    assert found.unrounded == pytest.approx(sum(p.unrounded for p in parts))
    assert found.standard_error**2 == pytest.approx(sum(p.standard_error**2 for p in parts))
    truth = sum(int(c[3:7].sum()) for _, c, _ in editions)
    assert abs(found.value - truth) < 5 * found.standard_error


def test_days_of_several_weeks_can_be_asked_for_where_days_were_measured() -> None:
    stored = [edition(week, seed=i, noise=0) for i, week in enumerate(WEEKS)]
    found = answer([m for _, _, m in stored], "count", start=date(2024, 3, 9), end=date(2024, 3, 19))
    assert found.editions == ("test/2024-W10", "test/2024-W11", "test/2024-W12")
    (_, a, _), (_, b, _), (_, c, _), _ = stored
    assert found.value == a[:, 5:].sum() + b.sum() + c[:, :2].sum()


def test_of_two_editions_of_the_same_days_the_better_is_used() -> None:
    _, _, rough = edition("2024-03-04--2024-03-10", loss={"epsilon": "0.1"})
    _, _, fine = edition("2024-03-04--2024-03-10", loss={"epsilon": 2})
    one = answer([rough, fine], "count", where={"area": ("A0",)})
    assert one.standard_error == answer([fine], "count", where={"area": ("A0",)}).standard_error


def test_rates_use_public_populations_of_the_cells_asked_for() -> None:
    _, counts, stored = edition("2024-W10", noise=0)
    found = answer([stored], "rate", where={"area": ("R0",)})
    assert found.value == pytest.approx(counts[:3].sum() * 1000 / 6000)


def test_means_are_ratios_with_an_interval() -> None:
    _, _, stored = edition("2024-W10")
    found = answer([stored], "mean-cost", where={"area": ("R1",), "band": ("B0", "B1")})
    assert abs(found.value - 4) < 5 * found.standard_error
    assert found.lower < found.value < found.upper


def test_distinct_persons_are_known_where_they_were_measured() -> None:
    _, counts, stored = edition("2024-W10", noise=0)
    assert answer([stored], "people", where={"area": ("R2",)}).value == counts[7:].sum()


def test_distinct_persons_are_no_more_than_the_rows_of_their_cell_as_in_published_tables() -> None:
    clamped = 0
    for seed in range(20):
        _, _, stored = edition("2024-W10", noise=6, seed=seed)
        for area in ("R0", "R1", "R2"):
            rows, people = (answer([stored], name, where={"area": (area,)}) for name in ("count", "people"))
            assert people.value <= rows.value
            assert people.lower <= rows.lower
            assert people.upper <= rows.upper
            assert people.lower <= people.value <= people.upper
            clamped += people.unrounded > rows.value
    assert clamped > 5


def test_distinct_persons_stand_alone_where_no_rows_are_published_beside_them() -> None:
    _, counts, stored = edition("2024-W10", noise=0, tables=TABLES[2:], statistics=PLAIN["statistics"][2:], derived=())
    assert answer([stored], "people", where={"area": ("R2",)}).value == counts[7:].sum()


def test_what_no_table_shows_was_not_measured() -> None:
    """It may be declared all the same; persons then stand alone, or beside the first rows that are known."""
    _, counts, stored = edition("2024-W10", noise=0, tables=TABLES[2:], derived=())
    refused("'count' in no table", [stored], "count")
    refused("'cost' in no table", [stored], "cost", where={"area": ("A1",)})
    assert answer([stored], "people", where={"area": ("R2",)}).value == counts[7:].sum()
    unseen = {"id": "unseen", "kind": "count"}
    for seed in range(5):
        _, _, noisy = edition("2024-W10", noise=6, seed=seed, statistics=(unseen, *PLAIN["statistics"]))
        rows, people = (answer([noisy], name, where={"area": ("R2",)}) for name in ("count", "people"))
        assert people.value <= rows.value


def refused(reason: str, editions: list[Measured], statistic: str, **question: Any) -> None:
    with pytest.raises(NotDerivableError, match=reason):
        answer(editions, statistic, **question)


def test_what_does_not_follow_is_refused_with_the_reason() -> None:
    _, _, stored = edition("2024-W10")
    _, _, later = edition("2024-W12")
    refused("distinct persons", [stored], "people", where={"area": ("R1", "R2")})
    refused("distinct persons", [stored, later], "people", where={"area": ("A1",)})
    refused("no edition", [stored], "deaths")
    refused("is no code", [stored], "count", where={"area": ("Z9",)})
    refused("no dimension 'sex'", [stored], "count", where={"sex": ("F",)})
    refused("2024-03-11", [stored, later], "count")
    refused("before the first", [stored], "count", start=date(2024, 3, 8), end=date(2024, 3, 7))
    refused("population", [stored], "rate", where={"band": ("B0",)})
    refused("did not measure", [stored], "count", where={"band": ("B0",)}, start=date(2024, 3, 4), end=date(2024, 3, 5))


def test_a_week_that_was_measured_whole_cannot_be_cut() -> None:
    tables = ({"id": "area-week", "levels": {"area": "area", "date": "week"}, "statistics": ["count"]},)
    _, _, stored = edition(
        "2024-03-04--2024-03-31", tables=tables, derived=(), statistics=({"id": "count", "kind": "count"},)
    )
    refused("measured by week at the finest", [stored], "count", start=date(2024, 3, 5))
    assert answer([stored], "count", start=date(2024, 3, 11)).editions


def test_nothing_has_no_sign() -> None:
    found = Answer("visits", -0.0, -0.0, -0.0, 3.0, 1.0, ())
    assert [str(found.value), str(found.lower)] == ["0.0", "0.0"]
