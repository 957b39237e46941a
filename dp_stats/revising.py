"""Revisions that add late rows: an edition publishes the periods before it again, from measurements that it has stored.

Nothing is drawn and nothing charged. Each revision names the editions whose late rows it adds, and its description in the
ledger keeps that, so its files are made again byte for byte; files of earlier revisions stay as they are.
"""

from __future__ import annotations

from dp_stats.editions.description import added_in
from dp_stats.editions.publication import Check, PublishedEdition
from dp_stats.ledger import Ledger, Reservation
from dp_stats.publishing import publish
from dp_stats.run import Run, open_adding


def revise(run: Run, *, check: Check) -> list[PublishedEdition]:
    """Publish each period whose late rows an edition has measured again; what is published already is made whole.

    Args:
        run: the edition, published before. check: run on every table before anything is visible.

    Raises:
        PublishedError: other files bear the name of a revision. QualityError: from ``check``.
    """
    if run.revision > 1:
        return []
    ledger = run.ledger()
    made = [_revise(run, ledger, late.label, check=check) for late in reversed(run.plan.late)]
    return [one for one in made if one is not None]


def _revise(run: Run, ledger: Ledger, period: str, *, check: Check) -> PublishedEdition | None:
    edition = f"{run.release.id}/{period}"
    reservation = ledger.latest(edition)
    if reservation is None or ledger.publication(edition) is None or ledger.retractions(edition):
        return None  # its own run has not published it yet, or it is not to be used any more
    adding = _adding(run, ledger, reservation)
    revision = 2
    while (standing := ledger.description(edition, revision)) is not None or ledger.reservation(edition, revision):
        if standing is None or not (there := added_in(standing.document, standing.parts)):
            return None  # a correction counts its late rows anew
        if set(adding) <= set(there):
            return publish(open_adding(edition, revision=revision, adding=there, settings=run.settings), check=check)
        revision += 1
    revised = open_adding(edition, revision=revision, adding=adding, settings=run.settings)
    return publish(revised, check=check)


def _adding(run: Run, ledger: Ledger, reservation: Reservation) -> tuple[str, ...]:
    """The editions whose late rows are added: this one, and those published before, in order of time."""
    found = [
        (sealed.period.start, one.edition)
        for one, sealed in ledger.adding_editions(reservation)
        if one.edition == run.edition or ledger.publication(one.edition) is not None
    ]
    return tuple(edition for _, edition in sorted(found))
