"""An earlier edition's noisy numbers of truncated rows and persons give a guess of how often people repeat."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.contribution import Contribution
from dp_stats.plan.repeats import Seen, repeats_seen
from dp_stats.plan.truncation import truncated_share


def seen(rows: np.ndarray, bound: int, *, error: float = 0.0) -> Seen:
    kept, truncated = np.minimum(rows, bound).sum(), np.maximum(rows - bound, 0).sum()
    return Seen(bound, float(kept), float(truncated), float((rows > bound).sum()), error)


@pytest.mark.parametrize("bound", [1, 2, 3])
@pytest.mark.parametrize("again", [0.05, 0.3, 0.6])
def test_a_geometric_law_is_found_again_from_any_bound(bound: int, again: float) -> None:
    rows = np.random.default_rng(0).geometric(1 - again, 1_000_000)
    found = repeats_seen(seen(rows, bound))
    assert sum(found.values()) == pytest.approx(1, abs=0.005)
    for other in (1, 2, 4):
        share = np.maximum(rows - other, 0).sum() / rows.sum()
        guessed = truncated_share(Contribution(rows=other, repeats=found))
        assert guessed == pytest.approx(share, rel=0.2, abs=0.005)


def test_a_heavy_tail_is_seen_beyond_the_bound() -> None:
    rng = np.random.default_rng(0)
    rows = 1 + (rng.random(100_000) < 0.03) * rng.geometric(0.1, 100_000)
    found = repeats_seen(seen(rows, 1))
    assert max(found) > 30
    assert len(found) < 14
    for other in (1, 4, 10):
        share = np.maximum(rows - other, 0).sum() / rows.sum()
        assert truncated_share(Contribution(rows=other, repeats=found)) == pytest.approx(share, rel=0.15)


def test_persons_within_the_noise_tell_nothing() -> None:
    assert repeats_seen(Seen(1, 1000.0, 12.0, 9.0, 7.0)) == {}
    assert repeats_seen(Seen(1, 1000.0, 12.0, -3.0, 7.0)) == {}
    assert repeats_seen(Seen(1, -5.0, 12.0, 30.0, 7.0)) == {}


@settings(max_examples=100, deadline=None)
@given(
    bound=st.integers(1, 12),
    kept=st.floats(1, 1e8),
    truncated=st.floats(-1e4, 1e8),
    persons=st.floats(0, 1e8),
)
def test_whatever_noise_made_of_it_a_guess_is_a_law_that_can_be_declared(
    bound: int, kept: float, truncated: float, persons: float
) -> None:
    found = repeats_seen(Seen(bound, kept, truncated, persons, 1.0))
    if found:
        assert sum(found.values()) == pytest.approx(1, abs=0.01)
        assert min(found) >= 1
        assert max(found) > bound
        assert Contribution(rows=bound, repeats=found).repeats == found
