"""Whether a plan could be reserved now: the checks of ``reserving.reserve``, before any row is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from dp_stats.catalogue.models import Dataset
from dp_stats.ledger import approving, budget
from dp_stats.ledger.records import Category
from dp_stats.ledger.reservations import current
from dp_stats.ledger.reserving import check, quoted, require_approvals
from dp_stats.plan.model import Plan


def permit(
    connection: Connection,
    plan: Plan,
    *,
    dataset: Dataset,
    holders: Mapping[str, Dataset],
    revision: int,
    category: Category,
    requested_by: str,
    purpose: str,
    now: datetime,
) -> None:
    """Check that approvals and budget allow to reserve a plan now; nothing is written, and ``reserve`` asks again.

    Raises:
        ApprovalError: somebody has not approved it, or what was approved is not this. BudgetError: the budget does
            not allow it.
    """
    check(plan, dataset=dataset, revision=revision, category=category)
    existing = current(connection, plan.edition, revision)
    if existing and existing.plan_hash == plan.hash:
        if existing.state == "reserved":
            require_approvals(connection, existing, now=now)
        return
    quote = quoted(
        connection,
        plan,
        dataset=dataset,
        holders=holders,
        revision=revision,
        category=category,
        requested_by=requested_by,
    )
    approving.require(
        connection,
        plan_hash=plan.hash,
        edition=plan.edition,
        revision=revision,
        approvers=quote.approvers,
        requested_by=requested_by,
        now=now,
        dataset=dataset,
        purpose=purpose,
        quote=quote,
    )
    budget.require(quote.refusals, dataset=dataset, edition=plan.edition, revision=revision)
