"""What has been spent: a hash-chained ledger of every privacy charge, in SQLite or PostgreSQL."""

from dp_stats.ledger.approving import approvers_needed
from dp_stats.ledger.ledger import Ledger
from dp_stats.ledger.records import (
    Acceptance,
    Account,
    Approval,
    BlockBudget,
    Category,
    Charge,
    Decision,
    Description,
    Entry,
    HandedOut,
    Head,
    KnownSeries,
    Publication,
    Quote,
    RegisterEntry,
    Reservation,
    Retracted,
    State,
    StoredMeasurements,
    Verified,
)
from dp_stats.ledger.witnesses import Witnesses

__all__ = [
    "Acceptance",
    "Account",
    "Approval",
    "BlockBudget",
    "Category",
    "Charge",
    "Decision",
    "Description",
    "Entry",
    "HandedOut",
    "Head",
    "KnownSeries",
    "Ledger",
    "Publication",
    "Quote",
    "RegisterEntry",
    "Reservation",
    "Retracted",
    "State",
    "StoredMeasurements",
    "Verified",
    "Witnesses",
    "approvers_needed",
]
