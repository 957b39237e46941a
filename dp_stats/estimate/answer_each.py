"""Free answers for a whole table of cells at once: one fit per edition, all cells in a few array operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import numpy as np

from dp_stats.estimate.answer import Answer, answer, answers_of, codes_of, quantity_of, same_meaning, used, within
from dp_stats.estimate.answer_breaks import breaks_of
from dp_stats.estimate.cells_asked import Floats, conditions, leaves, on_fit, refuse
from dp_stats.estimate.covering import cover
from dp_stats.estimate.measured_edition import Measured
from dp_stats.estimate.parts import Part, total
from dp_stats.estimate.windows import variance_of_sums


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
        [(e.period, e) for e in editions],
        start,
        end,
        part=lambda edition, begin, stop: _part(edition, statistic, cells, begin, stop, within(editions, start, end)),
        variance=lambda part: float(np.median(part.variance)),
    )
    same_meaning([e for e in editions if e.plan.edition in {p.edition for p in parts}], statistic)
    found = breaks_of(used(editions, parts), cells, within(editions, start, end))
    answers = answers_of(statistic, total(parts, declared), parts)
    if not found:
        return answers
    return [
        replace(one, breaks=tuple(b for b in found if cell.get(b.dimension, b.code) == b.code))
        for one, cell in zip(answers, (dict(zip(cells, c, strict=True)) for c in product(*cells.values())), strict=True)
    ]


def answer_groups(
    edition: Measured, statistic: str, *, cells: Mapping[str, Sequence[Sequence[str]]], start: date, end: date
) -> list[Answer]:
    """What one edition says of every combination of groups of its own codes, the last dimension's fastest.

    Args:
        statistic: a count or a sum that it measures. cells: dimension → groups of codes of any of its levels.
        start, end: first and last day, both within its period.

    Raises:
        NotDerivableError: some cell does not follow from what it has measured.
    """
    declared = next(s for s in edition.release.statistics if s.id == statistic)
    part = _groups(edition, statistic, cells, start, end + timedelta(days=1))
    return answers_of(statistic, total([part], declared), [part])


def _part(
    edition: Measured,
    statistic: str,
    cells: Mapping[str, Sequence[str]],
    begin: date,
    stop: date,
    among: Sequence[Measured],
) -> Part:
    named = {d.name for d in edition.grid.dimensions} & set(cells)
    own = {name: codes_of(edition, name, cells[name], among) if name in named else [] for name in cells}
    return _groups(edition, statistic, own, begin, stop)


def _groups(
    edition: Measured, statistic: str, cells: Mapping[str, Sequence[Sequence[str]]], begin: date, stop: date
) -> Part:
    quantity = quantity_of(edition, statistic)
    summed = conditions(edition.grid, dict.fromkeys(cells, ()), edition.period, begin, stop)
    queries: dict[str, Floats] = {}
    for dimension in edition.grid.dimensions:
        if dimension.name in cells:
            rows = np.stack([leaves(dimension, codes) for codes in cells[dimension.name]])
        else:
            rows = summed[dimension.name][None, :]
        queries[dimension.name] = on_fit(quantity, dimension, rows)
    variance, doubt = (_in_order(part, edition, cells) for part in variance_of_sums(quantity, queries))
    if not np.isfinite(variance).all():
        refuse(f"{edition.plan.edition} did not measure '{statistic}' for this combination of {', '.join(cells)}")
    value = _in_order(quantity.value(queries), edition, cells)
    return Part(edition.plan.edition, begin, stop, value, variance, quantity.law(queries), doubt)


def _in_order(values: Floats, edition: Measured, cells: Mapping[str, Sequence[Sequence[str]]]) -> Floats:
    """One value per cell, with the dimensions in the order of ``cells``."""
    names = [d.name for d in edition.grid.dimensions]
    shape = [len(cells.get(name, ("",))) for name in names]
    axes = [names.index(name) for name in cells]
    rest = [i for i in range(len(names)) if i not in axes]
    return np.asarray(np.broadcast_to(values, shape).transpose(*axes, *rest).reshape(-1))
