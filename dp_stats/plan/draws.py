"""What a release of linked tables costs the other datasets that hold the same records.

A table may belong to another dataset with a budget of its own. What is measured of linked rows tells of that dataset's
records, too, so its budget pays as well. How much follows from what taking away a person's records there can do to the
linked rows; the proof is in ``docs/explanation/cost-of-linking.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache

from dp_stats.catalogue.calendar import Calendar
from dp_stats.catalogue.linked.needed import needed_tables
from dp_stats.catalogue.models import Dataset, Release
from dp_stats.catalogue.periods import BlockKind, PeriodKind, block_of, next_period
from dp_stats.plan.calendars import CYCLE
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.model import Draw

BEYOND = timedelta(days=3 * 366)
"""So far after the cycle of all calendars periods are looked at, whose late rows may be of the cycle's first ones."""


def draws_of(release: Release, dataset: Dataset, *, mechanism: Mechanism, blocks: Sequence[str]) -> tuple[Draw, ...]:
    """What each block that a plan charges costs the datasets that its tables belong to.

    Args:
        blocks: of the edition, which are all there are if it is not one of a series.
    """
    if not dataset.holders:
        return ()
    together = most_blocks(release, dataset.privacy_unit.per) if release.series else len(blocks)
    return tuple(
        Draw(dataset=holder, times=together * times_of(release, dataset, holder, mechanism))
        for holder in dataset.holders
    )


def paying(release: Release, dataset: Dataset) -> list[list[str | int | bool]]:
    """What of the declarations decides how much other datasets pay for a series, in canonical form."""
    return [
        [holder, most_blocks(release, dataset.privacy_unit.per), is_needed(dataset, holder)]
        for holder in sorted(dataset.holders)
    ]


def times_of(release: Release, dataset: Dataset, holder: str, mechanism: Mechanism) -> int:
    """How many times the loss of one block a person's records in ``holder`` may cost in that block.

    1 where the person has no linked row without them; else rows may change: 2 where noise is Gaussian and nothing that is
    added up is negative, and 4 in general.
    """
    if is_needed(dataset, holder):
        return 1
    return 2 if mechanism == "discrete_gaussian" and release.lowest == 0 else 4


def is_needed(dataset: Dataset, holder: str) -> bool:
    """Whether nobody has a linked row without a record that belongs to ``holder``."""
    theirs = {name for name, table in dataset.tables.items() if table.budget_of == holder}
    return bool(theirs & needed_tables(dataset.tables, dataset.steps, dataset.counted))


def most_blocks(release: Release, kind: BlockKind) -> int:
    """The most blocks that the rows of one edition of a release can fall in, late rows of earlier periods included."""
    if kind == "lifetime":
        return 1
    if release.period == "range":
        assert release.end is not None
        return _between(kind, release.start, release.end)
    return _most(release.period, release.calendar, kind, release.late.periods if release.late else 0)


@lru_cache(maxsize=64)
def _most(period_kind: PeriodKind, calendar: Calendar, kind: BlockKind, back: int) -> int:
    first, last = CYCLE
    period = calendar.period_of(first, period_kind)
    spans = []
    while period.start <= last + BEYOND:
        spans.append((period.start, period.end))
        period = next_period(period)
    numbers = _numbers(kind, spans[0][0], spans[-1][1])
    origin = spans[0][0]
    return max(
        numbers[(spans[place][1] - origin).days] - numbers[(spans[place - back][0] - origin).days] + 1
        for place in range(back, len(spans))
    )


def _between(kind: BlockKind, first: date, last: date) -> int:
    return _numbers(kind, first, last)[-1] + 1


def _numbers(kind: BlockKind, first: date, last: date) -> list[int]:
    """For each day from ``first`` to ``last``, how many blocks have begun since."""
    found: list[int] = []
    number, block = -1, ""
    for days in range((last - first).days + 1):
        own = block_of(first + timedelta(days=days), kind)
        number, block = number + (own != block), own
        found.append(number)
    return found
