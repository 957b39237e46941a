"""The command with which anyone checks a published site, or a file that was handed out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dp_stats.cli import handed, printing
from dp_stats.cli.common import app, fails_clearly, out, settings


@app.command(epilog="Example: dp-stats verify https://statistics.example.org --since 12:3f9a…")
@fails_clearly
def verify(
    address: Annotated[
        str,
        typer.Argument(
            help="The site: its address, or a folder with a copy; or a file as it was downloaded.", metavar="URL"
        ),
    ],
    since: Annotated[
        str | None,
        typer.Option(
            help="What you kept from before: a head (SIZE:ROOT), heads.jsonl, a proof, or an edition's folder. For a file: "
            "SHA256SUMS of its edition.",
            metavar="KEPT",
        ),
    ] = None,
) -> None:
    """Check that nothing was taken out of a site's history, and that the spend it shows is all there is. Anyone can.

    Of a file that was handed out to an organisation: for whom, under what and when, and which published file it is.
    """
    if Path(address).is_file():
        from dp_stats.handing_out import trace

        handed.print_traced(out, trace(Path(address), settings(), sums=Path(since) if since else None))
        return
    from dp_stats.transparency.kept import Kept
    from dp_stats.transparency.verifying import verify as verify_site

    kept = Kept.read(since) if since else None
    printing.print_checked(out, address, verify_site(address, kept=kept))
