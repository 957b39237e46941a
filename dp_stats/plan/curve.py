"""What accuracy costs: margins of error against ε, the ε of a wanted margin, and how long the budget lasts.

Everything here follows from the catalogue alone: nothing is read, spent or drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import floor, sqrt

from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import LARGEST_DECLARED_EPSILON, Budget, PrivacyLoss, Release
from dp_stats.catalogue.periods import Period, PeriodKind
from dp_stats.errors import CatalogueError
from dp_stats.plan.accounting import delta_of, pure_rho, rho_of
from dp_stats.plan.make import make_plan
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.model import Plan
from dp_stats.written import declared

EPSILONS = tuple(Fraction(e) for e in ("1/8", "1/4", "1/2", "1", "2", "4", "8"))
YEAR = 365.2425
DAYS: dict[PeriodKind, float] = {
    "day": 1.0,
    "week": 7.0,
    "month": YEAR / 12,
    "quarter": YEAR / 4,
    "year": YEAR,
    "financial-year": YEAR,
}
"""How long a period is on average."""
PLACES = 10_000
"""A wanted accuracy is answered with an ε of four decimals."""
NEAR = 0.99
"""A request's margin is met closely enough at this part of it: looking further would take longer than it saves budget."""


@dataclass(frozen=True)
class Point:
    """One privacy loss and the accuracy it buys.

    Attributes:
        epsilon: the stated ε (pure, or at the release's δ). rho: cost per block.
        mechanism: the noise the planner chooses there.
        margins: (table, statistic) → half-width of a typical 95 % interval, in the statistic's units.
        relative: the same divided by the public guess of the mean, where there is one.
    """

    epsilon: Fraction
    rho: Fraction
    mechanism: Mechanism
    margins: Mapping[tuple[str, str], float]
    relative: Mapping[tuple[str, str], float | None]


@dataclass(frozen=True)
class Lasting:
    """How long a dataset's budget lasts for one release, if nothing else spends it.

    Attributes:
        share: cost per charge as a share of the cap that this kind of release may use.
        editions: how many editions one block affords; ``None``: all of them (one charge pays for the block).
        years: how long that is, where the block never ends (``None``: it does not run out).
    """

    share: float
    editions: int | None
    years: float | None

    @property
    def affordable(self) -> bool:
        """Whether the budget pays for even one edition."""
        return self.share <= 1


def at_epsilon(release: Release, epsilon: Fraction, budget: Budget) -> Release:
    """The release with another privacy loss of the same form: pure ε, (ε, δ), or the ρ that shows as ε."""
    loss = release.privacy_loss
    if loss.rho is not None:
        stated = PrivacyLoss(rho=rho_of(epsilon, delta_of(budget)), epsilon=None, delta=None)
    else:
        stated = PrivacyLoss(epsilon=epsilon, delta=loss.delta, rho=None)
    return release.model_copy(update={"privacy_loss": stated})


def curve(
    catalogue: Catalogue, release: Release, period: Period, epsilons: Sequence[Fraction] = EPSILONS
) -> tuple[Point, ...]:
    """Margins of every published statistic at each ε; the strategy is chosen anew for each."""
    return tuple(_point(catalogue, release, period, e) for e in epsilons)


def _point(catalogue: Catalogue, release: Release, period: Period, epsilon: Fraction) -> Point:
    plan = make_plan(catalogue, at_epsilon(release, epsilon, catalogue.dataset_of(release).budget), period)
    return Point(
        epsilon,
        plan.rho,
        plan.mechanism,
        {(e.table, e.statistic): e.margin_95 for e in plan.expected},
        {(e.table, e.statistic): e.relative for e in plan.expected},
    )


def cost_of(
    catalogue: Catalogue, release: Release, period: Period, *, table: str, statistic: str, margin: float
) -> Point:
    """The smallest ε (to four decimals) at which a statistic's typical margin is at most ``margin``.

    The declared objective stays as it is: the other statistics share the budget as before.

    Raises:
        CatalogueError: the release publishes no such statistic, or no ε up to 100 is enough.
    """
    place = (table, statistic)
    known = _point(catalogue, release, period, Fraction(1)).margins
    if place not in known:
        names = ", ".join(f"{t}.{s}" for t, s in known)
        raise CatalogueError(f"release '{release.id}' plans no '{table}.{statistic}'. It has {names}.")
    if margin <= 0:
        raise CatalogueError("A margin of error is above zero. Write for example area-week.cases=10.")
    steps = _fewest(
        lambda steps: _point(catalogue, release, period, Fraction(steps, PLACES)).margins[place],
        margin,
        most=LARGEST_DECLARED_EPSILON * PLACES,
    )
    if steps is None:
        raise CatalogueError(
            f"No ε up to {LARGEST_DECLARED_EPSILON} gives {table}.{statistic} a margin of ±{declared(margin)}. Ask for "
            "a wider one."
        )
    return _point(catalogue, release, period, Fraction(steps, PLACES))


def least_loss(
    catalogue: Catalogue, release: Release, period: Period, *, table: str, statistic: str, margin: float, most: Fraction
) -> PrivacyLoss | None:
    """The privacy loss that costs the budget least at which a statistic's typical margin is at most ``margin``.

    The budget counts ρ, of which Gaussian noise mostly takes less than Laplace noise of the same variance (half, where both
    are small), so that both are tried.

    Args:
        most: the largest pure ε that may be spent; of ρ, as much as that costs.

    Returns:
        A pure ε (to four decimals) or a ρ (that of an ε of four decimals, ε²/2); None where neither is enough.
    """
    found: list[tuple[Fraction, PrivacyLoss]] = []
    for form, limit in ((_pure, most), (_concentrated, Fraction(floor(sqrt(2 * pure_rho(most)) * PLACES), PLACES))):

        def plan_at(steps: int, form: Callable[[Fraction], PrivacyLoss] = form) -> Plan:
            asked = release.model_copy(update={"privacy_loss": form(Fraction(steps, PLACES))})
            return make_plan(catalogue, asked, period)

        def margin_at(steps: int, plan_at: Callable[[int], Plan] = plan_at) -> float:
            return next(e.margin_95 for e in plan_at(steps).expected if (e.table, e.statistic) == (table, statistic))

        steps = _fewest(margin_at, margin, most=floor(limit * PLACES), near=NEAR)
        if steps is not None:
            found.append((plan_at(steps).rho, form(Fraction(steps, PLACES))))
    return min(found, key=lambda one: one[0])[1] if found else None


def _pure(epsilon: Fraction) -> PrivacyLoss:
    return PrivacyLoss(epsilon=epsilon, delta=None, rho=None)


def _concentrated(epsilon: Fraction) -> PrivacyLoss:
    return PrivacyLoss(rho=epsilon**2 / 2, epsilon=None, delta=None)


def _fewest(margin_at: Callable[[int], float], margin: float, *, most: int, near: float = 1.0) -> int | None:
    """The smallest number of steps, to a thousandth of it, whose margin is at most ``margin``; None: not even ``most``.

    Args:
        near: a margin of at least this part of ``margin`` is as good as the smallest number of steps.
    """
    margin_at = cache(margin_at)
    high = min(PLACES, most)
    for _ in range(3):  # a margin is nearly inverse to ε, so this is soon close
        high = min(max(round(high * margin_at(high) / margin), 1), most)
    while margin_at(high) > margin:
        if high >= most:
            return None
        high = min(high + max(1, high // 100), most)
    if margin_at(high) >= near * margin:
        return high
    low = high - max(1, high // 50)
    while low > 0 and margin_at(low) <= margin:
        low, high = low // 2, low
    while high - low > max(1, high // 1000) and margin_at(high) < near * margin:
        middle = (low + high) // 2
        low, high = (low, middle) if margin_at(middle) <= margin else (middle, high)
    return high


def lasting(plan: Plan, release: Release, budget: Budget) -> Lasting:
    """How many editions, and for a lifetime's budget how many years, the cap pays for."""
    cap = budget.rho if budget.rho is not None else rho_of(budget.epsilon or Fraction(0), budget.delta or Fraction(1))
    part = budget.adhoc if release.adhoc else budget.scheduled
    cap *= part if part is not None else 1
    share = float(plan.rho / cap)
    if plan.series:
        return Lasting(share, None, None)
    editions = floor(cap / plan.rho)
    never_ends = plan.block_kind == "lifetime" and release.period in DAYS
    return Lasting(share, editions, editions * DAYS[release.period] / YEAR if never_ends else None)
