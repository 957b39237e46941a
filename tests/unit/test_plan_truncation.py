"""What is truncated is measured where, and with what, as little as possible is charged for a wanted accuracy."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import parse_period
from dp_stats.plan import make
from dp_stats.plan.algebra import key_of
from dp_stats.plan.curve import cost_of, curve
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.truncation import TruncationShare
from tests.plan_examples import catalogue, release

WEEK = parse_period("2024-W10")
AS_A_WHOLE: dict[str, dict[str, str]] = {"all": {}, "regions": {"area": "region"}, "areas": {"area": "area"}}
FIXED = [
    (share, part, level)
    for share, part in product((Fraction(n, 100) for n in (1, 5, 10, 25, 45, 65, 80)), (Fraction(1, 8), Fraction(1, 2)))
    for level in ({}, {"area": "region"})
]
LESS = Fraction(12, 10)


@pytest.mark.slow  # eighteen seconds of them together
@pytest.mark.parametrize("guess", [None, 300, 100_000])
@pytest.mark.parametrize("place", AS_A_WHOLE)
def test_a_wanted_margin_is_charged_little_more_than_the_least_that_any_share_for_truncated_rows_needs(
    place: str, guess: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once ε 0.97 was charged for what 0.08 is enough for, as truncated rows never got more than a 25th of the budget."""
    sized = {} if guess is None else {"expected_total": guess}
    made = release(
        {"asked": (AS_A_WHOLE[place], ("visits",))},
        period="week",
        statistics=[{"id": "visits", "kind": "count", **sized}],
        contribution={"rows": 2},
    )
    known = catalogue(made)
    margin = 100.0 + 0.1 * (guess or 0) / {"all": 1, "regions": 2, "areas": 5}[place]

    asked = cost_of(known, made, WEEK, table="asked", statistic="visits", margin=margin).epsilon
    for share, part, level in FIXED:
        if place == "all" and level:
            continue

        def fixed(
            grid: Grid,
            release: Release,
            mechanism: Mechanism,
            total: Fraction,
            one: tuple[Fraction, Fraction, dict[str, str]] = (share, part, level),
        ) -> list[TruncationShare]:
            return [
                TruncationShare("truncated_rows", "visits", key_of(grid, one[2]), one[0] * (1 - one[1])),
                TruncationShare("truncated_persons", "visits", key_of(grid, {}), one[0] * one[1]),
            ]

        monkeypatch.setattr(make, "_chosen", {})
        with monkeypatch.context() as patched:
            patched.setattr(make, "choose_truncation", fixed)
            (point,) = curve(known, made, WEEK, [asked / LESS])
        assert point.margins["asked", "visits"] > margin, (float(asked), share, part, level)
