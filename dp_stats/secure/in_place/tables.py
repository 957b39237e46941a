"""The tables that are made in a work schema or a work folder: listed before they are made, and dropped whatever happens.

A table has a random name; in a work folder it is a folder of Parquet files. Before it is made, a note of it lies in the
private folder of its edition; the note goes only once the table is dropped. So what a killed run has left is found by the
next step that cleans up, or by the nightly upkeep.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dp_stats.catalogue.models import Source
from dp_stats.errors import SourceError
from dp_stats.secure.staging import LISTED, write_private

PREFIX = "dp_stats_"


class Listed(Protocol):
    """What it takes to find a table. ``within``: the schema or the folder that it lies in."""

    @property
    def within(self) -> str:
        """The work schema, or the work folder."""

    @property
    def name(self) -> str:
        """Its own name."""

    @property
    def in_period(self) -> str:
        """The name of the view of its rows that are dated in the period."""


@dataclass(frozen=True)
class WorkTable:
    """One listed table.

    Attributes:
        note: the file that lists it. source: what it was made of, in whose database or cluster it lies.
        within: the work schema, or the work folder as an address.
    """

    note: Path
    source: Source
    within: str
    name: str

    @property
    def place(self) -> str:
        """What to call it."""
        return f"{self.within}/{self.name}" if self.source.kind == "parquet" else f"{self.within}.{self.name}"

    @property
    def in_period(self) -> str:
        """The name of its view of the rows that are dated in the period."""
        return f"{self.name}_in"

    @property
    def edition(self) -> str:
        """The revision that it was made for, as its folder is named."""
        return "/".join(self.note.parent.parent.parts[-3:])


def listed_table(folder: Path, source: Source, within: str, *, secure: Path) -> WorkTable:
    """List a table that is about to be made for the edition with this folder."""
    name = f"{PREFIX}{secrets.token_hex(16)}"
    note = folder / LISTED / f"{name}.json"
    content = {"within": within, "name": name, "source": source.model_dump(mode="json", exclude_defaults=True)}
    write_private(secure, note, (json.dumps(content, indent=1) + "\n").encode())
    return WorkTable(note, source, within, name)


def listed_in(folder: Path) -> tuple[WorkTable, ...]:
    """The tables that are listed for the edition with this folder."""
    return tuple(_read(note) for note in sorted((folder / LISTED).glob("*.json")))


def all_listed(secure: Path) -> tuple[WorkTable, ...]:
    """Every table that is listed."""
    return tuple(table for folder in sorted((secure / "staging").glob("*/*/r*")) for table in listed_in(folder))


def _read(note: Path) -> WorkTable:
    try:
        kept: dict[str, Any] = json.loads(note.read_bytes())
        return WorkTable(note, Source.model_validate(kept["source"]), str(kept["within"]), str(kept["name"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise SourceError(
        f"{note} does not say which table it lists. Drop what is called {PREFIX}* in the work schema or folder, then the file."
    )
