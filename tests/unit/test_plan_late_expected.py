"""What a plan says of late rows: the error falls as they are added, and rises again with the draws that add them."""

from __future__ import annotations

import math

import pytest

from dp_stats.catalogue.contribution import Late
from dp_stats.plan.late_expected import choices
from dp_stats.plan.model import ExpectedError


def expected(*, mean: float | None, margin: float) -> ExpectedError:
    relative = margin / mean if mean else None
    return ExpectedError(
        table="t", statistic="s", cells=1, prior_mean=mean, margin_95=margin, worst=margin, relative=relative
    )


def test_what_is_missing_and_what_is_noise_add_up_as_squares() -> None:
    found = choices(Late(periods=2, share=0.2), expected(mean=100, margin=19.6), (), length=7)
    assert [(c.periods, c.waits, c.days) for c in found] == [(0, 0, 0), (1, 0, 7), (2, 0, 14), (0, 3, 3), (0, 7, 7)]
    assert [round(c.missing, 6) for c in found[:3]] == [0.2, 0.04, 0.008]
    for number, one in enumerate(found[:3]):
        assert one.error == pytest.approx(100 * math.hypot(one.missing, 0.1 * math.sqrt(1 + number)), rel=1e-3)
    assert found[4].missing == pytest.approx(found[1].missing)
    assert found[4].error < found[1].error  # a week's wait is a week's wait, with one draw of noise


def test_where_values_are_large_more_periods_help_and_where_noise_is_all_they_harm() -> None:
    large = choices(Late(periods=4, share=0.3), expected(mean=10000, margin=20), (), length=7)
    assert [c.error for c in large[:5]] == sorted((c.error for c in large[:5]), reverse=True)
    small = choices(Late(periods=4, share=0.05), expected(mean=10, margin=20), (), length=7)
    assert [c.error for c in small[:5]] == sorted(c.error for c in small[:5])


def test_without_a_guessed_size_nothing_is_said() -> None:
    assert choices(Late(periods=4), expected(mean=None, margin=20), (), length=7) == ()
