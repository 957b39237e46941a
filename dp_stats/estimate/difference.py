"""How much more one group of cells has than another, with the interval of the difference itself.

The interval of a difference does not follow from the two intervals: areas of one region share its measured total, and an
area is a part of what its region counts. So the difference is asked for as such, with weights 1 and −1 (of rates, one over the
people of each side). Numbers of distinct persons have noise of their own, so their arms add up as variances; what is known
of two means at once is not worked out, so their arms add up in full, which holds however they depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from dp_stats.estimate.answer import (
    Answer,
    answer,
    asked_for,
    people_of,
    quantity_of,
    same_meaning,
    where_in,
    within,
)
from dp_stats.estimate.cells_asked import conditions, on_fit, refuse
from dp_stats.estimate.covering import cover
from dp_stats.estimate.intervals import around
from dp_stats.estimate.measured_edition import Measured
from dp_stats.estimate.parts import Part, law_of_parts, summed
from dp_stats.estimate.spread import Spread
from dp_stats.plan.algebra import Query

Where = Mapping[str, Sequence[str]]


def difference(
    editions: Sequence[Measured],
    statistic: str,
    *,
    of: Where,
    less: Where,
    start: date | None = None,
    end: date | None = None,
) -> Answer:
    """A statistic of some cells less that of others, which differ in one dimension, over the same days.

    Args:
        editions, statistic, start, end: as in ``answer``. of, less: dimension → codes, at any of its levels.

    Returns:
        The difference of what ``answer`` says of each; ``standard_error`` of the unbiased difference ``unrounded``.

    Raises:
        NotDerivableError: saying why what has been measured does not tell.
    """
    found, other = (answer(editions, statistic, where=where, start=start, end=end) for where in (of, less))
    asked, derived = asked_for(editions, statistic, None)
    first = start or min(e.period.start for e in asked)
    last = end or max(e.period.end for e in asked)
    if derived is not None and derived.kind == "mean":
        return _apart(found, other, lambda a, b: a + b)
    counted = derived.of if derived is not None else statistic
    declared = next(s for s in asked[0].release.statistics if s.id == counted)
    if declared.kind == "persons":
        return _apart(found, other, math.hypot)
    times = (1.0, 1.0)
    if derived is not None:
        people = [people_of(asked, derived, where, first, last) for where in (of, less)]
        times = (derived.per / people[0], derived.per / people[1])
    unit = max(times)
    scales = (times[0] / unit, times[1] / unit)
    among = within(asked, first, last)
    parts = cover(
        [(e.period, e) for e in asked],
        first,
        last,
        part=lambda edition, begin, stop: _part(
            edition, counted, (where_in(edition, of, among), where_in(edition, less, among)), scales, begin, stop
        ),
        variance=lambda part: float(part.variance),
    )
    same_meaning([e for e in asked if e.plan.edition in {p.edition for p in parts}], counted)
    value, error = summed(parts)
    spread = Spread(value, error, law_of_parts(parts), error, False)
    best = np.asarray(found.value - other.value)
    if derived is None:
        lower, upper = spread.published(best, declared, low=-np.inf)
    else:
        lower, upper = around(best, *(unit * end for end in spread.interval(-np.inf)))
    return replace(
        found,
        value=float(best),
        unrounded=float(value) * unit,
        lower=float(lower),
        upper=float(upper),
        standard_error=float(error) * unit,
        editions=tuple(part.edition for part in parts),
    )


def _part(
    edition: Measured, statistic: str, sides: tuple[Where, Where], scales: tuple[float, float], begin: date, stop: date
) -> Part:
    """What one edition says of a difference; ``scales`` are the weights of its two sides, at most 1."""
    one, two = (conditions(edition.grid, where, edition.period, begin, stop) for where in sides)
    unlike = [d.name for d in edition.grid.dimensions if not np.array_equal(one[d.name], two[d.name])]
    if len(unlike) != 1:
        refuse("cells are compared that differ in one dimension, and these differ in " + (", ".join(unlike) or "none"))
    quantity = quantity_of(edition, statistic)
    queries: dict[str, Query] = {}
    for dimension in edition.grid.dimensions:
        name = dimension.name
        rows = scales[0] * one[name] - scales[1] * two[name] if name in unlike else one[name]
        queries[name] = on_fit(quantity, dimension, rows[None, :])
    noise, added, subtracted = (np.asarray(part).reshape(()) for part in quantity.signed_variance(queries))
    variance = noise + added**2 + subtracted**2
    if not np.isfinite(variance):
        refuse(f"{edition.plan.edition} did not measure '{statistic}' for this combination of cells")
    value = quantity.value(queries).reshape(())
    return Part(edition.plan.edition, begin, stop, value, variance, quantity.law(queries), added, subtracted)


def _apart(one: Answer, two: Answer, together: Callable[[float, float], float]) -> Answer:
    """The difference of two answers by their arms towards each other."""
    value = one.value - two.value
    return replace(
        one,
        value=value,
        unrounded=one.unrounded - two.unrounded,
        lower=value - together(one.value - one.lower, two.upper - two.value),
        upper=value + together(one.upper - one.value, two.value - two.lower),
        standard_error=together(one.standard_error, two.standard_error),
    )
