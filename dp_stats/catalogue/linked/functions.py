"""The white list: every operator and function that an expression may use, and what each takes and gives.

Each is a function of one row's values alone, gives the same on every engine, and gives something, or null, for every
value: none can fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dp_stats.catalogue.linked.kinds import NAMED, ORDERED, Kind

NUMERIC: tuple[Kind, ...] = ("whole", "number")
COMPARISONS = {"eq": "eq", "neq": "ne", "lt": "lt", "lte": "le", "gt": "gt", "gte": "ge"}
"""What sqlglot calls a comparison → what it is called here."""

AGGREGATES = frozenset(
    (
        "count",
        "sum",
        "avg",
        "mean",
        "min",
        "max",
        "median",
        "mode",
        "stddev",
        "variance",
        "any_value",
        "array_agg",
        "list",
    )
)
WINDOWS = frozenset(("row_number", "rank", "dense_rank", "ntile", "lag", "lead", "first_value", "last_value", "window"))
CLOCKS = frozenset(
    (
        "now",
        "today",
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "getdate",
        "sysdate",
    )
)
CHANCE = frozenset(("random", "rand", "uuid", "gen_random_uuid", "nextval", "setseed", "hash"))


class NotAllowedError(ValueError):
    """An expression that may not stand in a declaration; says why and what to write instead."""


def why_unknown(name: str, *, columns: Sequence[str] | None = None) -> str:
    """Why a function, a name or a form of SQL is not on the list."""
    low = name.casefold()
    if low in WINDOWS:
        return "a window looks at other rows, and so may look at other people; use a step: first, last, sessions, count"
    if low in AGGREGATES or low in ("star", "distinct"):
        return f"'{low}' adds up rows, and so may add up people; use the step 'count', or a statistic of a release"
    if low in CLOCKS:
        return (
            f"'{low}' asks a clock, and tomorrow's rows would not be today's; write a day, period_start or period_end"
        )
    if low in CHANCE:
        return f"'{low}' is chance or depends on the engine; noise is added once, where it is charged"
    if low in ("subquery", "select", "exists", "union", "any", "all"):
        return "a query looks at other rows; use the step 'join', which stays with the person"
    if low == "div":
        return "'/' would make a fraction that each engine rounds in its own way; compare with a multiple instead"
    if low in ("like", "ilike", "similarto", "regexplike"):
        return "patterns differ between engines; use starts_with(text, 'F32'), left(text, 3) or IN"
    if columns is not None:
        return f"there is no column '{name}' in this table; it has {', '.join(columns)}"
    return (
        f"'{low}' is not on the list; it has {', '.join(sorted(FUNCTIONS))}, CASE, AND, OR, NOT, IN, BETWEEN, IS NULL"
    )


def agreed(name: str, kinds: Sequence[Kind]) -> Kind:
    """The one kind that values of several kinds have together: a whole number beside a decimal is one.

    Raises:
        NotAllowedError: they have none.
    """
    told = {kind for kind in kinds if kind != "nothing"}
    if not told:
        raise NotAllowedError(f"{name}: there is nothing but NULL in it")
    if told == set(NUMERIC):
        return "number"
    if len(told) > 1 or "person" in told:
        listed = " and ".join(sorted(NAMED[kind] for kind in told))
        raise NotAllowedError(f"{name}: {listed} do not go together")
    return told.pop()


def compared(op: str, left: Kind, right: Kind) -> None:
    """Whether two kinds may be compared.

    Raises:
        NotAllowedError: they may not.
    """
    if "nothing" in (left, right):
        raise NotAllowedError("nothing equals NULL; write IS NULL or IS NOT NULL")
    kind = agreed("a comparison", [left, right])
    if op not in ("eq", "ne") and kind not in ORDERED:
        raise NotAllowedError(
            f"{NAMED[kind]} has no order here: each engine sorts in its own way; compare with = or IN, or list the texts"
        )


@dataclass(frozen=True)
class Function:
    """What a function takes and gives.

    Attributes:
        takes: in words, for errors. gives: the kind of its values from those of its arguments; None: they do not fit.
        constant: places of arguments that must be constants.
    """

    name: str
    takes: str
    gives: Callable[[Sequence[Kind]], Kind | None]
    constant: tuple[int, ...] = ()

    def check(self, kinds: Sequence[Kind]) -> Kind:
        """The kind of its values.

        Raises:
            NotAllowedError: the arguments do not fit.
        """
        kind = self.gives(kinds)
        if kind is None:
            raise NotAllowedError(f"{self.name} takes {self.takes}")
        return kind


def _fixed(kind: Kind, *takes: tuple[Kind, ...]) -> Callable[[Sequence[Kind]], Kind | None]:
    def gives(kinds: Sequence[Kind]) -> Kind | None:
        fit = len(kinds) == len(takes) and all(k in allowed for k, allowed in zip(kinds, takes, strict=True))
        return kind if fit else None

    return gives


def _arithmetic(kinds: Sequence[Kind]) -> Kind | None:
    if len(kinds) != 2 or any(kind not in NUMERIC for kind in kinds):
        return None
    return "number" if "number" in kinds else "whole"


def _of_several(among: tuple[Kind, ...]) -> Callable[[Sequence[Kind]], Kind | None]:
    def gives(kinds: Sequence[Kind]) -> Kind | None:
        if len(kinds) < 2 or any(kind not in among for kind in kinds):
            return None
        return agreed("it", kinds)

    return gives


_FUNCTIONS = (
    Function("add", "two numbers; add days to a date with plus_days(date, days)", _arithmetic),
    Function("subtract", "two numbers; days between dates are days_between(from, to)", _arithmetic),
    Function("coalesce", "two or more values of one kind", _of_several(("text", *ORDERED, "truth"))),
    Function("least", "two or more dates or numbers", _of_several(ORDERED)),
    Function("greatest", "two or more dates or numbers", _of_several(ORDERED)),
    Function("days_between", "two dates: from, to", _fixed("whole", ("date",), ("date",))),
    Function("years_between", "two dates: from (such as a birth), to", _fixed("whole", ("date",), ("date",))),
    Function("plus_days", "a date and a whole number of days", _fixed("date", ("date",), ("whole",))),
    Function("year", "a date", _fixed("whole", ("date",))),
    Function("month", "a date", _fixed("whole", ("date",))),
    Function("weekday", "a date; Monday is 1, Sunday 7", _fixed("whole", ("date",))),
    Function("floor", "a number", _fixed("whole", NUMERIC)),
    Function("left", "a text and how many characters", _fixed("text", ("text",), ("whole",)), (1,)),
    Function("starts_with", "a text and its beginning", _fixed("truth", ("text",), ("text",)), (1,)),
)
FUNCTIONS = {function.name: function for function in _FUNCTIONS}
