"""Charges are made under versions of data-sharing agreements; those made before name none."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("ledger_reservations", sa.Column("agreement", sa.String(64), nullable=True))
    op.create_table(
        "ledger_agreements",
        sa.Column("agreement", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("reservation", sa.Integer, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
