"""What people see before anything is spent: cost, budget, expected accuracy, and what is free instead.

A card is made from the catalogue, the ledger and published editions; no row is read. Custodians decide
on the card's plan hash and on the budget it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from dp_stats.catalogue import Catalogue, Dataset, Grid, Release, parse_period
from dp_stats.catalogue.models import Agreement, PrivacyLoss
from dp_stats.catalogue.populations import shares_of_leaves
from dp_stats.editions.tidy import UNRELIABLE
from dp_stats.errors import AgreementError, CatalogueError
from dp_stats.ledger import Approval, Ledger
from dp_stats.ledger.agreeing import why_not_measured
from dp_stats.ledger.amounts import epsilon as epsilon_of
from dp_stats.ledger.amounts import share_of
from dp_stats.ledger.cards import ShownCard
from dp_stats.ledger.records import BlockBudget, Quote
from dp_stats.plan import ExpectedError, Plan, make_plan, make_sealed
from dp_stats.plan.curve import least_loss
from dp_stats.plan.expected import NORMAL_95
from dp_stats.requests.asked_release import TABLE, make_release, period_of_request
from dp_stats.requests.free_answers import FreeAnswer, free_answer
from dp_stats.requests.questions import LARGEST_REQUESTED_EPSILON, Question
from dp_stats.run import open_ledger
from dp_stats.settings import Settings
from dp_stats.texts.words import Texts
from dp_stats.written import declared, number

LEEWAY = Fraction(1, 10)
"""How much of a block's budget others may use while a request waits: its card promises what is left after it less this."""


@dataclass(frozen=True)
class BlockLine:
    """One block's budget: its cap, what is left now, and what would be left after, as ε at the dataset's δ.

    ``block`` is named ``dataset: block`` where another dataset pays as well, whose records are used.

    ``share_…`` are shares of the cap in ρ, which add up: what is left now, what the request costs, what is left after;
    and ``share_floor``, what is left after it at least, whatever others are charged meanwhile.
    """

    block: str
    cap: float
    before: float
    after: float
    share_before: float
    share_cost: float
    share_after: float
    share_floor: float


@dataclass(frozen=True)
class Card:
    """Everything a custodian or an analyst should know before a request is measured.

    Attributes:
        shown: remaining ρ per block, exactly, as the approval records it.
        unreliable: expected share of cells flagged as unreliable; None if nobody guessed their size.
        approvers: users who must approve (empty: below the dataset's allowance, or already paid).
        refusals: why the budget does not allow it; empty if it does.
        only: column → codes that are handed over, where not all are; all are measured and published.
        agreement: the data-sharing agreement that it is sealed with; None where there is none.
        history: decisions on what this person asked for before or on the same purpose, each with its card, the newest first.
    """

    release: Release
    dataset: Dataset
    plan: Plan
    quote: Quote
    blocks: tuple[BlockLine, ...]
    unreliable: float | None
    free: FreeAnswer | None
    approvers: tuple[str, ...]
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    history: Sequence[tuple[Approval, ShownCard]] = ()
    agreement: Agreement | None = None

    @property
    def edition(self) -> str:
        """``release/period``."""
        return self.plan.edition

    @property
    def shown(self) -> Mapping[str, Fraction]:
        """Remaining ρ of every block, exactly; also of other datasets that pay."""
        own = {state.block: state.remaining for state in self.quote.before}
        return own | {one.name: one.before.remaining for one in self.quote.drawn}

    @property
    def floors(self) -> Mapping[str, Fraction]:
        """ρ of every block that an approval promises to be left after the request, exactly; also of other datasets that pay."""
        own = {s.block: floor_of(s, self.quote.remaining_after[s.block]) for s in self.quote.before}
        return own | {one.name: floor_of(one.before, one.after) for one in self.quote.drawn}

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why the budget does not allow it."""
        return self.quote.refusals

    def privacy_sentence(self, texts: Texts) -> str:
        """What the public will read about privacy."""
        unit, plan = self.dataset.privacy_unit, self.plan
        strength = (
            texts("request.pure", epsilon=texts.significant(float(plan.pure_epsilon)))
            if plan.pure_epsilon is not None
            else texts(
                "request.approximate",
                epsilon=texts.significant(plan.epsilon),
                delta=texts.delta(plan.delta),
            )
        )
        return texts(
            "request.privacy",
            unit=unit.name,
            span=texts(f"guarantee.span.{unit.per}"),
            strength=strength,
            bound=texts.plural("guarantee.bound", plan.contribution_rows, unit=unit.name),
        )


def make_card(
    release: Release,
    catalogue: Catalogue,
    settings: Settings,
    *,
    only: Mapping[str, frozenset[str]] | None = None,
    ledger: Ledger | None = None,
) -> Card:
    """The card of an ad hoc release as things stand now; writes nothing. ``only``: see ``Card``.

    Raises:
        AgreementError: a table would be measured at a level that the data-sharing agreement does not allow.
    """
    dataset = catalogue.datasets[release.dataset]
    known = catalogue.with_release(release)
    period = known.period(release, period_of_request(release))
    known = known.on(period.end)
    sealed = make_sealed(known, release, period)
    plan = sealed.plan
    if against := list(why_not_measured(sealed)):
        raise AgreementError(
            f"{plan.edition} may not be measured, by its agreement: {'; '.join(against)}. Ask for other levels."
        )
    ledger = ledger or open_ledger(settings)
    by, holders = release.requested_by or "", catalogue.holders_of(dataset)
    quote = ledger.quote(plan, dataset=dataset, holders=holders, category="adhoc", requested_by=by)
    return Card(
        release=release,
        dataset=dataset,
        plan=plan,
        quote=quote,
        blocks=(
            *(_line(state.block, state, quote.remaining_after[state.block]) for state in quote.before),
            *(_line(one.name, one.before, one.after) for one in quote.drawn),
        ),
        unreliable=unreliable_share(plan, known, release, known.grid(release, period)),
        free=free_answer(release, catalogue, ledger, only=only),
        approvers=quote.approvers,
        only=only or {},
        history=ledger.history(requested_by=by, purpose=release.purpose) if quote.approvers else (),
        agreement=sealed.agreement,
    )


def _line(name: str, state: BlockBudget, after: Fraction) -> BlockLine:
    """A block as the card shows it, of which ``after`` would be left."""
    return BlockLine(
        name,
        cap=epsilon_of(state.cap, state.delta),
        before=epsilon_of(state.remaining, state.delta),
        after=epsilon_of(max(Fraction(0), after), state.delta),
        share_before=part_of(state.remaining, state.cap),
        share_cost=part_of(state.remaining - after, state.cap),
        share_after=part_of(max(Fraction(0), after), state.cap),
        share_floor=part_of(floor_of(state, after), state.cap),
    )


def floor_of(state: BlockBudget, after: Fraction) -> Fraction:
    """ρ of a block that is left after a request at least, where ``after`` would be left now."""
    return max(Fraction(0), after - share_of(state.cap, LEEWAY))


def part_of(rho: Fraction, cap: Fraction) -> float:
    """``rho`` as a share of a budget."""
    return float(rho / cap) if cap else 0.0


def loss_for(question: Question, catalogue: Catalogue, *, requested_by: str, texts: Texts) -> PrivacyLoss:
    """The privacy loss asked for, or that which costs the budget least at which a typical value's 95 % margin is no more
    than asked.

    Raises:
        CatalogueError: no allowed privacy loss gives that accuracy, or nobody can tell which one does.
    """
    if question.epsilon is not None:
        return pure(question.epsilon)
    assert question.margin is not None
    period = parse_period(question.period)
    release = make_release(
        question, catalogue, requested_by=requested_by, loss=pure(LARGEST_REQUESTED_EPSILON), texts=texts
    )
    known = catalogue.with_release(release)
    best = next(
        (e.margin_95 for e in make_plan(known, release, period).expected if e.statistic == question.statistic), None
    )
    if best is None:
        raise CatalogueError(
            f"margin: nobody has declared how large the values are ('expected_total'), so the margin of a {question.statistic} "
            "cannot be foreseen. Fill in the privacy loss instead."
        )
    found = least_loss(
        known,
        release,
        period,
        table=TABLE,
        statistic=question.statistic,
        margin=question.margin,
        most=Fraction(str(LARGEST_REQUESTED_EPSILON)),
    )
    if found is None:
        raise CatalogueError(
            f"margin: ±{declared(question.margin)} cannot be reached; the largest privacy loss that may be asked for, ε = "
            f"{declared(LARGEST_REQUESTED_EPSILON)}, gives ±{number(best)}. Ask for a coarser breakdown, a longer "
            "period or a larger margin."
        )
    return found


def pure(epsilon: float) -> PrivacyLoss:
    """A privacy loss of ε alone, as somebody wrote it."""
    return PrivacyLoss(epsilon=Fraction(str(epsilon)), delta=None, rho=None)


def unreliable_share(plan: Plan, catalogue: Catalogue, release: Release, grid: Grid) -> float | None:
    """Expected share of published cells whose standard error is above a fifth of their value.

    Sizes of cells are guessed from public facts only: the expected total, spread over areas by population
    and evenly over everything else. None if no total is declared.
    """
    flagged = cells = 0
    for expected in plan.expected:
        if expected.prior_mean is None:
            return None
        sizes = _guessed_sizes(expected, catalogue, release, grid)
        sizes = sizes[sizes > 0]  # nobody can guess the size of 'unknown'
        flagged += int((expected.margin_95 / NORMAL_95 > UNRELIABLE * sizes).sum())
        cells += sizes.size
    return flagged / cells if cells else None


def _guessed_sizes(expected: ExpectedError, catalogue: Catalogue, release: Release, grid: Grid) -> np.ndarray:
    table = next(t for t in release.tables if t.id == expected.table)
    assert expected.prior_mean is not None
    if any(d.id == expected.statistic for d in release.derived):
        return np.full(expected.cells, expected.prior_mean)  # means and rates do not add up to a total
    sizes = np.full(1, expected.prior_mean * expected.cells)
    for dimension in grid.dimensions:
        level = dimension.level(grid.complete(table.levels)[dimension.name])
        codes = catalogue.code_list_of(release, dimension.name)
        shares = np.bincount(level.group, weights=shares_of_leaves(codes, dimension), minlength=len(level.codes))
        sizes = np.outer(sizes, shares).ravel()
    return sizes
