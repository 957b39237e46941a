"""Two small tables about the same people, and random lists of steps over them that `check` accepts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dp_stats.catalogue.linked.flow import after
from dp_stats.catalogue.linked.kinds import KEYS, ORDERED, Shape
from dp_stats.catalogue.linked.steps import Step
from dp_stats.catalogue.models import Dataset
from dp_stats.secure.steps.apply import apply_steps
from tests.builders import declared_dataset, declared_table

Json = dict[str, Any]
Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Table → its rows."""

PERSONS = ("9007199254740992", "9007199254740993", "9007199254740995", "12")
"""The first two are one number in double precision."""

FIRST = date(2024, 1, 1)
DAYS = {"period_start": FIRST, "period_end": FIRST + timedelta(days=6)}
IDENTIFIER = {"pattern": "[0-9]+"}
PERSON = {"from": "Person", "type": "person", "identifier": IDENTIFIER}
_SHARED: dict[str, Any] = {
    "custodian": "The hospitals",
    "source": {"kind": "csv", "path": "nowhere.csv"},
    "expectations": "x.json",
}
TABLES: dict[str, Json] = {
    "stays": declared_table(
        "stays",
        {
            "patient": PERSON,
            "start": {"from": "Start", "type": "date"},
            "end": {"from": "End", "type": "date"},
            "ward": {"from": "Ward", "type": "text"},
            "cost": {"from": "Cost", "type": "number"},
        },
        **_SHARED,
    ),
    "homes": declared_table(
        "homes",
        {
            "who": PERSON,
            "since": {"from": "Since", "type": "date"},
            "area": {"from": "Area", "type": "text"},
            "rooms": {"from": "Rooms", "type": "number"},
        },
        **_SHARED,
    ),
}
TYPES = {"date": pa.date32(), "number": pa.decimal128(18, 6)}
EVERYTHING: list[Json] = [
    {
        "step": "derive",
        "of": "stays",
        "columns": {
            "until": "coalesce(end, period_end)",
            "month": "month(start)",
            "days": "weekday(start) + year(plus_days(start, -400)) + years_between(plus_days(start, -800), start) * 3",
            "beginning": "case when starts_with(ward, 'a') then left(ward, 1) else 'none' end",
            "rest": "cost - floor(cost) + 0.5",
        },
    },
    {"step": "first", "of": "homes", "to": "one", "per": ["area"], "by": ["since"]},
    {"step": "last", "of": "stays", "to": "latest", "by": ["start"]},
    {"step": "count", "of": "stays", "to": "number", "as": "stays", "most": 2},
    {
        "step": "sessions",
        "of": "stays",
        "to": "spells",
        "from": "start",
        "until": "until",
        "gap": 2,
        "first": ["ward", "beginning"],
        "last": ["month", "days", "rest"],
        "count": "episodes",
    },
    {"step": "join", "of": "spells", "with": "homes", "columns": ["area"], "as_of": {"day": "start", "since": "since"}},
    {"step": "join", "of": "spells", "with": "number", "columns": ["stays"]},
    {"step": "join", "of": "spells", "with": "one", "columns": {"other": "area"}, "most": {"of": 3, "with": 2}},
    {"step": "join", "of": "spells", "with": "latest", "columns": {"lately": "ward"}},
    {"step": "spread", "of": "spells", "from": "start", "until": "until", "day": "day", "most": 5},
    {"step": "keep", "of": "spells", "where": "day < until or episodes = 1"},
]
"""Every kind of step once."""


def dataset(
    steps: Sequence[Json],
    *,
    tables: Mapping[str, Json] = TABLES,
    columns: Mapping[str, Json] | None = None,
    **fields: Any,
) -> Dataset:
    """A dataset whose rows that count are days of stays, or whatever ``fields`` say."""
    person = tables[next(iter(tables))]["person"]
    columns = columns or {"patient": {**PERSON, "from": person}, "day": {"from": "start", "type": "date"}}
    least: dict[str, Any] = {
        "custodians": [{"name": "The hospitals"}],
        "tables": dict(tables),
        "steps": list(steps),
        "privacy_unit": {"column": "patient"},
        "expectations": "x.json",
        "budget": {"epsilon": 1, "delta": "1e-6"},
    }
    return Dataset.model_validate(declared_dataset("stays", columns, **{**least, **fields}))


def arrow(declared: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of a declared table in the types that the canonical reading gives."""
    return pa.table(
        {
            name: pa.array([row.get(name) for row in rows], TYPES.get(column["type"], pa.string()))
            for name, column in declared["columns"].items()
        }
    )


Load = Callable[[pa.Table], tuple[ibis.BaseBackend, ibis.Table]]


def outcomes(declared: Dataset, many: Sequence[Rows], load: Load) -> list[Counter[tuple[str, ...]]]:
    """What the steps make of each of several sets of rows, as multisets of rows written out; compiled once."""
    tables: dict[str, ibis.Table] = {}
    for name, table in TABLES.items():
        backend, tables[name] = load(arrow(table, many[0].get(name, ())))
    query = apply_steps(backend, tables, dataset=declared, public_days=DAYS)
    found = []
    for number, rows in enumerate(many):
        for name, table in TABLES.items() if number else ():
            backend.insert(tables[name].op().name, arrow(table, rows.get(name, ())), overwrite=True)  # type: ignore[attr-defined]
        columns = sorted(query.columns)
        found.append(Counter(tuple(str(row[name]) for name in columns) for row in query.to_pyarrow().to_pylist()))
    return found


def outcome(declared: Dataset, rows: Rows, load: Load) -> Counter[tuple[str, ...]]:
    """What the steps make of the rows."""
    return outcomes(declared, [rows], load)[0]


def without(rows: Rows, person: str, *, only: bool = False) -> Rows:
    """The rows of everyone but a person, or theirs alone."""
    return {
        name: [row for row in listed if (row[TABLES[name]["person"]] == person) is only]
        for name, listed in rows.items()
    }


def is_person_local(declared: Dataset, rows: Rows, persons: Sequence[str], load: Load) -> bool:
    """Whether steps(D ∪ u) = steps(D) ∪ steps(u) for each of some persons, as multisets."""
    parts = [without(rows, person, only=only) for person in persons for only in (False, True)]
    together, *found = outcomes(declared, [rows, *parts], load)
    return all(together == others + theirs for others, theirs in zip(found[::2], found[1::2], strict=True))


SHAPES = {name: table.shape for name, table in dataset([], rows="stays").tables.items()}
DATES = st.one_of(st.none(), *[st.integers(0, 9).map(lambda day: FIRST + timedelta(days=day))] * 4)
NUMBERS = st.sampled_from([None, Decimal(0), Decimal(1), Decimal("2.5")])
WORDS = st.sampled_from([None, "a", "b"])


@st.composite
def some_rows(draw: st.DrawFn) -> Rows:
    """A few rows of each table; some name nobody."""
    persons = st.sampled_from([*PERSONS, *PERSONS, None])
    kinds = {"date": DATES, "number": NUMBERS, "text": WORDS, "person": persons}
    return {
        name: draw(
            st.lists(
                st.fixed_dictionaries({n: kinds[c["type"]] for n, c in table["columns"].items()}),
                min_size=2,
                max_size=7,
            )
        )
        for name, table in TABLES.items()
    }


@st.composite
def some_steps(draw: st.DrawFn) -> list[Json]:
    """Steps that `check` accepts; the last gives the table whose rows count."""
    shapes = dict(SHAPES)
    steps: list[Json] = []
    for number in range(draw(st.integers(1, 4))):
        of = draw(st.sampled_from(sorted(shapes)))
        made = draw(_step(of, shapes, number))
        if made is not None:
            step: Step = TypeAdapter(Step).validate_python(made)
            shapes[step.gives] = after(step, shapes)
            steps.append(made)
    return steps or [{"step": "keep", "of": "stays", "where": "start is not null"}]


def counted(steps: Sequence[Json]) -> Dataset:
    """A dataset of steps, reading no more of the last table than its person and a date derived for the purpose."""
    last = steps[-1].get("to", steps[-1]["of"])
    person = TABLES["homes" if _origin(steps, last) == "homes" else "stays"]["person"]
    dated = {"step": "derive", "of": last, "columns": {"dated": "period_start"}}
    columns = {"patient": {**PERSON, "from": person}, "day": {"from": "dated", "type": "date"}}
    return dataset([*steps, dated], columns=columns)


def _origin(steps: Sequence[Json], name: str) -> str:
    for step in reversed(steps):
        if step.get("to", step["of"]) == name:
            name = step["of"]
    return name


def _step(of: str, shapes: Mapping[str, Shape], number: int) -> st.SearchStrategy[Json | None]:
    shape = shapes[of]
    names = sorted(shape.values)
    dates = [name for name in names if shape.columns[name] == "date"]
    keys = [name for name in names if shape.columns[name] in KEYS]
    ordered = [name for name in names if shape.columns[name] in ORDERED]
    to = st.sampled_from([of, f"made_{number}"])
    some_keys = st.lists(st.sampled_from(keys), max_size=2, unique=True) if keys else st.just([])
    kinds: list[st.SearchStrategy[Any]] = [
        st.fixed_dictionaries(
            {"step": st.just("count"), "of": st.just(of), "to": to, "per": some_keys, "as": st.just(f"n_{number}"),
             "most": st.integers(1, 3)}
        ),
    ]  # fmt: skip
    if dates:
        kinds.append(
            st.fixed_dictionaries(
                {
                    "step": st.just("keep"),
                    "of": st.just(of),
                    "to": to,
                    "where": st.sampled_from(_conditions(dates, names, shape)),
                }
            )
        )
        kinds.append(
            st.fixed_dictionaries(
                {
                    "step": st.just("derive"),
                    "of": st.just(of),
                    "to": to,
                    "columns": st.fixed_dictionaries({f"d_{number}": st.sampled_from(_values(dates, ordered, shape))}),
                }
            )
        )
    if ordered:
        by = st.lists(st.sampled_from(ordered), min_size=1, max_size=2, unique=True)
        picked = {"step": st.sampled_from(["first", "last"]), "of": st.just(of), "to": to, "per": some_keys, "by": by}
        kinds.append(st.fixed_dictionaries(picked))
    if len(dates) > 1:
        start, end = dates[0], dates[1]
        kinds.append(
            st.fixed_dictionaries(
                {"step": st.just("spread"), "of": st.just(of), "to": to, "from": st.just(start), "until": st.just(end),
                 "day": st.just(f"s_{number}"), "most": st.integers(1, 4)}
            )
        )  # fmt: skip
        kinds.append(_sessions(of, shape, start, end, to, number))
    return st.one_of(*kinds, *(_join(of, other, shapes, to, number) for other in shapes))


def _sessions(
    of: str, shape: Shape, start: str, end: str, to: st.SearchStrategy[str], number: int
) -> st.SearchStrategy[Json]:
    free = [name for name in sorted(shape.values) if name not in (start, end)]
    one = st.lists(st.sampled_from(free), max_size=1) if free else st.just([])
    return st.fixed_dictionaries(
        {
            "step": st.just("sessions"),
            "of": st.just(of),
            "to": to,
            "from": st.just(start),
            "until": st.just(end),
            "gap": st.integers(1, 4),
            "first": one,
            "count": st.just(f"e_{number}"),
        }
    )


def _join(
    of: str, other: str, shapes: Mapping[str, Shape], to: st.SearchStrategy[str], number: int
) -> st.SearchStrategy[Json | None]:
    mine, theirs = shapes[of], shapes[other]
    values = sorted(theirs.values)
    if not values:
        return st.none()
    ways: list[Json] = [{}, {"most": {"of": 2, "with": 2}}]
    days = [n for n in mine.values if mine.columns[n] == "date"]
    since = [n for n in values if theirs.columns[n] == "date"]
    if days and since:
        ways.append({"as_of": {"day": days[0], "since": since[0]}})
    alike = [
        (a, b) for a in mine.values for b in values if mine.columns[a] == theirs.columns[b] and mine.columns[a] in KEYS
    ]
    on = st.sampled_from([{}, *({a: b} for a, b in alike)])
    return st.builds(
        lambda to, column, way, on, required: {
            "step": "join", "of": of, "to": to, "with": other, "columns": {f"j_{number}": column}, "on": on,
            "required": required, **way,
        },
        to, st.sampled_from(values), st.sampled_from(ways), on, st.booleans(),
    )  # fmt: skip


def _conditions(dates: Sequence[str], names: Sequence[str], shape: Shape) -> list[str]:
    found = [f"{dates[0]} >= DATE '2024-01-03'", f"weekday({dates[0]}) in (1, 2, 3) or {dates[-1]} is null"]
    texts = [name for name in names if shape.columns[name] == "text"]
    return found + [f"{name} = 'a' or not starts_with({name}, 'a')" for name in texts]


def _values(dates: Sequence[str], ordered: Sequence[str], shape: Shape) -> list[str]:
    numbers = [name for name in ordered if shape.columns[name] in ("whole", "number")]
    return [
        f"years_between(plus_days({dates[0]}, -400), {dates[-1]})",
        f"coalesce({dates[0]}, period_end)",
        f"case when {dates[0]} between period_start and period_end then 'in' else 'out' end",
        f"greatest({dates[0]}, {dates[-1]})",
        *(f"{name} + 3 - floor({name}) * 2" for name in numbers),
    ]
