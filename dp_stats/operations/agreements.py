"""Whether what is declared can run under its data-sharing agreements, today and soon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from dp_stats.catalogue import Catalogue
from dp_stats.errors import AgreementError
from dp_stats.ledger.agreeing import why_not_measured
from dp_stats.ledger.amounts import cap_of
from dp_stats.plan.sealed import SealedPlan

SOON = timedelta(days=90)
"""So long before its end an agreement is warned about."""


def review_agreements(catalogue: Catalogue, plans: Iterable[SealedPlan], today: date) -> list[str]:
    """What there is to be said of agreements; that they are kept has been checked with each declaration.

    Args:
        plans: of an edition of every release that is under one.

    Raises:
        AgreementError: one has ended, a budget is larger than what is agreed, or a plan measures what is not.
    """
    faults = [*_ended(catalogue, today), *_budgets(catalogue)]
    faults += [f"{plan.release.id}: {why}" for plan in plans for why in why_not_measured(plan)]
    if faults:
        raise AgreementError("\n".join(faults))
    return list(_soon(catalogue, today))


def _ended(catalogue: Catalogue, today: date) -> Iterator[str]:
    for agreement in catalogue.agreements.values():
        if today >= agreement.starts:
            for why in agreement.why_not_on(today):
                yield (
                    f"agreements/{agreement.id}.yaml: {why}, so nothing more of {', '.join(agreement.datasets)} can be measured. "
                    "Have the parties sign a new version, or take its datasets out; what is published stays."
                )


def _budgets(catalogue: Catalogue) -> Iterator[str]:
    for dataset in catalogue.datasets.values():
        agreement = catalogue.agreement_of(dataset)
        if agreement is not None and cap_of(dataset.budget) > cap_of(agreement.budget):
            yield (
                f"datasets/{dataset.id}.yaml: budget: is larger than that of the agreement '{agreement.id}'. Declare one that is "
                "no larger, or have the parties agree on more."
            )


def _soon(catalogue: Catalogue, today: date) -> Iterator[str]:
    for agreement in catalogue.agreements.values():
        if today < agreement.starts:
            yield f"The agreement '{agreement.id}' starts on {agreement.starts}; nothing can be measured before."
        elif agreement.last_day - today <= SOON:
            yield f"The agreement '{agreement.id}' ends on {agreement.last_day}, or some table's part in it."
        if today > agreement.review:
            yield f"The agreement '{agreement.id}' was to be reviewed by {agreement.review}."
        unused = [name for name in agreement.datasets if name not in catalogue.datasets]
        if unused:
            yield f"The agreement '{agreement.id}' covers {', '.join(unused)}, which is not declared."
