"""Corrections that were begun and not finished: given back where nothing was measured, finished where something was.

One that is only reserved holds budget and a number, so no other revision of its edition can be made. To give it back is
safe: none of its rows has been read, because corrections are spent before that, and whatever its run may still do, the ledger
lets nothing be drawn for a void reservation.
"""

from __future__ import annotations

from datetime import datetime

from dp_stats.errors import LedgerError, PublishedError
from dp_stats.ledger import Ledger, Reservation


def unfinished(ledger: Ledger, *, before: datetime) -> list[Reservation]:
    """Corrections that were reserved before a moment and are not published, oldest first."""
    return [
        one
        for one in ledger.reservations(corrections=True)
        if one.state != "void" and one.at < before and ledger.publication(one.edition, one.revision) is None
    ]


def last_begun(edition: str, ledger: Ledger) -> int:
    """The revision of an edition that was begun last and is not published.

    Raises:
        PublishedError: there is none.
    """
    of_edition = ledger.reservations(edition=edition)
    waiting = [o.revision for o in of_edition if o.state != "void" and ledger.publication(edition, o.revision) is None]
    if waiting:
        return max(waiting)
    before = sorted({o.revision for o in of_edition if o.state == "void"})
    given = f" Revision {before[-1]} was given back before." if before else ""
    raise PublishedError(f"Nothing of {edition} was begun and is unfinished, so there is nothing to give back.{given}")


def give_back(edition: str, ledger: Ledger, *, revision: int, reason: str) -> Reservation:
    """Give back the charge of a correction (or a request) of which no row was read; one that was given back stays so.

    Raises:
        PublishedError: nothing was reserved for it, or it is published. LedgerError: it was spent, or rows may have been read
            (a first edition of a schedule), so it must be finished.
    """
    found, name = ledger.latest(edition, revision), f"Revision {revision} of {edition}"
    if found is None:
        raise PublishedError(f"Nothing was reserved for {name}, so there is nothing to give back.")
    if ledger.publication(edition, revision) is not None and found.state != "void":
        raise PublishedError(f"{name} is published. To tell that it must not be used: dp-stats retract.")
    if found.state in ("spent", "stored"):
        raise LedgerError(f"{name} is measured, or may have been, so its charge stands. {finish(found)}")
    if not found.paid_before_reading:
        raise LedgerError(
            f"Rows of {name} may have been read, so its charge stands until it is measured. {finish(found)}"
        )
    return ledger.void(found, reason)


def finish(reservation: Reservation) -> str:
    """How a revision that was begun is finished, at no further charge."""
    edition, number = reservation.edition, reservation.revision
    if number == 1:
        release, _, period = edition.partition("/")
        return f"Finish it: dp-stats run {release} --period {period}"
    return f'Finish it: dp-stats revise {edition} --kind correction --reason "{reservation.reason}"'
