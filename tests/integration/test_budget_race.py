"""Many real processes fight over the last of a budget, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from ledger_examples import (
    dataset,
    digest_after,
    drawer,
    greedy,
    plan,
    postgres,
    registrar,
    reserve,
    splitter,
    together,
)

from dp_stats.errors import BudgetError
from dp_stats.ledger import Ledger

FIGHTERS = 16


@pytest.fixture(scope="module")
def server() -> Iterator[Callable[[], str]]:
    with postgres() as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    made = request.getfixturevalue("server")() if request.param == "postgresql" else f"sqlite:///{tmp_path / 'l.db'}"
    return str(made)


def test_sixteen_processes_cannot_spend_more_than_the_cap(url: str) -> None:
    granted = together(greedy, [(Ledger, url, number, 3) for number in range(FIGHTERS)])
    assert sum(granted) == 4, "0.02 is four times 0.005"
    ledger = Ledger.open(url)
    (state,) = ledger.blocks()
    assert (state.spent, state.reserved, state.remaining) == (Fraction("0.02"), 0, 0)
    ledger.verify()


def test_sixteen_processes_cannot_split_a_request_to_pass_without_an_approval(url: str) -> None:
    granted = together(splitter, [(url, number, 2) for number in range(FIGHTERS)])
    assert sum(granted) == 4, "the fifth 0.004 would reach the allowance of 0.018"
    assert Ledger.open(url).blocks()[0].by_analyst == {"analyst": Fraction("0.016")}


def test_sixteen_processes_that_create_the_ledger_make_one(url: str) -> None:
    together(greedy, [(Ledger, url, number, 0) for number in range(FIGHTERS)])
    assert [entry.event for entry in Ledger.open(url).entries()] == ["created"]


def test_sixteen_processes_that_draw_for_one_edition_all_return_the_same_values(url: str) -> None:
    answers = together(drawer, [(url, number) for number in range(FIGHTERS)])
    assert len(set(answers)) == 1
    ledger = Ledger.open(url)
    assert [e.event for e in ledger.entries()] == ["created", "reserved", "spent", "stored"]
    ledger.verify()


def test_each_of_sixteen_editions_registers_after_having_seen_all_before_it(url: str) -> None:
    assert all(together(registrar, [(url, number) for number in range(FIGHTERS)]))
    ledger = Ledger.open(url)
    made = reserve(ledger, plan("2021-W01", series="weekly"))
    entries = ledger.register_entries(made)
    assert [entry.sequence for entry in entries] == list(range(1, FIGHTERS + 1))
    for place, entry in enumerate(entries):
        number = int(entry.edition[-2:]) - 1
        assert entry.digest == digest_after([e.digest for e in entries[:place]], number)
    assert len(ledger.charges()) == 1, "the whole series pays once"
    ledger.verify()


class ChecksTooEarly(Ledger):
    """Broken on purpose: looks at the budget in one transaction and charges it in another."""

    def reserve(self, *arguments: Any, **options: Any) -> Any:
        quote = self.quote(arguments[0].plan, dataset=dataset())
        if quote.refusals:
            raise BudgetError("nothing left")
        GATE.wait()
        with patch("dp_stats.ledger.budget.refusals", return_value=()):
            return super().reserve(*arguments, **options)


GATE: Any = None


def careless(barrier: Any, url: str, number: int) -> int:
    global GATE
    GATE = barrier
    return greedy(barrier, ChecksTooEarly, url, number, 1)


def test_a_ledger_that_checks_outside_its_transaction_is_caught(url: str) -> None:
    Ledger.open(url)
    assert sum(together(careless, [(url, number) for number in range(8)])) > 4
    ledger = Ledger.open(url)
    (state,) = ledger.blocks()
    assert state.spent > state.cap
    assert any("above its cap" in problem for problem in ledger.problems())
