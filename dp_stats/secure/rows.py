"""The rows that may count: canonical columns read as coordinates of the public grid, everything else removed.

A row counts if it names a person, is dated in the period and lies in a cell of the grid. Anything else is
removed here, before any bound looks at it, by a rule that reads that row alone: so it is removed from
every neighbouring table in the same way. No floating-point number leaves this module: sums become
integer steps, bins become indices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import ceil, floor
from operator import add

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.models import Dataset, Release, Statistic
from dp_stats.catalogue.periods import BlockKind, Period, block_of
from dp_stats.errors import CatalogueError
from dp_stats.secure.engines import named

LARGEST_STEP = 2**31
"""Largest contribution of one row to a sum, in steps: 2³¹ rows of it still fit 64-bit integers."""

EXACT_INTEGERS = 2**53
"""Engines divide integers in double precision, which is exact below this when the result is an integer."""

PERSON, BLOCK, DAY, RECORD = "person", "block", "day", "record"


@dataclass(frozen=True)
class Rows:
    """Rows that may count, as an Ibis table, and the names of its columns.

    Attributes:
        table: columns ``person``, ``block`` (index), ``day``, one per dimension and one per sum; where late rows are
            told from others by a record id, also ``record``.
        coordinates: dimension → column: a code, a day, or the index of a bin.
        steps: sum statistic → column of integer steps (null: no number given).
        blocks: labels of the blocks that ``block`` is an index of.
    """

    table: ir.Table
    coordinates: dict[str, str]
    steps: dict[str, str]
    blocks: tuple[str, ...]

    @property
    def content(self) -> list[str]:
        """Columns in which a row's contribution can differ from another's of the same person."""
        return [DAY, *(c for c in self.coordinates.values() if c != DAY), *self.steps.values()]


def rows_that_count(
    backend: ibis.BaseBackend,
    table: ir.Table,
    *,
    dataset: Dataset,
    release: Release,
    grid: Grid,
    period: Period,
    blocks: BlockKind,
) -> Rows:
    """Read a table of canonical rows as coordinates of the grid and remove what lies outside it.

    Args:
        table: the snapshot; ``blocks``: the kind of block the budget is kept in.

    Raises:
        CatalogueError: a sum's bounds and resolution do not fit exact integers.
    """
    day = table[dataset.date_column].cast("date")
    person = table[dataset.privacy_unit.column].cast("string")
    columns: dict[str, ir.Value] = {PERSON: person, DAY: day}
    coordinates, steps = {}, {}
    keep: list[ir.BooleanValue] = [person.notnull(), day >= ibis.literal(period.start), day <= ibis.literal(period.end)]
    for index, dimension in enumerate(grid.dimensions):
        if dimension.kind == "date":
            coordinates[dimension.name] = DAY
            continue
        name = coordinates[dimension.name] = f"at_{index}"
        columns[name] = _bin(table, dimension) if dimension.kind == "bin" else _code(table, dimension)
    labels, columns[BLOCK] = _block(day, period, blocks)
    for index, statistic in enumerate(s for s in release.statistics if s.kind == "sum"):
        name = steps[statistic.id] = f"steps_{index}"
        columns[name] = step_column(table, statistic)
    if release.late is not None and dataset.record_id is not None:
        columns[RECORD] = table[dataset.record_id].cast("string")
    found = table.filter(keep).select(**columns)
    found = found.filter([found[c].notnull() for c in coordinates.values()])
    return Rows(named(backend, found), coordinates, steps, labels)


def _code(table: ir.Table, dimension: Dimension) -> ir.Value:
    column = table[dimension.column].cast("string")
    outside = ibis.null("string") if dimension.unknown is None else ibis.literal(dimension.unknown)
    return ibis.ifelse(column.isin(dimension.leaf.codes).fill_null(False), column, outside)


def _bin(table: ir.Table, dimension: Dimension) -> ir.Value:
    number = _without_nan(table[dimension.column])
    inner = dimension.edges[1:-1]
    if not inner:
        return number.isnull().ifelse(ibis.null("int32"), 0).cast("int32")
    passed = reduce(add, [_at_least(number, Fraction(str(edge))).cast("int32") for edge in inner])
    return passed.cast("int32")


def _block(day: ir.DateValue, period: Period, kind: BlockKind) -> tuple[tuple[str, ...], ir.Value]:
    starts: dict[str, object] = {}
    for each in period.days:
        starts.setdefault(block_of(each, kind), each)
    later = [(day >= ibis.literal(start)).cast("int32") for start in list(starts.values())[1:]]
    return tuple(starts), _sum(later).cast("int32") if later else ibis.literal(0, type="int32")


def _sum(parts: Sequence[ir.Value]) -> ir.Value:
    """A balanced sum, so that 365 terms nest nine deep."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return _sum(parts[:middle]) + _sum(parts[middle:])


def _without_nan(column: ir.Value) -> ir.Value:
    if isinstance(column, ir.StringColumn):
        column = column.try_cast("float64")
    if isinstance(column, ir.FloatingValue):
        return ibis.ifelse(column.isnan(), ibis.null(column.type()), column)
    return column


def _at_least(column: ir.Value, bound: Fraction) -> ir.BooleanValue:
    """Whether a number is at least ``bound``; exact for integers and decimals, which lie on a lattice."""
    if column.type().is_floating():
        return column >= ibis.literal(float(bound))
    scale = _decimals_of(column)
    return column >= _lattice(ceil(bound * 10**scale), scale)


def _at_most(column: ir.Value, bound: Fraction) -> ir.BooleanValue:
    """Whether a number is at most ``bound``; exact for integers and decimals."""
    if column.type().is_floating():
        return column <= ibis.literal(float(bound))
    scale = _decimals_of(column)
    return column <= _lattice(floor(bound * 10**scale), scale)


def _decimals_of(column: ir.Value) -> int:
    kind = column.type()
    return (kind.scale or 0) if isinstance(kind, dt.Decimal) else 0


def _lattice(whole: int, scale: int) -> ir.Value:
    """The number ``whole`` / 10^``scale`` as an exact literal."""
    if scale == 0:
        return ibis.literal(max(min(whole, 2**63 - 1), 1 - 2**63), type="int64")
    return ibis.literal(_written(whole, scale)).cast(dt.Decimal(38, scale))


def _written(whole: int, scale: int) -> str:
    sign, digits = "-" if whole < 0 else "", str(abs(whole)).zfill(scale + 1)
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def _decimals(numbers: Iterable[Fraction]) -> int:
    """Decimal places that write every number exactly, up to 9; a third of a unit is cut there."""
    return next((s for s in range(9) if all((n * 10**s).denominator == 1 for n in numbers)), 9)


def clipping_bounds(statistic: Statistic) -> tuple[Fraction, Fraction]:
    """``lower`` and ``upper`` of a sum (the catalogue's model makes sure that a sum has them)."""
    if statistic.lower is None or statistic.upper is None:
        raise CatalogueError(f"statistic '{statistic.id}' needs 'lower' and 'upper'")
    return statistic.lower, statistic.upper


def step_bounds(statistic: Statistic) -> tuple[int, int]:
    """The smallest and largest number of steps one row can add to a sum.

    Raises:
        CatalogueError: they do not fit exact integers.
    """
    lower, upper = clipping_bounds(statistic)
    low, high = round(lower / statistic.resolution), round(upper / statistic.resolution)
    if max(abs(low), abs(high)) > LARGEST_STEP:
        raise CatalogueError(
            f"statistic '{statistic.id}': the bounds are more than {LARGEST_STEP} times the resolution; "
            "declare a larger 'resolution' or narrower bounds"
        )
    return low, high


def step_column(table: ir.Table, statistic: Statistic) -> ir.Value:
    """The column of a sum, clipped and put into integer steps of its resolution, rounded half to even.

    A value below ``lower`` counts as ``lower``, one above ``upper`` as ``upper`` (infinities too); a missing
    value or one that is not a number adds nothing. Decimals are divided exactly, as integers: with
    x = Y/10ˢ and resolution a/b, the quotient is Y·b / (10ˢ·a), shifted by an even number of steps so that
    the remainder is never negative. Binary floating point is first read as a decimal.
    """
    (lower, upper), resolution = clipping_bounds(statistic), statistic.resolution
    low, high = step_bounds(statistic)
    column = _without_nan(table[statistic.column])
    high_enough, low_enough = _at_least(column, lower), _at_most(column, upper)
    scale = _scale(column, statistic)
    digits = len(str(ceil(max(abs(lower), abs(upper))))) + 1
    exact = ibis.ifelse(high_enough & low_enough, column, ibis.null(column.type())).cast(
        dt.Decimal(digits + scale, scale)
    )
    whole = (exact.cast(dt.Decimal(min(digits + 2 * scale + 1, 38), scale)) * 10**scale).cast("int64")
    divisor = 10**scale * resolution.numerator
    shift = 2 * (abs(min(low, 0)) + 1)
    shifted = whole * resolution.denominator + shift * divisor
    remainder = shifted % divisor
    whole_steps = ((shifted - remainder) / divisor).cast("int64")
    twice = remainder * 2
    up = (twice > divisor) | ((twice == divisor) & (whole_steps % 2 == 1))
    rounded = whole_steps + ibis.ifelse(up, 1, 0) - shift
    steps = ibis.cases(
        (~high_enough, ibis.literal(low, type="int64")),
        (~low_enough, ibis.literal(high, type="int64")),
        else_=rounded,
    )
    return steps.clip(lower=low, upper=high).cast("int64")


def _scale(column: ir.Value, statistic: Statistic) -> int:
    """Decimal places that a value keeps before it is divided: all of them, unless they pass exact integers."""
    lower, upper = clipping_bounds(statistic)
    kind = column.type()
    scale = 0 if kind.is_integer() else _decimals((lower, upper, statistic.resolution)) + 3
    if isinstance(kind, dt.Decimal):
        scale = _decimals_of(column)
    extent = 4 * max(abs(lower), abs(upper), statistic.resolution) * statistic.resolution.denominator
    while scale > 0 and extent * 10**scale >= EXACT_INTEGERS:
        scale -= 1
    return scale
