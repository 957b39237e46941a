"""Trying a question out: what it would cost, how accurate other losses would be, and what would fit.

Nothing is filed, nobody is asked and nothing is spent: a quote is made from the catalogue, the ledger and published
editions, as a card is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor, log10, sqrt
from typing import Any

from dp_stats.catalogue import Catalogue, Dataset, Release
from dp_stats.catalogue.models import SMALLEST_EPSILON, PrivacyLoss
from dp_stats.ledger import Ledger
from dp_stats.ledger.amounts import charge_of
from dp_stats.ledger.amounts import epsilon as epsilon_of
from dp_stats.ledger.records import Quote
from dp_stats.plan import Plan, make_plan
from dp_stats.plan.accounting import pure_rho
from dp_stats.requests.approval import Way, path_of
from dp_stats.requests.asked_release import period_of_request
from dp_stats.requests.preflight import Card, make_card, part_of
from dp_stats.requests.preparing import prepare
from dp_stats.requests.questions import LARGEST_REQUESTED_EPSILON, Question, chosen
from dp_stats.run import open_ledger
from dp_stats.settings import Settings, load_settings

FACTORS = (Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2), Fraction(4))
"""The losses that are compared, as multiples of what was asked for in ε."""


@dataclass(frozen=True)
class Point:
    """One privacy loss, what it costs and what it buys.

    Attributes:
        epsilon: pure, or at the plan's δ. share: of the block's budget, of which least is left. margin: half of a typical
            95 % interval; None if it cannot be foreseen. fits: whether the budget allows it now. asked: whether it is
            what was asked for.
    """

    epsilon: float
    rho: Fraction
    share: float
    margin: float | None
    fits: bool
    asked: bool


@dataclass(frozen=True)
class Fitting:
    """The most that fits: what to fill in as privacy loss, and its margin; or what to fill in as accuracy."""

    epsilon: float
    margin: float | None


@dataclass(frozen=True)
class Tried:
    """What a question would cost.

    Attributes:
        card: as it would be shown now. way: what would happen to the request. points: losses around what was asked for,
            smallest first. fitting: where what was asked for does not fit, the largest privacy loss that does; None
            where it fits, or nothing does.
    """

    question: Question
    card: Card
    way: Way
    points: tuple[Point, ...]
    fitting: Fitting | None


def try_out(form: Mapping[str, Any], *, requested_by: str, settings: Settings | None = None) -> Tried:
    """The quote of a form; writes nothing.

    Raises:
        CatalogueError: the form is wrong, there are no records of the period, or no privacy loss gives the accuracy
            asked for. NotDueError: the period has not ended and settled.
    """
    settings = settings or load_settings()
    made = prepare(form, requested_by=requested_by, settings=settings)
    ledger = open_ledger(settings)
    card = make_card(made.release, made.catalogue, settings, only=chosen(made.question, made.catalogue), ledger=ledger)
    quoting = _Quoting(made.release, made.catalogue, card.dataset, ledger)
    points = [_point(quoting, factor) for factor in FACTORS]
    return Tried(
        question=made.question,
        card=card,
        way=path_of(card, made.question),
        points=tuple(point for point in points if point is not None),
        fitting=_fitting(quoting, made.question, card.quote.room) if card.refusals else None,
    )


@dataclass(frozen=True)
class _Quoting:
    """One question, to be planned at several losses."""

    release: Release
    catalogue: Catalogue
    dataset: Dataset
    ledger: Ledger

    def plan(self, loss: PrivacyLoss) -> Plan:
        asked = self.release.model_copy(update={"privacy_loss": loss})
        known = self.catalogue.with_release(asked)
        return make_plan(known, asked, known.period(asked, period_of_request(asked)))

    def quote(self, plan: Plan) -> Quote:
        return self.ledger.quote(
            plan,
            dataset=self.dataset,
            holders=self.catalogue.holders_of(self.dataset),
            category="adhoc",
            requested_by=self.release.requested_by or "",
        )


def _point(quoting: _Quoting, factor: Fraction) -> Point | None:
    """At a multiple of the loss asked for; None where nobody may ask for it."""
    loss = quoting.release.privacy_loss
    largest = Fraction(str(LARGEST_REQUESTED_EPSILON))
    if loss.epsilon is not None:
        wanted = loss.epsilon * factor
        if not SMALLEST_EPSILON <= wanted <= largest:
            return None
        plan = quoting.plan(loss.model_copy(update={"epsilon": wanted}))
    else:
        assert loss.rho is not None
        wanted = loss.rho * factor**2
        if not SMALLEST_EPSILON**2 / 2 <= wanted <= pure_rho(largest):
            return None
        plan = quoting.plan(loss.model_copy(update={"rho": wanted}))
    quote = quoting.quote(plan)
    rho = charge_of(plan.rho)
    return Point(
        epsilon=float(plan.pure_epsilon) if plan.pure_epsilon is not None else plan.epsilon,
        rho=rho,
        share=max(part_of(rho, state.cap) for state in quote.before),
        margin=_margin(plan),
        fits=not quote.refusals,
        asked=factor == 1,
    )


def _margin(plan: Plan) -> float | None:
    return next((e.margin_95 for e in plan.expected), None)


def _fitting(quoting: _Quoting, question: Question, room: Fraction) -> Fitting | None:
    """The largest loss, in three digits, whose plan the ``room`` (ρ) pays for: as the form would have it filled in."""
    if question.epsilon is None:
        return _fitting_margin(quoting, room)
    epsilon = Fraction(str(question.epsilon))
    for _ in range(12):
        if epsilon < SMALLEST_EPSILON:
            return None
        plan = quoting.plan(PrivacyLoss(epsilon=epsilon, delta=None, rho=None))
        if charge_of(plan.rho) <= room:
            return Fitting(float(epsilon), _margin(plan))
        # ρ grows with ε² at most, so that this is no less than what fits, or nearly so
        epsilon = min(_digits(epsilon * Fraction(sqrt(room / plan.rho))), epsilon * Fraction(99, 100))
        epsilon = _digits(epsilon)
    return None


def _fitting_margin(quoting: _Quoting, room: Fraction) -> Fitting | None:
    """The smallest margin, in three digits, that the ``room`` pays for."""
    if room < SMALLEST_EPSILON**2 / 2:
        return None
    plan = quoting.plan(PrivacyLoss(rho=room, epsilon=None, delta=None))
    margin = _margin(plan)
    if margin is None:
        return None
    wider = float(-_digits(-Fraction(margin) * Fraction(1025, 1000)))
    return Fitting(epsilon_of(room, plan.delta), wider)


def _digits(value: Fraction) -> Fraction:
    """The next number below in three significant digits."""
    if not value:
        return value
    step = Fraction(10) ** (floor(log10(abs(value))) - 2)
    return Fraction(floor(value / step)) * step
