"""How numbers, shares and days are written for staff: in messages, on cards and in tables, each in one way.

What the public reads is written by ``dp_stats.texts``, in the reader's language.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

MINUS = "\N{MINUS SIGN}"


def count(size: int) -> str:
    """A number of things: ``1,234``."""
    return f"{size:,}"


def number(value: float) -> str:
    """A measure in the digits that a person needs: whole from 100 on, else three significant ones; ``–`` for none."""
    if math.isnan(value):
        return "\N{EN DASH}"
    text = f"{value:,.0f}" if abs(value) >= 99.95 else f"{Decimal(f'{value:.3g}') + 0:f}"
    return text.replace("-", MINUS)


def declared(value: float | Fraction) -> str:
    """A number as somebody declared or asked for it: ``0.25``, ``100``."""
    return f"{float(value):g}"


def rho(loss: Fraction) -> str:
    """A privacy loss in ρ, in six digits wherever it stands, so that it is found again in the ledger."""
    return f"{float(loss):.6g}"


def epsilon(loss: float | Fraction) -> str:
    """A privacy loss in ε: ``0.4299``."""
    return f"{float(loss):.4g}"


def delta(chance: Fraction) -> str:
    """A δ: ``1e-06``."""
    return f"{float(chance):.3g}"


def share(part: float | Fraction, *, decimals: int = 1) -> str:
    """A share of one as a percentage: ``12.5 %``."""
    return f"{100 * float(part):.{decimals}f} %"


def left_of(block: str, part: float | Fraction) -> str:
    """What a charge leaves of a block's budget: ``12.5 % of 2024``; or in words how much is not there."""
    return f"{share(part)} of {block}" if part >= 0 else f"nothing of {block}, whose budget it passes by {share(-part)}"


def left_after(parts: Mapping[str, float | Fraction]) -> str:
    """What a charge leaves of the budgets of several blocks."""
    return "; ".join(left_of(block, part) for block, part in parts.items())


def declared_share(part: float) -> str:
    """A share as somebody declared it, in all its digits: ``0.5 %``."""
    return f"{declared(100 * part)} %"


def day(when: date) -> str:
    """A day: ``4 March 2026``."""
    return f"{when.day} {when:%B %Y}"


def moment(when: datetime) -> str:
    """A moment to the minute: ``4 March 2026, 09:30``."""
    return f"{day(when)}, {when:%H:%M}"
