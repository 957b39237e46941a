"""Free text that people hand to the ledger: kept short and printable, so that it can be stored and shown anywhere."""

from __future__ import annotations

from dp_stats.errors import LedgerError
from dp_stats.files import is_printable

LONGEST = 2000


def line(text: str, what: str, *, empty: bool = False) -> str:
    """``text`` without outer spaces.

    Raises:
        LedgerError: empty where it must not be, too long, or with characters that cannot be printed.
    """
    clean = text.strip()
    if not clean and not empty:
        raise LedgerError(f"The {what} is empty. Say it, then run again.")
    if len(clean) > LONGEST:
        raise LedgerError(f"The {what} is longer than {LONGEST} characters. Shorten it.")
    if not is_printable(clean):
        raise LedgerError(f"The {what} holds characters that cannot be printed. Remove them.")
    return clean
