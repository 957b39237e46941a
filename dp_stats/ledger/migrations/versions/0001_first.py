"""First schema: the chain of entries, its head, and what follows from it."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _chain()
    _reservations()
    _charges()
    _measured()
    for statement in _append_only(op.get_bind().dialect.name):
        op.execute(statement)


def _chain() -> None:
    """The entries, and the last of them."""
    op.create_table(
        "ledger_entries",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("previous", sa.String(64), nullable=False, unique=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
    )
    op.create_table(
        "ledger_head",
        sa.Column(
            "id",
            sa.Integer,
            sa.CheckConstraint("id = 1", name="ledger_head_single"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )


def _reservations() -> None:
    """Budgets, and what was reserved of them."""
    op.create_table(
        "ledger_datasets",
        sa.Column("dataset", sa.String(64), primary_key=True),
        sa.Column("block_kind", sa.String(16), nullable=False),
        sa.Column("cap", sa.Text, nullable=False),
        sa.Column("delta", sa.Text, nullable=False),
    )
    op.create_table(
        "ledger_reservations",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("release", sa.String(64), nullable=False),
        sa.Column("period", sa.String(64), nullable=False),
        sa.Column("edition", sa.String(200), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("plan", sa.String(128), nullable=False),
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("series", sa.Boolean, nullable=False),
        sa.Column("blocks", sa.Text, nullable=False),
        sa.Column("charged", sa.Text, nullable=False),
        sa.Column("rho", sa.Text, nullable=False),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("approvers", sa.Text, nullable=False),
        sa.Column(
            "state",
            sa.String(16),
            sa.CheckConstraint("state IN ('reserved', 'spent', 'stored', 'void')"),
            nullable=False,
        ),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_index(
        "ledger_one_reservation",
        "ledger_reservations",
        ["edition", "revision"],
        unique=True,
        sqlite_where=sa.text("state <> 'void'"),
        postgresql_where=sa.text("state <> 'void'"),
    )
    op.create_index("ledger_reservations_key", "ledger_reservations", ["dataset", "key"])


def _charges() -> None:
    """What was paid, and who contributed to a series that is paid for once."""
    op.create_table(
        "ledger_charges",
        sa.Column("dataset", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(160), primary_key=True),
        sa.Column("block", sa.String(32), primary_key=True),
        sa.Column("reservation", sa.Integer, nullable=False),
        sa.Column("rho", sa.Text, nullable=False),
        sa.Column("cap", sa.Text, nullable=False),
        sa.Column("delta", sa.Text, nullable=False),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), sa.CheckConstraint("state IN ('reserved', 'spent', 'void')"), nullable=False),
    )
    op.create_index("ledger_charges_block", "ledger_charges", ["dataset", "block"])
    op.create_table(
        "ledger_register",
        sa.Column("dataset", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(160), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("reservation", sa.Integer, nullable=False),
        sa.Column("edition", sa.String(200), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("replaced", sa.Boolean, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )


def _measured() -> None:
    """What was measured, who allowed it, and what was published."""
    op.create_table(
        "ledger_measurements",
        sa.Column("edition", sa.String(200), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("reservation", sa.Integer, nullable=False, unique=True),
        sa.Column("plan", sa.String(128), nullable=False),
        sa.Column("checksum", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "ledger_approvals",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("plan", sa.String(128), nullable=False, index=True),
        sa.Column("approver", sa.Text, nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("expires", sa.String(32), nullable=True),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_table(
        "ledger_publications",
        sa.Column("edition", sa.String(200), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("checksum", sa.Text, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )


def _append_only(dialect: str) -> tuple[str, ...]:
    """Triggers that stop an UPDATE or DELETE of entries and measurements by mistake (the chain shows one by intent)."""
    if dialect == "sqlite":
        return tuple(
            f"CREATE TRIGGER {table}_{action} BEFORE {action} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            for table in ("ledger_entries", "ledger_measurements")
            for action in ("update", "delete")
        )
    return (
        "CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$",
        *(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()"
            for table in ("ledger_entries", "ledger_measurements")
        ),
    )
