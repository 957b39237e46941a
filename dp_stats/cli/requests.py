"""Commands that answer questions from what has been measured."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from dp_stats.cli import printing
from dp_stats.cli.common import (
    AsJson,
    ReleaseName,
    app,
    fails_clearly,
    out,
    settings,
)


@app.command(
    epilog="Example: dp-stats answer visits-by-clinic visits --where clinic=north --from 2024-01-01 --to 2024-01-31"
)
@fails_clearly
def answer(
    release: ReleaseName,
    statistic: Annotated[str, typer.Argument(help="A measured statistic of the release.", metavar="STATISTIC")],
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", "-w", help="DIMENSION=CODE[,CODE…], at any level; repeat for more dimensions.", metavar="D=C"
        ),
    ] = None,
    start: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")] = None,
    json: AsJson = False,
) -> None:
    """Answer a question from what has been measured already, with its interval, at no cost."""
    from dp_stats.requests.answers import answer_question

    found = answer_question(
        release,
        statistic,
        where=printing.read_conditions(where or []),
        start=start.date() if start else None,
        end=end.date() if end else None,
        settings=settings(),
    )
    printing.print_answer(out, found, as_json=json)
