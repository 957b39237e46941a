"""How the error of a value falls with the number of later editions that add late rows, against waiting longer at first.

Of a period's rows a share s is taken to be missing from its own edition (``late.share``, a public guess), and each period
later the same share of what was missing still is: s^(n+1) after n later editions, s^(1 + d/P) after waiting d days of a
period of P. The demo's line list, whose delays have a median of two days and a tail of three weeks, has 27, 5.9, 1.9 and
0.9 % missing where this says 27, 7.3, 2.0 and 0.5.

What is missing is a bias; noise is added to it as squares. The same tables of late rows add a draw of noise each; a coarse
table adds hardly any noise, and a doubt of how alike delays are (30 % of what it adds).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from dp_stats.catalogue.contribution import Late
from dp_stats.plan.expected import NORMAL_95
from dp_stats.plan.model import ExpectedError, Measurement

DOUBT = 0.3
"""How far finer cells differ from the coarse one in their share of late rows, relative to it (``estimate.truncation``)."""


@dataclass(frozen=True)
class Choice:
    """One way to treat late rows.

    Attributes:
        periods: later editions that add late rows. waits: days that the first edition is held back.
        days: after the period's end until the value stands, beside ``settle_days``. missing: share of rows that still are.
        error: root-mean-square error of a typical value in per cent of it.
    """

    periods: int
    waits: int
    days: int
    missing: float
    error: float


def choices(
    late: Late, expected: ExpectedError, measured: tuple[Measurement, ...], *, length: int
) -> tuple[Choice, ...]:
    """What a typical value of a table may be expected to be like: published at once, revised, or held back.

    Args:
        expected: of a table with a guessed mean. measured: how late rows are measured; empty if not known yet.
        length: days of a period.

    Returns:
        The first edition and each revision of it, then waiting half a period and a whole one; none without a guessed mean.
    """
    if not expected.prior_mean:
        return ()
    return tuple(_choices(late, expected.prior_mean, expected.margin_95 / NORMAL_95, measured, length))


def _choices(late: Late, mean: float, noise: float, measured: tuple[Measurement, ...], length: int) -> Iterator[Choice]:
    coarse = any(m.role == "late_rows" for m in measured)
    for n in range(late.periods + 1):
        missing = late.share ** (n + 1)
        spread = DOUBT * (late.share - missing) * mean if coarse else 0.0
        draws = 1 if coarse else 1 + n
        yield Choice(n, 0, n * length, missing, _error(missing, math.hypot(noise * math.sqrt(draws), spread) / mean))
    for days in dict.fromkeys((max(1, length // 2), length)):
        missing = late.share ** (1 + days / length)
        yield Choice(0, days, days, missing, _error(missing, noise / mean))


def _error(missing: float, noise: float) -> float:
    return 100 * math.hypot(missing, noise)
