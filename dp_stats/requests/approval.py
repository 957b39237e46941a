"""Who may decide on a request, and what follows from what was decided; the ledger asks the same again when it charges."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from dp_stats.errors import ApprovalError
from dp_stats.ledger import Approval
from dp_stats.ledger.approving import may_stand_in
from dp_stats.ledger.budget import who
from dp_stats.requests.preflight import Card
from dp_stats.requests.questions import Question

Way = Literal["free", "approval", "allowed"]


def path_of(card: Card, question: Question) -> Way:
    """What happens to a request with this card.

    A free answer is enough if it is as accurate as what was asked for, or as what paying would give.
    """
    if card.free is not None and question.free != "never":
        paid = max((e.margin_95 for e in card.plan.expected), default=math.inf)
        if question.free == "always" or card.free.margin <= (question.margin or paid):
            return "free"
    return "approval" if card.approvers else "allowed"


def may_decide(card: Card, approver: str, *, instead_of: str = "") -> None:
    """Check that ``approver`` may decide on this request, in the place of a custodian if one is named.

    Raises:
        ApprovalError: the approver asked for it, or is no custodian of the dataset, nor today a deputy of the one named.
    """
    asked_by = card.release.requested_by
    if asked_by is not None and who(approver) == who(asked_by):
        raise ApprovalError(
            f"{approver} asked for {card.edition} and cannot approve it as well. Another custodian must, or somebody else must ask."
        )
    if instead_of:
        today = datetime.now(UTC).date()
        if not may_stand_in(card.dataset, approver, custodian=instead_of, day=today):
            raise ApprovalError(
                f"{approver} is no deputy of {instead_of} today, by the declaration of '{card.dataset.id}'. Ask {instead_of}."
            )
        if asked_by is not None and who(instead_of) == who(asked_by):
            raise ApprovalError(
                f"{instead_of} asked for {card.edition}, and no deputy can approve it in the same place."
            )
        approver = instead_of
    if card.approvers and who(approver) not in map(who, card.approvers):
        raise ApprovalError(f"{approver} is no custodian of '{card.dataset.id}'. Ask {', '.join(card.approvers)}.")


def is_approved(card: Card, decisions: Iterable[Approval]) -> bool:
    """Whether every approver has approved the card's plan, by each one's latest decision (``decisions``: oldest first).

    Returns:
        False if an approver refused or let it expire.

    Raises:
        ApprovalError: somebody has not decided (for example because the task of the approval was marked as done by hand).
    """
    latest = {who(made.custodian): made.decision for made in decisions}
    found = {approver: latest.get(who(approver)) for approver in card.approvers}
    if "refused" in found.values() or "expired" in found.values():
        return False
    missing = [approver for approver, decision in found.items() if decision is None]
    if missing:
        raise ApprovalError(
            f"{card.edition} may not be measured: the ledger has no decision of {', '.join(missing)}. "
            "Only the custodian's own answer counts; marking a task as done does not."
        )
    return True
