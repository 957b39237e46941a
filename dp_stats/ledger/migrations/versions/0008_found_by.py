"""What is asked of one edition, one release and one charge is found without reading all others."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index("ledger_reservations_edition", "ledger_reservations", ["edition", "revision"])
    op.create_index("ledger_reservations_release", "ledger_reservations", ["dataset", "release"])
    op.create_index("ledger_charges_key", "ledger_charges", ["key"])
    op.create_index("ledger_register_reservation", "ledger_register", ["reservation"])
