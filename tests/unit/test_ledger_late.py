"""Late rows in the ledger: to which editions they may be added, which editions have added some, and what that publishes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from ledger_examples import dataset, deaths, elsewhere, measured, plan, publish, reserve

from dp_stats.errors import LedgerError
from dp_stats.ledger import Ledger
from dp_stats.ledger.disclosing import log_lines
from dp_stats.ledger.witnesses import Testimony
from dp_stats.plan.model import Plan

RICH = dataset(rho="1")
WEEKS = [f"2021-W0{n}" for n in range(1, 10)]


def weekly(week: int, *, late: Sequence[str] = ()) -> Plan:
    return plan(f"2021-W0{week}", series="weekly", late=late)


def open_weeks(ledger: Ledger, *, dataset: str = "cases", periods: Sequence[str] = WEEKS) -> dict[str, list[str]]:
    found = ledger.open_editions("weekly", dataset=dataset, periods=periods)
    return {key: [sealed.plan.period for sealed in plans] for key, plans in found.items()}


def test_late_rows_may_be_added_to_editions_that_are_stored_and_neither_corrected_nor_retracted(ledger: Ledger) -> None:
    key = measured(ledger, weekly(1), dataset=RICH).key
    measured(ledger, weekly(2), dataset=RICH)
    for week in (3, 4):
        measured(ledger, weekly(week), dataset=RICH)
    reserve(ledger, weekly(3), dataset=RICH, revision=2, reason="a correction")
    publish(ledger, "weekly/2021-W04")
    ledger.retracted("weekly/2021-W04", 1, "sent twice")
    reserve(ledger, weekly(5), dataset=RICH)
    spent = reserve(ledger, weekly(6), dataset=RICH)
    ledger.register_entry(spent, expected=len(ledger.register_entries(spent)), digest="x")
    ledger.spend(spent)
    ledger.void(reserve(ledger, weekly(7), dataset=RICH), "asked in vain")
    measured(ledger, plan("2021-W08", rho="1/100"), dataset=RICH)
    measured(ledger, plan("2021-W09", series="weekly", release="monthly"), dataset=RICH)
    assert open_weeks(ledger) == {key: ["2021-W01", "2021-W02"]}
    assert open_weeks(ledger, periods=["2021-W02", "2021-W05"]) == {key: ["2021-W02"]}
    assert open_weeks(ledger, dataset="deaths") == {}
    other = measured(ledger, plan("2021-W05", series="another"), dataset=RICH, new_series=True)
    assert open_weeks(ledger) == {key: ["2021-W01", "2021-W02"], other.key: ["2021-W05"]}


def test_the_editions_that_added_late_rows_to_one_are_known_in_the_order_in_which_they_were_stored(
    ledger: Ledger,
) -> None:
    first = measured(ledger, weekly(1), dataset=RICH)
    assert ledger.adding_editions(first) == []
    for week, late in ((2, [1]), (3, [1, 2]), (4, [3]), (5, [1])):
        wanted = weekly(week, late=[WEEKS[n - 1] for n in late])
        reserve(ledger, wanted, dataset=RICH) if week == 5 else measured(ledger, wanted, dataset=RICH)
    measured(ledger, plan("2021-W06", series="another", late=["2021-W01"]), dataset=RICH, new_series=True)
    own = weekly(7, late=["2021-W07"])  # no planner makes this; an edition never adds to itself
    itself = measured(ledger, own, dataset=RICH)
    elsewhere(ledger, plan("2021-W08", series="weekly", late=["2021-W01"]), dataset=deaths())
    found = ledger.adding_editions(first)
    assert [(made.period, sealed.plan.period) for made, sealed in found] == [("2021-W02",) * 2, ("2021-W03",) * 2]
    assert ledger.adding_editions(itself) == []


def test_a_revision_of_late_rows_says_what_it_was_made_of_and_keeps_its_number(tmp_path: Path, ledger: Ledger) -> None:
    made = measured(ledger, weekly(1), dataset=RICH)
    with pytest.raises(LedgerError, match=r"weekly/2021-W01 \(revision 2\) was never measured"):
        publish(ledger, made.edition, revision=2)
    account = ledger.disclose(made.edition, 2, measured=1)
    assert account.reservation == ledger.reservation(made.edition)
    assert ledger.entries()[-1].payload["revision"] == 2
    told = log_lines(ledger.entries())
    publish(ledger, made.edition, revision=2, measured=1)
    assert ledger.log()[: len(told)] == told
    assert ledger.problems() == []
    with pytest.raises(LedgerError) as error:
        reserve(ledger, weekly(1), dataset=RICH, revision=2, reason="a correction")
    assert str(error.value) == (
        "weekly/2021-W01 (revision 2) is published already, made of the measurements of an earlier revision. A correction "
        "needs the next number that is free, such as 3."
    )
    assert reserve(ledger, weekly(2), dataset=RICH, revision=2, reason="early").revision == 2
    assert reserve(ledger, weekly(1), dataset=RICH, revision=3, reason="a correction").revision == 3
    before = ledger.head()
    with pytest.raises(LedgerError, match=r"^weekly/2021-W01 \(revision 3\) is being measured as a correction\."):
        publish(ledger, made.edition, revision=3, measured=1)
    assert ledger.head() == before
    with ledger._database.read() as connection:
        known = Testimony(editions=frozenset({(made.edition, 1), (made.edition, 2)}))
        assert known.unknown_to(connection) == []
        assert len(Testimony(editions=frozenset({(made.edition, 4)})).unknown_to(connection)) == 1
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        for trigger in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {trigger[0]}")
        raw.execute("UPDATE ledger_descriptions SET plan = 'another' WHERE revision = 2")
    assert any("(revision 2) is of another plan than its measurements" in line for line in ledger.problems())
