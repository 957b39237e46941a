"""Commands that begin a catalogue: a draft from a table, and a made-up table to develop on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dp_stats.cli.common import ReleaseName, app, datasets, fails_clearly, out, settings
from dp_stats.written import count

if TYPE_CHECKING:
    from dp_stats.catalogue import Catalogue

KINDS = {
    **dict.fromkeys((".csv", ".gz", ".txt", ".tsv", ".zip"), "csv"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "spreadsheet"),
    ".parquet": "parquet",
    ".duckdb": "duckdb",
}


@app.command(epilog="Example: dp-stats init visits.csv --register clinics=clinics.csv --custodian 'The clinics'")
@fails_clearly
def init(
    table: Annotated[str, typer.Argument(help="File with the rows, or the name of a PostgreSQL table.")],
    custodian: Annotated[str, typer.Option(help="Who is answerable for the records.")],
    id: Annotated[str, typer.Option(help="Name of the dataset; by default that of the file.")] = "",
    register: Annotated[
        list[str] | None,
        typer.Option(help="A public list of codes or age bands as NAME=FILE.csv; may be given several times."),
    ] = None,
    inside: Annotated[
        str, typer.Option("--table", help="The table inside a DuckDB file, or the sheet of a workbook.")
    ] = "",
    url_env: Annotated[str, typer.Option(help="Environment variable with the address of a PostgreSQL database.")] = "",
    delimiter: Annotated[str, typer.Option(help="What separates the fields of a csv.")] = ",",
    encoding: Annotated[str, typer.Option(help="How the text of a csv is encoded.")] = "utf-8",
    person: Annotated[str, typer.Option(help="The column that names the person, if you know it.")] = "",
    date_column: Annotated[str, typer.Option("--date", help="The column that dates the row, if you know it.")] = "",
    start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day to publish; by default 1 January.")
    ] = None,
    no_opt_outs: Annotated[
        bool, typer.Option("--no-opt-outs", help="The law provides for no objection to this use.")
    ] = False,
    schema_only: Annotated[
        bool, typer.Option("--schema-only", help="Look at names and types of columns, and at no row.")
    ] = False,
) -> None:
    """Draft dataset, code lists, suite and release from a table, each line with what to decide."""
    from dp_stats.catalogue.models import Source
    from dp_stats.catalogue.registers import slug
    from dp_stats.operations import drafting

    where = settings()
    file = Path(table).expanduser()
    kind = "postgres" if url_env else KINDS.get(file.suffix.casefold(), "")
    if not kind:
        raise typer.BadParameter(f"use a file that ends in {', '.join(KINDS)}, or --url-env for PostgreSQL.")
    if kind == "duckdb" and not inside:
        raise typer.BadParameter("a DuckDB file needs --table.")
    lists = dict(_register(given) for given in register or [])
    path = {} if kind == "postgres" else {"path": _path(file, where.catalogue)}
    within: dict[str, dict[str, str | None]] = {
        "postgres": {"table": table},
        "duckdb": {"table": inside},
        "spreadsheet": {"sheet": inside or None},
    }
    name = within.get(kind, {})
    source = Source.model_validate(
        {
            "kind": kind,
            **path,
            **name,
            **({"url_env": url_env} if url_env else {}),
            "delimiter": delimiter,
            "encoding": encoding,
        }
    )
    wish = drafting.Wish(
        id=slug(id or table.split(".")[-1] if kind == "postgres" else id or file.name.split(".")[0]).replace("_", "-"),
        source=source,
        registers=lists,
        custodian=custodian,
        start=start.date() if start else date(datetime.now(UTC).year, 1, 1),
        opted_out=not no_opt_outs,
        schema_only=schema_only,
        person=person or None,
        date=date_column or None,
    )
    drafted = drafting.draft(wish, where)
    for written in drafting.write(drafted, where.catalogue):
        out.print(f"Wrote {written}", soft_wrap=True)
    for decision in drafted.decisions:
        out.print(decision, markup=False)
    out.print("Then: dp-stats check, dp-stats plan, dp-stats run.")


@app.command(epilog="Example: dp-stats dummy visits --rows 5000 --out dummy.csv")
@fails_clearly
def dummy(
    dataset: Annotated[str, typer.Argument(help="A dataset declared in the catalogue.", autocompletion=datasets)],
    target: Annotated[Path, typer.Option("--out", help="File to write: .csv or .parquet.", dir_okay=False)],
    rows: Annotated[int, typer.Option(min=1, help="How many rows.")] = 1000,
    table: Annotated[str, typer.Option(help="Which of the dataset's tables, where it has several.")] = "",
    start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day; by default a year before today.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Over how many days.")] = 365,
) -> None:
    """Write a made-up table of a dataset's declared columns, to develop on without looking at anybody's rows."""
    from datetime import timedelta

    from dp_stats.catalogue import load_catalogue
    from dp_stats.demo.dummy import make_dummy

    catalogue = load_catalogue(settings().catalogue)
    first = start.date() if start else datetime.now(UTC).date() - timedelta(days=days)
    make_dummy(catalogue, dataset, target, rows=rows, start=first, days=days, table=table)
    out.print(f"Wrote {count(rows)} invented rows to {target}", soft_wrap=True)


@app.command(epilog="Example: dp-stats preview visits-by-clinic --out preview")
@fails_clearly
def preview(
    release: ReleaseName,
    target: Annotated[Path, typer.Option("--out", help="A new folder for it.", file_okay=False)],
    period: Annotated[str, typer.Option("--period", "-p", help="By default the last one that has ended.")] = "",
    rows: Annotated[int, typer.Option(min=1, help="How many invented rows, of each table.")] = 20_000,
) -> None:
    """Show an edition of invented rows in the site's own look: no row is read, and nothing of any budget is spent."""
    from dp_stats.demo.dummy import make_dummy
    from dp_stats.operations.preview import make_preview

    def fill(catalogue: Catalogue, dataset: str, table: str, file: Path, start: date, days: int) -> None:
        make_dummy(catalogue, dataset, file, rows=rows, start=start, days=days, table=table)

    today = datetime.now(UTC).date()
    made = make_preview(release, period=period, folder=target, fill=fill, today=today, settings=settings())
    out.print(f"Published {made.edition} of {count(rows)} invented rows: {made.site / 'index.html'}", soft_wrap=True)
    out.print(f"Show it with: dp-stats --home {made.home} site serve", soft_wrap=True)


def _register(given: str) -> tuple[str, Path]:
    name, equals, file = given.partition("=")
    if not equals or not name or not file:
        raise typer.BadParameter(f"--register {given}: write NAME=FILE.csv.")
    return name, Path(file).expanduser()


def _path(file: Path, catalogue: Path) -> str:
    """The path as the catalogue has it: relative where the file lies in its folder."""
    full = file.absolute()
    return str(full.relative_to(catalogue)) if full.is_relative_to(catalogue) else str(full)
