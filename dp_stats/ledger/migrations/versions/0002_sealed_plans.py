"""Sealed plans: their parts by hash, and which documents a reservation names.

Reservations made before have none: they can be read and published no further than they are (see docs/explanation/ledger.md).
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "ledger_parts",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.add_column("ledger_reservations", sa.Column("aside", sa.String(64), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        for action in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER ledger_parts_{action} BEFORE {action} ON ledger_parts "
                "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER ledger_parts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_parts "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()"
        )
