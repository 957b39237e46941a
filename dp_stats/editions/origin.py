"""Why there is a revision, and from what it can be made again."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dp_stats.editions.across_facts import Facts

RevisionStatus = Literal["provisional", "final", "superseded", "retracted"]
RevisionKind = Literal["first", "correction", "late", "format", "method", "sources", "unscheduled"]


class RevisionFacts(Facts):
    """Which revision this is and why; ``status`` is the status at publication (see ``revisions`` for later)."""

    number: int = Field(1, ge=1, description="1, 2, …")
    kind: RevisionKind = Field("first", description="Why there is this revision.")
    status: RevisionStatus = Field("final", description="Its status at publication.")
    reason: str = Field("", description="Why, in words; empty for the first.")
    supersedes: int | None = Field(None, description="Number of the revision before; null for the first.")
    remeasured: bool = Field(False, description="Whether noise was drawn again, which costs budget.")
    adds: tuple[str, ...] = Field(
        (),
        description="Later editions (`release/period`) that measured the records which arrived late; absent where none did.",
        exclude_if=lambda adds: not adds,
    )
    measurements: int | None = Field(
        None,
        description="Number of the revision whose stored measurements it is made of; absent where they are its own, or where "
        "late records are added to the first's.",
        exclude_if=lambda number: number is None,
    )


class ProvenanceFacts(Facts):
    plan_hash: str = Field(description="Hash of the plan, which is what was approved.")
    series_hash: str = Field(description="Hash of what the editions of a series share; null where it is none.")
    declaration_hash: str = Field("", description="SHA-256 of the dataset's and the release's declarations.")
    commit: str = Field(
        "",
        description="Version of the declarations that its plan was made from: the Git commit, with `-dirty` after it where they "
        "were edited since; empty where they are under no version control.",
    )
    versions: dict[str, str] = Field({}, description="Library → version.")
    estimator: int = Field(
        1,
        ge=1,
        description="Version of the method by which the values were estimated from the noisy measurements; absent where it "
        "is the first.",
        exclude_if=lambda number: number == 1,
    )
