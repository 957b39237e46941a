"""The contribution bound: at most k rows of a person in a block, chosen by that person's own rows alone.

Which rows stay is decided by a keyed hash of the row itself. Nobody else's data enters the choice, so
removing a person leaves everyone else's kept rows as they were; and without the key nobody can word a
row so that it is kept. Identical rows are interchangeable: ``row_number`` counts off as many as may stay,
which a threshold on the hash would not.

Most people are within the bound, so the bound is computed by *subtracting what is dropped*: only the rows
of persons who may exceed it are numbered, and every table is the table of all rows minus the table of the
dropped ones.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.periods import Period
from dp_stats.secure.calendar import day_index
from dp_stats.secure.engines import engine_of, fast_hash, held
from dp_stats.secure.rows import BLOCK, DAY, PERSON, Rows

KEPT, COUNTED, MARKED = "kept", "truncation_counted", "truncation_marked"


@dataclass(frozen=True)
class Bound:
    """What one person may contribute in one block.

    Attributes:
        rows: most rows that count (k). one_per_cell: also at most one in each leaf cell of the grid.
        truncated_rows: most truncated rows that are counted.
        key: secret text that the choice of rows depends on.
    """

    rows: int
    one_per_cell: bool
    truncated_rows: int
    key: str


@dataclass(frozen=True)
class Bounded:
    """Rows with the bound applied.

    Attributes:
        rows: every row that may count, bounded or not.
        candidates: all rows of the persons who may exceed the bound, with ``kept`` (it counts),
            ``truncation_counted`` (it is dropped and counted as a truncated row) and ``truncation_marked`` (it stands
            for its person among the truncated persons).
    """

    rows: Rows
    candidates: ir.Table


def apply_bound(
    backend: ibis.BaseBackend,
    rows: Rows,
    bound: Bound,
    *,
    grid: Grid,
    period: Period,
    allowances: ir.Table | None = None,
) -> Bounded:
    """Number the rows of the candidates, who may exceed the bound, and mark which of them count.

    Args:
        allowances: what is left to persons who already contributed to other editions: columns ``person``,
            ``block``, ``rows_left``, ``truncated_left``, ``mark_left`` (0 or 1). Everyone else has the full bound.
    """
    candidates = _candidates(backend, rows, most=1 if bound.one_per_cell else bound.rows, allowances=allowances)
    left: dict[str, ir.Value] = {
        "rows_left": ibis.literal(bound.rows),
        "truncated_left": ibis.literal(bound.truncated_rows),
        "mark_left": ibis.literal(1),
    }
    if allowances is not None:
        candidates = candidates.left_join(allowances, [PERSON, BLOCK])
        left = {name: candidates[name].fill_null(full) for name, full in left.items()}
    candidates = candidates.mutate(choice=fast_hash(backend, _row_text(candidates, rows, bound.key)), **left)
    order = ["choice", *rows.content]  # rows whose hashes collide have an order, too, whoever else is there
    if bound.one_per_cell:
        candidates, cell = _with_cells(candidates, rows, grid, period)
        candidates = candidates.mutate(repeated=_number([PERSON, BLOCK, *cell], order) > 0)
        within = _number([PERSON, BLOCK], ["repeated", *order]) < candidates["rows_left"]
        candidates = candidates.mutate(kept=within & ~candidates["repeated"])
        number = _number([PERSON, BLOCK, KEPT], order)
    else:  # what is dropped follows what is kept in the same order
        candidates = candidates.mutate(number=_number([PERSON, BLOCK], order))
        candidates = candidates.mutate(kept=candidates["number"] < candidates["rows_left"])
        number = candidates["number"] - candidates["rows_left"]
    dropped = ~candidates[KEPT]
    candidates = candidates.mutate(
        truncation_counted=dropped & (number < candidates["truncated_left"]),
        truncation_marked=dropped & (number < candidates["mark_left"]),
    )
    return Bounded(rows, held(backend, candidates.select(PERSON, BLOCK, *rows.content, KEPT, COUNTED, MARKED)))


def _number(within: list[str], order: list[str]) -> ir.IntegerColumn:
    """Each row's number among those that are equal in the columns ``within``, from 0."""
    return ibis.row_number().over(ibis.window(group_by=within, order_by=order))


def _row_text(table: ir.Table, rows: Rows, key: str) -> ir.StringValue:
    """The key and a row's content as one text; equal exactly for rows that are interchangeable."""
    text: ir.StringValue = ibis.literal(key)
    for column in (PERSON, *rows.content):
        text = text + "\x1f" + table[column].cast(dt.string).fill_null("")
    return text


def _with_cells(table: ir.Table, rows: Rows, grid: Grid, period: Period) -> tuple[ir.Table, list[str]]:
    """Add the leaf of the calendar that each row's day falls in; return also the columns that make a leaf cell."""
    cell = []
    for index, dimension in enumerate(grid.dimensions):
        column = rows.coordinates[dimension.name]
        if dimension.kind == "date":
            column, leaf = f"leaf_{index}", day_index(dimension, period)
            days = ibis.memtable(pa.table({f"day_{index}": pa.array(period.days), column: leaf}))
            table = table.inner_join(days, table[DAY] == days[f"day_{index}"])
        cell.append(column)
    return table, cell


def _candidates(backend: ibis.BaseBackend, rows: Rows, *, most: int, allowances: ir.Table | None) -> ir.Table:
    """All rows of a set of persons that holds everyone with more than ``most`` rows in a block, or with an allowance."""
    if engine_of(backend) == "duckdb":
        return _candidates_by_mark(backend, rows.table, most=most, allowances=allowances)
    return _candidates_by_count(rows.table, most=most, allowances=allowances)


def _candidates_by_mark(
    backend: ibis.BaseBackend, table: ir.Table, *, most: int, allowances: ir.Table | None
) -> ir.Table:
    """Found by short hashes of the persons, several times as fast as grouping: a few others may be among them."""

    def mark(one: ir.Table) -> ir.Value:
        return (fast_hash(backend, one[PERSON]) >> 32).cast(dt.uint32)

    def marks(of: ir.Table) -> NDArray[np.uint32]:
        found: NDArray[np.uint32] = of.select(mark=mark(of)).to_pyarrow()["mark"].to_numpy()
        return found

    wanted = repeated_values(marks(table), most)
    if allowances is not None:
        wanted = np.concatenate([wanted, marks(allowances)])
    return table.mutate(mark=mark(table)).semi_join(ibis.memtable(pa.table({"mark": wanted})), "mark").drop("mark")


def _candidates_by_count(table: ir.Table, *, most: int, allowances: ir.Table | None) -> ir.Table:
    """Found by counting each person's rows in each block."""
    counts = table.group_by(PERSON, BLOCK).aggregate(found=table.count())
    persons = counts.filter(counts["found"] > most).select(PERSON)
    if allowances is not None:
        persons = persons.union(allowances.select(PERSON))
    return table.semi_join(persons, PERSON)


def repeated_values(values: NDArray[np.uint32], most: int) -> NDArray[np.uint32]:
    """The values that occur more than ``most`` times: sorted in two halves on two threads, then compared at a distance.

    Applied to short hashes of persons it finds everyone with more than ``most`` rows, and where hashes collide
    someone else too, whose rows are then numbered in vain and kept.
    """

    def within(part: NDArray[np.uint32]) -> NDArray[np.uint32]:
        part.sort()
        later = part[most:]  # empty where a half has no more than ``most`` values
        return np.unique(later[later == part[: len(later)]])

    upper = values >= np.uint32(1 << 31)
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(within, (values[~upper], values[upper]))))
