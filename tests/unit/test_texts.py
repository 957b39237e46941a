"""What is said in words: warnings of a plan from their facts, and numbers of few digits."""

from __future__ import annotations

import pytest
from english import TEXTS

from dp_stats.plan.warnings import AboveCeiling, AboveMean, UnknownSize, UnmeasuredTruncation
from dp_stats.texts import numbers, warnings


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (0.1234, "0.123"),
        (12.5, "12.5"),
        (40.0, "40"),
        (999.6, "1,000"),
        (1234.0, "1,230"),
        (-0.5, "\N{MINUS SIGN}0.5"),
        (1e-6, "0.000001"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_a_number_shows_three_significant_digits_and_no_exponent(value: float, said: str) -> None:
    assert numbers.significant(value) == said


def test_a_warning_is_said_with_its_figures_and_with_what_it_is_about() -> None:
    ceiling = AboveCeiling(table="by-area", statistic="cases", margin_95=12.345, ceiling=0.5)
    assert warnings.full(TEXTS, ceiling) == "by-area, cases: the expected margin ±12.3 is above the ceiling ±0.5."
    mean = AboveMean(table="by-area", statistic="cases", margin_95=4567, prior_mean=1000)
    assert warnings.sentence(TEXTS, mean) == "the expected margin ±4,570 exceeds the mean, 1,000."
    assert warnings.full(TEXTS, UnmeasuredTruncation(rows=3)).startswith("Rows beyond 3 per person")
    assert "expected_total" in warnings.full(TEXTS, UnknownSize())
