"""What every command shares: the application, its output, its errors and its usual options."""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console

from dp_stats.errors import DpStatsError
from dp_stats.files import storage_error
from dp_stats.settings import Settings, load_settings

app = typer.Typer(
    name="dp-stats",
    help="Publish open statistics from sensitive records with a proven privacy guarantee.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper) and stream.encoding.casefold().replace("-", "") != "utf8":
        stream.reconfigure(errors="replace")  # a terminal that cannot show ε shows ? in its place

out = Console() if sys.stdout.isatty() else Console(width=140)
err = Console(stderr=True, highlight=False)


def settings() -> Settings:
    """The settings, with the folders chosen on the command line."""
    return load_settings()


def releases(incomplete: str) -> list[str]:
    """The catalogue's releases that begin like this, for the shell's completion; none where there is no catalogue."""
    return _names("releases", incomplete)


def datasets(incomplete: str) -> list[str]:
    """The catalogue's datasets that begin like this, for the shell's completion."""
    return _names("datasets", incomplete)


def _names(kind: str, incomplete: str) -> list[str]:
    """Names by the files alone: completion answers at once, and also while a declaration is being mended."""
    try:
        folder = settings().catalogue / kind
    except DpStatsError:
        return []
    return sorted({path.stem for path in folder.glob("*.y*ml") if path.stem.startswith(incomplete)})


ReleaseName = Annotated[
    str, typer.Argument(help="A release declared in the catalogue.", metavar="RELEASE", autocompletion=releases)
]
PeriodLabel = Annotated[
    str,
    typer.Option(
        "--period",
        "-p",
        help="A day (2021-02-15), week (2021-W07), month (2021-02), quarter (2021-Q1), year or range.",
        metavar="P",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table for people.")]
Revision = Annotated[int, typer.Option(min=1, help="Number of the revision; above 1 for a correction.")]
Reason = Annotated[str, typer.Option(help="Why a correction is made; the public reads it.")]


def fails_clearly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn our own errors into one message on stderr and their exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (DpStatsError, OSError) as failure:
            error = failure if isinstance(failure, DpStatsError) else storage_error(failure)
            if error is None:
                raise
            err.print(f"[bold red]{type(error).__name__.removesuffix('Error')} error:[/] ", end="")
            err.print(str(error), markup=False, soft_wrap=True)
            raise typer.Exit(error.exit_code) from None

    return wrapped
