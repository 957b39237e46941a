"""One file per schema version of the ledger, oldest first."""
