"""Organisations accept terms, and what is handed out to them is kept.

On PostgreSQL a role called ``ledger_web``, if there is one, may append these two kinds of entries and nothing else.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

WEB = """
DO $$ BEGIN
IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger_web') THEN
  GRANT SELECT ON ALL TABLES IN SCHEMA public TO ledger_web;
  GRANT INSERT ON ledger_entries, ledger_acceptances, ledger_handed_out, ledger_parts TO ledger_web;
  GRANT UPDATE ON ledger_head TO ledger_web;
  ALTER TABLE ledger_entries ENABLE ROW LEVEL SECURITY;
  CREATE POLICY ledger_read ON ledger_entries FOR SELECT USING (true);
  CREATE POLICY ledger_web_appends ON ledger_entries FOR INSERT TO ledger_web
    WITH CHECK (event IN ('accepted', 'handed_out'));
END IF;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "ledger_acceptances",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("terms", sa.String(64), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_table(
        "ledger_handed_out",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("download", sa.String(32), nullable=False, unique=True),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("acceptance", sa.Integer, nullable=False),
        sa.Column("edition", sa.String(200), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("sealed", sa.String(64), nullable=False),
        sa.Column("marked", sa.String(64), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(WEB)
