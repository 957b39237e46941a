"""The register of data uses: who uses which data for what, on which basis, and what it has cost; a line per release."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

import pyarrow as pa
from pydantic import Field

from dp_stats.editions import claims, formats
from dp_stats.editions.edition import Edition, Facts, utc
from dp_stats.editions.privacy_record import rounded_up
from dp_stats.outlets import budgets
from dp_stats.outlets.budgets import BlockSpend, DatasetSpend
from dp_stats.texts.words import Texts


class DataUse(Facts):
    """One release in the register of data uses; fields follow the HDR UK Data Use Register. Lists are written with semicolons."""

    lead_organisation: str = Field(description="Who is answerable for the use.")
    title: str = Field(description="What the release is called.")
    release: str = Field(description="Its id.")
    lay_summary: str = Field(description="What it is about, in plain words.")
    public_benefit: str = Field(description="What it is good for.")
    purpose: str = Field(description="For which purpose it is made.")
    requested_by: str = Field(description="Who asked for it; empty where it is scheduled.")
    legal_basis: str = Field(description="On which basis the records are used.")
    datasets: str = Field(description="What the dataset is called.")
    custodians: str = Field(description="Who answers for the records.")
    opt_outs_applied: bool = Field(description="Whether people who opted out were removed.")
    linkage: str = Field(description="Which records were linked, and how.")
    access_type: str = Field(description="Who may have the figures.")
    approvals: str = Field(description="Who decided on it, and when.")
    first_published: str = Field(description="When its first edition was published.")
    latest_published: str = Field(description="When its newest edition was published.")
    outputs: str = Field(description="Address of its page; empty where it is not public.")
    privacy_unit: str = Field(description="What the guarantee protects.")
    epsilon: float = Field(description="ε of an edition, rounded up.")
    delta: float = Field(description="δ at which it is said.")
    epsilon_spent: str = Field(
        description="ε that all uses of the dataset have spent, for each block that the release touches."
    )
    epsilon_cap: str = Field(description="The most that may be spent in each.")
    rho_remaining: str = Field(description="ρ that is left in each.")
    rho_spent: str = Field(description="ρ that is spent in each, exact.")
    charges: str = Field(description="How many charges each has paid; empty where no log tells.")
    charges_not_public: str = Field(description="How many of them are for uses that are not public.")
    as_of: str = Field(description="When the newest edition that these amounts hold was published.")
    revisions: str = Field(description="Every revision after the first: path, kind and reason.")
    agreement: str = Field(description="The data-sharing agreement that it is made under.")
    also_charged: str = Field(
        description="What other datasets paid, which hold records that it uses, and what they have spent."
    )
    audience: str = Field(description="`public`, or `restricted` to organisations.")
    checksums: str = Field(description="Of editions that are not public: path and SHA-256 of their `SHA256SUMS`.")


def data_use(
    published: Sequence[Edition],
    *,
    spend: DatasetSpend | None,
    base_url: str,
    texts: Texts,
    checksums: Mapping[str, str] = MappingProxyType({}),
    holders: Mapping[str, DatasetSpend] = MappingProxyType({}),
) -> DataUse:
    """The record of a release, from all its editions in order of time, and what all uses of its dataset have spent.

    Args:
        holders: what has been spent of the datasets whose records it uses, among others.
        checksums: of editions that are not public: path → SHA-256 of their ``SHA256SUMS``.
    """
    last = max(published, key=lambda e: (e.period.end, e.revision.number))
    release, dataset = last.release, last.dataset
    touched = {block for e in published for block in e.guarantee.blocks}
    blocks = [spend.blocks[name] for name in sorted(touched & spend.blocks.keys())] if spend else []

    def said(amount: Callable[[BlockSpend], str]) -> str:
        """``2021: 0.43; 2022: 0.43``, of the blocks that the release touches."""
        known = ((block.block, amount(block)) for block in blocks)
        return "; ".join(f"{name}: {text}" for name, text in known if text)

    return DataUse(
        lead_organisation=release.publisher or dataset.custodians[0].name,
        title=release.title,
        release=release.id,
        lay_summary=release.summary,
        public_benefit=release.public_benefit,
        purpose=claims.purpose(release, dataset, texts),
        requested_by=release.requested_by or "",
        legal_basis=claims.legal_basis(dataset, texts),
        datasets=dataset.title,
        custodians="; ".join(c.name for c in dataset.custodians),
        opt_outs_applied=dataset.opt_outs_applied,
        linkage=claims.linked(dataset, texts),
        access_type=claims.access(release, texts),
        approvals=claims.approvals(published, texts),
        first_published=utc(min(e.published for e in published)),
        latest_published=utc(last.published),
        outputs=f"{base_url}/{release.id}/index.html" if release.audience == "public" else "",
        privacy_unit=texts("use.unit", unit=last.guarantee.unit, per=texts(f"per.{last.guarantee.per}")),
        epsilon=rounded_up(Fraction(last.guarantee.epsilon)),
        delta=float(last.guarantee.delta),
        epsilon_spent=said(lambda b: budgets.amounts(texts, b)[0]),
        epsilon_cap=said(lambda b: budgets.amounts(texts, b)[1]),
        rho_remaining=said(lambda b: texts.significant(float(b.remaining), digits=4)),
        rho_spent=said(lambda b: str(b.spent)),
        charges=said(lambda b: "" if b.charges is None else str(b.charges)),
        charges_not_public=said(lambda b: "" if b.charges is None else str(b.not_public)),
        as_of=utc(spend.as_of) if spend else "",
        revisions="; ".join(
            f"{e.path} ({e.revision.kind}): {e.revision.reason}" for e in published if e.revision.kind != "first"
        ),
        agreement=claims.agreement(dataset, texts),
        also_charged=f"{claims.draws(last, texts)} {budgets.said_of_holders(texts, last, holders)}".strip(),
        audience=release.audience,
        checksums="; ".join(f"{path} {checksum}" for path, checksum in checksums.items()),
    )


def register_json(uses: Sequence[DataUse]) -> bytes:
    """The register as JSON."""
    return formats.json_bytes([use.model_dump(mode="json") for use in uses])


def register_csv(uses: Sequence[DataUse], texts: Texts) -> bytes:
    """The register as CSV, a line per release."""
    rows = [use.model_dump(mode="json") for use in uses]
    columns = {name: pa.array([_cell(row[name], texts) for row in rows], pa.string()) for name in DataUse.model_fields}
    return formats.csv_bytes(pa.table(columns))


def _cell(value: object, texts: Texts) -> str:
    return texts("use.yes" if value else "use.no") if isinstance(value, bool) else str(value)
