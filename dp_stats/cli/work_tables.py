"""A command about tables of rows that were made where datasets are worked on in place."""

from __future__ import annotations

from typing import Annotated

import typer

from dp_stats.cli.common import app, fails_clearly, out, settings
from dp_stats.errors import SourceError


@app.command(name="work-tables", epilog="Example: dp-stats work-tables --drop")
@fails_clearly
def work_tables(
    drop: Annotated[
        bool, typer.Option("--drop", help="Drop them; an edition that runs now fails, and can run again.")
    ] = False,
) -> None:
    """List the tables of rows that are in work schemas and folders now (engine: source), or drop what stopped runs have left."""
    from dp_stats.secure.in_place.dropping import drop as drop_tables
    from dp_stats.secure.in_place.tables import all_listed

    secure = settings().secure
    tables = all_listed(secure)
    for table in tables:
        out.print(f"{table.edition}: {table.place}")
    if not tables:
        out.print("No table of rows is listed.")
    if not drop:
        return
    faults = drop_tables(tables)
    if faults:
        raise SourceError("Tables with rows are still there:\n  " + "\n  ".join(faults))
    out.print(f"Dropped {len(tables)}.")
