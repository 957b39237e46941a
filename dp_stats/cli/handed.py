"""What the command line prints of files that were handed out: for whom, under what, and which published file each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dp_stats.written import moment

if TYPE_CHECKING:
    from dp_stats.handing_out import Traced
    from dp_stats.ledger import Acceptance, HandedOut


def print_traced(out: Console, traced: Traced) -> None:
    """For whom a file was handed out, and what it is without its mark."""
    mark, record = traced.mark, traced.record
    for line in (
        f"[green]Without its mark it is {mark.edition}/{mark.file} as published[/], SHA-256 {mark.sealed}.",
        f"Provided to: {escape(mark.provided_to)}",
        f"Provided under: {escape(mark.provided_under)}",
        f"Provided at: {mark.provided_at}",
        f"Download: {mark.download}",
    ):
        out.print(line, soft_wrap=True)
    if traced.sums:
        out.print(
            f"It stands in the list of checksums with SHA-256 {traced.sums}. Compare that with what the public register says of "
            "the edition.",
            soft_wrap=True,
        )
    if record is not None:
        out.print(
            f"The ledger has it as entry {record.id}: {record.user} of '{record.organisation}', {moment(record.at)}.",
            soft_wrap=True,
        )
    else:
        out.print("No ledger here knows of this download, byte for byte.", soft_wrap=True)


def print_downloads(out: Console, accepted: Sequence[Acceptance], given: Sequence[HandedOut]) -> None:
    """Who accepted which terms, and what was handed out."""
    for one in accepted:
        out.print(
            f"{moment(one.at)}: {escape(one.user)} accepted version {one.version} of the terms for '{one.organisation}', SHA-256 "
            f"{one.terms}.",
            soft_wrap=True,
        )
    table = Table(title="Handed out")
    for heading in ("when", "organisation", "who", "file", "download"):
        table.add_column(heading)
    for record in given:
        path = f"{record.edition}/r{record.revision}/{record.file}"
        table.add_row(moment(record.at), record.organisation, escape(record.user), escape(path), record.download)
    out.print(table)
