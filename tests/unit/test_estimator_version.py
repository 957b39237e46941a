"""A version of the estimator gives what it always gave: other estimates of stored measurements have another version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dp_stats.estimate import across, estimator, tables
from dp_stats.estimate.noise_law import normal_law
from dp_stats.estimate.spread import Spread
from tests.kept_estimates import ACROSS, EXAMPLES, FOLDER, across_as_kept, as_kept, estimated, estimated_across, kept

CHANGED = (
    "gives other estimates than version {version} did. If that is meant, set VERSION in dp_stats/estimate/estimator.py to "
    "{next} and run `python -m tests.kept_estimates`: published editions can then be revised by it (--kind method)."
)


def differing(example: str) -> list[str]:
    """Tables and statistics that are not what the present version gave when it was kept."""
    before: Mapping[str, Any] = kept(estimator.VERSION)[example]
    if example == ACROSS:
        now = estimated_across(across_as_kept(before))
    else:
        now = estimated(*as_kept(example, before), weak=EXAMPLES[example].get("weak", 1))
    assert now.keys() == before["estimates"].keys()
    return [
        name
        for name, numbers in before["estimates"].items()
        if not all(
            np.allclose(now[name][what], numbers[what], rtol=1e-7, atol=1e-6, equal_nan=True) for what in numbers
        )
    ]


@pytest.mark.parametrize("example", [*EXAMPLES, ACROSS])
def test_a_version_gives_the_estimates_that_it_always_gave(example: str) -> None:
    assert not differing(example), CHANGED.format(version=estimator.VERSION, next=estimator.VERSION + 1)


def test_every_version_is_kept() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"version-{n}.json" for n in range(1, estimator.VERSION + 1)}


def test_other_estimates_of_the_same_version_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "shrink_targets", lambda *args: {})
    assert differing("weak")


@pytest.mark.parametrize("example", EXAMPLES)
def test_other_intervals_of_the_same_version_are_found(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spread, "interval", lambda self, low: self.law.interval(self.centre, 1.1 * self.error, low=low))
    assert differing(example)


@pytest.mark.parametrize("part", ["law_of", "signed_sums"])
def test_other_tables_across_editions_of_the_same_version_are_found(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sums = across.signed_sums
    others = {
        "law_of": lambda draws: normal_law(),
        "signed_sums": lambda *given: replace(found := sums(*given), variance=1.2 * found.variance),
    }
    monkeypatch.setattr(across, part, others[part])
    assert differing(ACROSS)
