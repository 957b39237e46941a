"""What a good split of the budget is: small errors of everything published, with a fair say for every reader.

Each published statistic belongs to a group: local, regional or national figures (without a geography, each table is a
group of its own). A group's say follows from the release's ``priority``, and is shared by its statistics according to
the declared weights. Minimised is

    Σ w · log(MSE + floor²) + HOLD · Σ max(0, log(MSE / allowed))² + CAP · Σ max(0, log(MSE / ceiling²))²

with the MSE of what is *published* (after shrinkage, ``plan.adjusted``) and ``allowed`` what keeps every table near what
it would have if each table were noised on its own with an equal part of the budget. The floor is 0.1 % of the guessed
mean; for figures that are content with the accuracy of their own noising, that is added. Doubling a weight doubles w
and asks, in ``allowed``, for errors smaller by the fourth root of two.

Source of the objective's variance: McKenna et al. (2018), *Optimizing error of high-dimensional statistical queries
under differential privacy* (HDMM); here with sums over hierarchies as strategies and closed-form spaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Release
from dp_stats.plan.adjusted import after_shrinkage, gain_of_shrinkage, true_variances
from dp_stats.plan.algebra import Key
from dp_stats.plan.expected import NORMAL_95
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.sensitivity import Sensitivity
from dp_stats.plan.spaces import Spaces
from dp_stats.plan.symmetry import Floats, Indices
from dp_stats.plan.targets import Target, group_of, statistic_of

FLOOR = 0.001
"""An error below this share of the guessed mean earns little more."""

ROUNDING = 1 / 12
"""Variance of rounding to whole numbers: the floor where nothing is guessed."""

ROUNDED_NOISE = 0.25
"""Rounding adds no more than this share of the noise, where there is hardly any."""

SAY: Mapping[str, Mapping[str, float]] = {
    "local": {"local": 20.0, "regional": 1.0, "national": 1.0},
    "balanced": {"local": 6.0, "regional": 1.0, "national": 1.0},
    "national": {"local": 1.0, "regional": 1.0, "national": 3.0},
}
"""Say of each group by priority. Local figures are many and cost most, so an equal geometric mean needs more say."""

KEPT = {"local": 0.25, "balanced": 0.8, "national": 0.8}
"""How much of the accuracy of its own separate noising every statistic keeps, by priority (1: as accurate)."""

CONTENT: Mapping[str, Mapping[str, float]] = {
    "local": {},
    "balanced": {"regional": 1.0, "national": 1.0},
    "national": {},
}
"""Figures of these groups gain little from being better than if they were noised on their own."""

TRUST = 0.9
"""What is foreseen of shrinkage counts this much, and the unbiased error the rest: a guess of size may be wrong, and
nothing may be left unmeasured because its neighbours suggest it."""

HOLD = 50.0
CAP = 400.0
CEILING_SLACK = 0.97
"""Ceilings are aimed at a little below what is declared, as the optimiser's variances are averages."""

UNSEEN = 1e-60
"""A smaller precision counts as not measured."""

Place = tuple[str, Key]
"""What one parameter of the optimiser is: a statistic measured at a level."""


@dataclass(frozen=True, eq=False)
class Problem:
    """The objective as arrays.

    Attributes:
        places: the parameters. l1, l2_squared: sensitivity of each, in integer steps; unit: real value of a step.
        gains: per additive statistic, ``(spaces, its places)``; at: the places' indices.
        loads: per additive statistic, ``(its goals, spaces)``; own: a person count's place, else −1; per goal.
        goals: the statistic of each; weight: theirs, with the groups' say; ceiling: largest acceptable MSE
            (infinite: none); kept: MSE over that of own noising that is still allowed;  content: share
            of own noising's MSE that is good enough; home: its own place, or −1.
        truth: per goal, plausible true variances of its cells, ``(goals, nodes)`` (infinite: not shrunken).
        floors: per goal, the error below which little more is earned, squared.
        rounding: per goal, the squared error that rounding to whole numbers adds.
        times: per goal, what its MSE of least squares is multiplied by: means over groups of unlike size are a little off
            (see ``plan.strategy``).
    """

    places: tuple[Place, ...]
    l1: Floats
    l2_squared: Floats
    unit: Floats
    gains: Mapping[str, Floats]
    at: Mapping[str, Indices]
    loads: Mapping[str, Floats]
    own: Indices
    goals: tuple[str, ...]
    floors: Floats
    weight: Floats
    ceiling: Floats
    kept: Floats
    content: Floats
    home: Indices
    truth: Floats
    rounding: Floats
    times: Floats

    def precision(self, shares: Floats, mechanism: Mechanism, total: float) -> tuple[Floats, Floats]:
        """1 / variance of each place's noise and its derivative, for shares of a total ε or ρ."""
        if mechanism == "discrete_gaussian":
            rate = 2 * total / self.l2_squared / self.unit**2
            return shares * rate, rate
        half = np.minimum(shares * total / (2 * self.l1), 50.0)
        value = 2 * np.sinh(half) ** 2 / self.unit**2
        return value, np.sinh(2 * half) * total / self.l1 / self.unit**2

    def value(
        self, shares: Floats, alone: Floats, mechanism: Mechanism, total: float, hold: float = HOLD
    ) -> tuple[float, Floats]:
        """The objective and its gradient in the shares; ``alone`` as ``self.alone`` says."""
        found = self.published(shares, mechanism, total)
        if found is None:
            return np.inf, np.zeros(len(self.places))
        mse, jacobian = found
        known = np.isfinite(alone)
        base = mse + self.floors + np.where(known, self.content * np.where(known, alone, 0.0), 0.0)
        over, growth = self.over(mse, alone)
        above = np.maximum(np.log(mse) - np.log(self.ceiling), 0.0)
        value = float(self.weight @ np.log(base) + hold * over @ over + CAP * above @ above)
        outer = self.weight / base + 2 * hold * over * growth + 2 * CAP * above / mse
        return value, outer @ jacobian

    def over(self, mse: Floats, alone: Floats) -> tuple[Floats, Floats]:
        """By how much the logarithm of each goal's MSE is above what is allowed, and its derivative in the MSE. Own noising needs
        no rounding to add up, so what that adds counts."""
        whole = np.minimum(mse * ROUNDED_NOISE, self.rounding)
        growth = np.where(whole < self.rounding, 1 + ROUNDED_NOISE, 1.0) / (mse + whole)
        return np.maximum(np.log(mse + whole) - np.log(alone * self.kept), 0.0), growth

    def alone(self, mechanism: Mechanism, total: float) -> Floats:
        """MSE of each goal if every table were noised on its own (infinite where that does not tell it)."""
        homes = {i for i in self.home.tolist() if i >= 0}
        found = np.full(len(self.goals), np.inf)
        for i, place in enumerate(self.home):
            if place >= 0:
                one = np.zeros(len(self.places))
                one[place] = 1 / len(homes)
                precision, _ = self.precision(one, mechanism, total)
                found[i] = self._alone(i, int(place), float(precision[place]))
        return found

    def _alone(self, goal: int, place: int, precision: float) -> float:
        """MSE of a goal from the noisy table of its own place alone, in whose cells it is a sum."""
        statistic = self.goals[goal]
        if self.own[goal] >= 0:
            return 1 / precision
        row = [i for i, s in enumerate(self.goals) if s == statistic].index(goal)
        column = self.at[statistic].tolist().index(place)
        gain, load = self.gains[statistic][:, column], self.loads[statistic][row]
        seen = gain > 0
        if load[~seen].max(initial=0.0) > 1e-9 * load.max():
            return np.inf
        return float((load[seen] / gain[seen]).sum() / precision)

    def published(self, shares: Floats, mechanism: Mechanism, total: float) -> tuple[Floats, Floats] | None:
        """Mean squared error of each goal as published and its gradient; None where a goal is not estimable."""
        found = self.errors(shares, mechanism, total)
        if found is None:
            return None
        mse, jacobian = found
        value, slope = after_shrinkage(mse, self.truth)
        value, slope = TRUST * value + (1 - TRUST) * mse, TRUST * slope + (1 - TRUST)
        return value, jacobian * slope[:, None]

    def errors(self, shares: Floats, mechanism: Mechanism, total: float) -> tuple[Floats, Floats] | None:
        """The same of the unbiased values of least squares."""
        precision, slope = self.precision(shares, mechanism, total)
        mse = np.zeros(len(self.goals))
        jacobian = np.zeros((len(self.goals), len(self.places)))
        for statistic, gains in self.gains.items():
            at = self.at[statistic]
            seen = gains @ precision[at]
            loads = self.loads[statistic]
            rows = np.array([i for i, s in enumerate(self.goals) if s == statistic], dtype=np.intp)
            needed = loads.max(axis=0) > 0
            if np.any(seen[needed] <= UNSEEN):
                return None
            inverse = np.where(needed, 1 / np.maximum(seen, UNSEEN), 0)
            mse[rows] = loads @ inverse
            jacobian[np.ix_(rows, at)] = -(loads * inverse**2) @ gains
        for i, place in enumerate(self.own):
            if place >= 0:
                if precision[place] <= UNSEEN:
                    return None
                mse[i] = 1 / precision[place]
                jacobian[i, place] = -(mse[i] ** 2)
        return mse * self.times, jacobian * slope * self.times[:, None]


def build(
    grid: Grid, release: Release, sensitivities: Mapping[Place, Sensitivity], spaces: Spaces, found: Sequence[Target]
) -> Problem:
    """The objective's arrays."""
    places = tuple(sensitivities)
    index = {place: i for i, place in enumerate(places)}
    additive = [s for s in dict.fromkeys(t.statistic for t in found) if statistic_of(release, s).kind != "persons"]
    gains, at, loads = {}, {}, {}
    for statistic in additive:
        mine = [p for p in places if p[0] == statistic]
        at[statistic] = np.array([index[p] for p in mine])
        gains[statistic] = spaces.gains([key for _, key in mine])
        loads[statistic] = np.stack([spaces.loads(t) for t in found if t.statistic == statistic])
    own = np.array([-1 if t.statistic in additive else index[(t.statistic, t.levels)] for t in found])
    declared = [statistic_of(release, s) for s, _ in places]
    unit = np.array([float(s.resolution) if s.kind == "sum" else 1.0 for s in declared])
    weights = _weights(found)
    relative = weights / max(float(np.exp(np.log(np.maximum(weights, 1e-6)).mean())), 1e-6)
    return Problem(
        places=places,
        l1=np.array([float(sensitivities[p].l1) for p in places]),
        l2_squared=np.array([float(sensitivities[p].l2_squared) for p in places]),
        unit=unit,
        gains=gains,
        at=at,
        loads=loads,
        own=own,
        goals=tuple(t.statistic for t in found),
        floors=np.array([_floor(release, t) for t in found]),
        weight=_say(grid, release, found, weights),
        ceiling=np.array([(CEILING_SLACK * t.ceiling / NORMAL_95) ** 2 if t.ceiling else np.inf for t in found]),
        content=np.array([CONTENT[release.priority].get(group_of(grid, release, t), 0.0) for t in found]),
        kept=1 / KEPT[release.priority] ** 2 / np.sqrt(np.maximum(relative, 1e-6)),
        home=np.array([index.get((t.statistic, t.levels), -1) for t in found]),
        truth=true_variances([gain_of_shrinkage(grid, release, t) for t in found]),
        rounding=np.array([_rounding(release, t) for t in found]),
        times=np.ones(len(found)),
    )


def _floor(release: Release, target: Target) -> float:
    guess = FLOOR * target.prior_mean if target.prior_mean is not None else 0.0
    return _step(release, target) ** 2 * ROUNDING + guess**2


def _rounding(release: Release, target: Target) -> float:
    """Squared error of rounding; persons are whole numbers as measured, and a sum's digits below its noise are its own."""
    return ROUNDING if statistic_of(release, target.statistic).kind == "count" else 0.0


def _step(release: Release, target: Target) -> float:
    declared = statistic_of(release, target.statistic)
    return float(declared.resolution) if declared.kind == "sum" else 1.0


def _weights(found: Sequence[Target]) -> Floats:
    """Declared weights; where all are small they say no less than larger ones would, and where all are zero, alike."""
    declared = np.array([t.weight for t in found])
    largest = declared.max(initial=0.0)
    return declared / min(largest, 1.0) if largest > 0 else np.ones(len(found))


def _say(grid: Grid, release: Release, found: Sequence[Target], weights: Floats) -> Floats:
    """Weights with a mean near one: the say of each group, shared by its statistics in proportion to their weights."""
    groups = [group_of(grid, release, t) for t in found]
    say = SAY[release.priority]
    shares = np.array(
        [max(weight, 1e-6) * say.get(g, 1.0) / groups.count(g) for weight, g in zip(weights, groups, strict=True)]
    )
    plain = sum(say.get(g, 1.0) for g in set(groups))
    return np.asarray(shares / plain * len(found))
