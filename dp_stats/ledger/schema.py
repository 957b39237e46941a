"""The ledger's tables: `entries` is the truth, the others follow from it and can be rebuilt.

All names start with ``ledger_``, so that a ledger may share a database.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

VERSIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every schema version this code can read or upgrade, oldest first; the last one is the current."""

metadata = MetaData()

version = Table("ledger_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Kept by Alembic, therefore outside the ledger's own metadata."""

entries = Table(
    "ledger_entries",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("previous", String(64), nullable=False, unique=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("at", String(32), nullable=False),
    Column("event", String(32), nullable=False),
    Column("payload", Text, nullable=False),
)

head = Table(
    "ledger_head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="ledger_head_single"), primary_key=True, autoincrement=False),
    Column("sequence", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)

datasets = Table(
    "ledger_datasets",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("block_kind", String(16), nullable=False),
    Column("cap", Text, nullable=False),
    Column("delta", Text, nullable=False),
)

reservations = Table(
    "ledger_reservations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("dataset", String(64), nullable=False),
    Column("release", String(64), nullable=False),
    Column("period", String(64), nullable=False),
    Column("edition", String(200), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("plan", String(128), nullable=False),
    Column("key", String(160), nullable=False),
    Column("series", Boolean, nullable=False),
    Column("blocks", Text, nullable=False),
    Column("charged", Text, nullable=False),
    Column("rho", Text, nullable=False),
    Column("category", String(16), nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("approvers", Text, nullable=False),
    Column("state", String(16), CheckConstraint("state IN ('reserved', 'spent', 'stored', 'void')"), nullable=False),
    Column("at", String(32), nullable=False),
    Column("aside", String(64), nullable=True),
    Column("agreement", String(64), nullable=True),
    Index(
        "ledger_one_reservation",
        "edition",
        "revision",
        unique=True,
        sqlite_where=text("state <> 'void'"),
        postgresql_where=text("state <> 'void'"),
    ),
    Index("ledger_reservations_key", "dataset", "key"),
    Index("ledger_reservations_edition", "edition", "revision"),
    Index("ledger_reservations_release", "dataset", "release"),
)

charges = Table(
    "ledger_charges",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("key", String(160), primary_key=True),
    Column("block", String(32), primary_key=True),
    Column("reservation", Integer, nullable=False),
    Column("rho", Text, nullable=False),
    Column("cap", Text, nullable=False),
    Column("delta", Text, nullable=False),
    Column("category", String(16), nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("state", String(16), CheckConstraint("state IN ('reserved', 'spent', 'void')"), nullable=False),
    Index("ledger_charges_block", "dataset", "block"),
    Index("ledger_charges_key", "key"),
)

register = Table(
    "ledger_register",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("key", String(160), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("reservation", Integer, nullable=False),
    Column("edition", String(200), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("digest", String(128), nullable=False),
    Column("replaced", Boolean, nullable=False),
    Column("at", String(32), nullable=False),
    Index("ledger_register_reservation", "reservation"),
)

measurements = Table(
    "ledger_measurements",
    metadata,
    Column("edition", String(200), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("reservation", Integer, nullable=False, unique=True),
    Column("plan", String(128), nullable=False),
    Column("checksum", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("at", String(32), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

approvals = Table(
    "ledger_approvals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("plan", String(128), nullable=False, index=True),
    Column("approver", Text, nullable=False),
    Column("decision", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("expires", String(32), nullable=True),
    Column("shown", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("card", String(64), nullable=True),
    Column("instead_of", Text, nullable=True),
)

publications = Table(
    "ledger_publications",
    metadata,
    Column("edition", String(200), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("checksum", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("software", Text, nullable=True),
)

descriptions = Table(
    "ledger_descriptions",
    metadata,
    Column("edition", String(200), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("plan", String(128), nullable=False),
    Column("description", String(64), nullable=False),
    Column("looks", String(64), nullable=False),
    Column("published", String(32), nullable=False),
    Column("at", String(32), nullable=False),
)

retractions = Table(
    "ledger_retractions",
    metadata,
    Column("edition", String(200), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
    Column("moment", String(32), nullable=False),
    Column("at", String(32), nullable=False),
)

agreements = Table(
    "ledger_agreements",
    metadata,
    Column("agreement", String(64), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("reservation", Integer, nullable=False),
    Column("at", String(32), nullable=False),
)
"""Every version of an agreement under which something was reserved, and the first such reservation."""

acceptances = Table(
    "ledger_acceptances",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("organisation", String(64), nullable=False),
    Column("user", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("terms", String(64), nullable=False),
    Column("at", String(32), nullable=False),
)
"""Who accepted which terms for an organisation; the text of the terms is a part."""

handed_out = Table(
    "ledger_handed_out",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("download", String(32), nullable=False, unique=True),
    Column("organisation", String(64), nullable=False),
    Column("user", Text, nullable=False),
    Column("acceptance", Integer, nullable=False),
    Column("edition", String(200), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("file", Text, nullable=False),
    Column("sealed", String(64), nullable=False),
    Column("marked", String(64), nullable=False),
    Column("at", String(32), nullable=False),
)
"""Every file that was handed out to an organisation: as it was published (``sealed``) and as it was given (``marked``)."""

parts = Table(
    "ledger_parts",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""Parts of sealed plans, descriptions and checksums of editions, compressed, by the SHA-256 of what they hold."""

projections = (
    datasets,
    reservations,
    charges,
    register,
    measurements,
    approvals,
    publications,
    descriptions,
    retractions,
    agreements,
    acceptances,
    handed_out,
)
"""Tables that follow from the entries; rebuilt and compared by `verify`."""
