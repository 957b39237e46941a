"""A seal on errors: what fails while rows or exact answers are at hand says which kind of error it was, no more.

Engines put values into their messages, and a chained traceback would carry them along; so the error that
leaves is raised outside the handler, with nothing attached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dp_stats.errors import DpStatsError, SourceError

T = TypeVar("T")


def sealed(doing: str, work: Callable[[], T]) -> T:
    """Do ``work``; let our own errors pass without what they are chained to, and name others by type only.

    Raises:
        SourceError: something else went wrong.
    """
    ours: DpStatsError | None = None
    kind = ""
    try:
        return work()
    except DpStatsError as error:
        ours = type(error)(*error.args)
    except Exception as error:
        kind = type(error).__name__
    raise ours or SourceError(
        f"Something failed while {doing} ({kind}; details are withheld because they may hold values). "
        "Nothing was released. Check that the snapshot has the declared columns and types, and that memory and disk suffice; "
        "run the pull and check steps again, then this one."
    )
