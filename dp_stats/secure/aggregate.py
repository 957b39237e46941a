"""Exact bounded integer answers for every measurement of a plan, on the public grid.

The engine returns sparse groups; the cells they belong to are looked up in the grid's own leaves, so a
key that is not on the public list has nowhere to go and a cell without rows is a zero like any other.
Everything is a 64-bit integer from the engine's sum to the vector that noise is added to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.models import Release, Statistic
from dp_stats.catalogue.periods import Period
from dp_stats.plan.model import Measurement, Plan
from dp_stats.secure.bound import COUNTED, KEPT, MARKED, Bounded
from dp_stats.secure.calendar import day_index
from dp_stats.secure.rows import PERSON, Rows

Vector = NDArray[np.int64]
COUNT = "n_rows"


@dataclass(frozen=True)
class Groups:
    """Sparse integers at leaf cells: the index of each group's leaf per dimension, and its values per column."""

    leaves: Mapping[str, NDArray[np.intp]]
    values: Mapping[str, Vector]


def exact_answers(plan: Plan, bounded: Bounded, *, grid: Grid, release: Release, period: Period) -> dict[str, Vector]:
    """Answer every measurement exactly; nothing returned here may be written anywhere without noise.

    Returns:
        Measurement id → integers, of the measurement's shape.
    """
    statistics = {statistic.id: statistic for statistic in release.statistics}
    answers: dict[str, Vector] = {}
    together: dict[tuple[str, ...], list[tuple[Measurement, str]]] = defaultdict(list)
    for measurement in plan.measurements:
        if measurement.role != "statistic":
            chosen = bounded.candidates.filter(
                bounded.candidates[COUNTED if measurement.role == "truncated_rows" else MARKED]
            )
            groups = _grouped(chosen, bounded.rows, _needed(grid, measurement), [COUNT], grid, period)
            answers[measurement.id] = _placed([(groups, 1)], COUNT, measurement, grid)
        elif statistics[measurement.statistic].kind == "persons":
            answers[measurement.id] = _persons(bounded, measurement, grid, period)
        else:
            column = _column(statistics[measurement.statistic], bounded.rows)
            together[_needed(grid, measurement)].append((measurement, column))
    for needed, wanted in _merged(together):
        columns = sorted({column for _, column in wanted})
        everything = _grouped(bounded.rows.table, bounded.rows, needed, columns, grid, period)
        dropped = _grouped(
            bounded.candidates.filter(~bounded.candidates[KEPT]), bounded.rows, needed, columns, grid, period
        )
        for measurement, column in wanted:
            answers[measurement.id] = _placed([(everything, 1), (dropped, -1)], column, measurement, grid)
    return answers


def _column(statistic: Statistic, rows: Rows) -> str:
    return COUNT if statistic.kind == "count" else rows.steps[statistic.id]


def _needed(grid: Grid, measurement: Measurement) -> tuple[str, ...]:
    """The dimensions a measurement tells apart."""
    return tuple(d.name for d in grid.dimensions if len(d.level(measurement.levels[d.name]).codes) > 1)


def _merged(
    together: Mapping[tuple[str, ...], list[tuple[Measurement, str]]],
) -> list[tuple[tuple[str, ...], list[tuple[Measurement, str]]]]:
    """One scan answers every measurement whose dimensions are among another's."""
    merged: dict[tuple[str, ...], list[tuple[Measurement, str]]] = {}
    for needed in sorted(together, key=len, reverse=True):
        home = next((wide for wide in merged if set(needed).issubset(wide)), needed)
        merged.setdefault(home, []).extend(together[needed])
    return list(merged.items())


def _grouped(
    table: ir.Table, rows: Rows, needed: Sequence[str], columns: Iterable[str], grid: Grid, period: Period
) -> Groups:
    """Count rows or add up steps by the needed dimensions; a group outside the grid cannot exist here."""
    keys = dict.fromkeys(rows.coordinates[name] for name in needed)
    sums = {
        column: table.count() if column == COUNT else table[column].sum().fill_null(0).cast(dt.int64)
        for column in columns
    }
    found = (table.group_by(*keys).aggregate(**sums) if keys else table.aggregate(**sums)).to_pyarrow()
    leaves = {name: _leaf(found[rows.coordinates[name]], grid[name], period) for name in needed}
    return Groups(leaves, {column: _integers(found[column]) for column in sums})


def _integers(column: pa.ChunkedArray) -> Vector:
    """A column of the engine's integers; what a 64-bit integer might not hold is a bug and fails."""
    values: NDArray[Any] = column.to_numpy()
    return values.astype(np.int64, casting="safe")


def _leaf(column: pa.ChunkedArray, dimension: Dimension, period: Period) -> NDArray[np.intp]:
    """The index of each key's leaf, looked up in the grid.

    Raises:
        LookupError: a key is not on the grid (it was to be removed before the bound).
    """
    leaves: NDArray[np.intp]
    if dimension.kind == "date":
        days = column.cast(pa.date32()).cast(pa.int32()).to_numpy() - (period.start - _EPOCH).days
        leaves = day_index(dimension, period)[days]
    elif dimension.kind == "bin":
        leaves = column.to_numpy().astype(np.intp)
    else:
        found = pc.index_in(column.cast(pa.string()), value_set=pa.array(dimension.leaf.codes))
        if found.null_count:
            raise LookupError("a key outside the grid was left in")
        leaves = found.to_numpy().astype(np.intp)
    return leaves


_EPOCH = date(1970, 1, 1)


def _placed(parts: Iterable[tuple[Groups, int]], column: str, measurement: Measurement, grid: Grid) -> Vector:
    """Add groups up into the cells of a measurement, with a sign: all rows minus the dropped ones."""
    out = np.zeros(measurement.shape, dtype=np.int64)
    for groups, sign in parts:
        cells = {
            name: grid[name].level(measurement.levels[name]).group[leaves] for name, leaves in groups.leaves.items()
        }
        _add(out, grid, cells, sign * groups.values[column])
    return out


def _add(out: Vector, grid: Grid, cells: Mapping[str, NDArray[np.intp]], values: Vector) -> None:
    """Add each value to its cell; a dimension that is not told apart has one cell only."""
    nowhere = np.zeros(len(values), dtype=np.intp)
    index: Any = tuple(cells.get(d.name, nowhere) for d in grid.dimensions)
    np.add.at(out, index, values)


def _persons(bounded: Bounded, measurement: Measurement, grid: Grid, period: Period) -> Vector:
    """Distinct persons among the kept rows of each cell, counted at the measured level itself.

    Persons who may exceed the bound and all others are disjoint, so: everyone's, minus the
    candidates', plus the candidates' among their kept rows.
    """
    candidates = bounded.candidates
    out = np.zeros(measurement.shape, dtype=np.int64)
    for table, sign in ((bounded.rows.table, 1), (candidates, -1), (candidates.filter(candidates[KEPT]), 1)):
        cells, names = _cells(table, bounded.rows, measurement, grid, period)
        distinct = cells.select(PERSON, *names.values()).distinct()
        counted = distinct.group_by(*names.values()) if names else distinct
        found = counted.aggregate(persons=distinct.count()).to_pyarrow()
        groups = {name: found[column].to_numpy().astype(np.intp) for name, column in names.items()}
        _add(out, grid, groups, sign * _integers(found["persons"]))
    return out


def _cells(
    table: ir.Table, rows: Rows, measurement: Measurement, grid: Grid, period: Period
) -> tuple[ir.Table, dict[str, str]]:
    """Add the index of each row's group at the measured level, from public tables of code → group."""
    names: dict[str, str] = {}
    for position, dimension in enumerate(grid.dimensions):
        level = dimension.level(measurement.levels[dimension.name])
        if len(level.codes) == 1:
            continue
        column, name = rows.coordinates[dimension.name], f"group_{position}"
        keys: Any
        if dimension.kind == "date":
            keys, groups = period.days, level.group[day_index(dimension, period)]
        elif dimension.kind == "bin":
            keys, groups = np.arange(len(dimension)), level.group
        else:
            keys, groups = dimension.leaf.codes, level.group
        lookup = ibis.memtable(pa.table({f"key_{position}": pa.array(keys), name: groups}))
        table = table.inner_join(lookup, table[column] == lookup[f"key_{position}"])
        names[dimension.name] = name
    return table, names
