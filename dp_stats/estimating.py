"""An edition's estimates from stored measurements: its own, and those of the earlier editions that its tables across editions need.

Which earlier editions it takes is fixed when it is described, and kept with its facts: so its files are made again byte for byte,
whatever was published since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from dp_stats.catalogue import parse_period
from dp_stats.catalogue.across_windows import began
from dp_stats.editions.edition import SourceFacts
from dp_stats.errors import LedgerError
from dp_stats.run import Run, late_tables

if TYPE_CHECKING:
    from dp_stats.estimate.measured_edition import Measured
    from dp_stats.estimate.model import EditionEstimates
    from dp_stats.ledger import Ledger, Publication


def sources_of(run: Run, ledger: Ledger) -> tuple[SourceFacts, ...]:
    """The earlier editions that an edition's tables across editions are made from, as they stand now, in order of time.

    These are the published and not retracted ones with days that a window needs, also under former names of the release, with
    the late rows that published editions, this one and those that it adds have measured of their periods.
    """
    from dp_stats.estimate.across import days_needed

    release, names = run.planned().release, (run.release.id, *run.release.formerly)
    published = [p for p in ledger.publications() if p.edition.rpartition("/")[0] in names]
    starts = {parse_period(_label(p.edition)).start for p in published}
    needed = days_needed(began(release, starts), run.period.end)
    return tuple(_sources(run, ledger, published, needed[0])) if needed is not None else ()


def _sources(run: Run, ledger: Ledger, published: Sequence[Publication], first: date) -> Iterator[SourceFacts]:
    known = {p.edition for p in published} | {run.edition, *run.adding}
    for name in sorted({p.edition for p in published}, key=lambda name: parse_period(_label(name)).start):
        period = parse_period(_label(name))
        retracted = {r.revision for r in ledger.retractions(name)}
        standing = [p.revision for p in published if p.edition == name and p.revision not in retracted]
        if not first <= period.end < run.period.start or not standing:
            continue
        made = [r for number in range(1, max(standing) + 1) if (r := ledger.latest(name, number)) is not None]
        measured = [r for r in made if r.state == "stored" and r.aside]
        if not measured:
            continue
        last = measured[-1]
        adds = (
            ()
            if last.revision > 1
            else tuple(
                one.edition
                for one, _ in sorted(ledger.adding_editions(last), key=lambda pair: pair[1].period.start)
                if one.edition in known
            )
        )
        yield SourceFacts(edition=name, revision=last.revision, adds=adds)


def _label(edition: str) -> str:
    return edition.rpartition("/")[2]


def measured(ledger: Ledger, source: SourceFacts) -> Measured:
    """An edition's stored measurements with its own declaration, as its plan was sealed.

    Raises:
        LedgerError: they are not in the ledger.
    """
    from dp_stats.estimate.measured_edition import Measured
    from dp_stats.plan.noisy import NoisyMeasurements

    stored, reservation = (
        ledger.measurements(source.edition, source.revision),
        ledger.latest(source.edition, source.revision),
    )
    if stored is None or reservation is None:
        raise LedgerError(
            f"{source.edition}, which tables across editions need, has not been measured. Restore the ledger."
        )
    sealed = ledger.sealed(reservation)
    noisy = NoisyMeasurements.from_bytes(stored.stored, plan=sealed.plan)
    late = late_tables(ledger, _label(source.edition), source.adds)
    return Measured(sealed.plan, sealed.period, sealed.grid, sealed.release, noisy, sealed.catalogue, late)


def estimates_of(run: Run, sources: tuple[SourceFacts, ...] | None = None) -> EditionEstimates:
    """Consistent estimates with intervals from the stored measurements and the plan as it was sealed, no word from today.

    Args:
        sources: earlier editions that tables across editions are made from (default: as they stand now).

    Raises:
        LedgerError: it, or an edition that it needs, has not been measured.
    """
    from dataclasses import replace

    from dp_stats.estimate import estimate
    from dp_stats.estimate.across import across
    from dp_stats.estimate.open_measurements import document

    ledger = run.ledger()
    if ledger.measurements(run.edition, run.measured) is None:
        raise LedgerError(f"{run.edition} has not been measured yet. Run the measure step first.")
    own = measured(ledger, SourceFacts(edition=run.edition, revision=run.measured, adds=run.adding))
    assert own.catalogue is not None
    made = estimate(
        own.plan, grid=own.grid, release=own.release, catalogue=own.catalogue, noisy=own.noisy, late=own.late
    )
    made = replace(made, document=document(own, made.fitted))
    if not own.release.across:
        return made
    taken = sources_of(run, ledger) if sources is None else sources
    return replace(made, across=across(own, [measured(ledger, source) for source in taken]))
