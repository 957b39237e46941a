"""Commands about what has been spent on whose privacy."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from dp_stats.cli import handed, printing
from dp_stats.cli.common import (
    AsJson,
    app,
    datasets,
    fails_clearly,
    out,
    settings,
)

ledger_app = typer.Typer(help="What has been spent on whose privacy.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")


@ledger_app.command("show", epilog="Example: dp-stats ledger show visits")
@fails_clearly
def ledger_show(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset.", autocompletion=datasets)] = None,
    json: AsJson = False,
) -> None:
    """Show per dataset and block what is spent, reserved and left."""
    from dp_stats.ledger import Ledger

    printing.print_ledger(out, Ledger.open(settings().ledger_url, read_only=True), dataset, as_json=json)


@ledger_app.command("verify", epilog="Example: dp-stats ledger verify")
@fails_clearly
def ledger_verify(head: Annotated[str | None, typer.Option(help="A head hash you noted earlier.")] = None) -> None:
    """Recompute the hash chain and find any edit, deletion or reordering, and anything that the ledger forgot."""
    from dp_stats.ledger import Ledger
    from dp_stats.run import witnesses_of

    where = settings()
    found = Ledger.open(where.ledger_url, read_only=True).verify(head=head, witnesses=witnesses_of(where))
    out.print(f"[green]The ledger is intact.[/] {found.entries} entries; head {found.head}", soft_wrap=True)


@ledger_app.command("head", epilog="Example: dp-stats ledger head")
@fails_clearly
def ledger_head() -> None:
    """Print the head hash: noted elsewhere, it proves later that nothing was cut off or rewritten."""
    from dp_stats.ledger import Ledger

    sys.stdout.write(f"{Ledger.open(settings().ledger_url, read_only=True).head()}\n")


@ledger_app.command("downloads", epilog="Example: dp-stats ledger downloads --organisation county")
@fails_clearly
def ledger_downloads(
    organisation: Annotated[str, typer.Option(help="Only those of this organisation.")] = "",
    edition: Annotated[str, typer.Option(help="Only those of this edition (release/period).")] = "",
) -> None:
    """List who accepted which terms, and which files were handed out to whom, oldest first."""
    from dp_stats.ledger import Ledger

    known = Ledger.open(settings().ledger_url, read_only=True)
    accepted = [one for one in known.acceptances() if organisation in ("", one.organisation)]
    handed.print_downloads(out, accepted, known.handed_out(organisation=organisation, edition=edition))


@ledger_app.command("export", epilog="Example: dp-stats ledger export --format json")
@fails_clearly
def ledger_export(
    form: Annotated[Literal["csv", "json"], typer.Option("--format", help="csv or json.")] = "csv",
) -> None:
    """Print every entry of the ledger."""
    from dp_stats.ledger import Ledger

    sys.stdout.write(Ledger.open(settings().ledger_url, read_only=True).export(form))
