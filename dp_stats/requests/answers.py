"""Answers at no cost: what the editions of a release that have been measured already imply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date

from dp_stats.catalogue import Catalogue, Release, parse_period, read_catalogue
from dp_stats.editions.description import made_of
from dp_stats.errors import CatalogueError, NotDerivableError
from dp_stats.estimate.answer import Answer, answer
from dp_stats.estimate.measured_edition import Measured
from dp_stats.ledger import Ledger, Reservation
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.run import late_tables
from dp_stats.settings import Settings


def answer_question(
    release: str,
    statistic: str,
    *,
    where: Mapping[str, Sequence[str]],
    start: date | None,
    end: date | None,
    settings: Settings,
) -> Answer:
    """The best estimate of a statistic over a set of cells, from stored measurements alone.

    Each edition is read as its own sealed plan declares it, whatever the catalogue says today. A rate or a mean that the
    release's newest edition declares is told of all that measured what it follows from.

    Raises:
        CatalogueError: there is no such release. NotDerivableError: what has been measured does not tell.
    """
    ledger = Ledger.open(settings.ledger_url, read_only=True)
    everything = ledger.reservations()
    newest = _newest(release, everything, ledger)
    names = {release, *(newest.formerly if newest else ())}
    made = [r for r in everything if r.release in names]
    if not made:
        read_catalogue(settings.catalogue).release(release)
    editions = list(measured_editions(made, ledger=ledger, start=start, end=end))
    if made and not editions:
        raise NotDerivableError(
            f"Not derivable: no edition of '{release}' is published for these days with the plan it was measured by. "
            "A new release would have to measure it."
        )
    derived = next((d for d in newest.derived if d.id == statistic), None) if newest else None
    return answer(editions, statistic, where=where, start=start, end=end, derived=derived)


def _newest(release: str, reservations: Sequence[Reservation], ledger: Ledger) -> Release | None:
    """A release as its last edition declares it."""
    own = [r for r in reservations if r.release == release and r.state == "stored" and r.aside]
    return ledger.sealed(own[-1]).release if own else None


def measured_editions(
    reservations: Sequence[Reservation],
    *,
    ledger: Ledger,
    start: date | None = None,
    end: date | None = None,
    today: Catalogue | None = None,
) -> Iterator[Measured]:
    """The published editions among ``reservations`` with days from ``start`` to ``end``, each at its last revision that was not
    retracted.

    Editions of a version that did not seal plans are left out. ``today`` lends names and titles.
    """
    last: dict[str, Reservation] = {}
    standing = _standing(ledger)
    for made in reservations:
        if made.state != "stored" or not made.aside:
            continue
        with suppress(CatalogueError):
            period = parse_period(made.period)
            if (start and period.end < start) or (end and period.start > end):
                continue
            newer = made.edition not in last or last[made.edition].revision < made.revision
            if newer and made.revision in standing.get(made.edition, ()):
                last[made.edition] = made
    for edition in sorted(last):
        made = last[edition]
        stored = ledger.measurements(edition, made.revision)
        if stored is None:
            continue
        sealed = ledger.sealed(made)
        told = sealed.told_by(today) if today else sealed
        noisy = NoisyMeasurements.from_bytes(stored.stored, plan=told.plan)
        late = late_tables(ledger, made.period, _added(ledger, edition, standing)) if told.release.late else ()
        yield Measured(told.plan, told.period, told.grid, told.release, noisy, told.catalogue, late)


def _standing(ledger: Ledger) -> dict[str, set[int]]:
    """Edition → its revisions that are published and not retracted."""
    found: dict[str, set[int]] = {}
    for one in ledger.publications():
        found.setdefault(one.edition, set()).add(one.revision)
    for gone in ledger.retractions():
        found.get(gone.edition, set()).discard(gone.revision)
    return found


def _added(ledger: Ledger, edition: str, standing: Mapping[str, set[int]]) -> tuple[str, ...]:
    """The editions whose late rows the revision in use of an edition adds."""
    description = ledger.description(edition, max(standing[edition]))
    return made_of(description.parts[description.document]).adding if description is not None else ()
