"""What a year of a dataset's releases costs, and what it leaves of the budget in one block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import takewhile
from math import floor

from dp_stats import written
from dp_stats.catalogue import Catalogue, Dataset, Release
from dp_stats.catalogue.due import periods_of
from dp_stats.catalogue.periods import LIFETIME, BlockKind, Period, block_of, blocks_of, next_period
from dp_stats.errors import BudgetError, CatalogueError
from dp_stats.ledger.amounts import cap_of
from dp_stats.plan import make_sealed
from dp_stats.plan.accounting import delta_of, epsilon_at
from dp_stats.plan.model import Plan
from dp_stats.plan.sealed import SealedPlan


@dataclass(frozen=True)
class ReleaseReview:
    """One release: its sealed plan for the first period and what it costs in the dearest block of a year.

    ``charges``: how often its first year charges a block, all blocks together; other datasets pay for each (``plan.draws``).
    ``charges_later``: how often each later year does, which may go on in a block that the one before has charged.
    """

    release: Release
    dataset: Dataset
    sealed: SealedPlan
    editions_per_block: int
    rho_per_block: Fraction
    charges: int = 1
    charges_later: int = 1

    @property
    def plan(self) -> Plan:
        """The plan of its first period."""
        return self.sealed.plan

    def drawn_from(self, dataset: Dataset, *, later: bool = False) -> Fraction:
        """ρ that its first year, or each later one, costs another dataset, whose records it uses."""
        times = sum(draw.times for draw in self.plan.draws if draw.dataset == dataset.id)
        return self.plan.rho * times * (self.charges_later if later else self.charges)

    def cost_to(self, dataset: Dataset) -> Fraction:
        """ρ that a year of it costs a dataset: its own, in the dearest block, or one whose records it uses."""
        return self.rho_per_block if dataset.id == self.dataset.id else self.drawn_from(dataset)

    def cost_later(self, dataset: Dataset) -> Fraction:
        """ρ that each later year costs the budget for all days of its own dataset or of one whose records it uses."""
        if dataset.id != self.dataset.id:
            return self.drawn_from(dataset, later=True)
        return Fraction(0) if self.plan.series else self.rho_per_block


@dataclass(frozen=True)
class YearOfBudget:
    """What is left of a dataset's budget in one block once a year of every release has been published.

    Attributes:
        scheduled: ρ of the releases with a schedule. by_hand: of all editions of the others, were they all made.
        delta: at which ε is shown. pure: the pure ε of the release that declares the largest, and what it weighs in ρ.
        years: of a budget for all days that is spent anew each year: for how many whole years it pays.
    """

    dataset: Dataset
    cap: Fraction
    delta: Fraction
    scheduled: Fraction
    by_hand: Fraction
    pure: tuple[Fraction, Fraction] | None
    warnings: tuple[str, ...]
    years: int | None = None

    @property
    def left(self) -> Fraction:
        """What remains of the cap in ρ; below zero where not all editions made by hand can be paid for."""
        return self.cap - self.scheduled - self.by_hand


def year_of_budget(dataset: Dataset, reviews: Iterable[ReleaseReview]) -> YearOfBudget:
    """What a year of all releases of a dataset costs in its dearest block, those without a schedule as well.

    Raises:
        BudgetError: what is scheduled costs more than its part of the budget, or one edition more than all of it.
    """
    paying = [r for r in reviews if r.cost_to(dataset)]
    own = [r for r in paying if r.dataset.id == dataset.id]
    cap, per = cap_of(dataset.budget), dataset.privacy_unit.per
    share = cap * (dataset.budget.scheduled or Fraction(1))
    delta = delta_of(dataset.budget)
    scheduled = [r for r in paying if r.release.schedule]
    by_hand = [r for r in paying if not r.release.schedule]
    total = sum((r.cost_to(dataset) for r in scheduled), Fraction(0))
    if total > share:
        raise BudgetError(
            f"Dataset '{dataset.id}': the scheduled releases of a year need ρ = {written.rho(total)} per {per} "
            f"(ε = {written.epsilon(epsilon_at(total, delta))} at δ = {written.delta(delta)}) of a budget of "
            f"ρ = {written.rho(share)}. They cost: {_costs(scheduled, dataset)}. Lower their privacy_loss, publish less often, "
            "declare 'series: true', or raise the budget."
        )
    for one in own:
        if one.plan.rho > cap:
            raise BudgetError(
                f"{one.release.id}: one edition costs ρ = {written.rho(one.plan.rho)} "
                f"(ε = {written.epsilon(epsilon_at(one.plan.rho, delta))} at δ = {written.delta(delta)}), which is more than "
                f"the whole budget of dataset '{dataset.id}', ρ = {written.rho(cap)} per {per}. Lower its privacy_loss, or "
                "raise the budget."
            )
    rest = sum((r.cost_to(dataset) for r in by_hand), Fraction(0))
    warnings = []
    if total + rest > cap:
        warnings.append(
            f"Dataset '{dataset.id}': not every edition of a year can be made. All of them need ρ = "
            f"{written.rho(total + rest)} per {per} of a budget of ρ = {written.rho(cap)}; by hand: {_costs(by_hand, dataset)}."
        )
    pure = max(((r.plan.pure_epsilon, r.plan.rho) for r in own if r.plan.pure_epsilon), default=None)
    later = sum((r.cost_later(dataset) for r in paying), Fraction(0))
    years = max(0, 1 + floor((cap - total - rest) / later)) if per == LIFETIME and later else None
    return YearOfBudget(dataset, cap, delta, total, rest, pure, tuple(warnings), years)


def _costs(reviews: Iterable[ReleaseReview], dataset: Dataset) -> str:
    """What each costs the dataset in a year, and by how many editions; of another dataset that it is linked."""
    return "; ".join(f"{r.release.id} {written.rho(r.cost_to(dataset))} ({_how(r, dataset)})" for r in reviews)


def _how(review: ReleaseReview, dataset: Dataset) -> str:
    if review.dataset.id != dataset.id:
        return "linked"
    return f"{review.editions_per_block} {'edition' if review.editions_per_block == 1 else 'editions'}"


def review_release(release: Release, catalogue: Catalogue) -> ReleaseReview:
    """Plan a release's first period and count what a year of it costs in the dearest block."""
    dataset = catalogue.dataset_of(release)
    periods = year_of_periods(release)
    try:
        sealed = make_sealed(catalogue, release, periods[0])
    except CatalogueError as error:
        raise CatalogueError(f"{catalogue.folder / 'releases' / release.id}.yaml: {error}") from error
    plan = sealed.plan
    editions = editions_per_block(periods, dataset.privacy_unit.per)
    touched = [blocks_of(period, dataset.privacy_unit.per) for period in periods]
    rho = plan.rho * (1 if plan.series else editions)
    blocks = {block for each in touched for block in each}
    charges = len(blocks) if plan.series else sum(map(len, touched))
    return ReleaseReview(
        release, dataset, sealed, editions, rho, charges, _charges_later(release, periods, charges, blocks, plan)
    )


def _charges_later(release: Release, periods: list[Period], charges: int, blocks: set[str], plan: Plan) -> int:
    """How often each year after the first charges a block; of a series, only those that its first year has not charged."""
    following = next_period(periods[-1]) if release.period != "range" else None
    if following is None or (release.end is not None and following.start > release.end):
        return 0
    return len(blocks - {*blocks_of(following, plan.block_kind)}) if plan.series else charges


def year_of_periods(release: Release) -> list[Period]:
    """The release's periods that begin in its first year."""
    first = release.start
    leap = (first.month, first.day) == (2, 29)
    anniversary = date(first.year + 1, 3, 1) if leap else first.replace(year=first.year + 1)
    return list(takewhile(lambda period: period.start < anniversary, periods_of(release)))


def editions_per_block(periods: list[Period], kind: BlockKind) -> int:
    """The most editions that touch one block."""
    touched: dict[str, int] = {}
    for period in periods:
        for block in {block_of(day, kind) for day in (period.start, period.end)}:
            touched[block] = touched.get(block, 0) + 1
    return max(touched.values())
