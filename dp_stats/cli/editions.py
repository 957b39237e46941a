"""Commands about editions: plan, publish, retract, make again and list them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from dp_stats.cli import printing
from dp_stats.cli.common import (
    AsJson,
    PeriodLabel,
    Reason,
    ReleaseName,
    Revision,
    app,
    err,
    fails_clearly,
    out,
    settings,
)
from dp_stats.cli.late import print_late
from dp_stats.errors import PublishedError

if TYPE_CHECKING:
    from dp_stats.publishing import Rebuilt


@app.command(epilog="Example: dp-stats plan visits-by-clinic --period 2024-01")
@fails_clearly
def plan(
    release: ReleaseName,
    period: PeriodLabel,
    json: AsJson = False,
    curve: Annotated[bool, typer.Option(help="Also show margins of error against ε.")] = False,
    chart: Annotated[Path | None, typer.Option(help="Write that curve as an SVG or PNG chart.", dir_okay=False)] = None,
    wanted: Annotated[
        str | None,
        typer.Option("--for", help="What does an accuracy cost? TABLE.STATISTIC=MARGIN, e.g. area-week.cases=10."),
    ] = None,
) -> None:
    """Show what an edition would cost and how accurate it would be. Reads no rows and spends nothing."""
    from dp_stats.cli.bounds import print_bounds
    from dp_stats.run import open_run

    run = open_run(f"{release}/{period}", settings=settings())
    if json:
        sys.stdout.write(run.plan.model_dump_json(indent=1) + "\n")
        return
    printing.print_plan(out, run)
    print_late(out, run)
    printing.print_standing(out, run)
    print_bounds(out, run)
    if curve or chart or wanted:
        printing.print_curve(out, run, chart=chart, wanted=wanted)


@app.command(epilog="Example: dp-stats run visits-by-clinic --period 2024-01")
@fails_clearly
def run(
    release: ReleaseName,
    period: PeriodLabel,
    revision: Revision = 1,
    reason: Reason = "",
    new_series: Annotated[
        bool,
        typer.Option("--new-series", help="A yes to charging blocks again where an edit has ended the series."),
    ] = False,
) -> None:
    """Publish an edition: pull, check, reserve, measure, estimate, publish. Running it again costs nothing."""
    from dp_stats.pipeline import run_edition
    from dp_stats.run import open_run

    where = settings()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=not err.is_terminal) as bar:
        task = bar.add_task(release, total=6)

        def progress(step: str) -> None:
            bar.update(task, advance=1, description=f"{release}/{period}: {step}")
            if not err.is_terminal:
                err.print(f"{release}/{period}: {step}")

        result = run_edition(
            f"{release}/{period}",
            revision=revision,
            reason=reason,
            new_series=new_series,
            settings=where,
            progress=progress,
        )
    folder = open_run(f"{release}/{period}", revision=revision, settings=where).published_in / result["path"]
    out.print(f"Published {folder}", soft_wrap=True)
    for name in result.get("not_shown", ()):
        out.print(f"[yellow]Warning:[/] {name} cannot be shown on the site. See [bold]dp-stats site build[/].")


@app.command(epilog="Example: dp-stats due visits-by-clinic")
@fails_clearly
def due(release: ReleaseName) -> None:
    """List the editions of a release whose period has ended and settled."""
    from dp_stats.pipeline import due_editions

    for edition in due_editions(release, settings=settings()):
        out.print(edition)


@app.command(epilog="Example: dp-stats intake visits-by-clinic/2024-01")
@fails_clearly
def intake(
    edition: Annotated[str, typer.Argument(help="release/period", metavar="EDITION")],
    revision: Revision = 1,
    json: AsJson = False,
) -> None:
    """Show what became of the rows of an edition: exact counts from the secure store, for staff alone."""
    from dp_stats.run import open_run
    from dp_stats.secure.intake import read_report

    report = read_report(open_run(edition, revision=revision, settings=settings()).intake_report)
    if json:
        sys.stdout.write(report.to_bytes().decode())
        return
    printing.print_intake(out, report)


@app.command(epilog='Example: dp-stats retract visits-by-clinic/2024-01 --reason "A clinic sent its visits twice."')
@fails_clearly
def retract(
    edition: Annotated[str, typer.Argument(help="release/period", metavar="EDITION")],
    reason: Annotated[str, typer.Option(help="Why; the public reads it.")],
    revision: Revision = 1,
) -> None:
    """Mark a published revision as retracted: its files stay, and page, feed and metadata say so."""
    from dp_stats.pipeline import retract as retract_edition

    retract_edition(edition, revision=revision, reason=reason, settings=settings())
    out.print(f"Retracted {edition} r{revision}.")


@app.command(epilog="Example: dp-stats rebuild")
@fails_clearly
def rebuild(
    edition: Annotated[
        str, typer.Argument(help="release/period; all that was ever published if left out.", metavar="[EDITION]")
    ] = "",
) -> None:
    """Make lost or altered published files again from the ledger, byte for byte, then lists, feeds and the site.

    Nothing is measured and nothing is charged. Files that are right are left alone, and bytes that are not those that
    were published are never written: what stands against it is said instead.
    """
    from dp_stats.pipeline import rebuild as rebuild_editions

    def say(found: Rebuilt) -> None:
        if found.state == "made again":
            out.print(f"{found.path}: made again ({len(found.files)} files)", soft_wrap=True)

    done = rebuild_editions(edition=edition, settings=settings(), progress=say)
    refused = [found for found in done if found.state == "refused"]
    whole = sum(found.state == "whole" for found in done)
    out.print(f"{len(done)} published: {whole} were whole, {len(done) - whole - len(refused)} made again.")
    if refused:
        lines = "\n  ".join(f"{found.path}: {found.why}" for found in refused)
        raise PublishedError(f"{len(refused)} could not be made again:\n  {lines}")
