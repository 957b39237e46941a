"""What several editions say together: the sum of their parts of a period, its interval, and the number to publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.models import Statistic
from dp_stats.estimate.noise_law import NoiseLaw, normal_law
from dp_stats.estimate.spread import Spread

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """What one edition says about its part of the period.

    Attributes:
        start, stop: its first day, and the day after its last.
        value, variance: arrays of one shape, a value per cell. law: of their errors.
        doubt: standard deviation, within ``variance``, of how cells differ in their share of late and truncated rows;
            it is alike in every edition. subtracted: the same of what is subtracted, in a difference.
    """

    edition: str
    start: date
    stop: date
    value: Floats
    variance: Floats
    law: NoiseLaw
    doubt: Floats = field(default_factory=lambda: np.zeros(()))
    subtracted: Floats = field(default_factory=lambda: np.zeros(()))


@dataclass(frozen=True)
class Total:
    """A sum of parts; all arrays have their shape.

    Attributes:
        best: what is published; a count is a whole number and not negative.
        unrounded, error: the unbiased value and its standard error.
        lower, upper: 95 % interval.
    """

    best: Floats
    unrounded: Floats
    error: Floats
    lower: Floats
    upper: Floats


def total(parts: Sequence[Part], statistic: Statistic) -> Total:
    """The sum of the parts of a statistic: noise adds up as variances, doubts that editions share as standard deviations."""
    value, error = summed(parts)
    lowest = -np.inf if statistic.kind == "sum" and (statistic.lower or 0) < 0 else 0.0
    law = law_of_parts(parts)
    best = np.maximum(value if statistic.kind == "sum" else np.rint(value), lowest)
    return Total(best, value, error, *Spread(value, error, law, error, False).published(best, statistic, low=lowest))


def summed(parts: Sequence[Part]) -> tuple[Floats, Floats]:
    """The sum of the parts, and its standard error."""
    value = np.asarray(sum(p.value for p in parts), dtype=np.float64)
    shared = sum(
        sum(doubts) ** 2 - sum(doubt**2 for doubt in doubts)
        for doubts in ([p.doubt for p in parts], [p.subtracted for p in parts])
    )
    return value, np.sqrt(np.asarray(sum(p.variance for p in parts) + shared, dtype=np.float64))


def law_of_parts(parts: Sequence[Part]) -> NoiseLaw:
    """The law of their sum's error: of several, normal."""
    return parts[0].law if len(parts) == 1 else normal_law()
