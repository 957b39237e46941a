"""Where an answer runs over changed boundaries: codes that were merged, split, added, or that hold other places than before.

The editions that an answer is made from say it: each sealed code list names the codes that do not compare with the period
before (``catalogue.validity``). A merged area is, before, the sum of the areas that merged, so its figure is whole; a region
that holds other places since is not the same region on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from dp_stats import written
from dp_stats.errors import NotDerivableError
from dp_stats.estimate.boundaries import ListedDimension, codes_in
from dp_stats.estimate.measured_edition import Measured


@dataclass(frozen=True)
class Break:
    """A code that an answer takes over a change of its boundaries.

    Attributes:
        code: as it was asked for, or that of the whole. since: first day of the first edition with the new boundaries.
        before, after: the codes that are summed on either side, where they are others than the code; else empty: it holds
            other places since.
    """

    dimension: str
    code: str
    since: date
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """For staff, in a sentence."""
        when = written.day(self.since)
        if self.before:
            return f"'{self.code}' has taken the place of others from {when} on; before, it is the sum of {_listed(self.before)}."
        if self.after:
            return f"'{self.code}' was split; from {when} on it is the sum of {_listed(self.after)}."
        return f"'{self.code}' holds other places from {when} on, so figures before and after are not of the same."


def _listed(codes: Sequence[str]) -> str:
    return codes[0] if len(codes) == 1 else f"{', '.join(codes[:-1])} and {codes[-1]}"


def breaks_of(
    used: Sequence[Measured], where: Mapping[str, Sequence[str]], among: Sequence[Measured]
) -> tuple[Break, ...]:
    """Where an answer's editions changed boundaries of what was asked for; none where no list says when codes are in force.

    Args:
        used: the editions that the answer is made from, in order of time. where: dimension → codes; a dimension left out is
            the whole. among: the editions that lie in the days asked for, the last of which has the boundaries.
    """
    found: list[Break] = []
    for name in dict.fromkeys(d.name for e in used for d in e.grid.dimensions if d.kind != "date"):
        having = [e for e in used if name in {d.name for d in e.grid.dimensions}]
        all_lists = [e.listed(name) for e in among if name in {d.name for d in e.grid.dimensions}]
        for before, after in pairwise(e.listed(name) for e in having):
            for code in where.get(name) or (after.dimension.top.codes[0],):
                one = _break(name, code, before, after, all_lists)
                found += [one] if one is not None else []
    return tuple(found)


def _break(
    name: str, code: str, before: ListedDimension, after: ListedDimension, among: Sequence[ListedDimension]
) -> Break | None:
    try:
        first, then = codes_in(code, before, among), codes_in(code, after, among)
    except NotDerivableError:
        return None
    if not any(_broken(one, after) for one in then):
        return None
    same = set(first) == set(then)
    return Break(
        name,
        code,
        after.first,
        () if same or first == (code,) else first,
        () if same or then == (code,) else then,
    )


def _broken(code: str, edition: ListedDimension) -> bool:
    """Whether a code of an edition does not compare with the period before, by the level that it stands on."""
    if edition.codes is None:
        return False
    for index, level in enumerate(edition.dimension.levels):
        if code in level.codes:
            return code in edition.codes.breaks.get("code" if index == 0 else level.name, ())
    return False
