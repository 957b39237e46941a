"""The command line: the same steps as the DAGs, for a person at a terminal."""

from __future__ import annotations

import functools
import http.server
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from dp_stats import __version__
from dp_stats.cli import printing
from dp_stats.errors import DpStatsError
from dp_stats.pipeline import refresh_site
from dp_stats.settings import Settings, load_settings

app = typer.Typer(
    name="dp-stats",
    help="Publish open statistics from sensitive records with a proven privacy guarantee.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
ledger_app = typer.Typer(help="What has been spent on whose privacy.", no_args_is_help=True)
site_app = typer.Typer(help="The published site.", no_args_is_help=True)
demo_app = typer.Typer(help="Synthetic data to try things on.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")
app.add_typer(site_app, name="site")
app.add_typer(demo_app, name="demo")

out = Console() if sys.stdout.isatty() else Console(width=140)
err = Console(stderr=True, highlight=False)

ReleaseName = Annotated[str, typer.Argument(help="A release declared in the catalogue.", metavar="RELEASE")]
PeriodLabel = Annotated[
    str,
    typer.Option("--period", "-p", help="A day (2021-02-15), ISO week (2021-W07), month, year or range.", metavar="P"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table for people.")]
Revision = Annotated[int, typer.Option(min=1, help="Number of the revision; above 1 for a correction.")]
Reason = Annotated[str, typer.Option(help="Why a correction is made; the public reads it.")]


def fails_clearly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn our own errors into one message on stderr and their exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except DpStatsError as error:
            err.print(f"[bold red]{type(error).__name__.removesuffix('Error')} error:[/] ", end="")
            err.print(str(error), markup=False, soft_wrap=True)
            raise typer.Exit(error.exit_code) from None

    return wrapped


@app.callback()
def main(
    catalogue: Annotated[
        Path | None, typer.Option(help="Catalogue folder.", envvar="DP_STATS_CATALOGUE", file_okay=False)
    ] = None,
    home: Annotated[Path | None, typer.Option(help="State folder.", envvar="DP_STATS_HOME", file_okay=False)] = None,
) -> None:
    """Choose the catalogue and the state folder for this command and everything it starts."""
    if home:
        os.environ["DP_STATS_HOME"] = str(home.absolute())
    if catalogue:
        os.environ["DP_STATS_CATALOGUE"] = str(catalogue.absolute())


def settings() -> Settings:
    """The settings, with the folders chosen on the command line."""
    return load_settings()


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)


@app.command()
@fails_clearly
def check() -> None:
    """Check the whole catalogue: every file, hierarchy and code list, and that a year's editions fit the budget."""
    from dp_stats.operations.review import review_catalogue

    findings = review_catalogue(settings())
    out.print(printing.review_table(findings))
    printing.print_plan_warnings(out, findings, settings())
    for warning in findings.warnings:
        out.print(f"[yellow]Warning:[/] {warning}")
    out.print("[green]The catalogue is sound.[/]")


@app.command()
@fails_clearly
def schema(
    folder: Annotated[Path | None, typer.Argument(help="Where to write (default: schema/ in the catalogue).")] = None,
) -> None:
    """Write JSON Schemas that editors complete and check YAML files with."""
    from dp_stats.catalogue.schema import export_schemas

    for path in export_schemas(folder or settings().catalogue / "schema"):
        out.print(f"Wrote {path}")


@app.command()
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
    from dp_stats.run import open_run

    run = open_run(f"{release}/{period}", settings=settings())
    if json:
        sys.stdout.write(run.plan.model_dump_json(indent=1) + "\n")
        return
    printing.print_plan(out, run)
    if curve or chart or wanted:
        printing.print_curve(out, run, chart=chart, wanted=wanted)


@app.command()
@fails_clearly
def run(release: ReleaseName, period: PeriodLabel, revision: Revision = 1, reason: Reason = "") -> None:
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

        result = run_edition(f"{release}/{period}", revision=revision, reason=reason, settings=where, progress=progress)
    folder = open_run(f"{release}/{period}", revision=revision, settings=where).published_in / result["path"]
    out.print(f"Published {folder}", soft_wrap=True)


@app.command()
@fails_clearly
def due(release: ReleaseName) -> None:
    """List the editions of a release whose period has ended and settled."""
    from dp_stats.pipeline import due_editions

    for edition in due_editions(release, settings=settings()):
        out.print(edition)


@app.command()
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


@ledger_app.command("show")
@fails_clearly
def ledger_show(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset.")] = None, json: AsJson = False
) -> None:
    """Show per dataset and block what is spent, reserved and left."""
    from dp_stats.ledger import Ledger

    printing.print_ledger(out, Ledger.open(settings().ledger_url, read_only=True), dataset, as_json=json)


@ledger_app.command("verify")
@fails_clearly
def ledger_verify(head: Annotated[str | None, typer.Option(help="A head hash you noted earlier.")] = None) -> None:
    """Recompute the hash chain and find any edit, deletion or reordering."""
    from dp_stats.ledger import Ledger

    found = Ledger.open(settings().ledger_url, read_only=True).verify(head=head)
    out.print(f"[green]The ledger is intact.[/] {found.entries} entries; head {found.head}", soft_wrap=True)


@ledger_app.command("head")
@fails_clearly
def ledger_head() -> None:
    """Print the head hash: noted elsewhere, it proves later that nothing was cut off or rewritten."""
    from dp_stats.ledger import Ledger

    sys.stdout.write(f"{Ledger.open(settings().ledger_url, read_only=True).head()}\n")


@ledger_app.command("export")
@fails_clearly
def ledger_export(
    form: Annotated[Literal["csv", "json"], typer.Option("--format", help="csv or json.")] = "csv",
) -> None:
    """Print every entry of the ledger."""
    from dp_stats.ledger import Ledger

    sys.stdout.write(Ledger.open(settings().ledger_url, read_only=True).export(form))


@site_app.command("build")
@fails_clearly
def site_build(full: Annotated[bool, typer.Option(help="Build every page again.")] = False) -> None:
    """Bring every page of the site up to date from the published editions."""
    where = settings()
    refresh_site(where, incremental=not full)
    out.print(f"Built {where.public_dir / 'index.html'}", soft_wrap=True)


@site_app.command("verify")
@fails_clearly
def site_verify() -> None:
    """Find any published file that is missing, extra or no longer matches its checksum."""
    from dp_stats.operations.upkeep import verify_published

    verify_published(settings=settings())
    out.print("[green]Every published file matches its checksum.[/]")


@app.command()
@fails_clearly
def retract(
    edition: Annotated[str, typer.Argument(help="release/period", metavar="EDITION")],
    reason: Annotated[str, typer.Option(help="Why; the public reads it.")],
    revision: Revision = 1,
) -> None:
    """Mark a published revision as retracted: its files stay, and page, feed and metadata say so."""
    from dp_stats.editions.retracting import retract as retract_edition

    where = settings()
    retract_edition(where.public_dir, edition, revision=revision, reason=reason, when=datetime.now(UTC))
    refresh_site(where)
    out.print(f"Retracted {edition} r{revision}.")


@site_app.command("serve")
@fails_clearly
def site_serve(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8000) -> None:
    """Show the site on this machine."""
    folder = settings().public_dir
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        out.print(f"The site is at http://127.0.0.1:{server.server_address[1]}/ (Ctrl-C stops)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            out.print("Stopped.")


@demo_app.command("data")
@fails_clearly
def demo_data(
    rows: Annotated[int, typer.Option(min=10_000, help="About how many rows.")] = 1_000_000,
) -> None:
    """Make a synthetic line list for one year over the real local authorities."""
    from dp_stats.demo.line_list import make_line_list

    where = settings()
    make_line_list(where.home / "source", where.catalogue / "codes" / "lad19.csv", rows=rows, progress=out.print)


if __name__ == "__main__":
    app()
