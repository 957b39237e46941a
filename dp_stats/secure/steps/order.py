"""An order among one person's rows that depends on their content alone, whoever else is there and on every engine."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from dp_stats.secure.engines import sha256_hex

CONTENT = "_content"
"""Column of a digest of a row's content; no declared name begins so."""


def with_content(backend: ibis.BaseBackend, table: ir.Table) -> ir.Table:
    """Add the digest of each row's values: equal exactly for rows that are interchangeable."""
    text: ir.StringValue = ibis.literal("row")
    for name in sorted(table.columns):
        value = table[name].cast(dt.string)
        text = text + ibis.ifelse(table[name].isnull(), ibis.literal("\x1e"), ibis.literal("\x1f") + value)
    return table.mutate(**{CONTENT: sha256_hex(backend, text)})


def numbered(table: ir.Table, within: Sequence[str], by: Sequence[ir.Value], *, name: str) -> ir.Table:
    """Number the rows that are equal in ``within`` from 0, in the order ``by`` and then of their content.

    Args:
        within: begins with the person. by: sort keys. name: of the new column.
    """
    window = ibis.window(group_by=list(within), order_by=[*by, table[CONTENT]])
    return table.mutate(**{name: ibis.row_number().over(window)})


def earliest(table: ir.Table, columns: Sequence[str]) -> list[ir.Value]:
    """Sort keys: the smallest first, missing values last."""
    return [ibis.asc(table[name], nulls_first=False) for name in columns]


def latest(table: ir.Table, columns: Sequence[str]) -> list[ir.Value]:
    """Sort keys: the largest first, missing values last."""
    return [ibis.desc(table[name], nulls_first=False) for name in columns]
