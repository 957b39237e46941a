"""What the ledger hands out: entries, reservations, charges, budgets and stored measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

from dp_stats.ledger import amounts
from dp_stats.plan.series import Series
from dp_stats.transparency.leaves import Head as LogHead

Category = Literal["scheduled", "adhoc"]
State = Literal["reserved", "spent", "stored", "void"]
Decision = Literal["approved", "refused", "expired"]


@dataclass(frozen=True)
class Head:
    """The last entry's number and hash. Kept elsewhere, it proves later that nothing was cut off or rewritten."""

    sequence: int
    hash: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"


@dataclass(frozen=True)
class Verified:
    """A whole ledger: its head, and how many entries were checked."""

    head: Head
    entries: int


@dataclass(frozen=True)
class Entry:
    """One link of the chain: something that happened, never changed afterwards."""

    sequence: int
    at: datetime
    event: str
    payload: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True)
class Reservation:
    """The right to measure one edition at one revision.

    Attributes:
        id: number of its entry.
        key: what is charged: the series for all its editions, else the plan; with the revision if above 1.
        blocks: every block its rows can fall in. charged: those that this reservation was the first to charge.
        rho: cost per newly charged block, rounded up to the grain.
        approvers: who must have approved; checked again when it is spent.
        aside: the document of names and texts beside the sealed plan; empty if it was made before plans were sealed.
        agreement: the hash of the data-sharing agreement under which it was made; empty where there was none.
        state: ``reserved`` → ``spent`` (before any draw) → ``stored``; or ``void``.
    """

    id: int
    dataset: str
    release: str
    period: str
    edition: str
    revision: int
    plan_hash: str
    key: str
    series: bool
    blocks: tuple[str, ...]
    charged: tuple[str, ...]
    rho: Fraction
    category: Category
    requested_by: str
    reason: str
    run: str
    approvers: tuple[str, ...]
    state: State
    at: datetime
    aside: str = ""
    agreement: str = ""

    @property
    def paid_before_reading(self) -> bool:
        """Whether its charge is spent before the first of its rows is read: that of a request, and of a correction.

        So while it is only reserved none has been read, and it may be given back without telling anything of them.
        """
        return self.category == "adhoc" or self.revision > 1


@dataclass(frozen=True)
class KnownSeries:
    """A series of a release that has been charged, and the blocks it has paid for."""

    series: Series
    paid: frozenset[str]


@dataclass(frozen=True)
class RegisterEntry:
    """One version of the contribution register of a charge: which file, written by which edition.

    ``sequence`` runs 1, 2, 3 … without gaps per charge, so ``expected`` of the next entry is the number of
    entries. ``replaced``: the same edition has registered again, or its reservation is void; its file no
    longer counts.
    """

    sequence: int
    edition: str
    revision: int
    reservation: int
    digest: str
    replaced: bool
    at: datetime


@dataclass(frozen=True)
class StoredMeasurements:
    """The one set of noisy measurements of an edition, as bytes, with their SHA-256."""

    edition: str
    revision: int
    reservation: int
    plan_hash: str
    stored: bytes = field(repr=False)
    checksum: str
    at: datetime


@dataclass(frozen=True)
class Approval:
    """A custodian's decision on one plan, made while seeing ``shown`` (block → remaining ρ).

    ``card`` is the hash of all that was shown; empty for a decision that an earlier version recorded. ``instead_of`` is the
    custodian in whose place a deputy decided; empty where the approver is the custodian.
    """

    plan_hash: str
    approver: str
    decision: Decision
    reason: str
    expires: datetime | None
    shown: Mapping[str, Fraction]
    at: datetime
    card: str = ""
    instead_of: str = ""

    @property
    def custodian(self) -> str:
        """Whose decision it is, whoever made it."""
        return self.instead_of or self.approver

    @property
    def by(self) -> str:
        """Who made it and in whose place, in words."""
        return in_place_of(self.approver, self.instead_of)


def in_place_of(approver: str, custodian: str) -> str:
    """Who decided, in words: ``approver``, in the place of ``custodian`` if one is named."""
    return f"{approver} in the place of {custodian}" if custodian else approver


@dataclass(frozen=True)
class Publication:
    """An edition's files as published: the SHA-256 of their ``SHA256SUMS``, and what made them (library → version).

    ``software`` is empty where an earlier version did not keep it.
    """

    edition: str
    revision: int
    checksum: str
    at: datetime
    software: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """What the files of an edition say beside its numbers, fixed before they are written.

    Attributes:
        document, looks: hashes of the document of its facts, and of the texts and the style of its files.
        published: the moment of publication that the files name.
        parts: both, and everything that the document names, by hash.
    """

    edition: str
    revision: int
    plan_hash: str
    document: str
    looks: str
    published: datetime
    parts: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True)
class Retracted:
    """The decision that a published revision must not be used any more."""

    edition: str
    revision: int
    reason: str
    when: datetime


@dataclass(frozen=True)
class Acceptance:
    """That somebody accepted the terms of an organisation; ``terms``: SHA-256 of their text, ``id``: number of the entry."""

    id: int
    organisation: str
    user: str
    version: int
    terms: str
    at: datetime


@dataclass(frozen=True)
class HandedOut:
    """One file that was handed out to somebody of an organisation.

    Attributes:
        id: number of the entry. download: what the file itself is marked with.
        acceptance: the entry by which the terms were accepted.
        sealed, marked: SHA-256 of the file as it was published, and as it was handed out.
    """

    id: int
    download: str
    organisation: str
    user: str
    acceptance: int
    edition: str
    revision: int
    file: str
    sealed: str
    marked: str
    at: datetime


@dataclass(frozen=True)
class Charge:
    """What one block paid for one key, and for which edition's sake."""

    dataset: str
    key: str
    block: str
    rho: Fraction
    cap: Fraction
    delta: Fraction
    state: State
    category: Category
    requested_by: str
    reservation: int
    release: str
    edition: str
    revision: int
    plan_hash: str
    reason: str
    run: str
    at: datetime
    editions: tuple[str, ...]
    """Every edition that uses the charge, e.g. all weeks of a series."""


@dataclass(frozen=True)
class BlockBudget:
    """What one block of a dataset may spend, has spent and has left, in ρ."""

    dataset: str
    block: str
    cap: Fraction
    spent: Fraction
    reserved: Fraction
    remaining: Fraction
    delta: Fraction
    by_category: Mapping[str, Fraction] = field(default_factory=dict)
    by_analyst: Mapping[str, Fraction] = field(default_factory=dict)

    def epsilon(self, part: Literal["cap", "spent", "reserved", "remaining"]) -> float:
        """One of the amounts as ε at ``delta``, for people."""
        rho: Fraction = getattr(self, part)
        return amounts.epsilon(rho, self.delta)


@dataclass(frozen=True)
class Limit:
    """One of the limits on what may be charged to a block, in ρ.

    Attributes:
        of: what it limits: all that is charged (``cap``), all of one ``category``, or all that one ``analyst`` asked for.
        most: how much that may be. used: how much of it is spent and reserved.
    """

    of: Literal["cap", "category", "analyst"]
    most: Fraction
    used: Fraction

    @property
    def left(self) -> Fraction:
        """What may still be charged."""
        return max(Fraction(0), self.most - self.used)


@dataclass(frozen=True)
class Account:
    """What the ledger says about one edition.

    Attributes:
        blocks: the budgets of its blocks as they are now.
        charges: the entries (``number:hash``) that charged its blocks, its own or earlier ones of its series.
        approvals: every decision on its plan.
        log: head of the public log that its charges are in; None where it is not for the public.
    """

    reservation: Reservation
    blocks: tuple[BlockBudget, ...]
    charges: tuple[str, ...]
    approvals: tuple[Approval, ...]
    log: LogHead | None = None

    @property
    def approval_asked(self) -> bool:
        """Whether its plan needed somebody's approval."""
        return bool(self.reservation.approvers)


@dataclass(frozen=True)
class Drawn:
    """What a reservation would cost another dataset, whose records it uses.

    Attributes:
        before: the budget that would pay. each: ρ per block that is newly charged. rho: ρ in all.
        limits: every limit on it, the cap first.
    """

    before: BlockBudget
    each: Fraction
    rho: Fraction
    limits: tuple[Limit, ...] = ()

    @property
    def after(self) -> Fraction:
        """ρ that would be left; below zero where it is not enough."""
        return self.before.remaining - self.rho

    @property
    def name(self) -> str:
        """Dataset and block, as an approval names what it was shown."""
        return f"{self.before.dataset}: {self.before.block}"


@dataclass(frozen=True)
class Quote:
    """What a reservation would cost now, and whether it would be allowed; nothing is written.

    ``refusals`` says per block why not; empty if it would be allowed. ``free``: nothing new is charged.
    ``again``: blocks that another series of the release has paid for, and that this plan's new series charges again.
    ``approvers``: who must approve it; nobody while the analyst's unapproved requests stay below the allowance.
    ``limits``: every limit on each block, the cap first.
    ``drawn``: what other datasets would pay, whose records are used.
    """

    rho: Fraction
    charged: tuple[str, ...]
    before: tuple[BlockBudget, ...]
    remaining_after: Mapping[str, Fraction]
    refusals: tuple[str, ...]
    measured: bool
    again: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    limits: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)
    drawn: tuple[Drawn, ...] = ()

    @property
    def parts_left(self) -> dict[str, Fraction]:
        """The share of each block's budget that would be left; below zero where there is not so much."""
        return {one.block: self.remaining_after[one.block] / one.cap for one in self.before}

    @property
    def room(self) -> Fraction:
        """The most that may be charged to every one of the blocks now."""
        own = [limit.left for limits in self.limits.values() for limit in limits]
        theirs = [limit.left * self.rho / one.rho for one in self.drawn if one.rho for limit in one.limits]
        return min([*own, *theirs])

    @property
    def free(self) -> bool:
        return not self.charged
