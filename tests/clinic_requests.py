"""What an analyst asks of the clinic's records, and the two custodians who must agree."""

from __future__ import annotations

FORM = {
    "dataset": "visits",
    "by": ["visits/clinic/district"],
    "period": "2024-01-01--2024-01-10",
    "epsilon": 1,
    "purpose": "To plan how many nurses are needed.",
}
CUSTODIANS = [{"name": "The clinics", "user": "custodian"}, {"name": "The council", "user": "council"}]
