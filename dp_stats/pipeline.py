"""The steps of an edition in order, used alike by the DAGs and the command line.

Each step takes the edition's name (``release/period``) and returns a few small plain values: names,
hashes and states, never anything read from rows. Every step may be run again at any time: it either
does its work again with the same result, or returns what is already there. What is spent and what was
drawn is decided by the ledger alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from dp_stats.catalogue import read_catalogue
from dp_stats.catalogue.due import day_at, periods_before
from dp_stats.catalogue.load import is_due
from dp_stats.errors import NotDueError
from dp_stats.run import Kind, Run, ledger_if_any, open_reserved, open_run, prepare_home, user_name
from dp_stats.settings import Settings, load_settings

if TYPE_CHECKING:
    from dp_stats.editions.publication import Check, PublishedEdition
    from dp_stats.plan import SealedPlan
    from dp_stats.proposing import Proposal
    from dp_stats.publishing import Rebuilt

Step = dict[str, Any]
Progress = Callable[[str], None]


def due_editions(release: str, *, until: date | None = None, settings: Settings | None = None) -> list[str]:
    """Every edition of a release whose period has ended and settled, in order of time."""
    catalogue = read_catalogue((settings or load_settings()).catalogue)
    declared = catalogue.release(release)
    until = until or day_at(declared, datetime.now(UTC))
    return [f"{release}/{p.label}" for p in catalogue.periods(declared, until=until)]


def pull(edition: str, *, revision: int = 1, settings: Settings | None = None) -> Step:
    """Take a snapshot of the declared columns, without opted-out people: into the secure store, or in place (``engine: source``).

    Raises:
        NotDueError: the period has not ended and settled yet. AgreementError: its agreement does not allow it, or not any more.
        SourceError, OptOutError: the source or the opt-out list cannot be read as declared.
    """
    from dp_stats.secure.pull import pull_anywhere
    from dp_stats.secure.staging import staging_folder, write_private

    run = open_run(edition, revision=revision, settings=settings)
    if not is_due(run.release, run.period, day_at(run.release, datetime.now(UTC))):
        raise NotDueError(
            f"{run.edition} ends on {run.period.end} and settles {run.release.settle_days} days later. Run it after that day."
        )
    if _stored(run) is not None:
        return {"edition": edition, "revision": revision}
    run.require_recipients(datetime.now(UTC))
    if run.dataset.agreement is not None:
        run.ledger().agreed(run.planned(), dataset=run.dataset, revision=revision)
    prepare_home(run.settings)
    folder = staging_folder(run.settings.secure, release=run.release.id, period=run.period.label, revision=revision)
    back = run.release.late.periods if run.release.late else 0
    snapshot = pull_anywhere(
        run.dataset,
        catalogue=run.catalogue,
        period=run.period,
        earlier=periods_before(run.release, run.period, back),
        folder=folder,
        settings=run.settings,
    )
    write_private(run.settings.secure, run.intake_report, snapshot.report.read_bytes())
    return {"edition": edition, "revision": revision, "snapshot": snapshot.digest}


def check(edition: str, *, revision: int = 1, settings: Settings | None = None) -> Step:
    """Hold the intake report against the dataset's limits, and the snapshot against its expectations suite.

    Warnings are written into the secure store. An ad hoc release runs no such gates: whoever asks also chooses the
    period, and a gate that fails would be an exact answer that nobody was charged for.

    Raises:
        QualityError: a gate failed; nothing has been reserved yet.
    """
    from dp_stats.secure.check import check_snapshot
    from dp_stats.secure.gates import accept, check_intake
    from dp_stats.secure.staging import write_private

    run = open_run(edition, revision=revision, settings=settings)
    if not run.release.adhoc and _stored(run) is None:
        check_intake(run.dataset, edition=run.edition, folder=run.staging, settings=run.settings)
        report = check_snapshot(
            run.dataset, catalogue=run.catalogue, period=run.period, folder=run.staging, settings=run.settings
        )
        notes = run.settings.secure / "quality" / f"{run.path}.txt"
        write_private(run.settings.secure, notes, "".join(f"{warning}\n" for warning in report.warnings).encode())
        accept(run.dataset, folder=run.staging, settings=run.settings)
    return {"edition": edition, "revision": revision}


def reserve(
    edition: str,
    *,
    revision: int = 1,
    reason: str = "",
    requested_by: str = "",
    run: str = "",
    new_series: bool = False,
    settings: Settings | None = None,
) -> Step:
    """Charge the plan's cost to the budget and seal the plan in the ledger, before anything is measured.

    The plan is made from what is declared now, unless the edition has been paid for already. All that follows the
    measurement is rehearsed first (see ``dp_stats.rehearsal``).

    Args:
        reason: why this revision is made; needed for revisions after the first.
        requested_by: who started the run (an ad hoc release always names its own analyst).
        run: a link or name of the run, shown beside the charge.
        new_series: a yes to charging blocks again if an edit of the catalogue has ended the series they were paid for.

    Raises:
        CatalogueError: the edition could not be published as declared.
        BudgetError, AgreementError: it is not allowed, or not any more. ApprovalError: an approval is missing or expired.
    """
    from dp_stats.ledger import approvers_needed

    opened = open_run(edition, revision=revision, settings=settings)
    ledger, sealed = opened.ledger(), opened.to_seal()
    if _stored(opened) is None:
        opened.require_recipients(datetime.now(UTC))
        _rehearse(opened, sealed)
    category: Literal["scheduled", "adhoc"] = "adhoc" if opened.release.adhoc else "scheduled"
    reservation = ledger.reserve(
        sealed,
        dataset=opened.dataset,
        holders=opened.holders,
        revision=revision,
        category=category,
        requested_by=opened.release.requested_by or requested_by or user_name(),
        reason=reason or opened.release.purpose or ("" if revision > 1 else "scheduled edition"),
        run=run,
        required_approvers=approvers_needed(opened.dataset, rho=sealed.plan.rho, category=category),
        new_series=new_series,
    )
    return {
        "edition": edition,
        "revision": revision,
        "plan": reservation.plan_hash,
        "charged": list(reservation.charged),
    }


def _rehearse(run: Run, planned: SealedPlan) -> None:
    """Try out everything that is to follow of a plan, with the names and texts of today."""
    from dp_stats.rehearsal import Rehearsed, rehearse_once

    told = planned.told_by(run.catalogue)
    rehearse_once(Rehearsed(run.settings, told.catalogue, told.release, told.period, told.plan, _check_of(run)))


def measure(edition: str, *, revision: int = 1, settings: Settings | None = None) -> Step:
    """Bound, aggregate and add noise as the sealed plan says, once: a second call returns what was stored by the first.

    Raises:
        LedgerError: nothing is reserved for this edition, or another plan since this run began. RegisterError: the
            contribution register is lost or altered.
    """
    from dp_stats.secure.measure import measure as measure_snapshot

    run = open_reserved(edition, revision=revision, settings=settings)
    ledger, sealed = run.ledger(), run.planned()
    reservation = ledger.resume(sealed, dataset=run.dataset, holders=run.holders, revision=revision)
    measure_snapshot(sealed, snapshot=run.snapshot, ledger=ledger, reservation=reservation, settings=run.settings)
    return {"edition": edition, "revision": revision, "plan": run.plan.hash}


def estimate(edition: str, *, revision: int = 1, settings: Settings | None = None) -> Step:
    """Try whether the stored measurements give estimates, before anything is said; keeps nothing (``publish`` makes its own)."""
    from dp_stats.estimating import estimates_of

    estimates = estimates_of(open_reserved(edition, revision=revision, settings=settings))
    return {"edition": edition, "revision": revision, "tables": len(estimates.tables)}


def publish(edition: str, *, revision: int = 1, settings: Settings | None = None) -> Step:
    """Write the edition's files once, switch ``latest`` and bring the site up to date (see ``dp_stats.publishing``).

    Where it has measured late rows, the periods before it are published again with them (see ``dp_stats.revising``).
    """
    from dp_stats import publishing, revising

    run = open_reserved(edition, revision=revision, settings=settings)
    check = _check_of(run)
    published = publishing.publish(run, check=check)
    revised = revising.revise(run, check=check)
    done = _shown(published, run)
    if revised:
        done["revised"] = [one.edition.path for one in revised]
    return done


def propose(edition: str, *, kind: Kind, reason: str, settings: Settings | None = None) -> Proposal:
    """What a revision would cost and change; reads no rows, and spends, draws and publishes nothing."""
    from dp_stats import proposing

    return proposing.propose(edition, kind=kind, reason=reason, settings=settings or load_settings())


def number_of_correction(edition: str, *, reason: str, settings: Settings | None = None) -> int:
    """The number of a correction: the next, or that of the one for the same reason that was begun or published before."""
    from dp_stats import proposing

    return proposing.number_of_correction(edition, reason=reason, settings=settings or load_settings())


def revise(
    edition: str,
    *,
    kind: Kind,
    reason: str = "",
    requested_by: str = "",
    run: str = "",
    settings: Settings | None = None,
    progress: Progress = lambda step: None,
) -> Step:
    """Publish a revision of an edition (see ``dp_stats.proposing``); asked again with the same reason, it is the same one.

    Only a correction charges and draws: it goes through every step of an edition. The others are rehearsed and published
    from what is stored.

    Raises:
        PublishedError: there is nothing to revise, nothing would change, or it needs another kind.
        BudgetError, ApprovalError: of a correction that is not allowed.
    """
    from dp_stats import proposing

    proposal = propose(edition, kind=kind, reason=reason, settings=settings)
    opened = proposal.run
    if proposal.kind == "correction":
        return run_edition(
            edition,
            revision=proposal.revision,
            reason=reason,
            requested_by=requested_by,
            run=run,
            settings=settings,
            progress=progress,
        )
    progress("rehearse")
    if proposal.state == "new":
        _rehearse(opened, opened.planned())
    progress("publish")
    return _shown(proposing.publish_proposed(proposal, check=_check_of(opened)), opened)


def _shown(published: PublishedEdition, run: Run) -> Step:
    """Bring the site up to date with what was published, and tell what it is."""
    from dp_stats.outlets.ckan import register_newest

    not_shown = refresh_site(run.settings)  # the register of data uses tells of those that are not public, too
    if run.release.audience == "public":
        register_newest(run.release.id, run.settings)
    number = published.edition.revision.number
    done = {"edition": run.edition, "revision": number, "path": published.edition.path, "sha256": published.checksum}
    return {**done, "not_shown": sorted(not_shown)} if not_shown else done


def _check_of(run: Run) -> Check:
    from dp_stats.quality import check_published

    return partial(check_published, settings=run.settings, lowest=run.release.lowest)


def refresh_site(settings: Settings, *, incremental: bool = True) -> dict[str, str]:
    """Bring feeds, catalogues and pages up to date with the published editions, here and at the public address.

    Returns:
        Releases that could not be shown, with what they failed with; everything else is up to date.

    Raises:
        LedgerError: the ledger does not go on from the public log that is there; nothing was written.
    """
    from dp_stats.back_series import refresh_back_series
    from dp_stats.outlets.index import refresh_index
    from dp_stats.outlets.places import refresh_places
    from dp_stats.outlets.public_log import refresh_log
    from dp_stats.outlets.statement import refresh_statement
    from dp_stats.outlets.targets import upload
    from dp_stats.site import build_for
    from dp_stats.texts.words import Texts

    catalogue = read_catalogue(settings.catalogue)
    if (ledger := ledger_if_any(settings)) is not None:
        refresh_log(settings.public_dir, ledger.log)
        refresh_back_series(settings.public_dir, ledger)
    indexed = refresh_index(
        settings.public_dir,
        base_url=settings.base_url,
        restricted=settings.restricted,
        texts=Texts.of(settings),
        further=Texts.further(settings),
        releases=catalogue.releases.values(),
    )
    broken = refresh_places(settings.public_dir, catalogue) | refresh_statement(settings.public_dir, catalogue)
    built = build_for(settings, incremental=incremental)
    if "://" in settings.public:
        upload(settings.public_dir, settings.public)
    return {**indexed.left_out, **broken, **built.not_shown}


def retract(edition: str, *, revision: int = 1, reason: str, settings: Settings | None = None) -> Step:
    """Mark a published revision as retracted, in the ledger and beside its files, and bring the site up to date.

    Raises:
        PublishedError: it was never published, or its files are lost. LedgerError: no reason is given.
    """
    from dp_stats import publishing

    settings = settings or load_settings()
    place = publishing.retract(settings, edition, revision=revision, reason=reason)
    if place == settings.public_dir:
        refresh_site(settings)
    return {"edition": edition, "revision": revision}


def rebuild(
    *, edition: str = "", settings: Settings | None = None, progress: Callable[[Rebuilt], None] = lambda _: None
) -> list[Rebuilt]:
    """Make published files that are missing or altered again, byte for byte, and all that follows from editions.

    Args:
        edition: only this one (``release/period``). progress: called with what became of each revision.
    """
    from dp_stats import publishing

    settings = settings or load_settings()
    done = publishing.rebuild(settings, edition=edition, progress=progress)
    if settings.public_dir.is_dir():
        refresh_site(settings)
    return done


def clean_up(edition: str, *, revision: int = 1, settings: Settings | None = None) -> Step:
    """Delete the staged rows, whether it was published or failed; a table that cannot be dropped waits for the nightly upkeep."""
    from dp_stats.secure.in_place.dropping import drop
    from dp_stats.secure.in_place.tables import listed_in
    from dp_stats.secure.staging import remove

    run = open_run(edition, revision=revision, settings=settings)
    drop(listed_in(run.staging))
    remove(run.staging)
    return {"edition": edition, "revision": revision}


def run_edition(
    edition: str,
    *,
    revision: int = 1,
    reason: str = "",
    requested_by: str = "",
    run: str = "",
    new_series: bool = False,
    settings: Settings | None = None,
    progress: Progress = lambda step: None,
) -> Step:
    """Every step in order, as the DAG would; the staged rows are deleted whatever happens."""
    try:
        progress("pull")
        pull(edition, revision=revision, settings=settings)
        progress("check")
        check(edition, revision=revision, settings=settings)
        progress("reserve")
        reserve(
            edition,
            revision=revision,
            reason=reason,
            requested_by=requested_by,
            run=run,
            new_series=new_series,
            settings=settings,
        )
        progress("measure")
        measure(edition, revision=revision, settings=settings)
        progress("estimate")
        estimate(edition, revision=revision, settings=settings)
        progress("publish")
        return publish(edition, revision=revision, settings=settings)
    finally:
        clean_up(edition, revision=revision, settings=settings)


def _stored(run: Run) -> bytes | None:
    """The noisy measurements of this revision, if the ledger has them."""
    stored = run.ledger().measurements(run.edition, run.revision)
    return stored.stored if stored else None
