"""One line of the register of data uses: who uses which data for what, on which basis, and what it has cost."""

from __future__ import annotations

from pydantic import Field

from dp_stats.editions.edition import Facts


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
