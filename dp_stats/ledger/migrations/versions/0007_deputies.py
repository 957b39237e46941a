"""A deputy's decision names the custodian in whose place it was made; decisions made before are custodians' own."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("ledger_approvals", sa.Column("instead_of", sa.Text, nullable=True))
