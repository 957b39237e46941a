"""Sums that readers make of published measurements are the agency's own answers, to the digit."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

import dp_stats
from dp_stats.errors import NotDerivableError, PublishedError
from dp_stats.estimate import open_measurements
from dp_stats.estimate.answer import Answer, answer
from tests.combined_examples import CASES, WEEKS, asked, measured, published, question, write_release

QUESTIONS = 40


@pytest.mark.parametrize("case", CASES)
def test_what_is_published_answers_as_what_is_stored(case: str, tmp_path: Path) -> None:
    stored = [measured(case, week)[0] for week in WEEKS]
    write_release(tmp_path, stored)
    rng = np.random.default_rng(7)
    told = 0
    for _ in range(QUESTIONS):
        one = question(rng, case)
        own = asked(partial(answer, stored), one)
        assert asked(partial(dp_stats.combine, tmp_path / "test"), one) == own
        told += isinstance(own, Answer)
    assert told > QUESTIONS / 3


def test_days_may_be_written_and_one_code_stands_for_itself(tmp_path: Path) -> None:
    stored = [measured("plain", week)[0] for week in WEEKS]
    write_release(tmp_path, stored)
    found = dp_stats.combine(tmp_path / "test", "count", where={"area": "R0"}, start="2024-03-06", end="2024-03-19")
    other = {"area": ("A0", "A1", "A2")}
    assert (
        found.value
        == dp_stats.combine(tmp_path / "test", "count", where=other, start="2024-03-06", end="2024-03-19").value
    )
    assert found.lower <= found.value <= found.upper
    assert found.editions == tuple(f"test/{week}" for week in WEEKS)


def test_what_cannot_be_told_is_said(tmp_path: Path) -> None:
    write_release(tmp_path, [measured("plain", "2024-W10")[0]])
    with pytest.raises(NotDerivableError, match="no edition for these days"):
        dp_stats.combine(tmp_path / "test", "count", start="2023-01-01", end="2023-01-31")
    with pytest.raises(NotDerivableError, match="no code of 'area'"):
        dp_stats.combine(tmp_path / "test", "count", where={"area": "A99"})
    with pytest.raises(PublishedError, match="There is no release"):
        dp_stats.combine(tmp_path / "nothing", "count")
    with pytest.raises(PublishedError, match="YYYY-MM-DD"):
        dp_stats.combine(tmp_path / "test", "count", start="March")
    with pytest.raises(PublishedError, match="format"):
        open_measurements.read({"format": 99})


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_published_but_what_decides_what_numbers_mean(case: str) -> None:
    one, _ = measured(case, "2024-W10")
    again = published(one)
    assert again.grid.shape() == one.grid.shape()
    assert not set(again.release.model_fields_set) & {"purpose", "requested_by", "audience", "schedule"}
    assert again.catalogue is not None
    assert not again.catalogue.datasets
