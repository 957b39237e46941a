"""What scheduled releases will charge next, and when a block's budget runs out.

A series pays once per block, so its next charge falls in the next block; other releases pay for every
edition. Costs are those of the release's latest charge, or of its plan if it has never been charged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import takewhile

from dp_stats.catalogue import Catalogue, Dataset, Release
from dp_stats.catalogue.due import due_day, periods_of
from dp_stats.catalogue.periods import LIFETIME, blocks_of
from dp_stats.ledger import Ledger
from dp_stats.ledger.amounts import charge_of
from dp_stats.ledger.records import BlockBudget, Charge
from dp_stats.plan import make_plan
from dp_stats.plan.model import Plan

HORIZON = timedelta(days=366)


@dataclass(frozen=True)
class NextCharge:
    """A charge that a scheduled release will make; ``due`` is today where it is overdue."""

    due: date
    release: str
    edition: str
    block: str
    rho: Fraction


@dataclass(frozen=True)
class BlockForecast:
    """One block's budget, what scheduled releases will charge it, and the first edition it cannot pay for."""

    budget: BlockBudget
    next: tuple[NextCharge, ...]
    runs_out: NextCharge | None


def forecast(catalogue: Catalogue, dataset: Dataset, ledger: Ledger, *, today: date) -> list[BlockForecast]:
    """Every block of a dataset that was charged or will be within a year, in order."""
    coming = next_charges(catalogue, dataset, ledger, today=today)
    charged = [state.block for state in ledger.blocks(dataset.id)]
    blocks = sorted({*charged, *(c.block for c in coming)})
    return [
        _of_block(state, tuple(c for c in coming if c.block == state.block), dataset)
        for state in ledger.budget(dataset, blocks)
    ]


def _of_block(state: BlockBudget, coming: tuple[NextCharge, ...], dataset: Dataset) -> BlockForecast:
    share = dataset.budget.scheduled
    limit = state.cap * share if share is not None else state.cap
    used = state.by_category.get("scheduled", Fraction(0))
    left = state.remaining
    for charge in coming:
        left -= charge.rho
        used += charge.rho
        if left < 0 or used > limit:
            return BlockForecast(state, coming, charge)
    return BlockForecast(state, coming, None)


def next_charges(catalogue: Catalogue, dataset: Dataset, ledger: Ledger, *, today: date) -> list[NextCharge]:
    """What scheduled releases will charge a dataset within a year, soonest first: its own, and those that use its records."""
    found: list[NextCharge] = []
    known = _Known(ledger)
    for release in catalogue.releases.values():
        if release.schedule is None:
            continue
        used = catalogue.datasets.get(release.dataset)
        if used is not None and (used.id == dataset.id or dataset.id in used.holders):
            found += _of_release(catalogue, release, used, dataset, known, today)
    return sorted(found, key=lambda c: (c.due, c.edition))


class _Known:
    """What the ledger knows of datasets by release, read once for each dataset."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._charges: dict[str, dict[str, list[Charge]]] = {}
        self._made: dict[str, set[tuple[str, int]]] = {}

    def charges(self, dataset: str, release: str) -> list[Charge]:
        """A dataset's charges for a release that were not given back, oldest first."""
        if dataset not in self._charges:
            by_release: dict[str, list[Charge]] = {}
            for charge in self._ledger.charges(dataset):
                if charge.state != "void":
                    by_release.setdefault(charge.release, []).append(charge)
            self._charges[dataset] = by_release
        return self._charges[dataset].get(release, [])

    def made(self, dataset: str) -> set[tuple[str, int]]:
        """Editions of a dataset, with their revisions, that are reserved and not void."""
        if dataset not in self._made:
            made = self._ledger.reservations(dataset)
            self._made[dataset] = {(r.edition, r.revision) for r in made if r.state != "void"}
        return self._made[dataset]


def _of_release(
    catalogue: Catalogue, release: Release, used: Dataset, payer: Dataset, known: _Known, today: date
) -> Iterator[NextCharge]:
    """What one release of a dataset will charge within a year to that dataset, or to one whose records it uses.

    That pays for each block that is charged to the dataset itself, and has one block for all days.
    """
    made = known.made(used.id)
    paid = {c.block for c in known.charges(used.id, release.id)} if release.series else set()
    latest = [c.rho for c in known.charges(payer.id, release.id)]
    rho = latest[-1] if latest else None
    for period in takewhile(lambda p: p.start <= today + HORIZON, periods_of(release)):
        edition = f"{release.id}/{period.label}"
        if (edition, 1) in made:
            continue
        for block in blocks_of(period, used.privacy_unit.per):
            if block in paid:
                continue
            if rho is None:
                rho = _cost(make_plan(catalogue, release, period), payer)
            due = max(today, due_day(period, settle_days=release.settle_days))
            yield NextCharge(due, release.id, edition, block if payer.id == used.id else LIFETIME, rho)
            if release.series:
                paid.add(block)


def _cost(plan: Plan, payer: Dataset) -> Fraction:
    """What a plan costs a dataset for each block that it charges."""
    rho = charge_of(plan.rho)
    return (
        rho
        if plan.dataset == payer.id
        else sum((rho * d.times for d in plan.draws if d.dataset == payer.id), Fraction(0))
    )
