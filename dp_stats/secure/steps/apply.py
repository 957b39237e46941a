"""The declared steps, one after another, from the tables as they were read to the rows that count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import ibis
import ibis.expr.types as ir

from dp_stats.catalogue.linked.flow import Shapes, flow
from dp_stats.catalogue.linked.kinds import Shape
from dp_stats.catalogue.linked.steps import Count, Derive, Join, Keep, Pick, Sessions, Spread, Step
from dp_stats.catalogue.models import Dataset
from dp_stats.secure.engines import named
from dp_stats.secure.steps.expressions import TYPES, Compiler
from dp_stats.secure.steps.intervals import sessions, spread
from dp_stats.secure.steps.joins import join
from dp_stats.secure.steps.single import count, derive, keep, pick

Tables = Mapping[str, ir.Table]


def apply_steps(
    backend: ibis.BaseBackend,
    tables: Tables,
    *,
    dataset: Dataset,
    public_days: Mapping[str, date],
) -> ir.Table:
    """The rows that count: a query over ``tables`` that nothing has computed yet.

    Args:
        tables: the declared columns of each table, of the types that reading gives. public_days: ``period_start`` and
            ``period_end``.
    """
    shapes = flow({name: table.shape for name, table in dataset.tables.items()}, dataset.steps)
    found = {name: named(backend, _whose(tables[name], shape)) for name, shape in shapes[0].items()}
    for step, before, after in zip(dataset.steps, shapes[:-1], shapes[1:], strict=True):
        given = _one(step, found, before, backend, public_days)
        found[step.gives] = named(backend, _typed(given, after, step.gives))
    return found[dataset.counted]


def _whose(table: ir.Table, shape: Shape) -> ir.Table:
    """The rows that name a person: one that names nobody belongs to nobody's rows."""
    return table.filter(table[shape.person].notnull())


def _typed(table: ir.Table, shapes: Shapes, name: str) -> ir.Table:
    """The columns that the step was said to give, in the types of their kinds."""
    return table.select(**{column: table[column].cast(TYPES[kind]) for column, kind in shapes[name].columns.items()})


def _one(
    step: Step, tables: Tables, shapes: Shapes, backend: ibis.BaseBackend, public_days: Mapping[str, date]
) -> ir.Table:
    table, shape = tables[step.of], shapes[step.of]
    match step:
        case Keep():
            return keep(step, table, shape, Compiler(table, public_days))
        case Derive():
            return derive(step, table, shape, Compiler(table, public_days))
        case Join():
            return join(step, table, shape, tables[step.with_], shapes[step.with_], backend)
        case Pick():
            return pick(step, table, shape, backend)
        case Spread():
            return spread(step, table)
        case Sessions():
            return sessions(step, table, shape, backend)
        case Count():
            return count(step, table, shape)
