"""Reserving: one edition's right to be measured, and the charges it makes; voiding gives unused ones back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from dp_stats import written
from dp_stats.catalogue.models import Dataset
from dp_stats.errors import ApprovalError, LedgerError
from dp_stats.ledger import agreeing, amounts, approving, budget, drawing, schema, sealing
from dp_stats.ledger.chain import Writer
from dp_stats.ledger.records import Category, Quote, Reservation
from dp_stats.ledger.reservations import by_id, current, latest, of_release, sharing
from dp_stats.ledger.texts import line
from dp_stats.plan import accounting
from dp_stats.plan.model import Plan
from dp_stats.plan.sealed import SealedPlan


def key_of(plan: Plan, revision: int) -> str:
    """What is charged: the series or the plan, and the revision if above 1 (a correction is paid again)."""
    key = plan.series_hash if plan.series else plan.hash
    return key if revision == 1 else f"{key}+r{revision}"


_MEASURED = (
    "{edition} (revision {revision}) has been measured with another plan. An edition is never measured again: restore its "
    "catalogue, or make revision {next} with a reason, which is a new charge."
)


def reserve(
    writer: Writer,
    sealed: SealedPlan,
    *,
    dataset: Dataset,
    holders: Mapping[str, Dataset],
    revision: int,
    category: Category,
    requested_by: str,
    reason: str,
    run: str,
    required_approvers: Sequence[str],
    new_series: bool,
) -> Reservation:
    """Reserve a plan for its edition at ``revision`` and keep it sealed; the same again costs nothing.

    Raises:
        LedgerError: another plan was measured for this edition and revision, a correction has no reason, or
            plan and dataset do not belong together.
        BudgetError, ApprovalError, AgreementError: it is not allowed; nothing was written.
    """
    plan = sealed.plan
    check(plan, dataset=dataset, revision=revision, category=category)
    requested_by = line(requested_by, "name of who asks")
    reason = line(reason, "reason of a correction", empty=revision == 1)
    approvers = tuple(line(approver, "approver") for approver in required_approvers)
    existing = current(writer.connection, plan.edition, revision)
    if existing and existing.plan_hash == plan.hash:
        if existing.state == "reserved":
            require_approvals(writer.connection, existing, now=writer.now, also=approvers)
            agreeing.require_in_force(writer.connection, existing, now=writer.now)
        return existing
    agreeing.require(writer.connection, sealed, dataset=dataset, now=writer.now)
    if existing and existing.state in ("spent", "stored"):
        raise LedgerError(_MEASURED.format(edition=plan.edition, revision=revision, next=revision + 1))
    if existing is None:
        _require_free(writer.connection, plan, revision, sealed.release.formerly)
    else:
        void(writer, existing, reason=f"replaced by another plan ({plan.hash[:12]})")
    ask = partial(
        quoted, writer.connection, plan, dataset=dataset, holders=holders, revision=revision, category=category
    )
    quote = ask(requested_by=requested_by, formerly=sealed.release.formerly)
    _want_new_series(plan, quote, wanted=new_series)
    approvers = tuple(dict.fromkeys((*approvers, *quote.approvers)))
    approving.require(
        writer.connection,
        plan_hash=plan.hash,
        edition=plan.edition,
        revision=revision,
        approvers=approvers,
        requested_by=requested_by,
        now=writer.now,
        dataset=dataset,
        purpose=sealed.release.purpose,
        quote=quote,
    )
    budget.require(quote.refusals, dataset=dataset, edition=plan.edition, revision=revision)
    sealing.keep(writer.connection, sealed.parts)
    said = {"category": category, "requested_by": requested_by, "reason": reason, "run": line(run, "run", empty=True)}
    entry = writer.append(
        "reserved",
        {**_charge(sealed, quote, dataset=dataset, revision=revision), **said, "approvers": list(approvers)},
    )
    return by_id(writer.connection, entry.sequence)


def _charge(sealed: SealedPlan, quote: Quote, *, dataset: Dataset, revision: int) -> dict[str, Any]:
    """What an entry says of what is charged, to whom, and under which agreement."""
    plan = sealed.plan
    return {
        "aside": sealed.aside,
        "dataset": dataset.id,
        "release": plan.release,
        "period": plan.period,
        "edition": plan.edition,
        "revision": revision,
        "plan": plan.hash,
        "key": key_of(plan, revision),
        "series": plan.series,
        "blocks": list(plan.blocks),
        "charged": list(quote.charged),
        "rho": str(quote.rho),
        "cap": str(amounts.cap_of(dataset.budget)),
        "delta": str(accounting.delta_of(dataset.budget)),
        "block_kind": plan.block_kind,
        **_agreement(sealed),
        **drawing.payload(quote.drawn),
    }


def _agreement(sealed: SealedPlan) -> dict[str, Any]:
    """The agreement that an entry is made under, where there is one."""
    made = sealed.agreement
    return {"agreement": {"id": made.id, "version": made.version, "hash": sealed.agreement_hash}} if made else {}


def _require_free(connection: Connection, plan: Plan, revision: int, formerly: Sequence[str]) -> None:
    """Refuse to measure under the number of a revision that was made of earlier measurements and late rows, or again a
    period that was measured under a former name of its release.

    Raises:
        LedgerError: there is such a revision, or such an edition.
    """
    edition = plan.edition
    c = schema.descriptions.c
    if connection.execute(select(c.revision).where(c.edition == edition, c.revision == revision)).first() is not None:
        raise LedgerError(
            f"{edition} (revision {revision}) is published already, made of the measurements of an earlier revision. A "
            f"correction needs the next number that is free, such as {revision + 1}."
        )
    for name in formerly:
        former = f"{name}/{plan.period}"
        if current(connection, former, 1) is not None:
            raise LedgerError(
                f"{edition} is {former}, which was made before the release was renamed. Let 'start' be the first day that is "
                "published under the new name; to correct an earlier edition, give the release its former name back."
            )


def resume(
    writer: Writer, sealed: SealedPlan, *, dataset: Dataset, holders: Mapping[str, Dataset], revision: int
) -> Reservation:
    """The reservation to measure with: as it stands, or made again as it was if it was given back.

    Raises:
        LedgerError: nothing was reserved for the edition, or its last reservation is of another plan.
        BudgetError, ApprovalError: it was given back and is not allowed any more.
    """
    plan = sealed.plan
    last = latest(writer.connection, plan.edition, revision)
    if last is None:
        raise LedgerError(f"Nothing is reserved for {plan.edition}/r{revision}. Run the reserve step first.")
    if last.plan_hash != plan.hash:
        raise LedgerError(
            f"Another plan was reserved for {plan.edition}/r{revision} while this run began to measure. Nothing was drawn. "
            "Run it again from the pull step."
        )
    return reserve(
        writer,
        sealed,
        dataset=dataset,
        holders=holders,
        revision=revision,
        category=last.category,
        requested_by=last.requested_by,
        reason=last.reason,
        run=last.run,
        required_approvers=approving.approvers_needed(dataset, rho=plan.rho, category=last.category),
        new_series=True,  # who reserved it has said so
    )


def _want_new_series(plan: Plan, quote: Quote, *, wanted: bool) -> None:
    """Ask for a yes before blocks that the release has paid for are charged again.

    Raises:
        ApprovalError: nobody said yes.
    """
    if quote.again and not wanted:
        raise ApprovalError(
            f"{plan.edition} would start a new series, because what bounds or measures it has changed: "
            f"{' and '.join(quote.again)} would be charged ρ = {written.rho(quote.rho)} again. Undo the edit, or say that "
            "you want it (--new-series; in Airflow the run's parameter 'new_series')."
        )


def check(plan: Plan, *, dataset: Dataset, revision: int, category: Category) -> None:
    """Whether a reservation makes sense at all.

    Raises:
        LedgerError: what does not fit.
    """
    if plan.dataset != dataset.id:
        raise LedgerError(f"The plan of {plan.edition} is for dataset '{plan.dataset}', not '{dataset.id}'.")
    if plan.block_kind != dataset.privacy_unit.per:
        raise LedgerError(
            f"The plan of {plan.edition} counts blocks per {plan.block_kind}, dataset '{dataset.id}' per "
            f"{dataset.privacy_unit.per}. Make the plan again."
        )
    if revision < 1 or not plan.blocks or plan.rho <= 0:
        raise LedgerError(
            f"The plan of {plan.edition} (revision {revision}) needs a revision from 1, a block and a cost."
        )
    if category not in ("scheduled", "adhoc"):
        raise LedgerError("The category of a charge is scheduled or adhoc.")


def quoted(
    connection: Connection,
    plan: Plan,
    *,
    dataset: Dataset,
    holders: Mapping[str, Dataset],
    revision: int,
    category: Category,
    requested_by: str,
    formerly: Sequence[str] = (),
) -> Quote:
    """What reserving ``plan`` would cost now, and what would forbid it.

    Args:
        holders: the datasets that pay as well (``plan.draws``), by id.

    Raises:
        LedgerError: the dataset's blocks were of another kind so far, or the series was charged less.
    """
    kind = connection.execute(
        select(schema.datasets.c.block_kind).where(schema.datasets.c.dataset == dataset.id)
    ).scalar_one_or_none()
    if kind not in (None, plan.block_kind):
        raise LedgerError(
            f"Dataset '{dataset.id}' has spent budget per {kind}; it cannot be counted per {plan.block_kind} as well, "
            "because the same rows would be paid from two budgets. Restore privacy_unit.per."
        )
    rho = amounts.charge_of(plan.rho)
    charged = _uncharged(connection, plan, rho=rho, revision=revision)
    standing = current(connection, plan.edition, revision)
    before = budget.block_budgets(
        connection,
        dataset=dataset.id,
        blocks=plan.blocks,
        cap=amounts.cap_of(dataset.budget),
        delta=accounting.delta_of(dataset.budget),
    )
    drawn = drawing.drawn_of(
        connection, plan, charged=charged, rho=rho, holders=holders, category=category, requested_by=requested_by
    )
    lines = budget.refusals(
        {block: before[block] for block in charged},
        rho=rho,
        budget=dataset.budget,
        category=category,
        requested_by=requested_by,
    )
    lines = (*lines, *drawing.refusals(drawn, holders=holders, category=category, requested_by=requested_by))
    held = approving.unapproved(connection, dataset=dataset.id, blocks=charged, requested_by=requested_by)
    needed = approving.approvers_needed(dataset, rho=rho, category=category, unapproved=held)
    if drawing.needs_approval(connection, drawn, holders=holders, category=category, requested_by=requested_by):
        needed = approving.custodians_of(dataset)
    return Quote(
        rho=rho,
        charged=charged,
        before=tuple(before.values()),
        remaining_after={b: s.remaining - (rho if b in charged else 0) for b, s in before.items()},
        refusals=lines,
        approvers=needed if charged else (),
        measured=standing is not None and standing.plan_hash == plan.hash and standing.state == "stored",
        again=_paid_by_another_series(connection, plan, charged, formerly) if revision == 1 else (),
        limits={
            block: budget.limits(state, budget=dataset.budget, category=category, requested_by=requested_by)
            for block, state in before.items()
        },
        drawn=drawn,
    )


def _uncharged(connection: Connection, plan: Plan, *, rho: Fraction, revision: int) -> tuple[str, ...]:
    """The plan's blocks that its key has not paid for."""
    c = schema.charges.c
    rows = connection.execute(
        select(c.block, c.rho).where(c.dataset == plan.dataset, c.key == key_of(plan, revision), c.state != "void")
    )
    paid = {row.block: Fraction(row.rho) for row in rows}
    if any(paid.get(block, rho) < rho for block in plan.blocks):
        raise LedgerError(
            f"The plan of {plan.edition} costs more than its series has paid. A series must cost the same in every "
            "edition; restore its catalogue or declare a new release."
        )
    return tuple(dict.fromkeys(block for block in plan.blocks if block not in paid))


def _paid_by_another_series(
    connection: Connection, plan: Plan, charged: Sequence[str], formerly: Sequence[str]
) -> tuple[str, ...]:
    """The blocks about to be charged that another series of the same release uses already (this one has paid for its own)."""
    if not plan.series:
        return ()
    used = {
        block
        for other in of_release(connection, dataset=plan.dataset, release=plan.release, formerly=formerly)
        if other.series and other.revision == 1 and other.edition != plan.edition
        for block in other.blocks
    }
    return tuple(block for block in charged if block in used)


def void(writer: Writer, reservation: Reservation, *, reason: str) -> Reservation:
    """Give back what a reservation charged, except what another edition of its series uses.

    Raises:
        LedgerError: something was spent by it, so its measurements may have been seen.
    """
    if reservation.state == "void":
        return reservation
    if reservation.state != "reserved":
        raise LedgerError(
            f"{reservation.edition} (revision {reservation.revision}) has been spent and cannot be void: what was "
            "measured cannot be unmeasured. Correct it by a new revision."
        )
    users = [other for other in sharing(writer.connection, reservation) if other.id != reservation.id]
    used = {block for other in users for block in other.blocks}
    released = [block for block in reservation.blocks if block not in used]
    writer.append(
        "void",
        {
            "reservation": reservation.id,
            "dataset": reservation.dataset,
            "key": reservation.key,
            "edition": reservation.edition,
            "revision": reservation.revision,
            "released": released,
            "reason": line(reason, "reason"),
        },
    )
    return by_id(writer.connection, reservation.id)


def require_approvals(
    connection: Connection, reservation: Reservation, *, now: datetime, also: Sequence[str] = ()
) -> None:
    """Check that a reservation's approvals still hold (what they were shown was checked when it was made)."""
    approving.require(
        connection,
        plan_hash=reservation.plan_hash,
        edition=reservation.edition,
        revision=reservation.revision,
        approvers=tuple(dict.fromkeys((*reservation.approvers, *also))),
        requested_by=reservation.requested_by,
        now=now,
    )
