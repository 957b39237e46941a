"""What has been spent on the people of each dataset and block: one figure, which every page, register and record shows.

It is the sum of the charges in the public log, so it is the ledger's at the moment of the newest public edition, uses that are
not public included. Where there is no log, it is what the newest edition of the dataset that names the block says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from dp_stats.editions import formats
from dp_stats.editions.edition import BudgetFacts, Edition, utc
from dp_stats.editions.privacy_record import rounded_up
from dp_stats.outlets.public_log import published_lines
from dp_stats.outlets.restricted import RestrictedUse
from dp_stats.texts.words import Texts
from dp_stats.transparency.history import History
from dp_stats.transparency.leaves import ChargeLeaf

FILE_NAME = "budget.json"


@dataclass(frozen=True)
class BlockSpend:
    """One block's budget, as ρ and as ε at δ.

    Attributes:
        charges: how many charges it has paid; None where no log tells.
        not_public, rho_not_public: how many of them no public edition has opened, and their ρ: uses for a restricted audience,
            or not published (yet).
    """

    block: str
    cap: Fraction
    spent: Fraction
    delta: Fraction
    epsilon_cap: float
    epsilon_spent: float
    charges: int | None = None
    not_public: int = 0
    rho_not_public: Fraction = Fraction(0)

    @property
    def remaining(self) -> Fraction:
        return max(Fraction(0), self.cap - self.spent)

    @property
    def share(self) -> float:
        """The share that is spent, of ρ, which adds up: 0 to 1."""
        return float(self.spent / self.cap) if self.cap else 0.0


@dataclass(frozen=True)
class DatasetSpend:
    """The blocks of a dataset by name, and the newest public edition, up to which they are told.

    Attributes:
        lost: whether an earlier ledger was lost, whose charges are not in the log.
    """

    dataset: str
    newest: Edition
    blocks: Mapping[str, BlockSpend]
    lost: bool = False

    @property
    def as_of(self) -> datetime:
        return self.newest.published


def budgets(public: Path, editions: Iterable[Edition]) -> dict[str, DatasetSpend]:
    """What has been spent of each dataset of these editions, by its id; datasets of which nothing is recorded are left out.

    Args:
        public: the public folder with the log, if there is one.
        editions: every public edition there.

    Raises:
        HistoryError: the log there is none.
    """
    history = History.read(published_lines(public))
    by_dataset: dict[str, list[Edition]] = {}
    for edition in sorted(editions, key=lambda e: (e.published, e.path)):
        if edition.budget:
            by_dataset.setdefault(edition.dataset.id, []).append(edition)
    return {id: _spend(history, id, found) for id, found in sorted(by_dataset.items())}


def with_restricted(
    spends: Mapping[str, DatasetSpend], public: Path, uses: Iterable[RestrictedUse]
) -> dict[str, DatasetSpend]:
    """The same, with datasets of which nothing is public: told by their restricted editions, as nothing else tells of them."""
    alone = [e for use in uses for e in use.editions if e.dataset.id not in spends]
    return {**budgets(public, alone), **spends}


def _spend(history: History, dataset: str, editions: Sequence[Edition]) -> DatasetSpend:
    """``editions``: those of the dataset that tell of its budget, oldest first."""
    newest = editions[-1]
    last = newest.budget[-1]
    delta = last.delta or newest.guarantee.delta
    told = {block.block: block for edition in editions for block in edition.budget}
    known = _conversions(editions)
    opened = {number for leaf in history.editions.values() for number in leaf.opened}
    charged: dict[str, list[tuple[int, ChargeLeaf]]] = {}
    for number, leaf in enumerate(history.leaves):
        if isinstance(leaf, ChargeLeaf) and leaf.dataset == dataset:
            charged.setdefault(leaf.block, []).append((number, leaf))

    def epsilon(rho: Fraction) -> float:
        from dp_stats.plan.accounting import epsilon_at

        return known[rho, delta] if (rho, delta) in known else epsilon_at(rho, delta)

    blocks = {}
    for name in sorted({*told, *charged}):
        charges = charged.get(name, [])
        hidden = [leaf.rho for number, leaf in charges if number not in opened]
        cap = last.cap
        spent = history.spent(dataset, name, size=len(history.lines)) if charges else told[name].spent
        blocks[name] = BlockSpend(
            block=name,
            cap=cap,
            spent=spent,
            delta=delta,
            epsilon_cap=epsilon(cap),
            epsilon_spent=epsilon(spent) if spent else 0.0,
            charges=len(charges) if charges or history.lines else None,
            not_public=len(hidden),
            rho_not_public=sum(hidden, start=Fraction(0)),
        )
    return DatasetSpend(dataset, newest, blocks, lost=history.lost is not None)


def _conversions(editions: Sequence[Edition]) -> dict[tuple[Fraction, Fraction], float]:
    """What editions tell of ρ at δ as ε; it need not be computed again."""

    def each(block: BudgetFacts) -> Iterable[tuple[Fraction, float | None]]:
        return ((block.cap, block.epsilon_cap), (block.spent, block.epsilon_spent))

    return {
        (rho, block.delta): epsilon
        for edition in editions
        for block in edition.budget
        for rho, epsilon in each(block)
        if block.delta is not None and epsilon is not None
    }


def amounts(texts: Texts, block: BlockSpend) -> tuple[str, str]:
    """Spent and cap as people read them, in one form everywhere: the numbers of ε at δ."""
    return texts.significant(block.epsilon_spent, digits=4), texts.significant(block.epsilon_cap, digits=4)


def budget_json(spends: Mapping[str, DatasetSpend]) -> bytes:
    """``budget.json``: every dataset and block, exact ρ as text beside ε at δ."""
    return formats.json_bytes([_record(spend, block) for spend in spends.values() for block in spend.blocks.values()])


def _record(spend: DatasetSpend, block: BlockSpend) -> dict[str, Any]:
    return {
        "dataset": spend.dataset,
        "block": block.block,
        "as_of": utc(spend.as_of),
        "delta": float(block.delta),
        "epsilon_cap": rounded_up(Fraction(block.epsilon_cap)),
        "epsilon_spent": rounded_up(Fraction(block.epsilon_spent)),
        "rho_cap": str(block.cap),
        "rho_spent": str(block.spent),
        "rho_remaining": str(block.remaining),
        "charges": block.charges,
        "charges_not_public": block.not_public,
        "rho_not_public": str(block.rho_not_public),
    }
