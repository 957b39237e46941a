"""A release that was renamed: its editions with those that it published under names that it had before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from dp_stats.editions.edition import Edition

T = TypeVar("T")


def with_former(own: Iterable[T], former: Iterable[T], edition: Callable[[T], Edition]) -> tuple[T, ...]:
    """What is current under a release's name, and of other periods under its former names, in order of time.

    A period that was published under several names stands here once, under the name of today, or else under the first of
    ``former``.

    Args:
        own, former: the revision to use of each period. edition: the edition of each.
    """
    told: dict[str, T] = {}
    for one in (*own, *former):
        told.setdefault(edition(one).period.label, one)
    return tuple(sorted(told.values(), key=lambda one: (edition(one).period.end, edition(one).period.start)))
