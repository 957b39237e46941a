"""An edition's files as a pure function of the ledger: written once, and made again whenever they are lost.

First the ledger fixes what the files will say (``publishing``), then they are written, then their checksums are recorded
(``published``). Whatever stops in between, the next attempt goes on from what stands, never from today's clock, names or
texts. Estimates are made from the stored measurements and the sealed plan each time; nothing between is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dp_stats.editions import describe as describing
from dp_stats.editions import formats, reasons
from dp_stats.editions.description import MadeOf, described, made_of, read
from dp_stats.editions.edition import Edition, RevisionFacts, SourceFacts
from dp_stats.editions.latest import refresh_latest
from dp_stats.editions.looks import Looks, Spoken
from dp_stats.editions.publication import Check, Illustrate, PublishedEdition, make_again, publish_edition
from dp_stats.editions.revisions import refresh_status
from dp_stats.editions.verify import faults_of
from dp_stats.errors import DpStatsError, PublishedError
from dp_stats.estimate import estimator
from dp_stats.estimating import estimates_of, sources_of
from dp_stats.late_windows import is_open, open_from
from dp_stats.run import Run, open_ledger, open_made
from dp_stats.texts.words import Texts

if TYPE_CHECKING:
    from dp_stats.estimate import EditionEstimates
    from dp_stats.ledger import Description, Ledger, Publication
    from dp_stats.settings import Settings

MAKERS = ("pandas", "matplotlib", "afcharts", "pillow", "gptables", "xlsxwriter", "babel")
"""Libraries that write files, beside those that the numbers rest on (``editions.describe.library_versions``)."""


def publish(
    run: Run, *, check: Check, why: RevisionFacts | None = None, sources: tuple[SourceFacts, ...] | None = None
) -> PublishedEdition:
    """Publish an edition that has been measured; what is published already is looked at, and made whole again.

    Args:
        why: what a revision that measures nothing itself says of itself.
        sources: earlier editions that its tables across editions are made from (default: as they stand now).
        check: run on every table before anything is visible; raises to refuse.

    Raises:
        LedgerError: it has not been measured. PublishedError: other files bear its name, or it cannot be made again.
        QualityError: from ``check``.
    """
    ledger = run.ledger()
    known = ledger.publication(run.edition, run.revision)
    if known is not None:
        _make_whole(run, ledger, known)
        _refresh(run.published_in, run.edition)
        folder = run.published_in / run.path
        return PublishedEdition(Edition.load(folder), folder, (folder / formats.CHECKSUMS).read_bytes(), new=False)
    standing = ledger.description(run.edition, run.revision)
    if standing is not None:
        sources = _standing(standing)[0].sources
    elif sources is None:
        sources = sources_of(run, ledger)
    estimates = estimates_of(run, sources)
    edition, looks = _standing(standing or _describe(run, ledger, estimates, sources, why))
    if edition.provenance.estimator != estimator.VERSION:
        raise PublishedError(f"{run.path} was begun with other software. {_other_estimator(edition)}")
    with looks.spoken() as spoken:
        found = publish_edition(
            edition,
            estimates,
            run.published_in,
            texts=spoken.texts,
            further=spoken.further,
            check=check,
            illustrate=_pictures(spoken),
        )
        ledger.published(run.edition, run.revision, found.checksums, software=software(spoken.reports, spoken.texts))
    return found


def software(reports: Path, texts: Texts) -> dict[str, str]:
    """What the files are made with: library → version, and the font of the charts with the start of its SHA-256."""
    from dp_stats.charts.drawing import Studio
    from dp_stats.charts.edition_chart import font_of

    found = describing.library_versions()
    for name in MAKERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return {**found, "font": font_of(Studio(reports, texts))}


# Making again


@dataclass(frozen=True)
class Rebuilt:
    """What became of one published revision (``release/period/rN``).

    Attributes:
        files: those that were put in place. why: what stands against it, where it could not be made whole.
    """

    path: str
    state: Literal["whole", "made again", "refused"]
    files: tuple[str, ...] = ()
    why: str = ""


def rebuild(
    settings: Settings, *, edition: str = "", progress: Callable[[Rebuilt], None] = lambda _: None
) -> list[Rebuilt]:
    """Make every published file that is missing or altered again from the ledger, byte for byte.

    Args:
        edition: only this one (``release/period``) and all its revisions. progress: called with each revision.

    Raises:
        PublishedError: nothing of that name was ever published.
    """
    ledger = open_ledger(settings)
    wanted = [p for p in ledger.publications() if edition in ("", p.edition)]
    if edition and not wanted:
        raise PublishedError(f"{edition} was never published, as far as the ledger knows. Write release/period.")
    done: list[Rebuilt] = []
    for publication in sorted(
        wanted, key=lambda p: (p.edition, p.revision)
    ):  # revisions mark what differs from earlier
        done.append(_rebuilt(publication, ledger, settings))
        progress(done[-1])
    for name in dict.fromkeys(p.edition for p in wanted):
        for public in _places(settings):
            if (public / name).is_dir():
                _restore_retractions(ledger, public, name)
                _refresh(public, name)
    return done


def _rebuilt(known: Publication, ledger: Ledger, settings: Settings) -> Rebuilt:
    path = f"{known.edition}/r{known.revision}"
    try:
        made = published_as(ledger, known.edition, known.revision)
        reservation = ledger.latest(known.edition, made.measured)
        sealed = reservation is not None and bool(reservation.aside)  # else it was made before plans were sealed
        if not sealed and any(not _faults(place / path, known) for place in _places(settings)):
            return Rebuilt(path, "whole")
        run = open_made(
            known.edition, revision=known.revision, measured=made.measured, adding=made.adding, settings=settings
        )
        written = _make_whole(run, ledger, known)
        return Rebuilt(path, "made again" if written else "whole", written)
    except DpStatsError as error:
        return Rebuilt(path, "refused", why=str(error))


def _faults(folder: Path, known: Publication) -> list[str]:
    return faults_of(folder, known.checksum) if folder.is_dir() else ["the folder: missing"]


def _places(settings: Settings) -> tuple[Path, Path]:
    return settings.public_dir, settings.restricted


def _make_whole(run: Run, ledger: Ledger, known: Publication) -> tuple[str, ...]:
    """Put the missing and altered files of a published revision in place; returns their names.

    Raises:
        PublishedError: they cannot be made as they were.
    """
    folder = run.published_in / run.path
    faults = _faults(folder, known)
    description = ledger.description(run.edition, run.revision)
    if not faults:
        if description is None:
            _adopt(run, ledger, folder)
        return ()
    checksums = ledger.checksums(known)
    if description is None or checksums is None:
        raise PublishedError(
            f"{run.path} was published by an earlier version of dp_stats, which did not keep what its files say, and is not "
            f"as it was published ({'; '.join(faults[:5])}). Restore its folder from a copy of the site, or publish "
            f"revision {run.revision + 1} with a reason, which is a new charge."
        )
    edition, looks = _standing(description)
    with looks.spoken() as spoken:
        try:
            written = make_again(
                edition,
                estimates_of(run, edition.sources),
                run.published_in,
                texts=spoken.texts,
                further=spoken.further,
                illustrate=_pictures(spoken),
                checksums=checksums,
            )
        except PublishedError as error:
            other = edition.provenance.estimator != estimator.VERSION
            now = software(spoken.reports, spoken.texts)
            said = _other_estimator(edition) if other else _other_software(known, now)
            raise PublishedError(f"{error} {said}") from error
    left = _faults(folder, known)
    if left:
        raise PublishedError(
            f"{run.path} is whole again, but its folder holds what was never published ({'; '.join(left[:5])}). Remove it."
        )
    return written


def _other_estimator(edition: Edition) -> str:
    """How the estimator that is installed differs from what estimated an edition, and what to do."""
    return (
        f"It is estimated by version {edition.provenance.estimator} of the method, and this dp-stats has version "
        f"{estimator.VERSION}. Install dp-stats {edition.provenance.versions.get('dp-stats', '')}, then run this again. Nothing "
        "was written."
    )


def _other_software(known: Publication, now: dict[str, str]) -> str:
    """How what is installed differs from what made the files, and what to do."""
    other = [
        f"{name} {then} (here {now.get(name, 'none')})"
        for name, then in known.software.items()
        if now.get(name) != then
    ]
    if other:
        return (
            f"They were made with {', '.join(other)}. Install these versions, then run this again. Nothing was written."
        )
    return (
        "The software is the same that made them, so a processor or a library of the system computes another last digit, or "
        "the ledger's copy is not what was published. Run this where they were made. Nothing was written."
    )


def _describe(
    run: Run,
    ledger: Ledger,
    estimates: EditionEstimates,
    sources: tuple[SourceFacts, ...],
    why: RevisionFacts | None,
) -> Description:
    """Fix what the files will say: as declared, told and known now; or as the folder says that an attempt left behind."""
    folder = run.published_in / run.path
    if folder.exists():
        return _adopt(run, ledger, folder)
    reservation = ledger.latest(run.edition, run.measured)
    assert reservation is not None
    looks, texts = Looks.of(run.settings), Texts.of(run.settings)
    if why is None and run.revision > 1:
        why = reasons.correction(run.revision, reservation.reason, before=_before(run, ledger), texts=texts)
    if why is None and not is_open(run.period.label, open_from(run, ledger)):
        why = RevisionFacts(status="final")  # it runs after the edition that closes its window
    if run.release.audience == "public":
        account = ledger.disclose(run.edition, run.revision, measured=run.measured)
    else:
        account = ledger.account(run.edition, run.measured)
    edition = said_of(run, estimates, account, texts, why, sources)
    return _keep(ledger, edition, looks, as_told=False, measured=run.measured)


def said_of(
    run: Run,
    estimates: EditionEstimates,
    account: describing.Account,
    texts: Texts,
    why: RevisionFacts | None,
    sources: tuple[SourceFacts, ...],
) -> Edition:
    """What the files of a run say, were it published now; ``why``: of a revision, what it is and for which reason."""
    return describing.describe(
        run.release,
        dataset=run.dataset,
        catalogue=run.catalogue,
        period=run.period,
        grid=run.grid,
        estimates=estimates,
        texts=texts,
        languages=Texts.further(run.settings),
        account=account,
        revision=why or run.revision,
        sources=sources,
        commit=run.sealed.commit if run.sealed is not None else "",
    )


def _before(run: Run, ledger: Ledger) -> MadeOf | None:
    """The last revision that was published before this one."""
    published = [p.revision for p in ledger.publications() if p.edition == run.edition and p.revision < run.revision]
    return published_as(ledger, run.edition, max(published)) if published else None


def published_as(ledger: Ledger, edition: str, revision: int) -> MadeOf:
    """What a revision is made of; one of before the ledger kept that is its own measurement."""
    description = ledger.description(edition, revision)
    if description is None:
        return MadeOf(revision, (), RevisionFacts(number=revision), 1)
    return made_of(description.parts[description.document])


def _adopt(run: Run, ledger: Ledger, folder: Path) -> Description:
    """Keep what the files say of an edition that was written before the ledger kept it, from its own facts."""
    there = Edition.load(folder)
    if there.path != run.path or there.provenance.plan_hash != run.plan.hash:
        raise PublishedError(
            f"{folder} holds another edition than {run.path} of this ledger. Move it aside, then run this again."
        )
    return _keep(
        ledger,
        there,
        Looks.of(run.settings),
        as_told=True,
        checksums=(folder / formats.CHECKSUMS).read_bytes(),
        measured=run.measured,
    )


def _keep(
    ledger: Ledger,
    edition: Edition,
    looks: Looks,
    *,
    as_told: bool,
    checksums: bytes = b"",
    measured: int | None = None,
) -> Description:
    kept = described(edition)
    return ledger.publishing(
        edition.id,
        edition.revision.number,
        document=kept.document,
        looks=looks.hash,
        parts={**kept.parts, looks.hash: looks.part},
        checksums=checksums,
        published=edition.published if as_told else None,
        measured=measured,
    )


def _standing(description: Description) -> tuple[Edition, Looks]:
    edition = read(description.document, description.parts, published=description.published)
    return edition, Looks.read(description.parts[description.looks])


def _pictures(spoken: Spoken) -> Illustrate:
    from dp_stats.charts.edition_chart import illustrator

    return illustrator(spoken.reports, spoken.texts, spoken.further)


def retract(settings: Settings, edition: str, *, revision: int, reason: str) -> Path:
    """Record in the ledger that a published revision must not be used any more, then beside its folder, and show the rest.

    A second call changes nothing. A decision that an earlier version recorded beside the folder alone keeps its moment.

    Returns:
        The folder in which the edition is published.

    Raises:
        PublishedError: it was never published, or its files are lost. LedgerError: no reason is given.
    """
    from dp_stats.editions import retracting
    from dp_stats.editions.revisions import retractions

    ledger = open_ledger(settings)
    public = next((place for place in _places(settings) if (place / edition / f"r{revision}").is_dir()), None)
    before = next((r for r in retractions(public, edition) if r.revision == revision), None) if public else None
    decided = ledger.retracted(
        edition, revision, before.reason if before else reason, when=before.when if before else None
    )
    if public is None:
        raise PublishedError(
            f"{edition}/r{revision} is recorded as retracted, but its files are lost. Run dp-stats rebuild, which brings "
            "them back and says so."
        )
    retracting.retract(public, edition, revision=revision, reason=decided.reason, when=decided.when)
    return public


def _restore_retractions(ledger: Ledger, public: Path, edition: str) -> None:
    from dp_stats.editions.retracting import write_retractions
    from dp_stats.editions.revisions import Retraction

    decided = [Retraction(revision=r.revision, reason=r.reason, when=r.when) for r in ledger.retractions(edition)]
    write_retractions(public, edition, decided)


def _refresh(public: Path, edition: str) -> None:
    """What follows from an edition's revisions: its status, and ``latest`` of its release."""
    from dp_stats.editions.latest import folder_lock

    release, _, period = edition.partition("/")
    with folder_lock(public):
        refresh_status(public, release, period)
        refresh_latest(public, release)
