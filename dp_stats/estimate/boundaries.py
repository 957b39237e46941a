"""Codes over changes of their lists: the cells of each edition that hold what is asked for, as its last edition has it.

Each edition's code list says what has taken the place of codes that are not in force any more (``catalogue.validity``).
So a merged area is, in editions before, the sum of the areas that merged; an area that was split is the sum of its parts
after. What is neither, such as one part of an area that was split later, no edition tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.grid import Dimension
from dp_stats.estimate.cells_asked import refuse

Where = Mapping[str, Sequence[str]]
Replaced = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class ListedDimension:
    """A dimension of one edition with its code list; ``first`` is the first day of the edition's period."""

    first: date
    dimension: Dimension
    codes: CodeList | None

    @property
    def replaced(self) -> Replaced:
        """Code that was not in force any more → those in its place."""
        return (self.codes.replaced if self.codes is not None else None) or {}

    def leaves(self, code: str) -> frozenset[str] | None:
        """The leaves of a code of any level; None if it has no such code."""
        for level in self.dimension.levels:
            if code in level.codes:
                at = level.codes.index(code)
                return frozenset(c for c, g in zip(self.dimension.leaf.codes, level.group, strict=True) if g == at)
        return None


def codes_in(code: str, edition: ListedDimension, among: Sequence[ListedDimension]) -> tuple[str, ...]:
    """The codes of an edition that hold what a code holds in the last edition of ``among`` that has it.

    Where no list says when its codes are in force, and where no edition has the code, it is the code itself.

    Raises:
        NotDerivableError: a part of what it holds lies in a cell of the edition with something else, or was not counted.
    """
    if all(one.codes is None or one.codes.replaced is None for one in among):
        return (code,)
    last = max((one for one in among if one.leaves(code) is not None), key=lambda one: one.first, default=None)
    if last is None or last is edition:
        return (code,)
    wanted = last.leaves(code) or frozenset()
    own = edition.leaves(code)
    found = frozenset(_found(code, wanted, own or frozenset(), edition, last))
    if found == own:
        return (code,)
    if not found:
        refuse(f"'{code}' was not counted in the edition that begins on {edition.first}")
    return tuple(c for c in edition.dimension.leaf.codes if c in found)


def _found(
    code: str, wanted: frozenset[str], own: frozenset[str], edition: ListedDimension, last: ListedDimension
) -> Iterable[str]:
    """Leaves of the edition that hold what ``wanted`` holds in the last one.

    A leaf of a group that came from outside of the list, or left it, is in the group where it was counted.
    """
    earlier, later = sorted((edition, last), key=lambda one: one.first)
    here, there = set(edition.dimension.leaf.codes), set(last.dimension.leaf.codes)
    after = set(later.dimension.leaf.codes)
    for leaf in earlier.dimension.leaf.codes:
        became = {leaf} if leaf in after else set(later.replaced.get(leaf, ()))
        if edition is earlier:
            if became & wanted:
                if not became <= wanted:
                    refuse(f"'{code}' is a part of '{leaf}' in the edition that begins on {edition.first}")
                yield leaf
            elif not became & there and leaf in own:
                yield leaf
        elif leaf in wanted:
            for new in became & here:
                came = {c for c in earlier.dimension.leaf.codes if c == new or new in later.replaced.get(c, ())}
                if not came <= wanted:
                    refuse(f"'{code}' is a part of '{new}' in the edition that begins on {edition.first}")
                yield new
