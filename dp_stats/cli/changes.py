"""The command that tells what an edit of the catalogue would do, for whoever reviews it before it is merged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markdown import Markdown

from dp_stats import written
from dp_stats.cli.common import app, fails_clearly, out, settings

if TYPE_CHECKING:
    from dp_stats.operations.changes import Changes, DatasetChange, ListChange, ReleaseChange

NONE = "–"
SHOWN = 12
"""Fields and codes that are named; of more the number is told."""


@app.command(epilog="Example: dp-stats diff origin/main --markdown")
@fails_clearly
def diff(
    revision: Annotated[str, typer.Argument(help="A branch, tag or commit of Git to compare the catalogue with.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Plain Markdown, as a comment for a review.")] = False,
    no_new_charge: Annotated[
        bool, typer.Option("--no-new-charge", help="End with an error where anything is charged anew or does not fit.")
    ] = False,
) -> None:
    """Say what an edit of the catalogue does: what goes on in its charge, what is charged anew, what a year leaves."""
    from dp_stats.catalogue import load_catalogue
    from dp_stats.operations.changes import changes
    from dp_stats.operations.versions import at_revision

    where = settings()
    after = load_catalogue(where.catalogue)
    with at_revision(where.catalogue, revision) as folder:
        found = changes(load_catalogue(folder), after, today=datetime.now(UTC).date())
    told = "\n".join(_lines(found, revision))
    out.print(told if markdown else Markdown(told), markup=False, highlight=False, soft_wrap=markdown)
    if no_new_charge and (any(one.charges for one in found.releases) or not all(one.fits for one in found.datasets)):
        raise typer.Exit(1)


def _lines(found: Changes, revision: str) -> Iterator[str]:
    if not (found.releases or found.datasets or found.lists):
        yield f"Nothing that is declared differs from {revision}."
        return
    yield f"## What changes against {revision}"
    if found.releases:
        yield from ("", "| release | what happens | a year cost | a year costs |", "| --- | --- | --: | --: |")
        yield from (_release(one) for one in found.releases)
        yield ""
        yield from (f"- `{one.release}`: {_some(one.fields, '`')}" for one in found.releases if one.fields)
    if found.lists:
        yield ""
        yield from (f"- Codes of `{one.name}`: {_codes(one)}" for one in found.lists)
    if found.datasets:
        yield from ("", "| dataset | left after a year, before | after | in the year of this edit |")
        yield "| --- | --: | --: | --- |"
        yield from (_dataset(one) for one in found.datasets)
        yield ""
        yield "Costs are in ρ of one block; all that was charged stays charged."


def _release(one: ReleaseChange) -> str:
    happens = {
        "added": "new release, a **new charge**",
        "removed": "ends; what was charged stays charged",
        "texts": "same numbers in other words: nothing is charged, and a free revision shows them in published editions",
        "free": "goes on in its charge: nothing new is charged",
        "anew": f"**a new series, charged again** in the year of the edit, because of: {', '.join(one.because)}",
        "each edition": "every edition is charged, at the new price",
    }[one.effect]
    renamed = f", `{one.formerly}` before" if one.formerly else ""
    return f"| `{one.release}`{renamed} | {happens} | {_rho(one.before)} | {_rho(one.after)} |"


def _dataset(one: DatasetChange) -> str:
    lefts = [NONE if year is None else written.share(year.left / year.cap) for year in (one.before, one.after)]
    if one.refused:
        running = f"**does not fit**: {one.refused}"
    elif one.after is None:
        running = NONE
    else:
        part = written.share(one.in_its_year / one.after.cap)
        running = f"uses {part} of the budget" if one.fits else f"**does not fit**: needs {part} of the budget"
    return f"| `{one.dataset}` | {lefts[0]} | {lefts[1]} | {running} |"


def _codes(one: ListChange) -> str:
    parts = {"new": one.added, "gone": one.removed, "told otherwise": one.edited}
    told = [f"{_some(codes, '`')} {how}" for how, codes in parts.items() if codes]
    return "; ".join(told) or "their order"


def _some(names: tuple[str, ...], mark: str) -> str:
    shown = ", ".join(f"{mark}{name}{mark}" for name in names[:SHOWN])
    return shown + (f" and {written.count(len(names) - SHOWN)} more" if len(names) > SHOWN else "")


def _rho(loss: Fraction | None) -> str:
    return NONE if loss is None else written.rho(loss)
