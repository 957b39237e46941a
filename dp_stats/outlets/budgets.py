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

from pydantic import Field

from dp_stats.editions import formats
from dp_stats.editions.edition import BudgetFacts, Edition, Facts, utc
from dp_stats.editions.privacy_record import rounded_up
from dp_stats.outlets.public_log import published_lines
from dp_stats.outlets.restricted import RestrictedUse
from dp_stats.texts.words import Texts
from dp_stats.transparency.history import History

FILE_NAME = "budget.json"


class BlockRecord(Facts):
    """What one block of a dataset has spent."""

    dataset: str = Field(description="Id of the dataset.")
    block: str = Field(description="Block of time.")
    as_of: str = Field(description="When the newest edition that this holds was published.")
    delta: float = Field(description="δ at which ε is said.")
    epsilon_cap: float = Field(description="The most that may be spent, as ε, rounded up.")
    epsilon_spent: float = Field(description="What has been spent, as ε, rounded up.")
    rho_cap: str = Field(description="The most that may be spent, as exact ρ.")
    rho_spent: str = Field(description="What has been spent, as exact ρ.")
    rho_remaining: str = Field(description="What is left, as exact ρ.")
    charges: int | None = Field(description="How many charges it has paid; none where no log tells.")
    charges_not_public: int = Field(description="How many of them are for uses that no public edition has shown.")
    rho_not_public: str = Field(description="ρ of those, exact.")


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

    Of a dataset that publishes nothing itself, and pays for what is made of its records elsewhere, the newest edition is one
    that it has paid for.

    Attributes:
        title: its title, or its name where nothing tells its title. custodians: who holds it. per: kind of its blocks.
        lost: whether an earlier ledger was lost, whose charges are not in the log.
    """

    dataset: str
    newest: Edition
    blocks: Mapping[str, BlockSpend]
    title: str
    custodians: tuple[str, ...]
    per: str
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
    by_holder: dict[str, list[Edition]] = {}
    for edition in sorted(editions, key=lambda e: (e.published, e.path)):
        if edition.budget:
            by_dataset.setdefault(edition.dataset.id, []).append(edition)
        for draw in edition.draws:
            by_holder.setdefault(draw.dataset, []).append(edition)
    found = {id: _spend(history, id, told) for id, told in by_dataset.items()}
    logged = {dataset for dataset, _ in history.blocks()}
    found |= {
        id: _spend_of_holder(history, id, told)
        for id, told in by_holder.items()
        if id not in by_dataset and id in logged
    }
    return dict(sorted(found.items()))


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
    return DatasetSpend(
        dataset,
        newest,
        _blocks(
            history,
            dataset,
            {block.block: block.spent for edition in editions for block in edition.budget},
            cap=last.cap,
            delta=last.delta or newest.guarantee.delta,
            known=_conversions(editions),
        ),
        title=newest.dataset.title,
        custodians=tuple(c.name for c in newest.dataset.custodians),
        per=newest.guarantee.per,
        lost=history.lost is not None,
    )


def _spend_of_holder(history: History, dataset: str, editions: Sequence[Edition]) -> DatasetSpend:
    """``editions``: those that the dataset has paid for, because they use its records, oldest first."""
    newest = editions[-1]
    held = (r.custodian for r in newest.dataset.records if r.paid_by == dataset)
    return DatasetSpend(
        dataset,
        newest,
        _blocks(history, dataset, {}, cap=None, delta=newest.guarantee.delta, known={}),
        title=dataset,
        custodians=tuple(dict.fromkeys(held)),
        per="lifetime",
        lost=history.lost is not None,
    )


def _blocks(
    history: History,
    dataset: str,
    told: Mapping[str, Fraction],
    *,
    cap: Fraction | None,
    delta: Fraction,
    known: Mapping[tuple[Fraction, Fraction], float],
) -> dict[str, BlockSpend]:
    """A dataset's blocks, as the log adds them up, or as its editions tell where there is none.

    Args:
        told: block → what editions say was spent. cap: the budget; None: that of the last charge. known: ρ at δ → ε.
    """
    charged = history.charges(dataset)

    def epsilon(rho: Fraction) -> float:
        from dp_stats.plan.accounting import epsilon_at

        return known[rho, delta] if (rho, delta) in known else epsilon_at(rho, delta)

    blocks = {}
    for name in sorted({*told, *charged}):
        charges = charged.get(name, [])
        hidden = [leaf.rho for number, leaf in charges if number not in history.opened]
        most = charges[-1][1].cap if cap is None else cap
        spent = history.spent(dataset, name, size=len(history.lines)) if charges else told[name]
        blocks[name] = BlockSpend(
            block=name,
            cap=most,
            spent=spent,
            delta=delta,
            epsilon_cap=epsilon(most),
            epsilon_spent=epsilon(spent) if spent else 0.0,
            charges=len(charges) if charges or history.lines else None,
            not_public=len(hidden),
            rho_not_public=sum(hidden, start=Fraction(0)),
        )
    return blocks


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


def said_of_holders(texts: Texts, edition: Edition, spends: Mapping[str, DatasetSpend]) -> str:
    """What has been spent of the datasets whose records an edition uses, and their budgets; empty where there are none."""
    said = []
    for draw in edition.draws:
        if draw.dataset in spends:
            spend = spends[draw.dataset]
            day = texts.day(spend.as_of.date())
            for block in spend.blocks.values():
                spent, cap = amounts(texts, block)
                delta = texts.delta(block.delta)
                told = texts("register.spent_text", spent=spent, cap=cap, block=block.block, delta=delta, day=day)
                said.append(texts("register.held_spent", dataset=spend.title, said=told))
    return " ".join(said)


def budget_json(spends: Mapping[str, DatasetSpend]) -> bytes:
    """``budget.json``: every dataset and block, exact ρ as text beside ε at δ."""
    records = [_record(spend, block) for spend in spends.values() for block in spend.blocks.values()]
    return formats.json_bytes([record.model_dump(mode="json") for record in records])


def _record(spend: DatasetSpend, block: BlockSpend) -> BlockRecord:
    return BlockRecord(
        dataset=spend.dataset,
        block=block.block,
        as_of=utc(spend.as_of),
        delta=float(block.delta),
        epsilon_cap=rounded_up(Fraction(block.epsilon_cap)),
        epsilon_spent=rounded_up(Fraction(block.epsilon_spent)),
        rho_cap=str(block.cap),
        rho_spent=str(block.spent),
        rho_remaining=str(block.remaining),
        charges=block.charges,
        charges_not_public=block.not_public,
        rho_not_public=str(block.rho_not_public),
    )
