"""Tables rebuilt in memory are those of a database, for any entries: the same rows, or a contradiction at the same entry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_examples import Clock, agreement, dataset, linked, measured, new_ledger, plan, publish, records, reserve
from sqlalchemy import Table, create_engine, select
from sqlalchemy.exc import SQLAlchemyError

from dp_stats.ledger import Entry, schema
from dp_stats.ledger.projection import apply, project
from dp_stats.ledger.rebuilding import ContradictionError, Rebuilt

AT = "2021-03-01T09:30:00.000000Z"


@cache
def lived() -> tuple[str, ...]:
    """Events and what they say, of a ledger in which everything has happened, as JSON that nothing can change."""
    with TemporaryDirectory() as folder:
        clock = Clock()
        ledger = new_ledger(Path(folder), clock)
        rich = dataset(rho="1")
        made = measured(ledger, plan("2021-W01", series="weekly"), dataset=rich)
        measured(ledger, plan("2021-W02", series="weekly", blocks=("2021", "2022")), b"more", dataset=rich)
        ledger.void(reserve(ledger, plan("2021-W03"), dataset=rich), "not wanted")
        reserve(ledger, plan("2021-W03"), dataset=rich)
        ledger.void(reserve(ledger, plan("2021-W09", series="other", release="other"), dataset=rich), "not wanted")
        draws = plan("2021-W05", of="linked", draws={"records": 2})
        both: Any = {"dataset": linked("linked", "0.1"), "holders": {"records": records("0.5")}}
        ledger.void(reserve(ledger, draws, **both), "not wanted")
        ledger.spend(reserve(ledger, draws, **both))
        under = agreement()
        signed = dataset(under=under)
        for week in ("2021-W06", "2021-W07"):
            wanted = plan(week, under=under, release="agreed", rho="0.0001")
            reserve(ledger, wanted, dataset=signed)
        ledger.approve(plan().hash, "custodian", "approved", "seen", clock.now + timedelta(1), {"2021": "0.01"})
        publish(ledger, made.edition)
        ledger.retracted(made.edition, 1, "sent twice")
        return tuple(json.dumps([entry.event, entry.payload]) for entry in ledger.entries())


def replayed(entries: list[tuple[str, Any]], one: Callable[[Entry], None], errors: Any) -> int | None:
    """Number of the first entry that contradicts those before it; None if none does."""
    for number, (event, payload) in enumerate(entries, start=1):
        try:
            one(Entry(number, datetime(2021, 3, 1, tzinfo=UTC), event, payload, "", ""))
        except errors:
            return number
    return None


def content(rows: Iterable[Iterable[object]]) -> list[str]:
    return sorted(repr(tuple(row)) for row in rows)


@st.composite
def chains(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What has happened, with entries left out, repeated, moved, or with a value of another or none."""
    entries: list[tuple[str, Any]] = [(event, payload) for event, payload in map(json.loads, lived())]
    places = st.integers(0, len(entries) - 1)
    for kind in draw(st.lists(st.sampled_from(["drop", "repeat", "move", "value", "lack", "more"]), max_size=4)):
        at = draw(places) % len(entries)
        event, payload = entries[at]
        name = draw(st.sampled_from(sorted(payload) or [""]))
        if kind == "drop":
            del entries[at]
        elif kind == "repeat":
            entries.insert(draw(places), (event, dict(payload)))
        elif kind == "move":
            entries.insert(draw(places) % len(entries), entries.pop(at))
        elif kind == "lack":
            payload.pop(name, None)
        elif kind == "more":
            payload["unheard_of"] = "value"
        elif name:
            other = draw(st.sampled_from([p for _, p in entries if name in p]))
            payload[name] = draw(st.sampled_from([other[name], None]))
    return entries


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(chains())
def test_memory_and_database_hold_the_same_rows_or_refuse_the_same_entry(entries: list[tuple[str, Any]]) -> None:
    engine, rebuilt = create_engine("sqlite://"), Rebuilt()
    schema.metadata.create_all(engine)
    wrong = (KeyError, TypeError, ValueError)
    with engine.connect() as connection:

        def written(entry: Entry) -> None:
            with connection.begin_nested():
                project(connection, entry, at=AT)

        stopped = replayed(entries, written, (SQLAlchemyError, *wrong))
        assert replayed(entries, lambda entry: apply(rebuilt, entry, at=AT), wrong) == stopped
        if stopped is None:
            for table in schema.projections:
                rows = connection.execute(select(*table.c))
                assert content(rows) == content(rebuilt.rows(table, table.c)), table.name


def test_what_has_happened_as_it_happened_is_rebuilt_whole() -> None:
    rebuilt = Rebuilt()
    entries: list[tuple[str, Any]] = [(event, payload) for event, payload in map(json.loads, lived())]
    assert replayed(entries, lambda entry: apply(rebuilt, entry, at=AT), Exception) is None
    empty = {t.name for t in schema.projections if not list(rebuilt.rows(t, t.c))}
    assert empty == {"ledger_acceptances", "ledger_handed_out"}


@pytest.mark.parametrize("table", schema.projections, ids=lambda table: table.name)
def test_memory_refuses_whatever_a_database_would_and_says_why(table: Table) -> None:
    row: dict[str, Any] = {column.name: f"{column.name} 1" for column in table.c}
    other = {name: value.replace("1", "2") for name, value in row.items()}
    rebuilt = Rebuilt()
    rebuilt.add(table, **row)
    with pytest.raises(ContradictionError, match=r"^the row is there already$"):
        rebuilt.add(table, **row)
    for column in table.c:
        if column.unique and not column.primary_key:
            with pytest.raises(ContradictionError, match=r"^what must be there once is there already$"):
                rebuilt.add(table, **other | {column.name: row[column.name]})
        if not column.nullable:
            with pytest.raises(ContradictionError, match=r"^a column is none, or has no value$"):
                rebuilt.add(table, **other | {column.name: None})
    with pytest.raises(ContradictionError, match=r"^a column is none, or has no value$"):
        rebuilt.add(table, **other, unheard_of="value")


@pytest.mark.parametrize("state", ["reserved", "spent", "stored"])
def test_of_the_reservations_of_one_edition_one_alone_is_not_void(state: str) -> None:
    def two_of_one_edition() -> Rebuilt:
        rebuilt = Rebuilt()
        row: dict[str, Any] = {column.name: "any" for column in schema.reservations.c}
        for number, now in enumerate(("void", "reserved"), start=1):
            rebuilt.add(schema.reservations, **row | {"id": number, "state": now})
        return rebuilt

    def become(rebuilt: Rebuilt, number: int, state: str) -> None:
        rebuilt.change(schema.reservations, {"id": number}, state=state)

    with pytest.raises(ContradictionError, match=r"^what must be there once is there already$"):
        become(two_of_one_edition(), 1, state)
    rebuilt = two_of_one_edition()
    become(rebuilt, 2, "void")
    become(rebuilt, 2, "void")
    become(rebuilt, 1, state)
    with pytest.raises(ContradictionError, match=r"^what must be there once is there already$"):
        become(rebuilt, 2, state)
