"""What the command line prints of late rows: what later editions gain, against waiting longer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from dp_stats.written import number, share

if TYPE_CHECKING:
    from dp_stats.plan.late_expected import Choice
    from dp_stats.plan.model import Measurement
    from dp_stats.run import Run


def print_late(out: Console, run: Run) -> None:
    """How the error of a typical value falls with late editions; nothing where no late rows or no sizes are declared."""
    from dp_stats.plan.late_expected import choices

    late, plan = run.release.late, run.plan
    counted = {s.id for s in run.release.statistics if s.kind == "count"}
    known = [e for e in plan.expected if e.statistic in counted and e.prior_mean]
    if late is None or not known:
        return
    headline = run.release.headline or run.release.tables[0].id
    expected = next((e for e in known if e.table == headline), known[0])
    series = run.planned().series
    measured = series.late if series is not None else ()  # also of a first edition, which measures none itself
    length = (run.period.end - run.period.start).days + 1
    table = Table(
        title=f"Late rows: expected error of a typical value of {expected.table} (guess: {share(late.share)} late)"
    )
    for heading in ("published", "stands after", "rows still missing", "error"):
        table.add_column(heading, justify="left" if heading == "published" else "right")
    settle = run.release.settle_days
    for one in choices(late, expected, measured, length=length):
        days = settle + 1 + one.days
        table.add_row(
            _said(one, settle), f"{days} day{'s' if days > 1 else ''}", share(one.missing), f"{number(one.error)} %"
        )
    out.print(table)
    out.print(_ways(run, measured), soft_wrap=True)


def _ways(run: Run, measured: Sequence[Measurement]) -> str:
    """How later editions count late rows, which the planner has chosen by expected error."""
    coarse = next((m for m in measured if m.role == "late_rows"), None)
    if coarse is None:
        return "Late rows are counted in the same tables, with the same noise: each later edition adds a draw of it to every value."
    levels = [f"{name} ({level})" for name, level in coarse.levels.items() if level not in _tops(run, name)]
    by = f"by {' and '.join(levels)}" if levels else "as one number of the whole"
    return (
        f"Late rows are counted coarsely, {by}, and spread over finer cells like the rows before: that adds little noise, and a "
        "doubt of how alike delays are, which the intervals carry."
    )


def _tops(run: Run, name: str) -> set[str]:
    """Levels of a dimension that have one cell."""
    dimension = next(d for d in run.grid.dimensions if d.name == name)
    return {level.name for level in dimension.levels if len(level.codes) == 1}


def _said(choice: Choice, settle: int) -> str:
    if choice.waits:
        return f"settle_days: {settle + choice.waits}, without late"
    if choice.periods == 0:
        return "at first"
    return f"with {choice.periods} later edition{'s' if choice.periods > 1 else ''}"
