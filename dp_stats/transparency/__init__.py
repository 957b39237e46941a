"""A ledger that the public can check: the append-only log of what was spent and published, and its verifier.

This room knows nothing of the others: whoever holds a copy of the published files and these modules can check them.
"""
