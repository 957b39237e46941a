"""What a custodian was shown is kept with the decision; decisions made before name no card."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("ledger_approvals", sa.Column("card", sa.String(64), nullable=True))
