"""Approvals: custodians decide on one plan, by what one card shows of it and of the budget, until a date."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction

from sqlalchemy import Connection, RowMapping, select

from dp_stats.catalogue.models import Dataset
from dp_stats.errors import ApprovalError, LedgerError
from dp_stats.ledger import amounts, schema, sealing
from dp_stats.ledger.budget import who
from dp_stats.ledger.cards import ShownCard, kept_card, objections
from dp_stats.ledger.chain import Writer, instant, moment
from dp_stats.ledger.records import Approval, Category, Decision, Quote
from dp_stats.ledger.texts import line


def approvers_needed(
    dataset: Dataset, *, rho: Fraction, category: Category, unapproved: Fraction = Fraction(0)
) -> tuple[str, ...]:
    """Who must approve a release of ``dataset`` that costs ``rho`` per block.

    All custodians (by user name, else by name) of an ad hoc release, unless it and all that the analyst was charged
    without an approval before (``unapproved``, in the block where it is most) cost less than the dataset's
    ``no_approval_below`` together. Scheduled releases were approved with the catalogue.
    """
    if category == "scheduled" or rho + unapproved < dataset.budget.no_approval_below:
        return ()
    return custodians_of(dataset)


def custodians_of(dataset: Dataset) -> tuple[str, ...]:
    """All custodians, by user name where they have one, else by name."""
    return tuple(custodian.answers_as for custodian in dataset.custodians)


def may_stand_in(dataset: Dataset, user: str, *, custodian: str, day: date) -> bool:
    """Whether ``user`` is declared a deputy of a custodian on a day."""
    declared = (one for one in dataset.custodians if who(one.answers_as) == who(custodian))
    return any(who(user) == who(deputy) for one in declared for deputy in one.deputies_on(day))


def unapproved(connection: Connection, *, dataset: str, blocks: Sequence[str], requested_by: str) -> Fraction:
    """What an analyst's ad hoc requests that nobody had to approve hold of a block, in the block where it is most."""
    charge, made = schema.charges.c, schema.reservations.c
    query = (
        select(charge.block, charge.rho, charge.requested_by)
        .join(schema.reservations, made.id == charge.reservation)
        .where(charge.dataset == dataset, charge.block.in_(blocks), charge.state != "void")
        .where(charge.category == "adhoc", made.approvers == "[]")
    )
    held: dict[str, Fraction] = {}
    for row in connection.execute(query):
        if who(row.requested_by) == who(requested_by):
            held[row.block] = held.get(row.block, Fraction(0)) + Fraction(row.rho)
    return max(held.values(), default=Fraction(0))


def record(
    writer: Writer,
    *,
    plan_hash: str,
    approver: str,
    decision: Decision,
    reason: str,
    expires: datetime | None,
    shown: ShownCard | Mapping[str, Fraction | str],
    instead_of: str = "",
) -> Approval:
    """Append a decision, and keep the card that was shown by its hash; ``instead_of``: the custodian whose deputy decides.

    Raises:
        ApprovalError: an approval without an end in the future, or without the budget that was shown, or a decision
            on another plan than the card's.
    """
    card = shown if isinstance(shown, ShownCard) else None
    if card and card.plan != plan_hash:
        raise ApprovalError(
            "A decision counts for the plan whose card was shown, and for no other. Show the card again."
        )
    left: Mapping[str, Fraction | str] = shown.left if isinstance(shown, ShownCard) else shown
    if decision not in ("approved", "refused", "expired"):
        raise LedgerError("A decision is one of approved, refused and expired.")
    if decision == "approved":
        if expires is None or expires.tzinfo is None or expires <= writer.now:
            raise ApprovalError("An approval needs a time in the future, with its time zone, at which it expires.")
        if not left:
            raise ApprovalError("An approval needs the budget that was shown: the remaining ρ of each block.")
    named = {"card": card.hash} if card else {}
    named |= {"instead_of": line(instead_of, "custodian")} if instead_of else {}
    entry = writer.append(
        decision,
        {
            **named,
            "plan": line(plan_hash, "plan hash"),
            "approver": line(approver, "approver"),
            "decision": decision,
            "reason": line(reason, "reason", empty=True),
            "expires": instant(expires) if expires else None,
            "shown": {str(block): str(amounts.read(rho)) for block, rho in left.items()},
        },
    )
    if card:
        sealing.keep(writer.connection, {card.hash: card.content})
    row = writer.connection.execute(select(schema.approvals).where(schema.approvals.c.id == entry.sequence))
    return approval_of(row.mappings().one())


def approval_of(row: RowMapping) -> Approval:
    """An approval as stored."""
    shown = {block: Fraction(rho) for block, rho in json.loads(row["shown"]).items()}
    expires = moment(row["expires"]) if row["expires"] else None
    at, card = moment(row["at"]), row["card"] or ""
    return Approval(
        plan_hash=row["plan"],
        approver=row["approver"],
        decision=row["decision"],
        reason=row["reason"],
        expires=expires,
        shown=shown,
        at=at,
        card=card,
        instead_of=row["instead_of"] or "",
    )


def decisions(connection: Connection, plan_hash: str) -> list[Approval]:
    """Every decision on a plan, oldest first."""
    query = select(schema.approvals).where(schema.approvals.c.plan == plan_hash).order_by(schema.approvals.c.id)
    return [approval_of(row) for row in connection.execute(query).mappings()]


def decided_since(connection: Connection, since: datetime) -> list[Approval]:
    """Every decision that was made since a moment, oldest first."""
    at = schema.approvals.c.at
    query = select(schema.approvals).where(at >= instant(since)).order_by(schema.approvals.c.id)
    return [approval_of(row) for row in connection.execute(query).mappings()]


def history(connection: Connection, *, requested_by: str, purpose: str) -> list[tuple[Approval, ShownCard]]:
    """Decisions on what this person asked for or on this purpose, each with its card, the newest first.

    Decisions of versions that kept no card are left out.
    """
    query = select(schema.approvals).where(schema.approvals.c.card != "").order_by(schema.approvals.c.id.desc())
    found = []
    for row in connection.execute(query).mappings().all():
        card = kept_card(connection, row["card"])
        if who(card.requested_by) == who(requested_by) or who(card.purpose) == who(purpose):
            found.append((approval_of(row), card))
    return found


def require(
    connection: Connection,
    *,
    plan_hash: str,
    edition: str,
    revision: int,
    approvers: Sequence[str],
    requested_by: str,
    now: datetime,
    dataset: Dataset | None = None,
    purpose: str | None = None,
    quote: Quote | None = None,
) -> None:
    """Check that each of ``approvers`` has approved this plan, and that it still holds.

    Each one's latest decision counts, her own or a deputy's in her place, by what its card showed: this plan, cost and purpose,
    and a floor under what the blocks to be charged have left after it.

    Args:
        dataset: as declared, by whose deputies those who decided in another's place are checked; None: they were before.
        purpose: of what would be measured. quote: what it would cost now; None for either: already reserved, only
            the decision is checked.

    Raises:
        ApprovalError: who has not decided, has refused, decided too long ago, was promised more, or would approve
            their own request.
    """
    latest = {who(approval.custodian): approval for approval in decisions(connection, plan_hash)}
    problems = []
    for approver in approvers:
        approval = latest.get(who(approver))
        if who(approver) == who(requested_by):
            problems.append(f"{approver} asked for it and cannot approve it; name another custodian")
        elif approval is None:
            problems.append(f"{approver} has not decided on this plan")
        elif approval.instead_of and (no_deputy := _no_deputy(approval, dataset=dataset, requested_by=requested_by)):
            problems.append(no_deputy)
        elif approval.decision != "approved":
            problems.append(f"{approver} has {'refused it' if approval.decision == 'refused' else 'let it expire'}")
        elif approval.expires is None or approval.expires <= now:
            problems.append(f"the approval of {approver} has expired")
        elif approval.card:
            card = kept_card(connection, approval.card)
            found = objections(card, plan=plan_hash, revision=revision, purpose=purpose, quote=quote)
            problems += [f"{objection}, so the approval of {approver} does not count" for objection in found]
        else:
            problems += [f"{approver} {objection}" for objection in _without_card(approval, quote)]
    if problems:
        raise ApprovalError(
            f"{edition} may not be measured: {'; '.join(problems)}. Nothing was charged. "
            "Ask for approval of this plan again, with the budget as it is now."
        )


def _no_deputy(approval: Approval, *, dataset: Dataset | None, requested_by: str) -> str:
    """Why a decision in a custodian's place does not count; empty if it does."""
    if who(approval.approver) == who(requested_by):
        return f"{approval.approver} asked for it and cannot approve it in the place of {approval.custodian}"
    day = approval.at.date()
    if dataset is not None and not may_stand_in(dataset, approval.approver, custodian=approval.custodian, day=day):
        return f"{approval.approver} was not declared a deputy of {approval.custodian} on {day}"
    return ""


def _without_card(approval: Approval, quote: Quote | None) -> Iterator[str]:
    """Why a decision that names no card does not hold: as much must be left as was shown, before the charge."""
    remaining = (
        {state.block: state.remaining for state in quote.before if state.block in quote.charged} if quote else {}
    )
    changed = [b for b, rho in remaining.items() if b not in approval.shown or rho < approval.shown[b]]
    if changed:
        yield f"was shown another budget for block {', '.join(changed)} than is left now"
