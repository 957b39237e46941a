"""What a charge costs other datasets, whose records it uses: charges of theirs, made and given back with it or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, select

from dp_stats.catalogue.models import Dataset
from dp_stats.catalogue.periods import LIFETIME
from dp_stats.errors import LedgerError
from dp_stats.ledger import amounts, approving, budget, schema
from dp_stats.ledger.records import Category, Drawn
from dp_stats.plan import accounting
from dp_stats.plan.model import Plan


def drawn_of(
    connection: Connection,
    plan: Plan,
    *,
    charged: Sequence[str],
    rho: Fraction,
    holders: Mapping[str, Dataset],
    category: Category,
    requested_by: str,
) -> tuple[Drawn, ...]:
    """What a plan costs other datasets now, where it charges the blocks ``charged`` at ``rho`` each.

    Raises:
        LedgerError: the budget of one is not at hand, or is not one for all days.
    """
    found = []
    for draw in plan.draws:
        holder = holders.get(draw.dataset)
        kind = connection.execute(
            select(schema.datasets.c.block_kind).where(schema.datasets.c.dataset == draw.dataset)
        ).scalar_one_or_none()
        # records of any day may decide a linked row, so only a budget for all days can pay
        if holder is None or {holder.privacy_unit.per, kind or LIFETIME} != {LIFETIME}:
            raise LedgerError(
                f"{plan.edition} uses records of the dataset '{draw.dataset}', which has no budget for all days, or spent "
                "another kind of budget before. Restore its declaration."
            )
        cap, delta = amounts.cap_of(holder.budget), accounting.delta_of(holder.budget)
        before = budget.block_budgets(connection, dataset=holder.id, blocks=[LIFETIME], cap=cap, delta=delta)[LIFETIME]
        limits = budget.limits(before, budget=holder.budget, category=category, requested_by=requested_by)
        found.append(Drawn(before, each=rho * draw.times, rho=rho * draw.times * len(charged), limits=limits))
    return tuple(found)


def refusals(
    drawn: Sequence[Drawn], *, holders: Mapping[str, Dataset], category: Category, requested_by: str
) -> Iterator[str]:
    """One line per dataset and limit that a charge would break."""
    for one in drawn:
        lines = budget.refusals(
            {LIFETIME: one.before} if one.rho else {},
            rho=one.rho,
            budget=holders[one.before.dataset].budget,
            category=category,
            requested_by=requested_by,
        )
        yield from (f"dataset '{one.before.dataset}', whose records it uses, {line}" for line in lines)


def needs_approval(
    connection: Connection,
    drawn: Sequence[Drawn],
    *,
    holders: Mapping[str, Dataset],
    category: Category,
    requested_by: str,
) -> bool:
    """Whether what another dataset pays for a request is more than its custodians let pass without asking them."""
    for one in drawn:
        if one.rho:
            holder = holders[one.before.dataset]
            held = approving.unapproved(
                connection, dataset=holder.id, blocks=[one.before.block], requested_by=requested_by
            )
            if approving.approvers_needed(holder, rho=one.rho, category=category, unapproved=held):
                return True
    return False


def payload(drawn: Sequence[Drawn]) -> dict[str, Any]:
    """What an entry says of the datasets that pay as well; nothing where there are none."""
    if not drawn:
        return {}
    return {
        "draws": [
            {
                "dataset": one.before.dataset,
                "block": LIFETIME,
                "rho": str(one.each),
                "cap": str(one.before.cap),
                "delta": str(one.before.delta),
            }
            for one in drawn
        ]
    }
