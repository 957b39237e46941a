"""Code lists that change: which codes are in force on a day, what has taken the place of others, and what compares.

A list says so in three columns, all of them optional: ``valid_from`` (first day of a code), ``valid_to`` (last day) and
``replaced_by`` (the code that takes its place, or several with spaces between). A code may stand on several lines, one
after the other, when its group or its population changes. An edition uses the codes that are in force on the last day of
its period: a week that crosses 1 April is published with April's codes, as a merged area's rows can be counted in the new
one and not the other way round.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.grid import ALL
from dp_stats.catalogue.models import UNKNOWN
from dp_stats.errors import CatalogueError

FROM, TO, BY = VALIDITY = ("valid_from", "valid_to", "replaced_by")

ONE_DAY = timedelta(days=1)
Row = Mapping[str, str]


def changes(codes: CodeList) -> bool:
    """Whether a list says when its codes are in force, and has not been read on a day yet."""
    return codes.replaced is None and not {*VALIDITY}.isdisjoint(codes.header)


def in_force(codes: CodeList, day: date) -> CodeList:
    """The list as it is on a day: its codes in force, with what has become of those that are not any more.

    A list without the columns, or one that was read on a day already, is returned as it is.
    """
    if not changes(codes):
        return codes
    header = tuple(name for name in codes.header if name not in VALIDITY)
    rows = tuple({name: row[name] for name in header} for row in codes.rows if _holds(row, day))
    ended = [row["code"] for row in codes.rows if _last(row) < day]
    here = {row["code"] for row in rows}
    replaced = {code: _successors(codes, code, day) for code in dict.fromkeys(ended) if code not in here}
    return replace(codes, header=header, rows=rows, replaced=replaced)


def days_of_change(codes: CodeList) -> tuple[date, ...]:
    """Every day from which the list is another, in order."""
    if not changes(codes):
        return ()
    begun = {_first(row) for row in codes.rows} - {date.min}
    ended = {_last(row) + ONE_DAY for row in codes.rows if _last(row) != date.max}
    return tuple(sorted(begun | ended))


def not_comparable(then: CodeList, now: CodeList, level: str, *, unknown: bool) -> tuple[str, ...]:
    """The codes of a level that do not hold what they held before: SDMX calls that a break.

    A group compares if the areas that it holds now are those that it held, or have taken the place of those and of no
    other. So an area that has merged does not, and the region that holds all of it does.

    Args:
        then, now: the list on two days. level: a column of groups; ``code`` is the codes themselves, ``all`` the whole.
        unknown: whether a cell 'unknown' is counted, in which rows without a code in force lie.
    """
    if then.rows == now.rows and not now.replaced:
        return ()
    before, after = _groups(then, level), _groups(now, level)
    became = {code: (code,) if code in now.codes else (now.replaced or {}).get(code, ()) for code in then.codes}
    came: dict[str, set[str]] = {code: set() for code in now.codes}
    for old, new in became.items():
        for code in new:
            came[code].add(old)
    found = []
    for group in dict.fromkeys(after.values()):
        held = {code for code, own in before.items() if own == group}
        holds = {code for code, own in after.items() if own == group}
        whole = all(became[code] and holds.issuperset(became[code]) for code in held)
        if not whole or not all(came[code] and held.issuperset(came[code]) for code in holds):
            found.append(group)
    from_outside = any(not old for old in came.values()) or any(not new for new in became.values())
    if unknown and level != "code" and len({*after.values()}) == 1:
        return ()  # it holds 'unknown', too, and so everything; among the codes themselves 'unknown' is a cell of its own
    return (*found, *([UNKNOWN] if unknown and from_outside else []))


def with_breaks(now: CodeList, then: CodeList, levels: Collection[str], *, unknown: bool) -> CodeList:
    """A list on a day with the codes of each level that do not compare with an earlier day; see ``not_comparable``."""
    found = {level: not_comparable(then, now, level, unknown=unknown) for level in ("code", *levels)}
    return replace(now, breaks={level: codes for level, codes in found.items() if codes})


def check_validity(codes: CodeList) -> None:
    """Whether the columns of validity can be read: days, one line of a code at a time, and codes that are there to follow.

    Raises:
        CatalogueError: naming the line.
    """
    lines: dict[str, list[tuple[date, date, int]]] = {}
    for number, row in enumerate(codes.rows, start=2):
        where = f"{codes.path}, line {number}"
        first, last = _day(row, FROM, where, date.min), _day(row, TO, where, date.max)
        if last < first:
            raise CatalogueError(f"{where}: 'valid_to' is before 'valid_from'.")
        if row.get(BY) and last == date.max:
            raise CatalogueError(f"{where}: 'replaced_by' needs 'valid_to', the last day of '{row['code']}'.")
        lines.setdefault(row["code"].casefold(), []).append((first, last, number))
    for spans in lines.values():
        for (_, last, one), (first, _, other) in pairwise(sorted(spans)):
            if first <= last:
                raise CatalogueError(
                    f"{codes.path}, lines {min(one, other)} and {max(one, other)}: the same code (case does not count) is in "
                    "force twice on a day. Let 'valid_to' of one be the day before 'valid_from' of the other."
                )
    for number, row in enumerate(codes.rows, start=2):
        for code in row.get(BY, "").split():
            after = _last(row) + ONE_DAY
            if code == row["code"] or not any(r["code"] == code and _holds(r, after) for r in codes.rows):
                raise CatalogueError(
                    f"{codes.path}, line {number}: replaced_by: '{code}' is no other code that is in force on {after}."
                )


def epochs(codes: Collection[CodeList], first: date, last: date | None) -> Iterator[date]:
    """A day for each way that the lists are from the day ``first`` to ``last``."""
    yield first
    for day in sorted({day for one in codes for day in days_of_change(one)}):
        if first < day and (last is None or day <= last):
            yield day


def _groups(codes: CodeList, level: str) -> dict[str, str]:
    """Code → its group."""
    if level == ALL:
        return dict.fromkeys(codes.codes, ALL)
    names = codes.codes if level == "code" else codes.column(level)
    return dict(zip(codes.codes, names, strict=True))


def _successors(codes: CodeList, code: str, day: date) -> tuple[str, ...]:
    """The codes in force on a day that have taken the place of one that is not, over several changes."""
    last = max((row for row in codes.rows if row["code"] == code and _last(row) < day), key=_last)
    found: dict[str, None] = {}
    for new in last.get(BY, "").split():
        if any(row["code"] == new and _holds(row, day) for row in codes.rows):
            found[new] = None
        elif any(row["code"] == new and _last(row) < day for row in codes.rows):
            found |= dict.fromkeys(_successors(codes, new, day))
    return tuple(found)


def _holds(row: Row, day: date) -> bool:
    return _first(row) <= day <= _last(row)


def _first(row: Row) -> date:
    return date.fromisoformat(row[FROM]) if row.get(FROM) else date.min


def _last(row: Row) -> date:
    return date.fromisoformat(row[TO]) if row.get(TO) else date.max


def _day(row: Row, name: str, where: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(row[name]) if row.get(name) else otherwise
    except ValueError:
        raise CatalogueError(f"{where}: '{name}' must be a day such as 2021-04-01, or empty.") from None
