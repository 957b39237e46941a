"""The filter: may these blocks be charged? Reserved and spent charges both count; a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from sqlalchemy import Connection, RowMapping, select

from dp_stats.catalogue.models import Budget, Dataset
from dp_stats.errors import BudgetError
from dp_stats.ledger import amounts, schema
from dp_stats.ledger.amounts import shown, total
from dp_stats.ledger.records import BlockBudget, Category, Limit


def block_budgets(
    connection: Connection, *, dataset: str, blocks: Iterable[str], cap: Fraction, delta: Fraction
) -> dict[str, BlockBudget]:
    """What each of ``blocks`` has spent, reserved and left under ``cap``."""
    wanted = list(blocks)
    c = schema.charges.c
    rows = (
        connection.execute(select(schema.charges).where(c.dataset == dataset, c.block.in_(wanted), c.state != "void"))
        .mappings()
        .all()
    )
    return {
        block: _budget(dataset, block, [row for row in rows if row["block"] == block], cap=cap, delta=delta)
        for block in wanted
    }


def _budget(dataset: str, block: str, rows: list[RowMapping], *, cap: Fraction, delta: Fraction) -> BlockBudget:
    spent = total(amounts.exact(row["rho"]) for row in rows if row["state"] == "spent")
    reserved = total(amounts.exact(row["rho"]) for row in rows if row["state"] == "reserved")
    by_category: dict[str, Fraction] = {}
    by_analyst: dict[str, Fraction] = {}
    for row in rows:
        rho = amounts.exact(row["rho"])
        by_category[row["category"]] = by_category.get(row["category"], Fraction(0)) + rho
        if row["category"] == "adhoc":
            analyst = who(row["requested_by"])
            by_analyst[analyst] = by_analyst.get(analyst, Fraction(0)) + rho
    remaining = max(Fraction(0), cap - spent - reserved)
    return BlockBudget(dataset, block, cap, spent, reserved, remaining, delta, by_category, by_analyst)


def who(name: str) -> str:
    """A person's name as it is compared: without regard to case or outer spaces."""
    return name.strip().casefold()


def limits(state: BlockBudget, *, budget: Budget, category: Category, requested_by: str) -> tuple[Limit, ...]:
    """Every limit on what ``requested_by`` may charge to a block, the cap first."""
    found = [Limit("cap", state.cap, state.spent + state.reserved)]
    share = budget.scheduled if category == "scheduled" else budget.adhoc
    if share is not None:
        used = state.by_category.get(category, Fraction(0))
        found.append(Limit("category", amounts.share_of(state.cap, share), used))
    if category == "adhoc" and budget.per_analyst is not None:
        used = state.by_analyst.get(who(requested_by), Fraction(0))
        found.append(Limit("analyst", amounts.share_of(state.cap, budget.per_analyst), used))
    return tuple(found)


def refusals(
    budgets: Mapping[str, BlockBudget], *, rho: Fraction, budget: Budget, category: Category, requested_by: str
) -> tuple[str, ...]:
    """One line per block and limit that another ``rho`` would break; empty if every one holds."""
    lines: list[str] = []
    for block, state in budgets.items():
        for limit in limits(state, budget=budget, category=category, requested_by=requested_by):
            if rho <= limit.left:
                continue
            held = (
                f"spent {shown(state.spent, state.delta)}, reserved {shown(state.reserved, state.delta)}"
                if limit.of == "cap"
                else f"spent and reserved {shown(limit.used, state.delta)}"
            )
            lines.append(
                f"block {block}, {_name(limit, category, requested_by)} of {shown(limit.most, state.delta)}: requested "
                f"{shown(rho, state.delta)}, {held}, remaining {shown(limit.left, state.delta)}."
            )
    return tuple(lines)


def _name(limit: Limit, category: Category, requested_by: str) -> str:
    if limit.of == "cap":
        return "its cap"
    if limit.of == "analyst":
        return f"the share of {requested_by.strip()}"
    return "the share of scheduled releases" if category == "scheduled" else "the share of ad hoc releases"


def require(lines: tuple[str, ...], *, dataset: Dataset, edition: str, revision: int) -> None:
    """Refuse if there is any line of ``refusals``.

    Raises:
        BudgetError: with requested, spent, reserved and remaining per block, and what to do next.
    """
    if lines:
        raise BudgetError(
            f"The budget of dataset '{dataset.id}' does not allow {edition} (revision {revision}).\n  "
            + "\n  ".join(lines)
            + "\nNothing was charged. Ask for a smaller privacy loss or fewer tables (a smaller request still "
            "succeeds), void a reservation that is no longer needed, wait for the next block, or ask the "
            f"custodians to raise 'budget' in datasets/{dataset.id}.yaml."
        )
