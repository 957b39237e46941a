"""Late rows in the ledger: to which editions later ones may still add, and which editions have done so.

Both are public facts: which editions are stored, corrected and retracted. No row decides them.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from dp_stats.ledger import describing, sealing
from dp_stats.ledger.records import Reservation
from dp_stats.ledger.reservations import of_release
from dp_stats.plan.sealed import SealedPlan


def open_editions(
    connection: Connection, *, dataset: str, release: str, periods: Collection[str]
) -> dict[str, list[SealedPlan]]:
    """Series → its editions of these periods that are stored and may still be added to.

    One that was measured again counts its late rows anew in that revision; one that was retracted is wrong.
    """
    made = of_release(connection, dataset=dataset, release=release)
    corrected = {one.edition for one in made if one.revision > 1}
    found: dict[str, list[SealedPlan]] = {}
    for one in made:
        if one.state != "stored" or not (one.series and one.aside) or one.period not in periods:
            continue
        if one.edition not in corrected and not describing.retractions(connection, one.edition):
            found.setdefault(one.key, []).append(sealing.sealed_plan(connection, one))
    return found


def adding_editions(connection: Connection, reservation: Reservation) -> list[tuple[Reservation, SealedPlan]]:
    """The stored editions that have measured late rows of a reservation's period within its charge, in order of storing."""
    found = []
    for one in of_release(connection, dataset=reservation.dataset, release=reservation.release):
        if one.key == reservation.key and one.state == "stored" and one.aside and one.id != reservation.id:
            sealed = sealing.sealed_plan(connection, one)
            if any(late.label == reservation.period for late in sealed.plan.late):
                found.append((one, sealed))
    return found
