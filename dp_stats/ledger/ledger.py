"""The ledger: what has been approved, reserved, spent, measured and published. Every change is one entry of a chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Self

from dp_stats.catalogue.models import Dataset
from dp_stats.ledger import approving, describing, disclosing, measuring, reservations, reserving, sealing
from dp_stats.ledger.cards import ShownCard
from dp_stats.ledger.chain import Writer, head_of
from dp_stats.ledger.database import LOCK_SECONDS, Database
from dp_stats.ledger.failures import explained
from dp_stats.ledger.handing import HandingLedger
from dp_stats.ledger.opening import prepare
from dp_stats.ledger.reading import NOBODY, LedgerReader
from dp_stats.ledger.records import (
    Account,
    Approval,
    Category,
    Decision,
    Description,
    KnownSeries,
    Publication,
    RegisterEntry,
    Reservation,
    Retracted,
    StoredMeasurements,
)
from dp_stats.ledger.witnesses import Testimony, Witnesses, id_of, refuse_loss
from dp_stats.plan.sealed import SealedPlan


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Ledger(LedgerReader, HandingLedger):
    """A ledger in a SQLite file or a PostgreSQL database; safe to use from many processes at once.

    Every method is one transaction. A method that returns has been written to disk; one that raises has
    changed nothing, unless the server was lost in the very moment of committing: so every method of a run may
    be repeated, and changes nothing the second time. Any failure of the database is a LedgerError.
    """

    def __init__(
        self, database: Database, clock: Callable[[], datetime], *, witnesses: Witnesses | None = None, id: str = ""
    ) -> None:
        self._database = database
        self._clock = clock
        self._witnesses = witnesses
        self._id = id
        self._registered: dict[int, int] = {}  # reservation → the register's version that this run counted with

    @classmethod
    def open(
        cls,
        url: str | Path,
        *,
        read_only: bool = False,
        create: bool = True,
        lock_seconds: float = LOCK_SECONDS,
        clock: Callable[[], datetime] = _utc_now,
        witnesses: Witnesses | None = None,
        new: bool = False,
    ) -> Self:
        """Open a ledger; create it (if ``create``) or upgrade its schema first unless ``read_only``.

        Args:
            url: file name, ``sqlite:///file`` or ``postgresql://user@host/database``.
            lock_seconds: how long a write waits for other writers.
            witnesses: what proves how much the ledger must know. It is compared with them before anything can be
                written, and each commit's head is kept beside them. Readers only read.
            new: a missing ledger may be made even where witnesses tell of an earlier one; its first entry says of which.

        Raises:
            LedgerError: it cannot be opened, is damaged, is newer than this version of dp_stats, or knows less
                than the witnesses tell.
        """
        database = Database(url, read_only=read_only, lock_seconds=lock_seconds)
        told = Testimony()
        if witnesses is not None and not read_only:
            told = witnesses.tell()  # before the ledger is read: witnesses may lag behind it and never lead
        prepare(database, create=create, now=clock(), told=told, in_spite=new)
        if witnesses is None or read_only:
            return cls(database, clock)
        with database.read() as connection:
            refuse_loss(told.unknown_to(connection))
            head, id = head_of(connection), id_of(connection)
        if told.heads.get(id, {}).get(head.sequence) != head.hash:
            with explained():
                witnesses.keep(id, head)
        return cls(database, clock, witnesses=witnesses, id=id)

    # Reserving

    def reserve(
        self,
        sealed: SealedPlan,
        *,
        dataset: Dataset,
        holders: Mapping[str, Dataset] = NOBODY,
        revision: int = 1,
        category: Category,
        requested_by: str,
        reason: str,
        run: str = "",
        required_approvers: Sequence[str] = (),
        new_series: bool = False,
    ) -> Reservation:
        """Reserve the charge of an edition in all blocks its rows can fall in; the same again costs nothing.

        The sealed plan is kept with it: what is measured and published is read from there alone. A series pays
        once per block for all its editions. A revision above 1 is a correction: it needs a reason and pays again.
        A reservation of another plan that was not spent is void by this one.

        Args:
            holders: the datasets that pay as well (``plan.draws``), by id.
            new_series: a yes to charging blocks again that another series of the release has paid for.

        Raises:
            BudgetError: a cap or share does not allow it; a smaller request may.
            ApprovalError: a required approver has not approved this plan with the budget as it is now, or it
                starts a new series without a yes.
            AgreementError: the data-sharing agreement does not allow it, or not any more.
            LedgerError: another plan was already measured for this edition, or the database failed.
        """
        with self._write() as writer:
            return reserving.reserve(
                writer,
                sealed,
                dataset=dataset,
                holders=holders,
                revision=revision,
                category=category,
                requested_by=requested_by,
                reason=reason,
                run=run,
                required_approvers=required_approvers,
                new_series=new_series,
            )

    def resume(
        self,
        sealed: SealedPlan,
        *,
        dataset: Dataset,
        holders: Mapping[str, Dataset] = NOBODY,
        revision: int = 1,
    ) -> Reservation:
        """The reservation to measure a sealed plan with; one that was given back is made again as it was.

        Raises:
            LedgerError: the edition's last reservation is of another plan, or there is none.
            BudgetError, ApprovalError: it was given back and is not allowed any more.
        """
        with self._write() as writer:
            return reserving.resume(writer, sealed, dataset=dataset, holders=holders, revision=revision)

    def reservation(self, edition: str, revision: int = 1) -> Reservation | None:
        """The reservation of an edition, unless it is void or there is none."""
        with self._database.read() as connection:
            return reservations.current(connection, edition, revision)

    def latest(self, edition: str, revision: int = 1) -> Reservation | None:
        """The last reservation of an edition, void or not; None if there never was one."""
        with self._database.read() as connection:
            return reservations.latest(connection, edition, revision)

    def sealed(self, reservation: Reservation) -> SealedPlan:
        """The sealed plan of a reservation: what it measures and what its numbers mean.

        Raises:
            LedgerError: it was made before plans were sealed, or a part is missing or altered.
        """
        with self._database.read() as connection:
            return sealing.sealed_plan(connection, reservation)

    def series(
        self, release: str, *, dataset: str, blocks: Iterable[str] = (), formerly: Sequence[str] = ()
    ) -> list[KnownSeries]:
        """The series of a release that have been charged: first those that paid for all ``blocks``, then the newest.

        ``formerly``: names that the release had before.
        """
        wanted = set(blocks)
        with self._database.read() as connection:
            made = reservations.of_release(connection, dataset=dataset, release=release, formerly=formerly)
            found = sealing.known_series(connection, made)
        return sorted(found, key=lambda known: not wanted <= known.paid)

    def void(self, reservation: Reservation, reason: str) -> Reservation:
        """Give back a reservation's charges, except those that other editions of its series use.

        Raises:
            LedgerError: it was spent, so its measurements may have been seen.
        """
        with self._write() as writer:
            return reserving.void(writer, reservations.by_id(writer.connection, reservation.id), reason=reason)

    # Approving

    def approve(
        self,
        plan_hash: str,
        approver: str,
        decision: Decision,
        reason: str,
        expires: datetime | None,
        shown: ShownCard | Mapping[str, Fraction | str],
        instead_of: str = "",
    ) -> Approval:
        """Record a decision (``approved``, ``refused`` or ``expired``) on a plan; the latest of a custodian counts.

        Args:
            expires: until when an approval holds.
            shown: the card that the approver saw, which is kept with the decision; or, without one, the remaining ρ
                of each block (exact Fraction or its text), no less than which must be left before the charge.
            instead_of: the custodian in whose place a deputy decides.

        Raises:
            ApprovalError: an approval without a future end or without the budget shown, or the card of another plan.
        """
        with self._write() as writer:
            return approving.record(
                writer,
                plan_hash=plan_hash,
                approver=approver,
                decision=decision,
                reason=reason,
                expires=expires,
                shown=shown,
                instead_of=instead_of,
            )

    def approvals(self, plan_hash: str) -> list[Approval]:
        """Every decision on a plan, oldest first."""
        with self._database.read() as connection:
            return approving.decisions(connection, plan_hash)

    # Measuring

    def register_entry(self, reservation: Reservation, *, expected: int, digest: str) -> bool:
        """Append a version of the contribution register, if it has exactly ``expected`` versions now.

        A retry of the same edition replaces its own earlier version until its measurements are stored; the
        same digest again changes nothing.

        Returns:
            False if another run was faster: read ``register_entries`` again, bound again, and retry.

        Raises:
            RegisterError: the edition was measured from other rows; its version is frozen.
        """
        with self._write() as writer:
            entry = measuring.register(writer, reservation, expected=expected, digest=digest)
        if entry is not None:
            self._registered[reservation.id] = entry.sequence
        return entry is not None

    def register_entries(self, reservation: Reservation) -> list[RegisterEntry]:
        """Every version of the register of the reservation's charge; only those not ``replaced`` count.

        Sequences run 1, 2, 3 … without gaps, so ``expected`` of the next entry is the length of this list.
        """
        with self._database.read() as connection:
            return measuring.register_entries(connection, reservation)

    def spend(self, reservation: Reservation) -> Reservation:
        """Turn reserved into spent. Only when this has returned may noise be drawn.

        Raises:
            LedgerError: the reservation is void. ApprovalError: its approval has expired or was withdrawn.
            AgreementError: its agreement has ended.
            RegisterError: it belongs to a series and has not registered, or another run registered other rows.
        """
        with self._write() as writer:
            return measuring.spend(writer, reservation, registered=self._registered.get(reservation.id))

    def store(self, reservation: Reservation, stored: bytes) -> bytes:
        """Keep an edition's noisy measurements for ever. The first to store wins; everybody gets what is kept.

        Raises:
            LedgerError: the reservation is not spent. RegisterError: another run registered other rows.
        """
        with self._write() as writer:
            return measuring.store(writer, reservation, stored, registered=self._registered.get(reservation.id))

    def measurements(self, edition: str, revision: int = 1) -> StoredMeasurements | None:
        """The noisy measurements kept for an edition; None if it has not been measured.

        Raises:
            LedgerError: they do not match their checksum.
        """
        with self._database.read() as connection:
            return measuring.measurements(connection, edition, revision)

    # Publishing

    def disclose(self, edition: str, revision: int = 1, *, measured: int | None = None) -> Account:
        """Tell the public all that its dataset has spent, and return what the edition must show of it.

        Called once before the files of a public edition are described; its ``log`` is the head that they name.

        Raises:
            LedgerError: nothing is reserved for it.
        """
        with self._write() as writer:
            return disclosing.disclose(writer, edition, revision, measured=measured or revision)

    def publishing(
        self,
        edition: str,
        revision: int,
        *,
        document: str,
        looks: str,
        parts: Mapping[str, bytes],
        checksums: bytes = b"",
        published: datetime | None = None,
        measured: int | None = None,
    ) -> Description:
        """Fix what an edition's files will say, before they are written; the first to say it wins, and stands.

        Args:
            document: hash of the part that describes the edition. looks: of the one with texts and style.
            parts: these two and every part that the document names, by SHA-256.
            checksums: the ``SHA256SUMS`` of an edition that was published before descriptions were kept.
            published: the moment of publication that the files name; that of this entry if left out.
            measured: the revision whose measurements it is made of, where late rows were added to it.

        Raises:
            LedgerError: it was never measured. PublishedError: it was published with other ``checksums``.
        """
        with self._write() as writer:
            return describing.describe(
                writer,
                edition,
                revision,
                document=document,
                looks=looks,
                parts=parts,
                checksums=checksums,
                published=published,
                measured=measured or revision,
            )

    def published(self, edition: str, revision: int, checksums: bytes, *, software: Mapping[str, str]) -> Publication:
        """Record that an edition's files were published; the same again changes nothing.

        Args:
            checksums: the content of its ``SHA256SUMS``. software: library → version of what made the files.

        Raises:
            PublishedError: it was published with other files. LedgerError: it was never measured, or what its files
                say was not fixed before.
        """
        with self._write() as writer:
            return describing.publish(writer, edition, revision, checksums=checksums, software=software)

    def retracted(self, edition: str, revision: int, reason: str, *, when: datetime | None = None) -> Retracted:
        """Record that a published revision must not be used any more; what was recorded first stands.

        Args:
            when: the moment of a decision that was made before the ledger kept it.

        Raises:
            PublishedError: it is not published.
        """
        with self._write() as writer:
            return describing.retract(writer, edition, revision, reason=reason, when=when)

    @contextmanager
    def _write(self) -> Iterator[Writer]:
        with self._database.write() as connection:
            writer = Writer(connection, self._clock())
            before = writer.head
            yield writer
        if self._witnesses is not None and writer.head != before:
            with suppress(OSError):  # it is recorded; a head that lags is caught up when the ledger is next opened
                self._witnesses.keep(self._id, writer.head)
