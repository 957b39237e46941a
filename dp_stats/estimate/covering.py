"""Which editions together cover a span of days once, with the smallest error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import TypeVar

from dp_stats.catalogue.periods import Period
from dp_stats.errors import NotDerivableError
from dp_stats.estimate.parts import Part

E = TypeVar("E")


def cover(
    editions: Iterable[tuple[Period, E]],
    first: date,
    last: date,
    *,
    part: Callable[[E, date, date], Part],
    variance: Callable[[Part], float],
) -> list[Part]:
    """The parts that cover every day from ``first`` to ``last`` once, with the smallest total variance.

    A shortest path over the days. ``part`` is asked for what an edition says from a day to the day before another,
    and may refuse.

    Raises:
        NotDerivableError: no set of editions covers the days; with the reason of the first that refused.
    """
    reasons: list[str] = []
    parts: list[Part] = []
    for period, edition in editions:
        begin, stop = max(first, period.start), min(last, period.end) + timedelta(days=1)
        if begin < stop:
            try:
                parts.append(part(edition, begin, stop))
            except NotDerivableError as error:
                reasons.append(str(error))
    best: dict[date, tuple[float, list[Part]]] = {first: (0.0, [])}
    for one in sorted(parts, key=lambda p: (p.stop, p.start)):
        if one.start in best:
            so_far, path = best[one.start]
            cost = so_far + variance(one)
            if one.stop not in best or cost < best[one.stop][0]:
                best[one.stop] = (cost, [*path, one])
    goal = last + timedelta(days=1)
    if goal in best:
        return best[goal][1]
    if reasons:
        raise NotDerivableError(reasons[0])
    reached = max(best)
    later = " and later days" if reached < last else ""
    raise NotDerivableError(
        f"Not derivable: no measured edition covers {reached}{later}. A new release would have to measure it."
    )
