"""Numbers reach readers with separators, with their interval, and without false precision."""

from __future__ import annotations

import math

import pytest
from english import TEXTS

from dp_stats.texts import numbers
from dp_stats.texts.numbers import Change, Figure


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1234, 0, "1,234"),
        (-1234.5, 1, "\N{MINUS SIGN}1,234.5"),
        (-0.2, 0, "0"),
        (math.nan, 0, "\N{EN DASH}"),
        (0, 0, "0"),
    ],
)
def test_a_number_has_separators_and_a_true_minus(value: float, decimals: int, text: str) -> None:
    assert TEXTS.number(value, decimals=decimals) == text


def test_an_interval_is_said_from_low_to_high() -> None:
    assert TEXTS.between(Figure(1234, 1200, 1268)) == "1,200 to 1,268"


def test_decimals_stop_at_the_noise() -> None:
    assert numbers.decimals_for([Figure(10, 5, 15)]) == 0
    assert numbers.decimals_for([Figure(6.2, 5.8, 6.6)]) == 1
    assert numbers.decimals_for([Figure(6.0, 5.8, 6.2)]) == 1, "a mean that happens to be whole is not a count"
    assert numbers.decimals_for([Figure(0.012, 0.010, 0.014)]) == 3
    assert numbers.decimals_for([]) == 0


def test_a_change_is_only_said_where_the_intervals_are_apart() -> None:
    assert Change(Figure(10, 8, 12), Figure(20, 13, 27)).direction == "rose"
    assert Change(Figure(20, 13, 27), Figure(10, 8, 12)).direction == "fell"
    assert Change(Figure(10, 8, 12), Figure(14, 12, 16)).direction == "unclear", "intervals that touch overlap"
    assert Change(Figure(20, 13, 27), Figure(10, 8, 12, "p u")).direction == "early", "late reports will raise it"
    assert Change(Figure(10, 8, 12), Figure(20, 13, 27, "r p")).direction == "rose", "and raise it further"
    assert Change(Figure(20, 13, 27, "p"), Figure(10, 8, 12)).direction == "fell"
    assert Change(Figure(10, 8, 12), Figure(14, 12, 16, "p")).direction == "unclear"


def test_a_change_has_the_interval_of_the_difference() -> None:
    before, after = Figure(10, 8, 12), Figure(20, 17, 23)
    assert Change(before, after).figure == Figure(10, 5, 15), "however the errors depend on each other, arms add up"
    assert Change(before, after, independent=True).figure == Figure(10, 7, 13), (
        "independent ones as variances, in whole numbers"
    )
    near = Change(Figure(10, 8, 12), Figure(14, 12, 16), independent=True)
    assert near.direction == "rose"
    assert near.clearness == pytest.approx(4 / math.hypot(2, 2))
    among = Change(near.before, near.after, independent=True, reach=1.5)
    assert (among.direction, among.lost_among_many) == ("unclear", True)
    assert math.isinf(Change(Figure(3, 0, 8), Figure(50, 40, math.inf)).figure.upper)


@pytest.mark.parametrize(
    ("size", "text"), [(940, "940 bytes"), (1234, "1.2 kB"), (104_000, "104 kB"), (3_400_000, "3.4 MB")]
)
def test_sizes_of_files_are_in_units_of_a_thousand(size: int, text: str) -> None:
    assert TEXTS.file_size(size).replace(numbers.NBSP, " ") == text


def test_ticks_are_round_and_inside() -> None:
    assert numbers.nice_ticks(0, 397_000) == [0, 100_000, 200_000, 300_000]
    assert numbers.nice_ticks(0, 1) == [0, 0.25, 0.5, 0.75, 1.0]
    assert TEXTS.tick(397_000) == "397k"
    assert TEXTS.tick(1_500_000) == "1.5m"


def test_the_typical_margin_is_the_median_of_what_is_known() -> None:
    known = [Figure(1, 0, 2), Figure(1, 0, 4), Figure(1, 0, 20), Figure(math.nan, math.nan, math.nan)]
    assert numbers.typical_margin(known) == 2
    assert math.isnan(numbers.typical_margin([]))
