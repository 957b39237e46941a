"""What the ledger tells: budgets, charges, the account of an edition, its chain, and whether it is whole. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from dp_stats.catalogue.models import Dataset, Organisation
from dp_stats.errors import LedgerError
from dp_stats.ledger import (
    agreeing,
    amounts,
    approving,
    audiences,
    budget,
    cards,
    describing,
    disclosing,
    late,
    permitting,
    reporting,
    reservations,
    reserving,
    sealing,
    verifying,
)
from dp_stats.ledger.chain import head_of
from dp_stats.ledger.database import Database
from dp_stats.ledger.records import (
    Acceptance,
    Account,
    Approval,
    BlockBudget,
    Category,
    Charge,
    Description,
    Entry,
    HandedOut,
    Head,
    Publication,
    Quote,
    Reservation,
    Retracted,
    Verified,
)
from dp_stats.ledger.witnesses import Witnesses, refuse_loss
from dp_stats.plan import accounting
from dp_stats.plan.model import Plan
from dp_stats.plan.sealed import SealedPlan

NOBODY: Mapping[str, Dataset] = MappingProxyType({})
"""No other dataset pays."""


class LedgerReader:
    """The side of a ledger that only reads; each method sees one state of it."""

    _database: Database
    _clock: Callable[[], datetime]

    def blocks(self, dataset_id: str | None = None) -> list[BlockBudget]:
        """The budget of every block charged so far, under the cap recorded with the latest reservation."""
        with self._database.read() as connection:
            return reporting.blocks(connection, dataset_id)

    def budget(self, dataset: Dataset, blocks: Iterable[str]) -> list[BlockBudget]:
        """The budget of the named blocks, charged or not, under the cap declared now."""
        with self._database.read() as connection:
            found = budget.block_budgets(
                connection,
                dataset=dataset.id,
                blocks=blocks,
                cap=amounts.cap_of(dataset.budget),
                delta=accounting.delta_of(dataset.budget),
            )
        return list(found.values())

    def quote(
        self,
        plan: Plan,
        *,
        dataset: Dataset,
        holders: Mapping[str, Dataset] = NOBODY,
        revision: int = 1,
        category: Category = "scheduled",
        requested_by: str = "",
        formerly: Sequence[str] = (),
    ) -> Quote:
        """What ``Ledger.reserve`` would charge now, and what would forbid it.

        ``formerly``: names that the plan's release had before. ``holders``: datasets that pay as well, by id.
        ``{b.block: b.remaining for b in quote.before}`` is what an approval's ``shown`` holds.
        """
        reserving.check(plan, dataset=dataset, revision=revision, category=category)
        with self._database.read() as connection:
            return reserving.quoted(
                connection,
                plan,
                dataset=dataset,
                holders=holders,
                revision=revision,
                category=category,
                requested_by=requested_by,
                formerly=formerly,
            )

    def permit(
        self,
        plan: Plan,
        *,
        dataset: Dataset,
        holders: Mapping[str, Dataset] = NOBODY,
        revision: int = 1,
        category: Category,
        requested_by: str,
        purpose: str,
    ) -> None:
        """Check that a plan could be reserved now, before any row is read; ``reserve`` asks again.

        Raises:
            ApprovalError, BudgetError: as ``Ledger.reserve``.
        """
        with self._database.read() as connection:
            permitting.permit(
                connection,
                plan,
                dataset=dataset,
                holders=holders,
                revision=revision,
                category=category,
                requested_by=requested_by,
                purpose=purpose,
                now=self._clock(),
            )

    def agreed(self, sealed: SealedPlan, *, dataset: Dataset, revision: int = 1) -> None:
        """Check that the data-sharing agreement allows a plan now, before any row is read; ``reserve`` asks again.

        Raises:
            AgreementError: as ``Ledger.reserve``.
        """
        with self._database.read() as connection:
            existing = reservations.current(connection, sealed.plan.edition, revision)
            if existing is not None and existing.plan_hash == sealed.hash:
                agreeing.require_in_force(connection, existing, now=self._clock())
            else:
                agreeing.require(connection, sealed, dataset=dataset, now=self._clock())

    def history(self, *, requested_by: str, purpose: str) -> list[tuple[Approval, cards.ShownCard]]:
        """Decisions on what this person asked for or on this purpose, each with its card, the newest first."""
        with self._database.read() as connection:
            return approving.history(connection, requested_by=requested_by, purpose=purpose)

    def decided_since(self, since: datetime) -> list[Approval]:
        """Every decision of a custodian since a moment, oldest first."""
        with self._database.read() as connection:
            return approving.decided_since(connection, since)

    def card(self, hash: str) -> cards.ShownCard:
        """What a custodian was shown, by the hash that a decision names (``Approval.card``).

        Raises:
            LedgerError: it is missing or was altered.
        """
        with self._database.read() as connection:
            return cards.kept_card(connection, hash)

    def charges(self, dataset_id: str | None = None) -> list[Charge]:
        """Every charge with the edition and run that made it, oldest first; void ones included."""
        with self._database.read() as connection:
            return reporting.charges(connection, dataset_id)

    def account(self, edition: str, revision: int = 1) -> Account:
        """What was charged for an edition, what its blocks have left, and who decided on its plan.

        Raises:
            LedgerError: nothing is reserved for it.
        """
        with self._database.read() as connection:
            return reporting.account(connection, edition, revision)

    def reservations(
        self, dataset_id: str | None = None, *, edition: str = "", corrections: bool = False
    ) -> list[Reservation]:
        """Every reservation, oldest first, void ones included; only those of a dataset, of an edition, or of corrections."""
        with self._database.read() as connection:
            return reporting.reservations(connection, dataset_id, edition=edition, corrections=corrections)

    def open_editions(self, release: str, *, dataset: str, periods: Collection[str]) -> dict[str, list[SealedPlan]]:
        """Series → its editions of these periods that are stored and that late rows may still be added to."""
        with self._database.read() as connection:
            return late.open_editions(connection, dataset=dataset, release=release, periods=periods)

    def adding_editions(self, reservation: Reservation) -> list[tuple[Reservation, SealedPlan]]:
        """The stored editions that have measured late rows of a reservation's period, with their sealed plans."""
        with self._database.read() as connection:
            return late.adding_editions(connection, reservation)

    def entries(self) -> list[Entry]:
        """The whole chain, oldest first."""
        with self._database.read() as connection:
            return list(reporting.entries(connection))

    def log(self) -> list[str]:
        """The lines of the public log, up to the last edition that was published for the public."""
        with self._database.read() as connection:
            return disclosing.log_lines(disclosing.told(connection), published=True)

    def export(self, form: Literal["csv", "json"]) -> str:
        """All entries as CSV or JSON text, enough to check the chain elsewhere."""
        with self._database.read() as connection:
            return reporting.export(connection, form)

    # Published

    def description(self, edition: str, revision: int = 1) -> Description | None:
        """What an edition's files say; None if that was never fixed.

        Raises:
            LedgerError: a part of it is missing or altered.
        """
        with self._database.read() as connection:
            return describing.description(connection, edition, revision)

    def in_use(self, releases: Collection[str]) -> dict[str, tuple[int, bytes]]:
        """Edition → number and document of what its files say, of the revision in use of every edition of some releases.

        Raises:
            LedgerError: one is missing or altered.
        """
        with self._database.read() as connection:
            return describing.in_use(connection, releases)

    def described(self, publications: Iterable[Publication]) -> dict[tuple[str, int], bytes]:
        """Edition and revision → document of what its files say; without those that were never described.

        Raises:
            LedgerError: one is missing or altered.
        """
        with self._database.read() as connection:
            return describing.described(connection, {(one.edition, one.revision) for one in publications})

    def audiences(self, reservations: Iterable[Reservation]) -> dict[int, str]:
        """Reservation, by its number → audience that its sealed plan names; without those of before plans were sealed.

        Raises:
            LedgerError: a part of a plan is missing or altered.
        """
        with self._database.read() as connection:
            return sealing.audiences(connection, reservations)

    def publication(self, edition: str, revision: int = 1) -> Publication | None:
        """How an edition was published; None if it was not."""
        with self._database.read() as connection:
            return describing.publication(connection, edition, revision)

    def publications(self) -> list[Publication]:
        """Every published revision, in the order in which they were published."""
        with self._database.read() as connection:
            return describing.publications(connection)

    def revisions(self, edition: str) -> list[int]:
        """Numbers of an edition's revisions that are taken: reserved and not void, or made of what is stored."""
        with self._database.read() as connection:
            return describing.revisions(connection, edition)

    def checksums(self, publication: Publication) -> bytes | None:
        """The ``SHA256SUMS`` of a published edition; None if an earlier version kept only its hash."""
        with self._database.read() as connection:
            return describing.checksums(connection, publication)

    def retractions(self, edition: str | None = None) -> list[Retracted]:
        """Every retraction, or those of an edition's revisions, in the order of the decisions."""
        with self._database.read() as connection:
            return describing.retractions(connection, edition)

    # Handed out

    def acceptance(self, organisation: Organisation) -> Acceptance | None:
        """How an organisation's terms, as they are now, were accepted; None if nobody has."""
        with self._database.read() as connection:
            return audiences.acceptance(connection, organisation)

    def acceptances(self) -> list[Acceptance]:
        """Every acceptance of terms, oldest first."""
        with self._database.read() as connection:
            return audiences.acceptances(connection)

    def handed_out(
        self, *, edition: str = "", organisation: str = "", marked: str = "", download: str = ""
    ) -> list[HandedOut]:
        """What was handed out, oldest first; only of what is named (``marked``: SHA-256 of a file as it was given)."""
        with self._database.read() as connection:
            return audiences.handed_out(
                connection, edition=edition, organisation=organisation, marked=marked, download=download
            )

    # Trusting

    def head(self) -> Head:
        """The last entry's number and hash. Keep it elsewhere (``str(head)``) and verify against it later."""
        with self._database.read() as connection:
            return head_of(connection)

    def problems(self, head: Head | str | None = None) -> list[str]:
        """What ``verify`` finds wrong, one line each; empty if the ledger is whole."""
        with self._database.read() as connection:
            return verifying.problems(connection, kept=None if head is None else str(head))

    def unknown(self, witnesses: Witnesses) -> list[str]:
        """What the witnesses tell of and this ledger does not know, one line each; empty if it knows all."""
        told = witnesses.tell(charges=True)
        with self._database.read() as connection:
            return told.unknown_to(connection)

    def verify(self, head: Head | str | None = None, *, witnesses: Witnesses | None = None) -> Verified:
        """Recompute the chain and everything that follows from it.

        Args:
            head: one kept earlier elsewhere (``number:hash`` or the hash alone); shows also that no tail was
                cut off and that the chain was not rewritten as a whole.
            witnesses: what else must be known to a ledger that has lost nothing.

        Raises:
            LedgerError: what was edited, removed, added or reordered.
        """
        told = witnesses.tell(charges=True) if witnesses else None
        with self._database.read() as connection:
            found = verifying.problems(connection, kept=None if head is None else str(head))
            if told and not found:
                refuse_loss(told.unknown_to(connection))
            if not found:
                last = head_of(connection)
                return Verified(last, last.sequence)
        raise LedgerError(
            "The ledger is not as it was written:\n  " + "\n  ".join(found) + "\n"
            "Stop all runs, keep this ledger aside, and restore it from a backup that verifies."
        )
