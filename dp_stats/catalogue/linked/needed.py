"""Which tables a person must have records in to have any row that counts."""

from __future__ import annotations

from collections.abc import Iterable

from dp_stats.catalogue.linked.steps import Join, Step


def needed_tables(tables: Iterable[str], steps: Iterable[Step], counted: str) -> frozenset[str]:
    """The tables without whose records nobody has a row of the table ``counted``.

    Every step gives nothing of a person who has no row in the table ``of``; a join that keeps no row without a match needs
    the other table, too. What else may be needed (by an expression, say) is not looked for: fewer tables are named, never more.
    """
    needs = {name: frozenset({name}) for name in tables}
    for step in steps:
        found = needs[step.of]
        if isinstance(step, Join) and step.required:
            found |= needs[step.with_]
        needs[step.gives] = found
    return needs[counted]
