"""Steps that look at one table: keep and derive by row, first and last, count and sessions within one person's rows."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from dp_stats.catalogue.linked.expressions import parse
from dp_stats.catalogue.linked.kinds import Shape
from dp_stats.catalogue.linked.steps import Count, Derive, Keep, Pick
from dp_stats.secure.steps.expressions import Compiler
from dp_stats.secure.steps.order import CONTENT, earliest, latest, numbered, with_content

NUMBER = "_number"


def keep(step: Keep, table: ir.Table, shape: Shape, compiler: Compiler) -> ir.Table:
    """The rows for which the condition is true."""
    return table.filter(compiler.compile(parse(step.where, shape.values)).cast(dt.boolean))


def derive(step: Derive, table: ir.Table, shape: Shape, compiler: Compiler) -> ir.Table:
    """The rows with columns computed from the columns they had before."""
    made = {name: compiler.compile(parse(text, shape.values)) for name, text in step.columns.items()}
    return table.mutate(**made)


def pick(step: Pick, table: ir.Table, shape: Shape, backend: ibis.BaseBackend) -> ir.Table:
    """The first or last row of each person and ``per``."""
    table = with_content(backend, table)
    order = earliest(table, step.by) if step.step == "first" else latest(table, step.by)
    table = numbered(table, [shape.person, *step.per], order, name=NUMBER)
    return table.filter(table[NUMBER] == 0).drop(NUMBER, CONTENT)


def count(step: Count, table: ir.Table, shape: Shape) -> ir.Table:
    """How many rows each person has, at most ``most``."""
    found = table.group_by(shape.person, *step.per).aggregate(**{step.as_: table.count()})
    return found.mutate(**{step.as_: _at_most(found[step.as_], step.most)})


def at_most(backend: ibis.BaseBackend, table: ir.Table, keys: Sequence[str], most: int) -> ir.Table:
    """At most so many rows that are equal in ``keys``, which begin with the person; their content decides which."""
    table = numbered(with_content(backend, table), keys, [], name=NUMBER)
    return table.filter(table[NUMBER] < most).drop(NUMBER, CONTENT)


def _at_most(value: ir.Value, most: int) -> ir.Value:
    return ibis.ifelse(value > most, ibis.literal(most, type=dt.int64), value.cast(dt.int64))
