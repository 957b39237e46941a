"""What late rows may cost: no more than rows of an edition's own period, so that nothing more is charged.

A person's rows in a block are counted at most k times over all editions and both roles, as a row of its own period's
edition or as a late one (``secure.register``). So nothing more is charged if a late row costs no more than a current
one. With x rows of a person, a table of sensitivity proportional to x costs (x/k)·ε of pure ε, and (x/k)²·ρ of ρ, where
ε and ρ are its costs for k rows. So late tables L′ are compared with the tables L of an edition's own statistics at k, and
the comparison holds for every x:

    Σ ρ′ ≤ Σ ρ,  and for Laplace noise also  Σ ε′ ≤ Σ ε

(Pure ε alone would not do: a single table of all their ε costs (Σ ε)²/2 of ρ, the ledger's currency, where they cost
Σ ε²/2.) A late row falls in one period, so it lies in the tables of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.model import Measurement

_ROOT = 10**15


def allowance(measurements: Sequence[Measurement], mechanism: Mechanism) -> Fraction:
    """The most that one coarse table of late rows may cost: ε for Laplace noise, with ε²/2 ≤ Σ ρ; ρ for Gaussian."""
    counted = [m for m in measurements if m.role == "statistic"]
    if mechanism == "discrete_gaussian":
        return sum((m.rho for m in counted), Fraction(0))
    square = sum((m.epsilon**2 for m in counted if m.epsilon is not None), Fraction(0))
    return Fraction(math.isqrt(math.floor(square * _ROOT**2)), _ROOT)


def costs_no_more(late: Sequence[Measurement], measurements: Sequence[Measurement], mechanism: Mechanism) -> bool:
    """Whether a late row costs a person no more than a current one, for every number of rows (see the module)."""
    counted = [m for m in measurements if m.role == "statistic"]
    if _rho(late) > _rho(counted):
        return False
    if mechanism == "discrete_gaussian":
        return all(m.epsilon is None for m in late)
    return all(m.epsilon is not None for m in late) and _epsilon(late) <= _epsilon(counted)


def _rho(tables: Sequence[Measurement]) -> Fraction:
    return sum((m.rho for m in tables), Fraction(0))


def _epsilon(tables: Sequence[Measurement]) -> Fraction:
    return sum((m.epsilon for m in tables if m.epsilon is not None), Fraction(0))
