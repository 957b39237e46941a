"""What is done for one edition reads no table from end to end, and what is asked of all is asked in as many statements for many."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from ledger_examples import Clock, dataset, linked, measured, new_ledger, plan, publish, records, reserve
from sqlalchemy import event

from dp_stats.ledger import Ledger
from dp_stats.operations.upkeep import published_in
from dp_stats.settings import load_settings
from dp_stats.unfinished import unfinished

RICH = dataset(rho="1")


@contextmanager
def statements(ledger: Ledger) -> Iterator[list[tuple[str, Any]]]:
    """The statements that a ledger's database is asked, with what stands for their values."""
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    engine = ledger._database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


def read_whole(ledger: Ledger, asked: list[tuple[str, Any]]) -> set[str]:
    """Tables that a statement reads from end to end, by the plan that the database makes; the last entry is the first it finds."""
    found: set[str] = set()
    with ledger._database.read() as connection:
        for statement, parameters in asked:
            if (
                statement.split()[0] in ("SELECT", "UPDATE", "DELETE")
                and "ORDER BY ledger_entries.sequence DESC" not in statement
            ):
                steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                found |= {name for row in steps for name in re.findall(r"^SCAN (\w+)$", row[3])}
    return found


def test_an_edition_is_made_and_given_back_without_reading_any_table_from_end_to_end(tmp_path: Path) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    both: Any = {"dataset": linked("linked", "0.1"), "holders": {"records": records("0.5")}}
    with statements(ledger) as asked:
        for week in ("2021-W01", "2021-W02"):
            made = measured(ledger, plan(week, series="weekly"), dataset=RICH)
            publish(ledger, made.edition)
        ledger.void(reserve(ledger, plan("2021-W03"), dataset=RICH), "not wanted")
        ledger.void(reserve(ledger, plan("2021-W05", of="linked", draws={"records": 2}), **both), "not wanted")
        ledger.approve(plan().hash, "custodian", "approved", "seen", clock.now + timedelta(1), {"2021": "0.01"})
        ledger.latest(made.edition)
        ledger.account(made.edition)
        ledger.retracted(made.edition, 1, "sent twice")
    assert len(asked) > 100
    assert read_whole(ledger, asked) <= {"ledger_head"}


def editions(ledger: Ledger, number: int) -> None:
    for week in range(1, number + 1):
        made = measured(ledger, plan(f"2021-W{week:02d}"), dataset=RICH)
        publish(ledger, made.edition)


def test_all_editions_are_asked_for_at_once(tmp_path: Path) -> None:
    settings = load_settings({"DP_STATS_HOME": str(tmp_path / "home")})
    needed = []
    for number in (2, 9):
        ledger = new_ledger(tmp_path)
        editions(ledger, number)
        with statements(ledger) as asked:
            assert ledger.problems() == []
            assert len(ledger.charges("cases")) == number
            assert ledger.retractions() == []
            assert unfinished(ledger, before=Clock().now + timedelta(days=9)) == []
            placed = list(published_in(ledger, settings))
        assert [known.edition for known, _ in placed] == [f"weekly/2021-W{week:02d}" for week in range(1, number + 1)]
        assert {place for _, place in placed} == {settings.public_dir}
        needed.append(len(asked))
    assert needed[0] == needed[1]


def test_a_revision_lies_where_the_audience_of_what_was_measured_says(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    county = plan("2021-W02", release="county", organisations=["county"], variant="Plan beds")
    for wanted in (plan("2021-W01"), county):
        publish(ledger, measured(ledger, wanted, dataset=RICH).edition)
    settings = load_settings({"DP_STATS_HOME": str(tmp_path / "home")})
    made = ledger.reservations()
    assert ledger.audiences(made) == {made[0].id: "public", made[1].id: "restricted"}
    assert {known.edition: place for known, place in published_in(ledger, settings)} == {
        "weekly/2021-W01": settings.public_dir,
        "county/2021-W02": settings.restricted,
    }
    assert [one.edition for one in ledger.reservations(edition="county/2021-W02")] == ["county/2021-W02"]
    assert set(ledger.described(ledger.publications()[:1])) == {("county/2021-W02", 1)}
