"""Commands about what is declared: check it, export its schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dp_stats import __version__
from dp_stats.cli import printing
from dp_stats.cli.common import (
    app,
    fails_clearly,
    out,
    settings,
)
from dp_stats.errors import CatalogueError
from dp_stats.settings import is_installed


@app.command(epilog="Example: dp-stats version")
def version() -> None:
    """Print the version."""
    out.print(__version__)


@app.command(epilog="Example: dp-stats check")
@fails_clearly
def check() -> None:
    """Check the whole catalogue: every file, hierarchy and code list, and that a year's editions fit the budget."""
    from dp_stats.operations.review import review_catalogue

    findings = review_catalogue(settings())
    out.print(printing.review_table(findings))
    printing.print_budgets(out, findings)
    printing.print_plan_warnings(out, findings, settings())
    for warning in findings.warnings:
        out.print(f"[yellow]Warning:[/] {warning}")
    out.print("[green]The catalogue is sound.[/]")


@app.command(epilog="Example: dp-stats schema clinic/schema")
@fails_clearly
def schema(
    folder: Annotated[Path | None, typer.Argument(help="Where to write (default: schema/ in the catalogue).")] = None,
) -> None:
    """Write JSON Schemas that editors complete and check YAML files with."""
    from dp_stats.catalogue.schema import export_schemas

    declared = settings().catalogue
    if folder is None and is_installed(declared):
        raise CatalogueError(
            "No catalogue is named, and the example that is installed with the package is not written to. Name the folder to "
            "write to, as in: dp-stats schema clinic/schema (or your catalogue: dp-stats --catalogue clinic schema)."
        )
    for path in export_schemas(folder or declared / "schema"):
        out.print(f"Wrote {path}")
