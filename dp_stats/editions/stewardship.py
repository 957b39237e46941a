"""Whose records an edition is made from, and under which agreement: from what was sealed with its plan, as facts."""

from __future__ import annotations

from collections.abc import Mapping

from dp_stats.catalogue.models import Agreement, Dataset, Organisation, Release
from dp_stats.editions.edition import DatasetFacts, LinkFacts, PersonFacts
from dp_stats.editions.stewardship_facts import AgreementFacts, DrawFacts, PartyFacts, RecipientFacts, RecordsFacts
from dp_stats.plan.accounting import epsilon_at
from dp_stats.plan.model import Plan
from dp_stats.plan.sealed import agreement_hash
from dp_stats.texts.numbers import rounded


def dataset_facts(dataset: Dataset, release: Release, agreement: Agreement | None) -> DatasetFacts:
    """The records, as the public may know them."""
    return DatasetFacts(
        id=dataset.id,
        title=dataset.title,
        description=dataset.description,
        custodians=tuple(PersonFacts(name=c.name, email=c.email) for c in dataset.custodians),
        region=dataset.region,
        legal_basis=dataset.legal_basis,
        opt_outs_applied=bool(dataset.opt_out_lists),
        records=_records(dataset, agreement),
        agreement=_agreement(agreement, release) if agreement else None,
        links=tuple(
            LinkFacts(
                table=name, custodian=table.link.custodian, version=table.link.version, quality=table.link.quality
            )
            for name, table in dataset.tables.items()
            if table.link is not None
        ),
    )


def recipient_facts(release: Release, known: Mapping[str, Organisation]) -> tuple[RecipientFacts, ...]:
    """Whom a restricted release is made for; who is not declared any more keeps her id."""
    return tuple(
        RecipientFacts(id=name, name=known[name].name, basis=known[name].basis)
        if name in known
        else RecipientFacts(id=name, name=name)
        for name in release.organisations
    )


def draw_facts(plan: Plan) -> tuple[DrawFacts, ...]:
    """What other datasets paid."""
    return tuple(
        DrawFacts(
            dataset=draw.dataset,
            rho=plan.rho * draw.times,
            epsilon=rounded(epsilon_at(plan.rho * draw.times, plan.delta), digits=6),
        )
        for draw in plan.draws
    )


def _records(dataset: Dataset, agreement: Agreement | None) -> tuple[RecordsFacts, ...]:
    shared = agreement.tables if agreement else {}
    return tuple(
        RecordsFacts(
            name=name,
            custodian=table.custodian,
            opt_outs_applied=table.opt_outs is not None,
            legal_basis=shared[name].legal_basis if name in shared else "",
            until=shared[name].until if name in shared else None,
            paid_by=table.budget_of,
        )
        for name, table in dataset.tables.items()
    )


def _agreement(agreement: Agreement, release: Release) -> AgreementFacts:
    return AgreementFacts(
        id=agreement.id,
        title=agreement.title,
        version=agreement.version,
        sha256=agreement_hash(agreement),
        purpose=agreement.purposes.get(release.agreed_purpose or "", ""),
        parties=tuple(PartyFacts(name=p.name, role=p.role, signed=p.signed) for p in agreement.parties),
        ends=agreement.last_day,
        review=agreement.review,
    )
