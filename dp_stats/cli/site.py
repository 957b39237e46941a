"""Commands about the published site."""

from __future__ import annotations

import functools
import http.server
from typing import Annotated

import typer
from rich.markup import escape

from dp_stats.cli.common import (
    app,
    fails_clearly,
    out,
    settings,
)
from dp_stats.pipeline import refresh_site

site_app = typer.Typer(help="The published site.", no_args_is_help=True)
app.add_typer(site_app, name="site")


@site_app.command("build", epilog="Example: dp-stats site build --full")
@fails_clearly
def site_build(full: Annotated[bool, typer.Option(help="Build every page again.")] = False) -> None:
    """Bring every page of the site up to date from the published editions."""
    where = settings()
    for release, why in refresh_site(where, incremental=not full).items():
        out.print(
            f"[yellow]Warning:[/] {escape(release)} cannot be shown, and its page says so. {escape(why)}",
            soft_wrap=True,
        )
    out.print(f"Built {where.public_dir / 'index.html'}", soft_wrap=True)


@site_app.command("verify", epilog="Example: dp-stats site verify")
@fails_clearly
def site_verify() -> None:
    """Find any published file that is missing, extra or no longer matches its checksum."""
    from dp_stats.operations.upkeep import verify_published

    verify_published(settings=settings())
    out.print("[green]Every published file matches its checksum.[/]")


@site_app.command("serve", epilog="Example: dp-stats site serve --port 8000")
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
