"""Exact amounts of privacy loss: zero-concentrated ρ as fractions, never floating-point numbers.

Charges are rounded up and caps down to a fixed *grain*, so any number of them adds up exactly and the
texts stay short. The grain is decimal and divisible by every number to 16, not a power of two: 4 × 0.005
fits a cap of 0.02, and a cap split over twelve months is used to the last part.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

from dp_stats import written
from dp_stats.catalogue.models import PrivacyLoss
from dp_stats.errors import LedgerError
from dp_stats.plan import accounting

GRAIN = 720_720 * 10**18
"""Parts that one unit of ρ is counted in; 720720 is the least common multiple of 1 to 16."""


@lru_cache(maxsize=4096)
def exact(amount: str) -> Fraction:
    """An amount from its exact text. Thousands of charges have the same few, and to read one takes long."""
    return Fraction(amount)


def charge_of(rho: Fraction) -> Fraction:
    """``rho`` rounded up to the grain: never less than what is lost."""
    return Fraction(ceil(rho * GRAIN), GRAIN)


def cap_of(budget: PrivacyLoss) -> Fraction:
    """The budget's cap as ρ, rounded down to the grain.

    A budget in (ε, δ) is the largest ρ whose ε at that δ is no more (``plan.accounting.rho_of``).
    """
    if budget.rho is not None:
        rho = budget.rho
    elif budget.epsilon is not None and budget.delta is not None:
        rho = accounting.rho_of(budget.epsilon, budget.delta)
    else:
        raise LedgerError(
            "The budget needs rho, or epsilon with delta. Declare it under 'budget' in the dataset's file."
        )
    return share_of(rho, Fraction(1))


def share_of(cap: Fraction, share: Fraction) -> Fraction:
    """``share`` of ``cap``, rounded down to the grain."""
    return Fraction(floor(cap * share * GRAIN), GRAIN)


def total(amounts: Iterable[Fraction]) -> Fraction:
    """Their exact sum."""
    return sum(amounts, Fraction(0))


def read(text: object) -> Fraction:
    """An amount from its exact text (``1/200`` or ``0.005``).

    Raises:
        LedgerError: it is a floating-point number or no number; both would make sums inexact.
    """
    if isinstance(text, (str, int, Fraction)) and not isinstance(text, bool):
        try:
            return Fraction(text)
        except (ValueError, ZeroDivisionError):
            pass
    raise LedgerError(
        "An amount of privacy loss must be exact: pass a Fraction or its text (as in '1/200'), not a float."
    )


def shown(rho: Fraction, delta: Fraction) -> str:
    """``rho`` as people read it: ``ρ 0.005 (ε 0.51 at δ 1e-06)``."""
    if rho <= 0:
        return "ρ 0"
    return f"ρ {written.rho(rho)} (ε {written.epsilon(epsilon(rho, delta))} at δ {written.delta(delta)})"


def epsilon(rho: Fraction, delta: Fraction) -> float:
    """The ε that ``rho`` means at ``delta`` (``plan.accounting.epsilon_at``); 0 for nothing."""
    return float(accounting.epsilon_at(max(rho, Fraction(0)), delta))
