"""Runs migrations on the connection, and inside the transaction, that the ledger hands over."""

from alembic import context

from dp_stats.ledger import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    version_table=schema.version.name,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
