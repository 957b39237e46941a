"""What each step takes and gives: every name and type, checked from the declared tables to the rows that count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatch

from dp_stats.catalogue.linked.expressions import PUBLIC_DAYS, parse
from dp_stats.catalogue.linked.functions import NotAllowedError
from dp_stats.catalogue.linked.kinds import KEYS, NAMED, ORDERED, Kind, Shape
from dp_stats.catalogue.linked.steps import Count, Derive, Join, Keep, Pick, Sessions, Spread, Step

Shapes = Mapping[str, Shape]


def flow(tables: Shapes, steps: Iterable[Step]) -> list[Shapes]:
    """The tables there are before the first step, and after each.

    Raises:
        NotAllowedError: a step uses what there is not, or would not be person-local; names the step and the field.
    """
    found: list[Shapes] = [dict(tables)]
    for number, step in enumerate(steps, start=1):
        try:
            shape = after(step, found[-1])
        except NotAllowedError as error:
            raise NotAllowedError(f"steps, number {number} ({step.step}): {error}") from None
        found.append({**found[-1], step.gives: shape})
    return found


def after(step: Step, tables: Shapes) -> Shape:
    """The shape of the table that a step gives.

    Raises:
        NotAllowedError: see ``flow``.
    """
    return _after(step, _table(tables, step.of, "of"), tables)


@singledispatch
def _after(step: object, table: Shape, tables: Shapes) -> Shape:
    raise TypeError(type(step).__name__)


@_after.register
def _keep(step: Keep, table: Shape, tables: Shapes) -> Shape:
    if _kind(step.where, table, "where") != "truth":
        raise NotAllowedError("where: a condition is true or false; this is not")
    return table


@_after.register
def _derive(step: Derive, table: Shape, tables: Shapes) -> Shape:
    made = {name: _kind(text, table, f"columns.{name}") for name, text in step.columns.items()}
    _not_person(made, table, "columns")
    return _with(table, made)


@_after.register
def _join(step: Join, table: Shape, tables: Shapes) -> Shape:
    other = _table(tables, step.with_, "with")
    for mine, theirs in step.on.items():
        kinds = (_column(table, mine, "on", KEYS), _column(other, theirs, "on", KEYS))
        if kinds[0] != kinds[1]:
            raise NotAllowedError(f"on: '{mine}' is {NAMED[kinds[0]]} and '{theirs}' is {NAMED[kinds[1]]}")
    if step.as_of is not None:
        _column(table, step.as_of.day, "as_of.day", ("date",))
        _column(other, step.as_of.since, "as_of.since", ("date",))
    added = {new: _column(other, old, "columns") for new, old in step.columns.items()}
    for new in added:
        _new(table, new, "columns")
    return _with(table, added)


@_after.register
def _pick(step: Pick, table: Shape, tables: Shapes) -> Shape:
    for name in step.per:
        _column(table, name, "per", KEYS)
    for name in step.by:
        _column(table, name, "by", ORDERED)
    return table


@_after.register
def _spread(step: Spread, table: Shape, tables: Shapes) -> Shape:
    _column(table, step.from_, "from", ("date",))
    _column(table, step.until, "until", ("date",))
    _new(table, step.day, "day")
    return _with(table, {step.day: "date"})


@_after.register
def _sessions(step: Sessions, table: Shape, tables: Shapes) -> Shape:
    columns: dict[str, Kind] = {table.person: "person"}
    columns |= {name: _column(table, name, "per", KEYS) for name in step.per}
    for field, name in (("from", step.from_), ("until", step.until)):
        columns |= {name: _column(table, name, field, ("date",))}
    if step.from_ == step.until:
        raise NotAllowedError("until: name another column than 'from'; derive one where an episode is a day")
    taken = [*columns]
    for field, names in (("first", step.first), ("last", step.last)):
        for name in names:
            if name in taken:
                raise NotAllowedError(f"{field}: '{name}' comes out already; name it once")
            columns[name] = _column(table, name, field)
            taken.append(name)
    if step.count is not None:
        _new(Shape(table.person, columns), step.count, "count")
        columns[step.count] = "whole"
    return Shape(table.person, columns)


@_after.register
def _count(step: Count, table: Shape, tables: Shapes) -> Shape:
    columns: dict[str, Kind] = {table.person: "person"}
    columns |= {name: _column(table, name, "per", KEYS) for name in step.per}
    _new(Shape(table.person, columns), step.as_, "as")
    return Shape(table.person, {**columns, step.as_: "whole"})


def _table(tables: Shapes, name: str, field: str) -> Shape:
    if name not in tables:
        raise NotAllowedError(f"{field}: there is no table '{name}' here; there are {', '.join(tables)}")
    return tables[name]


def _kind(text: str, table: Shape, field: str) -> Kind:
    try:
        kind = parse(text, table.values).kind
    except NotAllowedError as error:
        raise NotAllowedError(f"{field}: {error}") from None
    if kind == "nothing":
        raise NotAllowedError(f"{field}: it is always NULL")
    return kind


def _column(table: Shape, name: str, field: str, kinds: tuple[Kind, ...] | None = None) -> Kind:
    """The kind of a column, which must be one of ``kinds``."""
    if name == table.person:
        raise NotAllowedError(f"{field}: '{name}' is the person, by whom every step goes anyway; take it out")
    if name not in table.columns:
        raise NotAllowedError(f"{field}: there is no column '{name}' in this table; it has {', '.join(table.values)}")
    kind = table.columns[name]
    if kinds is not None and kind not in kinds:
        allowed = " or ".join(NAMED[each] for each in kinds)
        why = (
            " (whether two decimals are equal is no way to tell records apart)"
            if kind == "number" and kinds == KEYS
            else ""
        )
        raise NotAllowedError(f"{field}: '{name}' is {NAMED[kind]}, and must be {allowed}{why}")
    return kind


def _new(table: Shape, name: str, field: str) -> None:
    if name in table.columns:
        raise NotAllowedError(f"{field}: there is a column '{name}' already; choose another name")
    _not_person({name: "nothing"}, table, field)


def _not_person(made: Mapping[str, Kind], table: Shape, field: str) -> None:
    if table.person in made:
        raise NotAllowedError(f"{field}: '{table.person}' says whose the row is, and stays as it is")
    if public := [name for name in made if name in PUBLIC_DAYS]:
        raise NotAllowedError(f"{field}: '{public[0]}' is a day of the edition; choose another name")


def _with(table: Shape, more: Mapping[str, Kind]) -> Shape:
    return Shape(table.person, {**table.columns, **more})


def why_no_record(steps: Sequence[Step], counted: str) -> str:
    """Why rows of the table ``counted`` are not one for each record of a source; nothing if they are.

    Steps that keep or drop rows, or add columns of one row each, leave a record one row. The others make several of one, or
    one of several.
    """
    name = counted
    for number, step in reversed([*enumerate(steps, start=1)]):
        if step.gives != name:
            continue
        if isinstance(step, (Spread, Sessions, Count)) or (isinstance(step, Join) and step.most is not None):
            return f"what step number {number} ({step.step}) gives is not one row for each record of '{step.of}'"
        name = step.of
    return ""


def reads_the_period(steps: Iterable[Step]) -> bool:
    """Whether a step's expression asks for the days of the edition, so that one record may make other rows in another."""
    texts = [text for step in steps for text in _expressions(step)]
    return any(re.search(rf"\b(?:{'|'.join(PUBLIC_DAYS)})\b", text) for text in texts)


def _expressions(step: Step) -> Iterable[str]:
    match step:
        case Keep():
            return (step.where,)
        case Derive():
            return step.columns.values()
        case _:
            return ()
