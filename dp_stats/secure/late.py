"""Late rows: rows of earlier periods that no edition has counted, told from the others by a keyed hash of each row.

A row is known by the declared record id of its dataset, or else by its content, with a running number for rows that are
equal. Person and block are part of the hash: so whether a row was counted before depends on its own person's rows and
entries in that block alone, as everything before the bound must. An edition remembers every row that it looked at,
counted or truncated: what the bound has dropped once is not late.

A corrected record with a record id was counted as it stood, and is not counted again; without one it looks like a new row
and is counted once more. Neither touches the bound, which counts kept rows and not which they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Dataset, Release
from dp_stats.catalogue.periods import BlockKind, Period
from dp_stats.plan.late import grid_of
from dp_stats.plan.model import Plan
from dp_stats.secure.aggregate import Vector, exact_answers
from dp_stats.secure.bound import Bounded
from dp_stats.secure.engines import HASH_LENGTH, held, sha256_hex
from dp_stats.secure.entries import MARK, short, union
from dp_stats.secure.rows import BLOCK, DAY, PERSON, RECORD, Rows, rows_that_count


@dataclass(frozen=True)
class Views:
    """The rows that an edition may count: its own period's, and those of earlier periods that it measures late."""

    own: Rows
    late: Rows | None


def late_rows(
    backend: ibis.BaseBackend, table: ir.Table, *, plan: Plan, dataset: Dataset, release: Release, grid: Grid
) -> Rows | None:
    """Every row of the plan's late periods that may count, seen before or not; None where it has no such period."""
    if not plan.late:
        return None
    span = Period(min(p.start for p in plan.late), max(p.end for p in plan.late), "late", "range")
    kind: BlockKind = plan.block_kind
    rows = rows_that_count(backend, table, dataset=dataset, release=release, grid=grid, period=span, blocks=kind)
    day = rows.table[DAY]
    inside = [(day >= ibis.literal(p.start)) & (day <= ibis.literal(p.end)) for p in plan.late]
    return replace(rows, table=rows.table.filter(ibis.or_(*inside)))


def told_apart(backend: ibis.BaseBackend, rows: Rows, key: str, persons: ir.StringValue) -> Rows:
    """The same rows with the keyed hash of each in the column ``seen``.

    Args:
        persons: a hash of each row's person, always equally long, so that no two persons share a row's hash.
    """
    columns = rows.table.columns
    alike = [PERSON, BLOCK, *rows.content, *([RECORD] if RECORD in columns else [])]
    number = ibis.row_number().over(ibis.window(group_by=alike, order_by=[PERSON]))
    table = rows.table.mutate(number=number, whose=persons)
    text: ir.StringValue = ibis.literal("row")
    for column in (*rows.content, "number"):
        text = text + "\x1f" + table[column].cast(dt.string).fill_null("")
    if RECORD in columns:
        text = ibis.ifelse(table[RECORD].notnull(), ibis.literal("id\x1f") + table[RECORD], text)
    block = _label(replace(rows, table=table))
    mark = sha256_hex(backend, ibis.literal(key) + table["whose"] + "\x1f" + block + "\x1f" + text).substr(
        0, HASH_LENGTH
    )
    return replace(rows, table=held(backend, table.select(*columns, **{MARK: short(backend, mark)})))


def unseen(backend: ibis.BaseBackend, rows: Rows, seen: ir.Table | None) -> Rows:
    """The rows that no other edition has looked at."""
    if seen is None:
        return rows
    return replace(rows, table=held(backend, rows.table.anti_join(seen.select(MARK), MARK)))


def marks_of(rows: Sequence[Rows]) -> ir.Table:
    """What an edition remembers of the rows that it looked at: block and keyed hash of each, once."""
    return union([one.table.select(block=_label(one), seen=MARK) for one in rows]).distinct()


def _label(rows: Rows) -> ir.StringValue:
    block = rows.table[BLOCK]
    return ibis.cases(*((block == index, label) for index, label in enumerate(rows.blocks)), else_="")


def late_answers(plan: Plan, kept: Bounded | None, *, grid: Grid, release: Release) -> dict[str, Vector]:
    """The exact answers of each late table, of late rows alone; nothing of it may be written without noise."""
    answers: dict[str, Vector] = {}
    for late in plan.late:
        assert kept is not None
        period = Period(late.start, late.end, late.label, release.period)
        tables = tuple(m.model_copy(update={"role": "statistic"}) for m in late.measurements)
        asked = plan.model_copy(update={"measurements": tables})
        there = grid_of(grid, release, period)
        answers |= exact_answers(asked, _inside(kept, period), grid=there, release=release, period=period)
    return answers


def _inside(kept: Bounded, period: Period) -> Bounded:
    """The rows that are dated in a period, kept or not as before."""

    def inside(table: ir.Table) -> ir.Table:
        return table.filter(table[DAY].between(ibis.literal(period.start), ibis.literal(period.end)))

    return Bounded(replace(kept.rows, table=inside(kept.rows.table)), inside(kept.candidates))
