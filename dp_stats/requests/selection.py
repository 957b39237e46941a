"""'Only these areas and bands': which cells of an answer are handed over.

Choosing changes nothing that is measured, charged or published. Leaving cells out of a measurement would save
nothing, and publishing some cells of a table without the others would stop totals from adding up. So what must
be measured is measured and published whole; the choice limits the free answer and the file handed over.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from dp_stats.catalogue import Catalogue, Dataset
from dp_stats.catalogue.models import UNKNOWN
from dp_stats.errors import CatalogueError


def chosen_codes(
    only: Sequence[str], breakdowns: Mapping[str, str], *, dataset: Dataset, catalogue: Catalogue
) -> dict[str, frozenset[str]]:
    """Column → the codes of ``only`` at its level; a column of which nothing is chosen is left out.

    Args:
        only: codes or names, in any case. breakdowns: column → level.

    Raises:
        CatalogueError: an entry is no code or name at these levels; the message lists close matches.
    """
    known: dict[str, set[tuple[str, str]]] = {}
    spelt: dict[str, str] = {}
    for column, level in breakdowns.items():
        for code, name in _codes(column, level, dataset, catalogue):
            for word in (code, name):
                known.setdefault(word.casefold(), set()).add((column, code))
                spelt[word.casefold()] = word
    found: dict[str, set[str]] = {}
    faults = []
    for entry in only:
        matches = known.get(entry.casefold())
        if matches is None:
            faults.append(f"  only: there is no '{entry}' at the levels asked for. {_hint(entry, spelt)}")
            continue
        for column, code in matches:
            found.setdefault(column, set()).add(code)
    if faults:
        raise CatalogueError("The request cannot be read:\n" + "\n".join(faults))
    return {column: frozenset(codes) for column, codes in found.items()}


def _hint(entry: str, spelt: Mapping[str, str]) -> str:
    if not spelt:
        return "Choose a breakdown by areas or bands first."
    inside = [word for word in spelt if entry.casefold() in word]
    close = list(dict.fromkeys([*get_close_matches(entry.casefold(), spelt, n=4), *inside]))[:4]
    if close:
        return f"Did you mean {' or '.join(spelt[word] for word in close)}?"
    return f"Write codes or names such as {', '.join(list(spelt.values())[:4])}."


def _codes(column: str, level: str, dataset: Dataset, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Code and name of every group of a level of areas, bands or other codes; none for a calendar."""
    declared = dataset.columns[column]
    if declared.codes is None:
        return
    codes = catalogue.codes[declared.codes]
    pairs: Iterable[tuple[str, str]]
    if level in codes.header:
        names = codes.column(f"{level}_name" if f"{level}_name" in codes.header else level)
        pairs = dict.fromkeys(zip(codes.column(level), names, strict=True))
    else:  # the level of the codes themselves, under the name that releases give it
        pairs = zip(codes.codes, codes.names, strict=True)
    yield from pairs
    if declared.unknown:
        yield UNKNOWN, "Unknown"


def only_chosen(table: str, chosen: Mapping[str, frozenset[str]]) -> str:
    """The lines of a published CSV text whose cells are chosen; ``chosen`` maps dimension → codes."""
    head, *lines = table.splitlines(keepends=True)
    columns = next(csv.reader([head]))
    places = {columns.index(f"{name}_code"): codes for name, codes in chosen.items()}
    kept = [
        line
        for line, row in zip(lines, csv.reader(lines), strict=True)
        if all(row[place] in codes for place, codes in places.items())
    ]
    return "".join([head, *kept])
