"""What the values of a table are while steps work on it, and in which range they stay.

There are no floating-point numbers among them: a ``number`` is a decimal with six places, as the canonical reading gives
it. Each kind has a range that every engine holds exactly, and what would leave it is null. So no value of a row can
make a step fail, and a row reads alike on every engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Literal

from dp_stats.catalogue.columns import Column

Kind = Literal["person", "text", "date", "whole", "number", "truth", "nothing"]
"""``nothing`` is the kind of NULL alone, which fits every other."""

LARGEST_WHOLE = 10**12 - 1
"""Largest whole number, and the largest whole part of a decimal."""

DECIMALS = 6
EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)
MOST_DAYS = 200_000
"""Days that may be added to a date: more than there are between the first and the last."""

KEYS: tuple[Kind, ...] = ("text", "date", "whole")
"""What may tell records of a person apart: kinds whose equality is the same everywhere. A decimal is none."""

ORDERED: tuple[Kind, ...] = ("date", "whole", "number")
"""What has an order that is the same on every engine; texts are sorted by each in its own way."""

NAMED = {
    "person": "a person's identifier",
    "text": "a text",
    "date": "a date",
    "whole": "a whole number",
    "number": "a number",
    "truth": "true or false",
    "nothing": "null",
}
"""Kinds in words, for errors."""

_OF_COLUMN: Mapping[str, Kind] = {"person": "person", "date": "date", "number": "number"}


@dataclass(frozen=True)
class Shape:
    """A table between two steps: the kinds of its columns, in order.

    Attributes:
        person: the column that says whose a row is. columns: name → kind, ``person`` among them.
    """

    person: str
    columns: Mapping[str, Kind]

    @property
    def values(self) -> Mapping[str, Kind]:
        """The columns that expressions may read: all but the person."""
        return MappingProxyType({name: kind for name, kind in self.columns.items() if name != self.person})


def kind_of(column: Column) -> Kind:
    """What a declared column holds once it has been read."""
    return _OF_COLUMN.get(column.type, "text")


def shape_of(person: str, columns: Mapping[str, Column]) -> Shape:
    """A declared table before the first step."""
    return Shape(person, {name: kind_of(column) for name, column in columns.items()})


def fits(kind: Kind, column: Column) -> bool:
    """Whether a declared column of the dataset can be read from a value of this kind."""
    match column.type:
        case "person":
            return kind == "person"
        case "date":
            return kind == "date"
        case "number" | "band":
            return kind in ("whole", "number")
        case _:
            return kind == "text"
