"""What the command line prints of late rows: what later editions gain, against waiting longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from dp_stats.written import number, share

if TYPE_CHECKING:
    from dp_stats.plan.late_expected import Choice
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
    measured = plan.late[0].measurements if plan.late else ()
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


def _said(choice: Choice, settle: int) -> str:
    if choice.waits:
        return f"settle_days: {settle + choice.waits}, without late"
    if choice.periods == 0:
        return "at first"
    return f"with {choice.periods} later edition{'s' if choice.periods > 1 else ''}"
