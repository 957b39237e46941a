"""Any sum of cells and days of a published release, from the noisy measurements that stand beside its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from dp_stats.client.places import document, folder_of, is_address
from dp_stats.errors import NotDerivableError, PublishedError

if TYPE_CHECKING:
    from dp_stats.estimate.answer import Answer
    from dp_stats.estimate.measured_edition import Measured

AT_ONCE = 8
"""Files that are asked for at the same time."""

Codes = str | Sequence[str]
Day = date | str


def combine(
    source: str | PathLike[str],
    statistic: str,
    *,
    where: Mapping[str, Codes] | None = None,
    start: Day | None = None,
    end: Day | None = None,
) -> Answer:
    """The best estimate of a statistic over any cells and days, with a 95 % interval that holds for them.

    The same as the agency's ``dp-stats answer``, to the digit. An interval of a sum does not follow from those of its parts:
    the measurements are combined anew, so that what several of them say of the same people counts once.

    Args:
        source: address or path of the page or folder of a release. statistic: a measured one, or a rate or mean of it.
        where: dimension → codes at any of its levels; dimensions left out are summed over.
        start: first day, as a date or in ISO 8601 (default: of all editions).
        end: last day, likewise.

    Returns:
        ``value``, ``lower`` and ``upper``; the unbiased ``unrounded`` with its ``standard_error``; and the ``editions`` used.

    Raises:
        NotDerivableError: what was measured does not tell. PublishedError: the release cannot be read.
    """
    from dp_stats.estimate.answer import answer

    first, last = _days(start, end)
    editions = _editions(source, first, last)
    return answer(editions, statistic, where=_cells(where), start=first, end=last)


def difference(
    source: str | PathLike[str],
    statistic: str,
    *,
    of: Mapping[str, Codes],
    less: Mapping[str, Codes],
    start: Day | None = None,
    end: Day | None = None,
) -> Answer:
    """How much more of a statistic some cells have than others, with a 95 % interval of the difference itself.

    It does not follow from the intervals of the two: what was measured of both at once is taken into account.

    Args:
        source: a release, as in ``combine``; so are statistic, start and end.
        of: dimension → codes of the one side.
        less: those of the other; the two differ in one dimension.

    Raises:
        NotDerivableError: what was measured does not tell. PublishedError: the release cannot be read.
    """
    from dp_stats.estimate.difference import difference as found

    first, last = _days(start, end)
    editions = _editions(source, first, last)
    return found(editions, statistic, of=_cells(of), less=_cells(less), start=first, end=last)


def _days(start: Day | None, end: Day | None) -> tuple[date | None, date | None]:
    return (None if start is None else _day(start), None if end is None else _day(end))


def _cells(where: Mapping[str, Codes] | None) -> dict[str, tuple[str, ...]]:
    return {name: (codes,) if isinstance(codes, str) else tuple(codes) for name, codes in (where or {}).items()}


def _editions(source: str | PathLike[str], start: date | None, end: date | None) -> list[Measured]:
    editions = measured_editions(fspath(source), start=start, end=end)
    if not editions:
        raise NotDerivableError(
            "Not derivable: no edition for these days is published with its measurements. Choose other days; "
            "history/index.json of the release lists its editions."
        )
    return editions


def measured_editions(source: str, *, start: date | None = None, end: date | None = None) -> list[Measured]:
    """The measurements of a release's editions with a day from ``start`` to ``end``, in order of time.

    Raises:
        PublishedError: there is no such release, or it cannot be reached.
    """
    from dp_stats.estimate.open_measurements import read

    folder = folder_of(source if is_address(source) else str(Path(source).resolve()))
    index = document(f"{folder}/history/index.json")
    if index is None:
        raise PublishedError(f"There is no release at {source}. Give the address of its page, or its folder.")
    public = folder.rpartition("/")[0]
    with ThreadPoolExecutor(AT_ONCE) as readers:
        found = list(readers.map(lambda path: document(f"{public}/{path}/combine.json"), _paths(index, start, end)))
    return [read(one) for one in found if one is not None]


def _paths(index: Mapping[str, object], start: date | None, end: date | None) -> Iterator[str]:
    editions = index["editions"]
    assert isinstance(editions, list)
    for edition in editions:
        begins, ends = date.fromisoformat(edition["start"]), date.fromisoformat(edition["end"])
        if not ((start and ends < start) or (end and begins > end)):
            yield str(edition["path"])


def _day(day: Day) -> date:
    """A day that may be written in ISO 8601.

    Raises:
        PublishedError: it is none.
    """
    try:
        return date.fromisoformat(day) if isinstance(day, str) else day
    except ValueError as error:
        raise PublishedError("Write days as YYYY-MM-DD.") from error
