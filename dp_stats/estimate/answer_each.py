"""Free answers for a whole table of cells at once: one fit per edition, all cells in a few array operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product

import numpy as np

from dp_stats.catalogue.grid import Dimension
from dp_stats.catalogue.partitions import first_leaves
from dp_stats.catalogue.periods import parse_period
from dp_stats.estimate.answer import Answer, Floats, Measured, _conditions, _fit, _leaves, _refuse, answer, same_meaning
from dp_stats.estimate.covering import cover
from dp_stats.estimate.intervals import around, whole_numbers
from dp_stats.estimate.noise_law import NoiseLaw, normal_law
from dp_stats.estimate.quantity import Quantity


@dataclass(frozen=True)
class _Part:
    """What one edition says about its part of the days; arrays have one value per cell."""

    edition: str
    start: date
    stop: date
    value: Floats
    variance: Floats
    law: NoiseLaw


def answer_each(
    editions: Sequence[Measured], statistic: str, *, cells: Mapping[str, Sequence[str]], start: date, end: date
) -> list[Answer]:
    """What ``answer`` says of every combination of codes, the last dimension's fastest.

    Where several editions cover the same days, those are used that give the middle cell the smallest error,
    for all cells alike.

    Args:
        editions: stored editions of one release. statistic: one that it measures.
        cells: dimension → codes of any of its levels. start, end: first and last day.

    Raises:
        NotDerivableError: some cell does not follow from what has been measured.
    """
    declared = next(s for s in editions[0].release.statistics if s.id == statistic)
    if declared.kind == "persons":
        return [
            answer(editions, statistic, where=dict(zip(cells, ((code,) for code in codes), strict=True)), start=start, end=end)
            for codes in product(*cells.values())
        ]  # fmt: skip
    parts = cover(
        [(parse_period(e.plan.period), e) for e in editions],
        start,
        end,
        part=lambda edition, begin, stop: _part(edition, statistic, cells, begin, stop),
        variance=lambda part: float(np.median(part.variance)),
    )
    same_meaning([e for e in editions if e.plan.edition in {p.edition for p in parts}], statistic)
    value = np.sum([p.value for p in parts], axis=0)
    error = np.sqrt(np.sum([p.variance for p in parts], axis=0))
    lowest = -np.inf if declared.kind == "sum" and (declared.lower or 0) < 0 else 0.0
    law = parts[0].law if len(parts) == 1 else normal_law()
    lower, upper = law.interval(value, error, low=lowest)
    best = value
    if declared.kind != "sum":
        lower, upper = whole_numbers(lower, upper)
        best = np.rint(value)
    best = np.maximum(best, lowest)
    lower, upper = around(best, lower, upper)
    names = tuple(p.edition for p in parts)
    return [
        Answer(statistic, float(v), float(u), float(low), float(high), float(e), names)
        for v, u, low, high, e in zip(best, value, lower, upper, error, strict=True)
    ]


def _part(edition: Measured, statistic: str, cells: Mapping[str, Sequence[str]], begin: date, stop: date) -> _Part:
    quantity = _fit(edition)[statistic]
    summed = _conditions(edition.grid, dict.fromkeys(cells, ()), parse_period(edition.plan.period), begin, stop)
    queries: dict[str, Floats] = {}
    for dimension in edition.grid.dimensions:
        if dimension.name in cells:
            rows = np.stack([_leaves(dimension, (code,)) for code in cells[dimension.name]])
        else:
            rows = summed[dimension.name][None, :]
        queries[dimension.name] = _on_fit(quantity, dimension, rows)
    variance = _in_order(quantity.variance(queries), edition, cells)
    if not np.isfinite(variance).all():
        _refuse(f"{edition.plan.edition} did not measure '{statistic}' for this combination of {', '.join(cells)}")
    value = _in_order(quantity.value(queries), edition, cells)
    return _Part(edition.plan.edition, begin, stop, value, variance, quantity.law(queries))


def _on_fit(quantity: Quantity, dimension: Dimension, rows: Floats) -> Floats:
    """Weights on the leaves that were measured, which may be coarser than the grid's."""
    level = dimension.level(quantity.grid[dimension.name].leaf.name)
    kept = rows[:, first_leaves(level.group)]
    if not np.array_equal(kept[:, level.group], rows):
        _refuse(f"'{dimension.name}' was measured by {level.name} at the finest")
    return kept


def _in_order(values: Floats, edition: Measured, cells: Mapping[str, Sequence[str]]) -> Floats:
    """One value per cell, with the dimensions in the order of ``cells``."""
    names = [d.name for d in edition.grid.dimensions]
    shape = [len(cells.get(name, ("",))) for name in names]
    axes = [names.index(name) for name in cells]
    rest = [i for i in range(len(names)) if i not in axes]
    return np.asarray(np.broadcast_to(values, shape).transpose(*axes, *rest).reshape(-1))
