"""Restricted editions for named organisations: who may have which files, and handing one out, marked and recorded.

A user acts for the organisation that names her in the catalogue as it is now. Which editions are made for it stands in the
editions as they were sealed; they and their files are compared with the ledger before anything is handed out.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from dp_stats import files
from dp_stats.catalogue import read_catalogue
from dp_stats.catalogue.models import Organisation
from dp_stats.editions import formats
from dp_stats.editions.edition import FILE_NAME, Edition, editions
from dp_stats.editions.marking import MARKABLE, Mark, marked, unmarked
from dp_stats.errors import AgreementError, DpStatsError, LedgerError, NoLedgerError, PublishedError
from dp_stats.ledger import Acceptance, HandedOut, Ledger
from dp_stats.ledger.agreeing import day_of
from dp_stats.settings import Settings


@dataclass(frozen=True)
class Standing:
    """How an organisation stands today.

    Attributes:
        ended: why nothing is handed out to it; empty where it may be.
        accepted: how its terms, as they are now, were accepted; None if they were not.
    """

    organisation: Organisation
    ended: str
    accepted: Acceptance | None

    @property
    def terms(self) -> str:
        """SHA-256 of the terms as they are now, by which an acceptance names them."""
        return files.sha256(self.organisation.terms.text.encode())


@dataclass(frozen=True)
class ForSome:
    """A published revision that is made for an organisation, with the files that are handed out of it."""

    edition: Edition
    folder: Path
    files: tuple[str, ...]


def organisation_of(user: str, settings: Settings) -> Organisation | None:
    """The organisation that a user acts for; None for everybody else."""
    declared = read_catalogue(settings.catalogue).organisations.values()
    return next((one for one in declared if user in one.users), None)


def standing(organisation: Organisation, settings: Settings) -> Standing:
    """How an organisation stands today."""
    try:
        accepted = _reader(settings).acceptance(organisation)
    except NoLedgerError:
        accepted = None
    return Standing(organisation, organisation.why_not_on(day_of(datetime.now(UTC))), accepted)


def accept(organisation: Organisation, *, user: str, terms: str, settings: Settings) -> Acceptance:
    """Accept an organisation's terms.

    Args:
        terms: SHA-256 of the text that the user was shown.

    Raises:
        AgreementError: these are not the terms any more, the user is none of the organisation's, or its contract has ended.
    """
    if terms != files.sha256(organisation.terms.text.encode()):
        raise AgreementError("The terms have changed since the page was shown. Read them again, then accept them.")
    return _writer(settings).accept(organisation, user=user)


def editions_for(organisation: Organisation, settings: Settings) -> dict[str, ForSome]:
    """``release/period/rN`` → every published revision that is made for an organisation and was not retracted.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    try:
        ledger = _reader(settings)
    except NoLedgerError:
        return {}
    found = {}
    for folder in editions(settings.restricted):
        edition = _edition(folder, organisation, ledger)
        if edition is not None:
            names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.suffix in MARKABLE)
            found[edition.path] = ForSome(edition, folder, tuple(names))
    return found


def _edition(folder: Path, organisation: Organisation, ledger: Ledger) -> Edition | None:
    """The edition in a folder, if it is as it was published, is made for an organisation, and was not retracted."""
    try:
        edition = Edition.load(folder)
        listed = _listed(edition, ledger)
    except DpStatsError:
        return None
    if listed.get(FILE_NAME) != files.file_sha256(folder / FILE_NAME):
        return None
    if organisation.id not in {one.id for one in edition.release.organisations}:
        return None
    gone = {one.revision for one in ledger.retractions(edition.id)}
    return None if edition.revision.number in gone else edition


def _listed(edition: Edition, ledger: Ledger) -> dict[str, str]:
    """File → SHA-256 of a published revision, as the ledger has it."""
    known = ledger.publication(edition.id, edition.revision.number)
    sums = ledger.checksums(known) if known is not None else None
    if sums is None or known is None:
        raise PublishedError(f"{edition.path} is not published here.")
    return {**formats.listed(sums), formats.CHECKSUMS: known.checksum}


@dataclass(frozen=True)
class Given:
    """A file as it is handed out, and its record in the ledger."""

    content: bytes
    record: HandedOut


def hand_out(organisation: Organisation, path: str, file: str, *, user: str, settings: Settings) -> Given:
    """Mark a file for somebody of an organisation and record that she gets it; then it may be sent.

    Args:
        path: of a revision, ``release/period/rN``. file: one of its files.

    Raises:
        PublishedError: there is no such file for this organisation, or it is not as it was published.
        AgreementError: the contract has ended, or the terms as they are now were not accepted.
        LedgerError: it cannot be recorded; nothing is handed out.
    """
    made = editions_for(organisation, settings).get(path)
    if made is None or file not in made.files:
        raise PublishedError(f"There is no file {PurePosixPath(path) / file} for {organisation.name}.")
    now = standing(organisation, settings)
    if now.ended or now.accepted is None:
        raise AgreementError(
            now.ended or f"The terms (version {organisation.terms.version}) have not been accepted yet."
        )
    edition, at = made.edition, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    sealed = _listed(edition, _reader(settings)).get(file, "")
    mark = Mark(
        provided_to=f"{organisation.name}, {user}",
        provided_under=_under(organisation, now.accepted, edition),
        provided_at=at,
        download=secrets.token_hex(8),
        edition=edition.path,
        file=file,
        sealed=sealed,
    )
    content = marked((made.folder / file).read_bytes(), mark)
    record = _writer(settings).hand_out(
        organisation,
        user=user,
        download=mark.download,
        edition=edition.id,
        revision=edition.revision.number,
        file=file,
        sealed=sealed,
        marked=files.sha256(content),
    )
    return Given(content, record)


@dataclass(frozen=True)
class Traced:
    """What a file that was handed out leads back to.

    Attributes:
        mark: what it says of itself; without the mark it is the sealed file that this names.
        sums: SHA-256 of the list of checksums in which the sealed file stands, as the public register tells it; empty without one.
        record: the ledger's record of the download, where the ledger is at hand and has it.
    """

    mark: Mark
    sums: str
    record: HandedOut | None


def trace(file: Path, settings: Settings, *, sums: Path | None = None) -> Traced:
    """Lead a file that was handed out back to the edition it was taken from.

    Args:
        sums: ``SHA256SUMS`` of that edition, or a folder with it; as it was handed out, too.

    Raises:
        PublishedError: the file bears no mark, was changed, or does not stand in ``sums``.
    """
    content = file.read_bytes()
    _, mark = unmarked(_ending(file), content)
    listed = ""
    if sums is not None:
        known = (sums / formats.CHECKSUMS if sums.is_dir() else sums).read_bytes()
        with suppress(PublishedError):
            known, _ = unmarked(formats.CHECKSUMS, known)
        if formats.listed(known).get(mark.file) != mark.sealed and mark.sealed != files.sha256(known):
            raise PublishedError(
                f"{sums} does not list {mark.file} with the checksum that {file} has without its mark."
            )
        listed = files.sha256(known)
    try:
        found = _reader(settings).handed_out(download=mark.download)
    except LedgerError:
        found = []
    records = [one for one in found if one.marked == files.sha256(content)]
    return Traced(mark, listed, records[0] if records else None)


def _ending(file: Path) -> str:
    """A name with the ending by which a mark is read; the list of checksums is downloaded under a name that ends in its own."""
    return formats.CHECKSUMS if file.name.endswith(formats.CHECKSUMS) else file.name


def _under(organisation: Organisation, accepted: Acceptance, edition: Edition) -> str:
    """Under which contract, terms and data-sharing agreement a file is handed out."""
    terms = f"terms version {accepted.version}, accepted by {accepted.user} on {accepted.at.date()}"
    agreement = edition.dataset.agreement
    shared = f"; {agreement.title}, version {agreement.version}" if agreement else ""
    return f"{organisation.basis}; {terms}{shared}"


def _reader(settings: Settings) -> Ledger:
    return Ledger.open(settings.ledger_url, read_only=True)


def _writer(settings: Settings) -> Ledger:
    """The ledger of a web server, which may append what is recorded here and nothing else; heads are kept by workers."""
    return Ledger.open(settings.ledger_url, create=False)
