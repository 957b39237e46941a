"""Who accepted which terms for an organisation, and what was handed out to it: entries of the chain like any other.

The text of the terms is kept by its hash. A download names the acceptance it rests on, the file as it was published and
the file as it was handed out, by their hashes.
"""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, select

from dp_stats.catalogue.models import Organisation
from dp_stats.errors import AgreementError, PublishedError
from dp_stats.files import sha256
from dp_stats.ledger import describing, schema, sealing
from dp_stats.ledger.agreeing import day_of
from dp_stats.ledger.chain import Writer, moment
from dp_stats.ledger.records import Acceptance, HandedOut
from dp_stats.ledger.texts import line


def accept(writer: Writer, organisation: Organisation, *, user: str) -> Acceptance:
    """Record that somebody has accepted an organisation's terms as they are now; who had accepted these changes nothing.

    Raises:
        AgreementError: the user is none of its, or its contract is not in force.
    """
    _require(organisation, user=user, writer=writer)
    found = acceptance(writer.connection, organisation)
    if found is not None:
        return found
    text = organisation.terms.text.encode()
    sealing.keep(writer.connection, {sha256(text): text})
    entry = writer.append(
        "accepted",
        {
            "organisation": organisation.id,
            "user": line(user, "user"),
            "version": organisation.terms.version,
            "terms": sha256(text),
        },
    )
    return Acceptance(entry.sequence, organisation.id, user.strip(), organisation.terms.version, sha256(text), entry.at)


def acceptance(connection: Connection, organisation: Organisation) -> Acceptance | None:
    """How the terms as they are now, version and text, were accepted for an organisation; None if nobody has."""
    c = schema.acceptances.c
    hash = sha256(organisation.terms.text.encode())
    query = select(schema.acceptances).where(
        c.organisation == organisation.id, c.version == organisation.terms.version, c.terms == hash
    )
    row = connection.execute(query.order_by(c.id)).mappings().first()
    return _acceptance(row) if row is not None else None


def acceptances(connection: Connection) -> list[Acceptance]:
    """Every acceptance, oldest first."""
    query = select(schema.acceptances).order_by(schema.acceptances.c.id)
    return [_acceptance(row) for row in connection.execute(query).mappings()]


def hand_out(
    writer: Writer,
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
    """Record that a file is handed out, before it is.

    Raises:
        AgreementError: the user is none of the organisation's, its contract is not in force, or its terms as they are now
            have not been accepted. PublishedError: the revision is not published, or not any more.
    """
    _require(organisation, user=user, writer=writer)
    accepted = acceptance(writer.connection, organisation)
    if accepted is None:
        raise AgreementError(
            f"Nobody has accepted version {organisation.terms.version} of the terms for {organisation.name} yet. Accept them "
            "on the page first."
        )
    if describing.publication(writer.connection, edition, revision) is None:
        raise PublishedError(f"{edition}/r{revision} is not published here.")
    if any(one.revision == revision for one in describing.retractions(writer.connection, edition)):
        raise PublishedError(f"{edition}/r{revision} was retracted and is handed out no more.")
    entry = writer.append(
        "handed_out",
        {
            "download": download,
            "organisation": organisation.id,
            "user": line(user, "user"),
            "acceptance": accepted.id,
            "edition": edition,
            "revision": revision,
            "file": line(file, "name of the file"),
            "sealed": sealed,
            "marked": marked,
        },
    )
    row = writer.connection.execute(select(schema.handed_out).where(schema.handed_out.c.id == entry.sequence))
    return _handed_out(row.mappings().one())


def handed_out(
    connection: Connection, *, edition: str = "", organisation: str = "", marked: str = "", download: str = ""
) -> list[HandedOut]:
    """What was handed out, oldest first; only of what is named.

    Args:
        marked: SHA-256 of the file as it was handed out. download: its number.
    """
    c = schema.handed_out.c
    query = select(schema.handed_out).order_by(c.id)
    wanted = ((c.edition, edition), (c.organisation, organisation), (c.marked, marked), (c.download, download))
    for column, value in wanted:
        if value:
            query = query.where(column == value)
    return [_handed_out(row) for row in connection.execute(query).mappings()]


def _require(organisation: Organisation, *, user: str, writer: Writer) -> None:
    if user not in organisation.users:
        raise AgreementError(f"{user} is no user of {organisation.name}. Nothing was recorded or handed out.")
    if why := organisation.why_not_on(day_of(writer.now)):
        raise AgreementError(f"Nothing is handed out to {organisation.name}: {why}.")


def _acceptance(row: RowMapping) -> Acceptance:
    return Acceptance(row["id"], row["organisation"], row["user"], row["version"], row["terms"], moment(row["at"]))


def _handed_out(row: RowMapping) -> HandedOut:
    return HandedOut(**{**row, "at": moment(row["at"])})
