"""The command line: the same steps as the DAGs, for a person at a terminal."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dp_stats.cli import catalogue as catalogue_commands
from dp_stats.cli import changes, demo, drafts, editions, ledger, requests, revising, site, verify, work_tables
from dp_stats.cli.common import app

GROUPS = (drafts, catalogue_commands, changes, editions, revising, requests, ledger, site, verify, work_tables, demo)
"""The modules whose commands are part of the application."""


@app.callback()
def main(
    catalogue: Annotated[
        Path | None, typer.Option(help="Catalogue folder.", envvar="DP_STATS_CATALOGUE", file_okay=False)
    ] = None,
    home: Annotated[Path | None, typer.Option(help="State folder.", envvar="DP_STATS_HOME", file_okay=False)] = None,
    new_ledger: Annotated[
        bool,
        typer.Option("--new-ledger", help="Make a new ledger although one was used here before and is lost for ever."),
    ] = False,
) -> None:
    """Choose the catalogue and the state folder for this command and everything it starts."""
    if new_ledger:
        os.environ["DP_STATS_NEW_LEDGER"] = datetime.now(UTC).date().isoformat()
    if home:
        os.environ["DP_STATS_HOME"] = str(home.absolute())
    if catalogue:
        os.environ["DP_STATS_CATALOGUE"] = str(catalogue.absolute())


if __name__ == "__main__":
    app()
