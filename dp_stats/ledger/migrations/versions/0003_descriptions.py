"""What an edition's files say, fixed before they are written; the software that made them; and retractions.

Editions published before have no description until one is recorded from their own files (see docs/how-to/production.md).
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "ledger_descriptions",
        sa.Column("edition", sa.String(200), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("plan", sa.String(128), nullable=False),
        sa.Column("description", sa.String(64), nullable=False),
        sa.Column("looks", sa.String(64), nullable=False),
        sa.Column("published", sa.String(32), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_table(
        "ledger_retractions",
        sa.Column("edition", sa.String(200), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("moment", sa.String(32), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.add_column("ledger_publications", sa.Column("software", sa.Text, nullable=True))
