"""What linked datasets spend is paid by the dataset that holds their records, too: all of it or nothing, in every order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import Clock, dataset, linked, new_ledger, plan, postgres, publish, records, reserve, together

from dp_stats.errors import ApprovalError, BudgetError, DpStatsError, LedgerError
from dp_stats.ledger import Ledger, drawing
from dp_stats.ledger.cards import ShownCard
from dp_stats.ledger.disclosing import log_lines
from dp_stats.ledger.projection import drawn_key
from dp_stats.transparency.history import History

TIMES = {"beds": 1, "risk": 4}
CAP, HELD = Fraction("0.02"), Fraction("0.05")
HOLDERS = {"records": records(str(HELD))}

EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("reserve"),
            st.sampled_from(["beds", "risk"]),
            st.integers(1, 4),
            st.sampled_from(["0.002", "0.005", "0.01"]),
            st.booleans(),
            st.sampled_from([("2021",), ("2022",), ("2021", "2022")]),
        ),
        st.tuples(st.just("own"), st.integers(1, 4), st.sampled_from(["0.01", "0.03"])),
        st.tuples(st.sampled_from(["spend", "void"]), st.integers(0, 20)),
    ),
    min_size=3,
    max_size=14,
)


@contextmanager
def a_ledger() -> Iterator[Ledger]:
    with TemporaryDirectory() as folder:
        yield new_ledger(Path(folder), Clock())


@dataclass
class SharedBudgets:
    """A ledger beside a book of who uses which charge, kept in the plainest way."""

    ledger: Ledger
    users: dict[tuple[str, str, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    cost: dict[tuple[str, str, str], Fraction] = field(default_factory=dict)
    made: list[Any] = field(default_factory=list)

    def total(self, dataset: str, block: str) -> Fraction:
        """What is charged to a block by the book."""
        own = [c for at, c in self.cost.items() if self.users[at] and at[0] == dataset and at[2] == block]
        if dataset == "records":
            own += [c * TIMES[at[0]] for at, c in self.cost.items() if self.users[at] and at[0] in TIMES]
        return sum(own, Fraction(0))

    def reserve(self, name: str, week: int, rho: str, shared: bool, blocks: tuple[str, ...]) -> None:
        series = f"{name} at {rho}" if shared else None
        wanted = plan(f"2021-W{week:02d}", of=name, release=f"{name}-{rho[2:]}-{shared}".lower(), rho=rho, series=series,
                      blocks=blocks, draws={"records": TIMES[name]})  # fmt: skip
        self._try(wanted, linked(name, str(CAP)), blocks, rho=rho, times=TIMES[name])

    def own(self, week: int, rho: str) -> None:
        wanted = plan(
            f"2021-W{week:02d}", of="records", release=f"own-{rho[2:]}", rho=rho, blocks=("lifetime",), per="lifetime"
        )
        self._try(wanted, HOLDERS["records"], ("lifetime",), rho=rho, times=0)

    def _try(self, wanted: Any, declared: Any, blocks: tuple[str, ...], *, rho: str, times: int) -> None:
        key = wanted.series_hash if wanted.series else wanted.hash
        standing = self.ledger.reservation(wanted.edition)
        if standing is not None and standing.plan_hash != wanted.hash:
            return
        new = [b for b in blocks if not self.users[declared.id, key, b]] if standing is None else []
        each = Fraction(rho)
        cap = HELD if declared.id == "records" else CAP
        room = all(self.total(declared.id, b) + each <= cap for b in new)
        room = room and (not times or not new or self.total("records", "lifetime") + each * times * len(new) <= HELD)
        before = self.ledger.head()
        try:
            made = reserve(self.ledger, wanted, dataset=declared, holders=HOLDERS)
        except BudgetError:
            assert not room
            assert self.ledger.head() == before, "a refusal writes nothing, anywhere"
            return
        assert room
        for block in blocks:
            self.users[declared.id, key, block].add(made.id)
            self.cost[declared.id, key, block] = each
        if standing is None:
            self.made.append(made)

    def spend(self, number: int) -> None:
        if self.made:
            made = self.made[number % len(self.made)]
            if made.series:
                self.ledger.register_entry(made, expected=len(self.ledger.register_entries(made)), digest=made.edition)
            self.ledger.spend(made)

    def void(self, number: int) -> None:
        if self.made and self.ledger.latest(self.made[number % len(self.made)].edition).state == "reserved":  # type: ignore[union-attr]
            made = self.made.pop(number % len(self.made))
            self.ledger.void(made, "not needed")
            for users in self.users.values():
                users.discard(made.id)

    def holds(self) -> None:
        """The ledger's budgets are those of the book, and within every cap."""
        found = {(b.dataset, b.block): b for b in self.ledger.blocks()}
        for (name, block), state in found.items():
            assert state.spent + state.reserved == self.total(name, block)
            assert state.spent + state.reserved <= (HELD if name == "records" else CAP)


def play(events: list[Any]) -> None:
    with a_ledger() as ledger:
        budgets = SharedBudgets(ledger)
        for event, *given_ in events:
            try:
                getattr(budgets, event)(*given_)
            except LedgerError:  # what is void is not spent
                assert event == "spend"
            budgets.holds()
        ledger.verify()


@settings(max_examples=30, deadline=None)
@given(events=EVENTS)
def test_in_every_order_the_holder_pays_what_was_derived_and_no_cap_is_ever_passed(events: list[Any]) -> None:
    play(events)


@pytest.mark.parametrize("broken", ["unasked", "unpaid", "kept"])
def test_a_ledger_that_does_not_ask_charge_or_give_back_for_the_holder_is_caught(broken: str) -> None:
    events: list[Any] = [
        ("reserve", "risk", 1, "0.01", False, ("2021",)),
        ("reserve", "beds", 1, "0.01", False, ("2021",)),
        ("void", 0),
        ("reserve", "risk", 2, "0.01", False, ("2021",)),
        ("reserve", "risk", 3, "0.01", False, ("2022",)),
    ]
    play(events)
    with _broken(broken), pytest.raises((AssertionError, DpStatsError)):
        play(events)


def _broken(how: str) -> Any:
    if how == "unasked":
        return patch.object(drawing, "refusals", lambda *given, **named: ())
    if how == "unpaid":
        return patch.object(drawing, "payload", lambda drawn: {})
    return patch("dp_stats.ledger.projection.drawn_key", _another_key())


def _another_key() -> Callable[[str, str], str]:
    """Charges are never found again under their key."""
    numbers = iter(range(1000))
    return lambda key, block: f"{drawn_key(key, block)}{next(numbers)}"[-160:]


def test_what_a_linked_edition_spent_is_in_the_holders_public_log() -> None:
    with a_ledger() as ledger:
        made = reserve(
            ledger,
            plan(of="risk", draws={"records": 4}),
            dataset=linked("risk"),
            holders=HOLDERS,
        )
        own = plan("2021-W08", of="records", release="own", rho="0.01", blocks=("lifetime",), per="lifetime")
        theirs = reserve(ledger, own, dataset=HOLDERS["records"])
        for one in (made, theirs):
            ledger.spend(one)
            ledger.store(one, b"noisy")
        ledger.disclose(made.edition)
        publish(ledger, made.edition)
        opened = next(iter(History.read(log_lines(ledger.entries())).editions.values()))
        assert (len(opened.charges), len(opened.draws)) == (1, 1), "the edition opens what the holder paid for it"
        account = ledger.disclose(theirs.edition)
        assert account.blocks[0].spent == Fraction("0.03")
        history = History.read(log_lines(ledger.entries()))
        assert history.spent("records", "lifetime", size=len(history.lines)) == Fraction("0.03")
        charges = {(c.release, c.dataset, c.editions): c.rho for c in ledger.charges("records")}
        assert charges == {
            ("weekly", "records", ("weekly/2021-W07",)): Fraction("0.02"),
            ("own", "records", ("own/2021-W08",)): Fraction("0.01"),
        }


def test_without_the_holders_budget_nothing_is_reserved() -> None:
    with a_ledger() as ledger:
        wanted = plan(of="risk", draws={"records": 4})
        for holders in ({}, {"records": dataset(per="year", rho="1").model_copy(update={"id": "records"})}):
            with pytest.raises(LedgerError, match="no budget for all days"):
                reserve(ledger, wanted, dataset=linked("risk"), holders=holders)
        assert not ledger.blocks()


def test_an_approval_promises_a_floor_of_the_holders_budget_too() -> None:
    with a_ledger() as ledger:
        wanted = plan(of="risk", draws={"records": 4}, variant="Plan beds")
        ask = {"dataset": linked("risk"), "holders": HOLDERS, "category": "adhoc", "requested_by": "analyst"}
        quote = ledger.quote(wanted, **ask)  # type: ignore[arg-type]
        assert [(one.name, one.rho, one.after) for one in quote.drawn] == [
            ("records: lifetime", Fraction("0.02"), Fraction("0.03"))
        ]
        assert quote.room == Fraction("0.0125"), "four times as much fits into what the holder has left"
        left = {b.block: b.remaining for b in quote.before} | {one.name: one.before.remaining for one in quote.drawn}
        floors = dict(quote.remaining_after) | {one.name: one.after for one in quote.drawn}
        for approver in quote.approvers:
            shown = ShownCard(wanted.hash, wanted.edition, 1, "analyst", "Plan beds", "public", quote.rho, left, floors)
            ledger.approve(wanted.hash, approver, "approved", "fine", _later(ledger), shown)
        own = plan("2021-W08", of="records", release="own", rho="0.01", blocks=("lifetime",), per="lifetime")
        other = reserve(ledger, own, dataset=HOLDERS["records"])
        with pytest.raises(ApprovalError, match="of block records: lifetime is left after it"):
            reserve(ledger, wanted, **ask)
        ledger.void(other, "given back")
        assert reserve(ledger, wanted, **ask).charged == ("2021",)


def _later(ledger: Ledger) -> Any:
    from datetime import timedelta

    return ledger._clock() + timedelta(days=1)


def linker(barrier: Any, url: str, number: int) -> int:
    """Charge what the shared budget allows from a dataset of one's own; returns how many were granted."""
    ledger = Ledger.open(url)
    name, granted = f"linked-{number}", 0
    wishes = [plan(f"2021-W{n:02d}", of=name, release=name, draws={"records": 2}) for n in (1, 2, 3)]
    barrier.wait()
    for wish in wishes:
        try:
            ledger.spend(reserve(ledger, wish, dataset=linked(name), holders=HOLDERS))
        except BudgetError:
            continue
        granted += 1
    return granted


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_of_several_linked_datasets_cannot_overspend_the_budget_that_they_share(
    kind: str, tmp_path: Path
) -> None:
    def race(url: str) -> None:
        assert sum(together(linker, [(url, number) for number in range(6)])) == 5, "0.05 is five times 0.01"
        ledger = Ledger.open(url)
        held = {b.dataset: b for b in ledger.blocks()}
        assert (held["records"].spent, held["records"].remaining) == (HELD, 0)
        ledger.verify()

    if kind == "sqlite":
        race(f"sqlite:///{tmp_path / 'l.db'}")
    else:
        with postgres() as database:
            race(database())
