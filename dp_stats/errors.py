"""Every way a run can fail that is not a bug: one class and one exit code per kind of failure.

A message says what happened, where (file, field, column) and what to do next. It never holds a
value from the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar


class DpStatsError(Exception):
    """A failure the user can act on; anything else that is raised is a bug (exit code 1).

    ``may_pass``: whether it may be gone when it is tried again, though nobody did anything.
    """

    exit_code: ClassVar[int] = 1
    may_pass: ClassVar[bool] = False


class CatalogueError(DpStatsError):
    """The catalogue declares something wrong or incomplete."""

    exit_code = 3


class SettingsError(DpStatsError):
    """An environment variable of the product holds something that cannot be used."""

    exit_code = 14


class SourceError(DpStatsError):
    """The source, or one of its rows or columns, cannot be read as declared."""

    exit_code = 4
    may_pass = True


class OptOutError(DpStatsError):
    """The opt-out list is missing or unreadable; nothing may be released without it."""

    exit_code = 5


class QualityError(DpStatsError):
    """A quality gate failed, on the snapshot or on what was about to be published."""

    exit_code = 6


class BudgetError(DpStatsError):
    """The privacy budget does not allow the charge."""

    exit_code = 7


class LedgerError(DpStatsError):
    """The ledger cannot be read, written or trusted."""

    exit_code = 8
    may_pass = True


class NoLedgerError(LedgerError):
    """There is no ledger yet: nothing was ever charged here, or the URL leads elsewhere."""


class RegisterError(DpStatsError):
    """The contribution register is missing or does not match the ledger."""

    exit_code = 9


class ApprovalError(DpStatsError):
    """A needed approval is missing, expired, refused or for another plan."""

    exit_code = 10


class NotDueError(DpStatsError):
    """The period has not ended and settled yet."""

    exit_code = 11


class NotDerivableError(DpStatsError):
    """The question cannot be answered from what has been measured."""

    exit_code = 12


class PublishedError(DpStatsError):
    """A published file is missing, altered, or would be overwritten."""

    exit_code = 13


class BusyError(DpStatsError):
    """Another process has held what this one needs for too long."""

    exit_code = 15
    may_pass = True


class StorageError(DpStatsError):
    """A folder or a disk cannot be used: full, read-only, not this user's, or open to others."""

    exit_code = 16
    may_pass = True


class HistoryError(DpStatsError):
    """The public log, or an edition that it names, is not as it was published."""

    exit_code = 17


class AgreementError(DpStatsError):
    """The data-sharing agreement does not allow it: not this use, not any more, or not in this version."""

    exit_code = 18


def need_a_person() -> Iterator[type[DpStatsError]]:
    """The kinds of failure that trying again cannot mend."""
    found: list[type[DpStatsError]] = [DpStatsError]
    for kind in found:
        found += kind.__subclasses__()
        if not kind.may_pass and kind is not DpStatsError:
            yield kind
