"""The command with which anyone checks a published site."""

from __future__ import annotations

from typing import Annotated

import typer

from dp_stats.cli import printing
from dp_stats.cli.common import app, fails_clearly, out


@app.command(epilog="Example: dp-stats verify https://statistics.example.org --since 12:3f9a…")
@fails_clearly
def verify(
    address: Annotated[str, typer.Argument(help="The site: its address, or a folder with a copy.", metavar="URL")],
    since: Annotated[
        str | None,
        typer.Option(
            help="What you kept from before: a head (SIZE:ROOT), heads.jsonl, a proof, or an edition's folder.",
            metavar="KEPT",
        ),
    ] = None,
) -> None:
    """Check that nothing was taken out of a site's history, and that the spend it shows is all there is. Anyone can."""
    from dp_stats.transparency.kept import Kept
    from dp_stats.transparency.verifying import verify as verify_site

    kept = Kept.read(since) if since else None
    printing.print_checked(out, address, verify_site(address, kept=kept))
