"""A public register as the world publishes it, made into a code list: which column is the code, its name, its groups.

Registers name their columns in their own way (``LAD23CD``, ``LAD23NM``). What a column is can be told from the whole
file: a code stands once, a name stands beside one code, a group is the same for all rows of a finer group.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dp_stats.errors import CatalogueError

FACTS = ("population", "longitude", "latitude", "lower", "upper")
"""Columns that a code list knows by name; they keep it."""

MOST_GROUPS = 0.5
"""A column with more different values than this share of the rows is no group of them."""

_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


@dataclass(frozen=True)
class Register:
    """A register as a code list: the text of its file, and what a draft needs to know of it.

    Attributes:
        levels: columns that group the codes, finest first; ``code_column`` stands for the codes themselves.
        names: name → code, where every name belongs to one code.
    """

    id: str
    content: str
    codes: tuple[str, ...]
    names: dict[str, str]
    levels: tuple[str, ...]
    bands: bool
    left_out: tuple[str, ...]


def read_register(id: str, path: Path) -> Register:
    """Read a public register (CSV with a header line) as a code list.

    Args:
        id: what the list will be called. path: the register's file.

    Raises:
        CatalogueError: it cannot be read, or no column is different in every row.
    """
    header, rows = _read(path)
    columns = {name: [row[i].strip() for row in rows] for i, name in enumerate(header)}
    code = "code" if "code" in columns else _first(header, lambda name: _unique(columns[name]))
    if code is None:
        raise CatalogueError(
            f"{path}: no column is filled in and different in every line, so there is no code. "
            "Give a register with one line per code, or a CSV with the columns code and name."
        )
    others = [name for name in header if name != code]
    name = "name" if "name" in columns else _first(others, lambda other: _names(columns[other]))
    groups = [g for g in others if g not in (name, *FACTS) and not g.endswith("_name") and _groups(columns[g])]
    tree = _tree({g: columns[g] for g in groups})
    labels = {level: _label(level, others, columns, taken=(*tree, name)) for level in tree}
    kept: dict[str, list[str]] = {"code": columns[code], "name": columns[name] if name else columns[code]}
    for level in tree:
        kept[_level(level)] = columns[level]
        label = labels[level]
        if label is not None:
            kept[f"{_level(level)}_name"] = columns[label]
    kept |= {fact: columns[fact] for fact in FACTS if fact in columns}
    used = {code, name, *tree, *labels.values(), *FACTS}
    shown = kept["name"]
    return Register(
        id=id,
        content=_written(kept),
        codes=tuple(columns[code]),
        names=dict(zip(shown, columns[code], strict=True)) if len(set(shown)) == len(shown) else {},
        levels=tuple(_level(level) for level in tree),
        bands={"lower", "upper"} <= set(kept),
        left_out=tuple(other for other in header if other not in used),
    )


def slug(text: str) -> str:
    """A name as declarations use them: lower case, letters, digits and underscores."""
    found = re.sub(r"[^a-z0-9]+", "_", text.casefold().strip()).strip("_")
    return found if found[:1].isalpha() else f"c_{found}".rstrip("_")


def _level(column: str) -> str:
    """The name of a level: that of its column without a sign that it holds codes."""
    return re.sub(r"_?(code|cd)$", "", slug(column)) or slug(column)


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file, strict=True) if any(field.strip() for field in line)]
    except (OSError, UnicodeError, csv.Error) as error:
        raise CatalogueError(
            f"{path}: this register cannot be read ({type(error).__name__}). Save it as CSV in UTF-8."
        ) from None
    header = [name.strip() for name in lines[0]] if lines else []
    if len(lines) < 2 or len(set(header)) < len(header) or any(len(line) != len(header) for line in lines):
        raise CatalogueError(
            f"{path}: a register has a header line with different names, and as many fields in every line. Mend the file."
        )
    return header, lines[1:]


def _first(names: Sequence[str], fits: Callable[[str], bool]) -> str | None:
    return next((name for name in names if fits(name)), None)


def _unique(values: Sequence[str]) -> bool:
    return "" not in values and len({value.casefold() for value in values}) == len(values)


def _names(values: Sequence[str]) -> bool:
    """Whether values read as names of their rows: filled in, different, and not all numbers."""
    return _unique(values) and not all(_NUMBER.fullmatch(value) for value in values)


def _groups(values: Sequence[str]) -> bool:
    """Whether values put rows into groups: filled in, no measured number, and far fewer than rows."""
    if "" in values or any("." in value and _NUMBER.fullmatch(value) for value in values):
        return False
    return len(set(values)) <= max(1, MOST_GROUPS * len(values))


def _tree(groups: dict[str, list[str]]) -> list[str]:
    """The groups that nest in each other, finest first, one of each that means the same."""
    finest_first = sorted(groups, key=lambda name: -len(set(groups[name])))
    tree: list[str] = []
    for name in finest_first:
        if not tree:
            tree.append(name)
            continue
        last = groups[tree[-1]]
        fits = len(set(zip(last, groups[name], strict=True))) == len(set(last))
        if fits and len(set(groups[name])) < len(set(last)):
            tree.append(name)
    return tree


def _label(
    level: str, others: Sequence[str], columns: dict[str, list[str]], *, taken: Sequence[str | None]
) -> str | None:
    """The column that names the groups of a level: one name each."""
    groups = columns[level]
    if f"{level}_name" in columns:
        return f"{level}_name"
    for other in others:
        if other in taken or other in FACTS:
            continue
        pairs = len(set(zip(groups, columns[other], strict=True)))
        if pairs == len(set(groups)) == len(set(columns[other])) and "" not in columns[other]:
            return other
    return None


def _written(columns: dict[str, list[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()
