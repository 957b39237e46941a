"""Publishing: what an edition's files will say is fixed first, then that they are published, later that one is retracted.

The description is everything that the bytes depend on beside the sealed plan and the stored measurements: the time of
publication, names and texts, what the ledger told, versions, language and style. It is kept in parts by hash, as sealed
plans are; how it is written and read is the business of ``editions``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, RowMapping, Table, and_, or_, select

from dp_stats.errors import LedgerError, PublishedError
from dp_stats.files import sha256
from dp_stats.ledger import schema, sealing
from dp_stats.ledger.chain import Writer, instant, moment
from dp_stats.ledger.records import Description, Publication, Retracted
from dp_stats.ledger.texts import line


def describe(
    writer: Writer,
    edition: str,
    revision: int,
    *,
    document: str,
    looks: str,
    parts: Mapping[str, bytes],
    checksums: bytes,
    published: datetime | None,
    measured: int,
) -> Description:
    """Fix what the files of an edition will say, unless that stands already; returns what stands.

    Args:
        measured: the revision whose measurements it is made of: its own, or an earlier one's that late rows were added to.

    Raises:
        LedgerError: it was never measured, a part has not its hash, or a correction holds the number of a revision that
            measures nothing itself.
        PublishedError: it was published without a description, and not with these ``checksums``.
    """
    standing = description(writer.connection, edition, revision)
    if standing is not None:
        return standing
    plan = _measured_plan(writer.connection, edition, measured)
    if measured != revision and revision in _reserved(writer.connection, edition):
        raise LedgerError(
            f"{edition} (revision {revision}) is being measured as a correction. Nothing was published under its number. Let "
            "the correction finish, then run this again."
        )
    known = publication(writer.connection, edition, revision)
    if known is not None and sha256(checksums) != known.checksum:
        raise PublishedError(
            f"{edition} (revision {revision}) was published by an earlier version of dp_stats, which did not keep what its "
            "files say. It can be kept now from those files alone: restore them from a copy of the site, then run this again."
        )
    kept = dict(parts) | ({known.checksum: checksums} if known is not None else {})
    sealing.keep(writer.connection, kept)
    when = (published or writer.now).replace(microsecond=0)
    writer.append(
        "publishing",
        {
            "edition": edition,
            "revision": revision,
            "plan": plan,
            "description": document,
            "looks": looks,
            "published": instant(when),
        },
    )
    found = description(writer.connection, edition, revision)
    assert found is not None
    return found


def description(connection: Connection, edition: str, revision: int) -> Description | None:
    """What the files of an edition say, with its parts; None if that was never fixed.

    Raises:
        LedgerError: a part is missing or altered.
    """
    row = _one(connection, schema.descriptions, edition, revision)
    if row is None:
        return None
    parts = sealing.closure(connection, (row["description"],), leaves=(row["looks"],))
    return Description(
        edition=edition,
        revision=revision,
        plan_hash=row["plan"],
        document=row["description"],
        looks=row["looks"],
        published=moment(row["published"]),
        parts=parts,
    )


def in_use(connection: Connection, releases: Collection[str]) -> dict[str, tuple[int, bytes]]:
    """Edition → number and document of what its files say, of the revision in use of every published edition of some releases:
    the last that is published and not retracted.

    Raises:
        LedgerError: one is missing or altered.
    """
    d, p, r = schema.descriptions.c, schema.publications.c, schema.retractions.c
    made = schema.descriptions.join(schema.publications, and_(d.edition == p.edition, d.revision == p.revision))
    made = made.outerjoin(schema.retractions, and_(d.edition == r.edition, d.revision == r.revision))
    query = select(d.edition, d.revision, d.description).select_from(made).where(r.edition.is_(None))
    wanted = or_(*(d.edition.startswith(f"{name}/", autoescape=True) for name in releases))
    last = {row.edition: row for row in connection.execute(query.where(wanted).order_by(d.edition, d.revision))}
    found = sealing.documents(connection, [row.description for row in last.values()])
    return {edition: (row.revision, found[row.description]) for edition, row in last.items()}


def described(connection: Connection, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
    """Edition and revision → document of what its files say; without those that were never described.

    Raises:
        LedgerError: one is missing or altered.
    """
    c = schema.descriptions.c
    query = select(c.edition, c.revision, c.description).where(
        c.edition.in_(sorted({edition for edition, _ in wanted}))
    )
    named = {(row.edition, row.revision): row.description for row in connection.execute(query)}
    found = sealing.documents(connection, named.values())
    return {one: found[name] for one, name in named.items() if one in wanted}


def publish(
    writer: Writer, edition: str, revision: int, *, checksums: bytes, software: Mapping[str, str]
) -> Publication:
    """Record that an edition's files were published, with their checksums; the same again changes nothing.

    Raises:
        PublishedError: it was published with other files. LedgerError: it was never measured.
    """
    found = publication(writer.connection, edition, revision)
    checksum = sha256(checksums)
    if found and found.checksum != checksum:
        raise PublishedError(
            f"{edition} (revision {revision}) has been published with other files. A published edition never changes: "
            f"make revision {revision + 1} with a reason."
        )
    if found:
        return found
    if _one(writer.connection, schema.descriptions, edition, revision) is None:
        _measured_plan(writer.connection, edition, revision)
        raise LedgerError(
            f"What the files of {edition} (revision {revision}) say was not recorded before they were written. Run the "
            "publishing step again."
        )
    sealing.keep(writer.connection, {checksum: checksums})
    writer.append(
        "published",
        {"edition": edition, "revision": revision, "checksum": checksum, "software": dict(sorted(software.items()))},
    )
    made = publication(writer.connection, edition, revision)
    assert made is not None
    return made


def publication(connection: Connection, edition: str, revision: int) -> Publication | None:
    """How an edition was published, if it was."""
    row = _one(connection, schema.publications, edition, revision)
    return _publication(row) if row is not None else None


def publications(connection: Connection) -> list[Publication]:
    """Every published revision, in the order in which they were published."""
    c = schema.publications.c
    rows = connection.execute(select(schema.publications).order_by(c.at, c.edition, c.revision)).mappings()
    return [_publication(row) for row in rows]


def checksums(connection: Connection, publication: Publication) -> bytes | None:
    """The content of a published edition's ``SHA256SUMS``; None if only its hash was kept.

    Raises:
        LedgerError: it was altered.
    """
    found = sealing.closure(connection, (), leaves=(publication.checksum,), missing=True).get(publication.checksum)
    if found is not None and sha256(found) != publication.checksum:
        raise LedgerError(
            f"The checksums of {publication.edition} (revision {publication.revision}) were altered. Restore the ledger from "
            "its backup."
        )
    return found


def retract(writer: Writer, edition: str, revision: int, *, reason: str, when: datetime | None) -> Retracted:
    """Record that a published revision must not be used any more; what was recorded first stands.

    Args:
        when: the moment of a decision that was made before the ledger kept it; now if left out.

    Raises:
        PublishedError: it is not published. LedgerError: no reason is given.
    """
    found = _one(writer.connection, schema.retractions, edition, revision)
    if found is not None:
        return _retracted(found)
    if publication(writer.connection, edition, revision) is None:
        raise PublishedError(f"{edition}/r{revision} is not published here; nothing was retracted.")
    writer.append(
        "retracted",
        {
            "edition": edition,
            "revision": revision,
            "reason": line(reason, "reason of the retraction, which the public reads,"),
            "moment": instant(when or writer.now),
        },
    )
    recorded = _one(writer.connection, schema.retractions, edition, revision)
    assert recorded is not None
    return _retracted(recorded)


def retractions(connection: Connection, edition: str | None = None) -> list[Retracted]:
    """Every retraction, or those of an edition's revisions, in the order of the decisions."""
    c = schema.retractions.c
    query = select(schema.retractions).order_by(c.moment, c.revision)
    if edition is not None:
        query = query.where(c.edition == edition)
    return [_retracted(row) for row in connection.execute(query).mappings()]


def problems(connection: Connection) -> Iterable[str]:
    """What is not as it must be between what was fixed and what was published."""
    described = {(r.edition, r.revision): r.plan for r in connection.execute(select(*_PLANS))}
    c = schema.measurements.c
    measured = {(r.edition, r.revision): r.plan for r in connection.execute(select(c.edition, c.revision, c.plan))}
    for (edition, revision), plan in sorted(described.items()):
        own = measured.get((edition, revision))  # else it is made of an earlier revision's, which has paid for them
        paid = [own] if own is not None else [measured.get((edition, n)) for n in range(1, revision)]
        if plan not in paid:
            yield f"the description of {edition} (revision {revision}) is of another plan than its measurements"


def revisions(connection: Connection, edition: str) -> list[int]:
    """Numbers of an edition's revisions that are taken: reserved and not void, or described."""
    c = schema.descriptions.c
    described = connection.execute(select(c.revision).where(c.edition == edition)).scalars()
    return sorted({*described, *_reserved(connection, edition)})


def _reserved(connection: Connection, edition: str) -> set[int]:
    c = schema.reservations.c
    return set(connection.execute(select(c.revision).where(c.edition == edition, c.state != "void")).scalars())


_PLANS = (schema.descriptions.c.edition, schema.descriptions.c.revision, schema.descriptions.c.plan)


def _one(connection: Connection, table: Table, edition: str, revision: int) -> RowMapping | None:
    query = select(table).where(table.c.edition == edition, table.c.revision == revision)
    return connection.execute(query).mappings().one_or_none()


def _measured_plan(connection: Connection, edition: str, revision: int) -> str:
    c = schema.measurements.c
    plan = connection.execute(select(c.plan).where(c.edition == edition, c.revision == revision)).scalar_one_or_none()
    if plan is None:
        raise LedgerError(f"{edition} (revision {revision}) was never measured, so it cannot have been published.")
    return str(plan)


def _publication(row: RowMapping) -> Publication:
    software = json.loads(row["software"]) if row["software"] else {}
    return Publication(row["edition"], row["revision"], row["checksum"], moment(row["at"]), software)


def _retracted(row: RowMapping) -> Retracted:
    return Retracted(row["edition"], row["revision"], row["reason"], moment(row["moment"]))
