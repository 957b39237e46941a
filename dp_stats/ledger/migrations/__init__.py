"""Alembic's environment for the ledger's schema; run by `dp_stats.ledger.opening`, never by hand."""
