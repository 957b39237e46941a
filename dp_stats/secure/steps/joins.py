"""Joins on the person: many rows to one, to the state on a day, or many to many with a bound on each side."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from dp_stats.catalogue.linked.kinds import Shape
from dp_stats.catalogue.linked.steps import Join
from dp_stats.secure.steps.order import CONTENT, latest, numbered, with_content
from dp_stats.secure.steps.single import NUMBER, at_most

ROW, SINCE, MATCHED = "_row", "_since", "_matched"


def join(
    step: Join, table: ir.Table, shape: Shape, other: ir.Table, theirs: Shape, backend: ibis.BaseBackend
) -> ir.Table:
    """The rows of ``table`` with columns of the rows of ``other`` about the same person."""
    if step.most is not None:
        return _many(step, table, shape, other, theirs, backend)
    if step.as_of is not None:
        return _as_of(step, table, shape, other, theirs, backend)
    keys = [theirs.person, *step.on.values()]
    return _joined(step, table, shape, _right(step, at_most(backend, other, keys, 1), theirs))


def _many(
    step: Join, table: ir.Table, shape: Shape, other: ir.Table, theirs: Shape, backend: ibis.BaseBackend
) -> ir.Table:
    assert step.most is not None
    left = at_most(backend, table, [shape.person, *step.on], step.most.of)
    right = at_most(backend, other, [theirs.person, *step.on.values()], step.most.with_)
    return _joined(step, left, shape, _right(step, right, theirs))


def _as_of(
    step: Join, table: ir.Table, shape: Shape, other: ir.Table, theirs: Shape, backend: ibis.BaseBackend
) -> ir.Table:
    """Each row with the latest state that began on its day or before: all that began are joined, and the latest kept.

    Rows of one person that are equal in every column are told apart by a running number first: their numbers are
    interchangeable, as they are.
    """
    assert step.as_of is not None
    left = with_content(backend, table)
    left = numbered(left, [shape.person, CONTENT], [], name=ROW).rename({"_left": CONTENT})
    states = with_content(backend, other)
    right = _right(step, states, theirs, CONTENT, **{SINCE: states[step.as_of.since]})
    began = left[step.as_of.day] >= right[SINCE]
    found = left.left_join(right, [*_equal(step, left, shape, right), began])
    found = found.select(*left.columns, SINCE, CONTENT, MATCHED, *step.columns)
    found = numbered(found, [shape.person, "_left", ROW], latest(found, [SINCE]), name=NUMBER)
    found = found.filter(found[NUMBER] == 0)
    if step.required:
        found = found.filter(found[MATCHED].notnull())
    return found.select(*table.columns, *step.columns)


def _joined(step: Join, left: ir.Table, shape: Shape, right: ir.Table) -> ir.Table:
    equal = _equal(step, left, shape, right)
    found = left.inner_join(right, equal) if step.required else left.left_join(right, equal)
    return found.select(*left.columns, *step.columns)


def _right(step: Join, other: ir.Table, theirs: Shape, *more: str, **named: ir.Value) -> ir.Table:
    """What is needed of the other table, under names that the first cannot have."""
    keys = {f"_key_{index}": other[name] for index, name in enumerate((theirs.person, *step.on.values()))}
    added = {new: other[old] for new, old in step.columns.items()}
    return other.select(*more, **keys, **named, **added, **{MATCHED: ibis.literal(1)})


def _equal(step: Join, left: ir.Table, shape: Shape, right: ir.Table) -> list[ir.BooleanValue]:
    """Person first: no step joins a row with another person's."""
    return [left[name] == right[f"_key_{index}"] for index, name in enumerate((shape.person, *step.on))]
