"""Commands that make synthetic data to try things on."""

from __future__ import annotations

from typing import Annotated

import typer

from dp_stats.cli.common import (
    app,
    fails_clearly,
    out,
    settings,
)

demo_app = typer.Typer(help="Synthetic data to try things on.", no_args_is_help=True)
app.add_typer(demo_app, name="demo")


@demo_app.command("data", epilog="Example: dp-stats demo data --rows 100000")
@fails_clearly
def demo_data(
    rows: Annotated[int, typer.Option(min=10_000, help="About how many rows.")] = 1_000_000,
) -> None:
    """Make a synthetic line list for one year over the real local authorities."""
    from dp_stats.demo.line_list import make_line_list

    where = settings()
    make_line_list(where.home / "source", where.catalogue / "codes" / "lad19.csv", rows=rows, progress=out.print)
