"""Amounts of privacy loss are exact, rounded to the side of privacy, and shown as people read them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import lcm

import pytest
from ledger_examples import dataset

from dp_stats.catalogue.models import Budget
from dp_stats.errors import LedgerError
from dp_stats.ledger import amounts
from dp_stats.plan import accounting

PART = Fraction(1, amounts.GRAIN)
MILLION = Fraction(1, 10**6)


def test_the_grain_is_decimal_and_shares_among_up_to_sixteen() -> None:
    assert lcm(*range(1, 17)) * 10**18 == amounts.GRAIN


@pytest.mark.parametrize("parts", [1, 2, 10**18 + 1])
def test_whole_parts_stay_and_any_more_is_a_part_more_in_a_charge_and_none_in_a_share(parts: int) -> None:
    whole = parts * PART
    assert amounts.charge_of(whole) == amounts.share_of(whole, Fraction(1)) == whole
    assert amounts.charge_of(whole + PART / 10**6) == whole + PART
    assert amounts.share_of(whole + PART * Fraction(999, 1000), Fraction(1)) == whole


def test_a_share_is_of_the_cap() -> None:
    assert amounts.share_of(Fraction(1, 50), Fraction(1, 4)) == Fraction(1, 200)


def test_a_cap_is_the_declared_rho_or_the_largest_that_epsilon_allows() -> None:
    assert amounts.cap_of(dataset(rho="1/50").budget) == Fraction(1, 50)
    allowed = accounting.rho_of(Fraction(1), MILLION)
    cap = amounts.cap_of(dataset(epsilon=1, delta="1e-6").budget)
    assert allowed - PART < cap <= allowed


@pytest.mark.parametrize("fields", [{}, {"epsilon": Fraction(1)}, {"delta": MILLION}])
def test_a_budget_that_says_too_little_has_no_cap(fields: dict[str, Fraction]) -> None:
    """The catalogue refuses such a budget; the ledger does not rely on it."""
    with pytest.raises(LedgerError, match="needs rho, or epsilon with delta"):
        amounts.cap_of(Budget.model_construct(**{"rho": None, "epsilon": None, "delta": None, **fields}))


def test_a_sum_of_nothing_is_an_exact_zero_and_any_sum_is_exact() -> None:
    assert isinstance(amounts.total([]), Fraction)
    assert amounts.total([Fraction(1, 3)] * 3) == 1


@pytest.mark.parametrize("exact", ["1/200", "0.005", "5e-3", Fraction(1, 200)])
def test_exact_texts_and_fractions_are_read(exact: object) -> None:
    assert amounts.read(exact) == Fraction(1, 200)
    assert amounts.read(2) == 2


@pytest.mark.parametrize("wrong", [0.005, Decimal("0.005"), True, None, "a little", "1/0", "nan", "", b"1", [1]])
def test_what_is_not_exact_is_refused(wrong: object) -> None:
    with pytest.raises(LedgerError, match="must be exact: pass a Fraction or its text"):
        amounts.read(wrong)


def test_an_amount_is_shown_with_its_epsilon_and_nothing_as_nothing() -> None:
    assert amounts.shown(Fraction(1, 200), MILLION) == "ρ 0.005 (ε 0.4299 at δ 1e-06)"
    assert amounts.shown(Fraction(123456789, 10**8), Fraction(123456, 10**10)).startswith("ρ 1.23457 (ε ")
    assert amounts.shown(Fraction(1), Fraction(123456, 10**10)).endswith(" at δ 1.23e-05)")
    for nothing in (Fraction(0), Fraction(-1, 10)):
        assert amounts.shown(nothing, MILLION) == "ρ 0"


@pytest.mark.parametrize("rho", [Fraction(1, 10**9), Fraction(1, 200), Fraction(3)])
def test_epsilon_is_that_of_the_accounting_and_nothing_for_nothing(rho: Fraction) -> None:
    assert amounts.epsilon(rho, MILLION) == accounting.epsilon_at(rho, MILLION) > 0
    for nothing in (Fraction(0), -rho):
        assert amounts.epsilon(nothing, MILLION) == 0
