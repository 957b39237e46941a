"""Commands that make synthetic data to try things on."""

from __future__ import annotations

from datetime import datetime
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
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Show what had been reported by this day alone, of a line list that is there."
        ),
    ] = None,
) -> None:
    """Make a synthetic line list for one year over the real local authorities, whose reports come days after the specimen."""
    from dp_stats.demo.line_list import FILE, make_line_list, report_until

    where = settings()
    path = where.home / "source" / FILE
    if until is None or not path.exists():
        areas = where.catalogue / "codes" / "lad19.csv"
        make_line_list(path.parent, areas, rows=rows, progress=out.print)
    if until is not None:
        report_until(path, until.date())
        out.print(f"{path} shows what had been reported by {until.date()}.", soft_wrap=True)


@demo_app.command("hospital", epilog="Example: dp-stats demo hospital --until 2022-01-30")
@fails_clearly
def demo_hospital(
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Show what had been recorded by this day alone, of a record that is there."
        ),
    ] = None,
) -> None:
    """Make a synthetic hospital record of seventeen months in seven real hospital trusts, where who is in a bed has no end yet."""
    from dp_stats.demo.hospital import FILE, make_hospital_record, recorded_until

    where = settings()
    path = where.home / "source" / FILE
    if until is None or not path.exists():
        make_hospital_record(path.parent, where.catalogue / "codes" / "peninsula-areas.csv", progress=out.print)
    if until is not None:
        recorded_until(path, until.date())
        out.print(f"{path} shows what had been recorded by {until.date()}.", soft_wrap=True)


@demo_app.command("practices", epilog="Example: dp-stats demo practices")
@fails_clearly
def demo_practices() -> None:
    """Make a synthetic register of practices about people of the hospital record, and a link table between the two."""
    from dp_stats.demo.practices import make_practices

    where = settings()
    make_practices(where.home / "source", where.catalogue / "codes" / "peninsula-areas.csv", progress=out.print)
