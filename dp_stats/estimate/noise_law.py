"""The exact law of an estimate's error, and intervals that hold for every true value near a limit.

The error of a least-squares value is a weighted sum of independent discrete draws. Its law follows from their
characteristic functions by one fast Fourier transform. An interval is the set of true values θ that are not rejected:
θ is rejected where the estimate lies outside [θ − a(θ), θ + b(θ)], and the two tails hold 5 % together. Far from the
limit they hold 2.5 % each; near it the lower tail says little, as no true value is below, so b(θ) takes more of the
5 %. So 95 % hold for every θ, the interval is never wider than centre ± its two-sided reach, and never a point.

Source: Neyman (1937) on inverting tests; Feldman and Cousins (1998) on limits for a bounded quantity, whose intervals
those for Gaussian noise resemble.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from dp_stats.estimate.intervals import LEVEL
from dp_stats.plan.mechanism import Mechanism, noise_variance

Floats = NDArray[np.float64]

_POINTS = 16384
_REACH = 12.0
"""Standard errors on each side on which the law is computed; a Laplace draw lies beyond with probability 4e-8."""

_SMEAR = 4
"""Steps by which a reach is widened, so that an atom that is smeared over it lies inside as a whole."""

_KINDS = 160
"""Different weights that are followed exactly; smaller ones are taken together as normal."""

_CLOSE = 0.5
"""True values within so many standard errors of the limit are never rejected for a low estimate."""


@dataclass(frozen=True)
class Draws:
    """``count`` independent draws of one scale, each multiplied by ``weight``."""

    weight: float
    count: int
    scale: float
    mechanism: Mechanism

    @property
    def variance(self) -> float:
        """Of their sum."""
        return self.count * self.weight**2 * noise_variance(self.scale, self.mechanism)


@dataclass(frozen=True, eq=False)
class NoiseLaw:
    """A symmetric law of unit variance by its upper tail.

    Attributes:
        points: rising, from 0, in standard errors. beyond: P(error > point).
    """

    points: Floats
    beyond: Floats

    def reach(self, tail: Floats | float) -> Floats:
        """The smallest number of standard errors beyond which the error lies with probability at most ``tail``."""
        place = np.searchsorted(-self.beyond, -np.asarray(tail, dtype=np.float64), side="left")
        return np.asarray(self.points[np.minimum(place + _SMEAR, len(self.points) - 1)])

    @property
    def two_sided(self) -> float:
        """Standard errors that a central 95 % interval reaches on each side."""
        return float(self.reach((1 - LEVEL) / 2))

    def two_sided_reach(self, error: Floats) -> Floats:
        """How far a central 95 % interval reaches on each side, given standard errors."""
        return self.two_sided * error

    def interval(self, centre: Floats, error: Floats, *, low: float = -np.inf) -> tuple[Floats, Floats]:
        """95 % interval of each true value that is at least ``low``, from estimates and their standard errors."""
        if not np.isfinite(low):
            return centre - self.two_sided * error, centre + self.two_sided * error
        truth, too_low, too_high = self._rejected
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.where(error > 0, (centre - low) / error, np.inf)
        far = y >= 2 * self.two_sided
        lower = np.maximum(np.where(far, y - self.two_sided, np.interp(y, too_high, truth)), y - self.two_sided)
        upper = np.where(y >= 0, y + self.two_sided, np.maximum(np.interp(y, too_low, truth), _CLOSE))
        exact = ~(error > 0)
        return (
            np.where(exact, np.maximum(centre, low), low + np.where(exact, 0.0, lower) * error),
            np.where(exact, np.maximum(centre, low), low + np.where(exact, 0.0, upper) * error),
        )

    @property
    def _rejected(self) -> tuple[Floats, Floats, Floats]:
        """True values above the limit, and the estimates below and above which each is rejected; all rising."""
        two = self.two_sided
        truth = np.linspace(0.0, two, 201)
        half = (1 - LEVEL) / 2
        below = half * np.clip((truth - _CLOSE) / max(two - _CLOSE, 1e-9), 0.0, 1.0)
        too_high = np.maximum.accumulate(truth + self.reach(1 - LEVEL - below))
        deep = float(self.points[-1])
        too_low = np.maximum.accumulate(np.where(below > 0, truth - self.reach(np.maximum(below, 1e-12)), -deep))
        return truth, too_low, too_high


def law_of(draws: Sequence[Draws]) -> NoiseLaw:
    """The law of the sum of all ``draws``, divided by its standard deviation."""
    total = sum(d.variance for d in draws)
    if total <= 0.0:
        return normal_law()
    largest = sorted((d for d in draws if d.variance > 1e-9 * total), key=lambda d: -d.variance)
    rest = 1.0 - sum(d.variance for d in largest[:_KINDS]) / total
    step = 2 * _REACH / _POINTS
    angle = 2 * np.pi * np.arange(_POINTS // 2 + 1) / (_POINTS * step)
    # atoms are smeared by a step, so that sums of the transform do not ring
    log = -0.5 * (max(rest, 0.0) + step**2) * angle**2
    for d in largest[:_KINDS]:
        factor = _characteristic(d, np.asarray(angle / math.sqrt(total)))
        log = log + d.count * np.log(np.maximum(factor, 1e-300))
    mass = np.maximum(np.fft.irfft(np.exp(log), _POINTS), 0.0)
    mass /= mass.sum()
    half = mass[: _POINTS // 2]
    above = np.concatenate([np.cumsum(half[:0:-1])[::-1], [0.0]])
    return NoiseLaw(np.asarray(step * np.arange(_POINTS // 2)), np.asarray(above))


def _characteristic(draws: Draws, angle: Floats) -> Floats:
    turned = np.abs(draws.weight) * angle
    if draws.mechanism == "discrete_laplace":
        ratio = math.exp(-1 / draws.scale)
        return np.asarray((1 - ratio) ** 2 / ((1 - ratio) ** 2 + 4 * ratio * np.sin(turned / 2) ** 2))
    if (
        draws.scale > 1
    ):  # the sum over whole numbers as one over whole turns (Poisson's formula), which needs three terms
        nearest = np.abs((turned + np.pi) % (2 * np.pi) - np.pi)
        near = np.exp(-0.5 * (draws.scale * nearest) ** 2)
        if draws.scale > 3:
            return np.asarray(near)
        beside = [np.exp(-0.5 * (draws.scale * (nearest + turn)) ** 2) for turn in (-2 * np.pi, 2 * np.pi)]
        return np.asarray((near + beside[0] + beside[1]) / (1 + 2 * math.exp(-0.5 * (2 * np.pi * draws.scale) ** 2)))
    steps = np.arange(1, math.ceil(9 * draws.scale) + 2)
    chance = np.exp(-(steps**2) / (2 * draws.scale**2))
    return np.asarray((1 + 2 * chance @ np.cos(np.outer(steps, turned))) / (1 + 2 * chance.sum()))


@lru_cache(maxsize=256)
def one_draw(scale: float, mechanism: Mechanism) -> NoiseLaw:
    """The law of a single draw: a measured cell."""
    return law_of([Draws(1.0, 1, scale, mechanism)])


@lru_cache(maxsize=1)
def normal_law() -> NoiseLaw:
    """The normal law."""
    points = np.asarray(2 * _REACH / _POINTS * np.arange(_POINTS // 2))
    return NoiseLaw(points, np.asarray(ndtr(-points)))
