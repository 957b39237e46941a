"""Whether a data-sharing agreement allows a charge: what is agreed, in force, and the newest version that is known.

What is asked is the agreement in the sealed plan itself, inside the transaction that charges, so that the agreement that
was checked is the one under whose hash the charge stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

from sqlalchemy import Connection, select

from dp_stats.catalogue.models import Agreement, Dataset
from dp_stats.errors import AgreementError
from dp_stats.ledger import amounts, schema, sealing
from dp_stats.ledger.records import Reservation
from dp_stats.plan.sealed import SealedPlan


def require(connection: Connection, sealed: SealedPlan, *, dataset: Dataset, now: datetime) -> None:
    """Check that what is about to be reserved is allowed by the agreement that its plan was sealed with.

    Args:
        dataset: as it is declared now, with the budget that will be charged.

    Raises:
        AgreementError: every reason why not.
    """
    agreement = sealed.agreement
    if agreement is None:
        if sealed.dataset.agreement is not None or dataset.agreement is not None:
            _refuse(sealed.plan.edition, dataset.agreement or "", ["the plan was made without it; make it again"])
        return
    if found := list(_objections(connection, agreement, sealed, dataset=dataset, now=now)):
        _refuse(sealed.plan.edition, agreement.id, found)


def _objections(
    connection: Connection, agreement: Agreement, sealed: SealedPlan, *, dataset: Dataset, now: datetime
) -> Iterator[str]:
    if {sealed.dataset.agreement, dataset.agreement} != {agreement.id}:
        yield f"dataset '{dataset.id}' is under '{dataset.agreement}'"
    yield from agreement.why_not_on(day_of(now))
    yield from agreement.why_not_of(sealed.dataset)
    yield from agreement.why_not_for(sealed.release, sealed.dataset)
    yield from why_not_measured(sealed)
    if amounts.cap_of(dataset.budget) > amounts.cap_of(agreement.budget):
        yield "the dataset's budget is larger than the agreement's"
    c = schema.agreements.c
    known = connection.execute(select(c.version, c.hash).where(c.agreement == agreement.id).order_by(c.version)).all()
    if known and known[-1].version > agreement.version:
        yield f"version {known[-1].version} is in use, and this is version {agreement.version}"
    if any(row.version == agreement.version and row.hash != sealed.agreement_hash for row in known):
        yield f"its text has changed, and it is still called version {agreement.version}; raise 'version'"


def why_not_measured(sealed: SealedPlan) -> Iterator[str]:
    """Why a table that the plan measures, and that is published with its noise, is at a level that is not agreed on."""
    agreement = sealed.agreement
    if agreement is None:
        return
    tops = {dimension.name: dimension.top.name for dimension in sealed.grid.dimensions}
    for table in sealed.plan.tables:
        told = {name: level for name, level in table.levels.items() if level != tops[name]}
        yield from (
            f"the plan measures {table.id}: {why}" for why in agreement.why_not_by(told, sealed.release, sealed.dataset)
        )


def require_in_force(connection: Connection, reservation: Reservation, *, now: datetime) -> None:
    """Check that the agreement under which something was reserved has not ended since.

    Raises:
        AgreementError: it has.
    """
    if not reservation.agreement:
        return
    content = sealing.closure(connection, (), leaves=(reservation.agreement,))[reservation.agreement]
    agreement = Agreement.model_validate(json.loads(content))
    if found := list(agreement.why_not_on(day_of(now))):
        _refuse(reservation.edition, agreement.id, found)


def day_of(now: datetime) -> date:
    """The day on which agreements begin and end, everywhere the same."""
    return now.astimezone(UTC).date()


def _refuse(edition: str, name: str, reasons: list[str]) -> None:
    raise AgreementError(
        f"{edition} may not be measured, by the agreement '{name}':\n  "
        + "\n  ".join(reasons)
        + "\nNothing was charged. "
        "Stay within what is agreed, or have the parties sign a new version."
    )
