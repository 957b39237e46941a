"""The side of a ledger that records who accepted which terms, and what was handed out to whom."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from dp_stats.catalogue.models import Organisation
from dp_stats.ledger import audiences
from dp_stats.ledger.chain import Writer
from dp_stats.ledger.records import Acceptance, HandedOut


class HandingLedger(ABC):
    """What a ledger records of organisations that get restricted figures."""

    @abstractmethod
    def _write(self) -> AbstractContextManager[Writer]:
        """One transaction."""

    def accept(self, organisation: Organisation, *, user: str) -> Acceptance:
        """Record that somebody has accepted an organisation's terms as they are now; the same again changes nothing.

        Raises:
            AgreementError: the user is none of its, or its contract is not in force.
        """
        with self._write() as writer:
            return audiences.accept(writer, organisation, user=user)

    def hand_out(
        self,
        organisation: Organisation,
        *,
        user: str,
        download: str,
        edition: str,
        revision: int,
        file: str,
        sealed: str,
        marked: str,
    ) -> HandedOut:
        """Record that a file is handed out to somebody of an organisation, before it is.

        Args:
            download: what the file is marked with. sealed, marked: SHA-256 as it was published, and with the mark.

        Raises:
            AgreementError: it may not be. PublishedError: the revision is not published, or not any more.
        """
        with self._write() as writer:
            return audiences.hand_out(
                writer,
                organisation,
                user=user,
                download=download,
                edition=edition,
                revision=revision,
                file=file,
                sealed=sealed,
                marked=marked,
            )
