"""Steps over intervals of days: an interval becomes its days, episodes that follow each other become one."""

from __future__ import annotations

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa

from dp_stats.catalogue.linked.flow import after as shape_after
from dp_stats.catalogue.linked.kinds import Kind, Shape
from dp_stats.catalogue.linked.steps import Sessions, Spread
from dp_stats.secure.steps.expressions import EPOCH, TYPES, day_number, later, zero_or_one
from dp_stats.secure.steps.order import CONTENT, with_content

OFFSET, LENGTH = "_offset", "_length"
START, END, BEFORE, NEW, SESSION = "_start", "_end", "_before", "_new", "_session"
FROM_FIRST, FROM_LAST = "_from_first", "_from_last"


def spread(step: Spread, table: ir.Table) -> ir.Table:
    """One row for each day of the interval, its last included: joined with a public list of 0, 1, 2, …"""
    offsets = ibis.memtable(pa.table({OFFSET: pa.array(range(step.most), pa.int64())}))
    length = day_number(table[step.until]) - day_number(table[step.from_])
    table = table.mutate(**{LENGTH: length})
    days = table.inner_join(offsets, table[LENGTH] >= offsets[OFFSET])
    days = days.mutate(**{step.day: later(days[step.from_], days[OFFSET])})
    days = days.filter(days[step.day].notnull())
    return days.drop(LENGTH, OFFSET)


def sessions(step: Sessions, table: ir.Table, shape: Shape, backend: ibis.BaseBackend) -> ir.Table:
    """One row for episodes that begin less than ``gap`` days after all before them have ended."""
    keys = [shape.person, *step.per]
    table = with_content(backend, table.filter(table[step.from_].notnull()))
    begins = day_number(table[step.from_])
    ends = day_number(ibis.coalesce(table[step.until], table[step.from_]))
    table = table.mutate(**{START: begins, END: ibis.ifelse(ends < begins, begins, ends)})
    before = table[END].max().over(_window(table, keys, preceding=(None, 1)))
    table = table.mutate(**{BEFORE: before})
    new = table[BEFORE].isnull() | (table[START] - table[BEFORE] >= step.gap)
    table = table.mutate(**{NEW: zero_or_one(new)})
    table = table.mutate(**{SESSION: table[NEW].sum().over(_window(table, keys, preceding=(None, 0)))})
    within = [*keys, SESSION]
    place = ibis.row_number().over(_window(table, within))
    table = table.mutate(**{FROM_FIRST: place, FROM_LAST: ibis.row_number().over(_window(table, within, turned=True))})
    return _one_each(step, table, within, shape)


def _window(table: ir.Table, keys: list[str], *, turned: bool = False, **frame: tuple[int | None, int]) -> object:
    """One person's episodes in the order in which they begin, end, and then of their content."""
    names = (START, END, CONTENT)
    order = [ibis.desc(table[name]) if turned else ibis.asc(table[name]) for name in names]
    return ibis.window(group_by=keys, order_by=order, **frame)


def _one_each(step: Sessions, table: ir.Table, within: list[str], shape: Shape) -> ir.Table:
    """A row per session: its days, how many episodes it has, and values of its first and last one."""
    after = shape_after(step, {step.of: shape}).columns
    made = {step.from_: later(_epoch(), table[START].min()), step.until: later(_epoch(), table[END].max())}
    made |= {name: _only(table, name, FROM_FIRST, after[name]) for name in step.first}
    made |= {name: _only(table, name, FROM_LAST, after[name]) for name in step.last}
    if step.count is not None:
        made[step.count] = table.count()
    found = table.group_by(*within).aggregate(**made)
    return found.select(**{name: _as(found[name], kind) for name, kind in after.items()})


def _only(table: ir.Table, name: str, place: str, kind: Kind) -> ir.Value:
    """The value of the one row at place 0: the largest of one, which every engine can tell."""
    column = zero_or_one(table[name]) if kind == "truth" else table[name]
    return column.max(where=table[place] == 0)


def _as(value: ir.Value, kind: Kind) -> ir.Value:
    return value == 1 if kind == "truth" else value.cast(TYPES[kind])


def _epoch() -> ir.Value:
    return ibis.literal(EPOCH, type=dt.date)
