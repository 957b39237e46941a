"""Whose records an edition was made from, on what basis, under which agreement, and which other budgets paid."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from dp_stats.editions.across_facts import Facts
from dp_stats.plan.model import Exact


class RecordsFacts(Facts):
    """One of several tables about the same people."""

    name: str = Field(description="What the declaration calls it.")
    custodian: str = Field(description="Who holds it.")
    opt_outs_applied: bool = Field(description="Whether its custodian has a list of people who opted out.")
    legal_basis: str = Field("", description="Why its custodian may share it, as agreed.")
    until: date | None = Field(None, description="The last day on which it may be used, as agreed.")
    paid_by: str | None = Field(
        None, description="The dataset whose budget pays as well, because it holds these records."
    )


class PartyFacts(Facts):
    """Somebody who has agreed."""

    name: str = Field(description="What the body is called.")
    role: str = Field(description="`custodian`, `processor` or `user`.")
    signed: date = Field(description="When it signed this version.")


class AgreementFacts(Facts):
    """The data-sharing agreement that the plan was sealed with."""

    id: str = Field(description="Its name.")
    title: str = Field(description="What readers call it.")
    version: int = Field(description="Its version.")
    sha256: str = Field(description="SHA-256 of its text, as the ledger has it.")
    purpose: str = Field(description="For which of the agreed purposes the edition was made, in words.")
    parties: tuple[PartyFacts, ...] = Field(description="Who has agreed.")
    ends: date = Field(description="The last day on which anything is measured under it.")
    review: date = Field(description="The day by which the parties look at it again.")


class RecipientFacts(Facts):
    """An organisation that a restricted edition is made for."""

    id: str = Field(description="Its name.")
    name: str = Field(description="What the public register calls it.")
    basis: str = Field("", description="On what basis it gets figures: its contract or the law.")


class DrawFacts(Facts):
    """What a charge of the edition cost another dataset, whose records it uses."""

    dataset: str = Field(description="The dataset whose budget paid as well.")
    rho: Exact = Field(description="ρ for each block that was charged, exact.")
    epsilon: float = Field(description="The same as ε at the edition's δ.")
