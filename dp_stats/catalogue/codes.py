"""Public code lists: areas, bands and other categories, with the levels they roll up to.

``codes/NAME.csv`` has a header ``code,name`` and then, for each coarser level, ``LEVEL,LEVEL_name``;
other columns are facts about a code (``population``, ``longitude``, ``latitude``, ``lower``, ``upper``), or say when
it is in force (``validity``).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from dp_stats.catalogue.grid import ALL, Dimension, Level, flat_level
from dp_stats.catalogue.models import UNKNOWN
from dp_stats.catalogue.partitions import refines
from dp_stats.errors import CatalogueError
from dp_stats.files import is_formula


@dataclass(frozen=True)
class CodeList:
    """A public code list, in the order of its file.

    Attributes:
        replaced: code that is not in force any more → those in its place, where the list was read on a day
            (``validity.in_force``); None where it was not, or says nothing of days.
        breaks: level (``code``: the codes themselves) → codes that do not compare with the period before.
    """

    id: str
    path: Path
    header: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    replaced: Mapping[str, tuple[str, ...]] | None = None
    breaks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """Every code, in order."""
        return tuple(row["code"] for row in self.rows)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What a reader calls each code, in order."""
        return tuple(row["name"] for row in self.rows)

    def column(self, name: str) -> tuple[str, ...]:
        """A column of facts, in the order of the codes.

        Raises:
            CatalogueError: the list has no such column.
        """
        if name not in self.header:
            raise CatalogueError(f"{self.path.name}: there is no column '{name}'. It has {', '.join(self.header)}.")
        return tuple(row[name] for row in self.rows)

    def numbers(self, name: str) -> tuple[float, ...]:
        """A column of numbers, in the order of the codes; an empty field is NaN."""
        try:
            return tuple(float(value) if value else float("nan") for value in self.column(name))
        except ValueError as error:
            raise CatalogueError(f"{self.path.name}: column '{name}' holds something that is not a number.") from error

    @property
    def bands(self) -> bool:
        """Whether the codes are bands of a number (they have ``lower`` and ``upper``)."""
        return {"lower", "upper"} <= set(self.header)

    def dimension(self, name: str, column: str, levels: Sequence[str], *, unknown: bool) -> Dimension:
        """The grid dimension over this list: its codes, then the named coarser levels, then one of all.

        ``levels[0]`` names the codes themselves. With ``unknown`` a last leaf 'unknown' is added, which rolls
        up to a group 'unknown' at each level but the last.

        Raises:
            CatalogueError: a level is no column of the list, or the levels are not nested (not a tree).
        """
        leaves = [*zip(self.codes, self.names, strict=True)] + ([(UNKNOWN, "Unknown")] if unknown else [])
        codes, names = zip(*leaves, strict=True)
        built = [Level(levels[0] if levels else "code", codes, names, np.arange(len(leaves)))]
        for level in (name for name in levels[1:] if name != ALL):
            built.append(self._level(level, unknown=unknown))
            self._check_nested(built[-2], built[-1])
        if len(built[-1].codes) > 1:
            built.append(flat_level(ALL, ALL, "All", len(leaves)))
        return Dimension(name, column, "code", tuple(built), unknown=UNKNOWN if unknown else None)

    def _level(self, level: str, *, unknown: bool) -> Level:
        codes = list(self.column(level))
        names = list(self.column(f"{level}_name")) if f"{level}_name" in self.header else list(codes)
        if "" in codes:
            raise CatalogueError(
                f"{self.path.name}: column '{level}' is empty in line {codes.index('') + 2}. Fill it in."
            )
        if unknown:
            single = len(set(codes)) == 1
            codes.append(codes[0] if single else UNKNOWN)
            names.append(names[0] if single else "Unknown")
        label = dict(zip(codes, names, strict=True))
        index = {code: i for i, code in enumerate(label)}
        return Level(level, tuple(label), tuple(label.values()), np.array([index[c] for c in codes], dtype=np.intp))

    def _check_nested(self, fine: Level, coarse: Level) -> None:
        if refines(fine.group, coarse.group):
            return
        several = {
            code: sorted({coarse.codes[i] for i in coarse.group[fine.group == group]})
            for group, code in enumerate(fine.codes)
        }
        code, parents = next((code, found) for code, found in several.items() if len(found) > 1)
        raise CatalogueError(
            f"{self.path.name}: {fine.name} '{code}' belongs to {len(parents)} groups of '{coarse.name}' "
            f"({', '.join(parents[:3])}). Levels must be a tree: give each {fine.name} one {coarse.name}."
        )


def list_called(name: str, lists: Iterable[CodeList], *, where: str) -> CodeList:
    """The code list that a declaration names.

    Raises:
        CatalogueError: there is none; ``where`` is the declaration.
    """
    for listed in lists:
        if listed.id == name:
            return listed
    raise CatalogueError(f"{where}: there is no code list 'codes/{name}.csv'.")


def load_code_list(path: Path) -> CodeList:
    """Read one code list.

    Raises:
        CatalogueError: a heading is missing, a code is empty or stands twice, a line has the wrong length, or a
            field would run as a formula in the published tables.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = tuple(name.strip() for name in next(reader, []))
            lines = [line for line in reader if line]
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: cannot be read as UTF-8 text. Save it as CSV in UTF-8.") from error
    if header[:2] != ("code", "name"):
        raise CatalogueError(f"{path}: the first line must begin with 'code,name'.")
    rows: list[dict[str, str]] = []
    seen: set[str] = set()
    dated = {"valid_from", "valid_to"} & set(header)  # then a code may stand on a line for each time
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise CatalogueError(f"{path}, line {number}: {len(line)} fields where the header has {len(header)}.")
        row = dict(zip(header, (field.strip() for field in line), strict=True))
        if not row["code"] or not row["name"]:
            raise CatalogueError(f"{path}, line {number}: 'code' and 'name' must not be empty.")
        formulas = [name for name, field in row.items() if is_formula(field)]
        if formulas:
            raise CatalogueError(
                f"{path}, line {number}: '{formulas[0]}' begins like a formula, which a spreadsheet would run. Begin it "
                "with a letter or a digit."
            )
        if row["code"].casefold() in seen and not dated:
            raise CatalogueError(f"{path}, line {number}: the code '{row['code']}' stands twice (case does not count).")
        if row["code"].casefold() == UNKNOWN:
            raise CatalogueError(
                f"{path}, line {number}: '{UNKNOWN}' is added where a column declares it; remove the line."
            )
        seen.add(row["code"].casefold())
        rows.append(row)
    if not rows:
        raise CatalogueError(f"{path}: the list is empty. Write one code a line.")
    return CodeList(path.stem, path, header, tuple(rows))
