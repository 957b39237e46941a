"""What accuracy costs: margins of error against ε, the ε of a wanted margin, and how long the budget lasts.

Everything here follows from the catalogue alone: nothing is read, spent or drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import LARGEST_DECLARED_EPSILON, Budget, PrivacyLoss, Release
from dp_stats.catalogue.periods import Period, PeriodKind
from dp_stats.errors import CatalogueError
from dp_stats.plan.accounting import DEFAULT_DELTA, rho_of
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
        stated = PrivacyLoss(rho=rho_of(epsilon, budget.delta or DEFAULT_DELTA), epsilon=None, delta=None)
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

    def margin_at(steps: int) -> float:
        return _point(catalogue, release, period, Fraction(steps, PLACES)).margins[place]

    most = LARGEST_DECLARED_EPSILON * PLACES
    high = PLACES
    for _ in range(3):  # a margin is nearly inverse to ε, so this is soon close
        high = min(max(round(high * margin_at(high) / margin), 1), most)
    while margin_at(high) > margin:
        if high >= most:
            raise CatalogueError(
                f"No ε up to {LARGEST_DECLARED_EPSILON} gives {table}.{statistic} a margin of ±{declared(margin)}. Ask for "
                "a wider one."
            )
        high = min(high + max(1, high // 100), most)
    low = high - max(1, high // 50)
    while low > 0 and margin_at(low) <= margin:
        low, high = low // 2, low
    while high - low > max(1, high // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if margin_at(middle) <= margin else (middle, high)
    return _point(catalogue, release, period, Fraction(high, PLACES))


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
