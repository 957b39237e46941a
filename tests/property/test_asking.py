"""Orders of events around a request: whatever is asked, swapped, charged, shown and answered meanwhile, what is measured is
what every custodian saw and approved, at the cost and with the remainder that her card promised, and nothing else stops it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ledger_examples import Clock, dataset, new_ledger, plan, sealed

from dp_stats.errors import ApprovalError, BudgetError, LedgerError
from dp_stats.ledger import Ledger, approving, cards, permitting
from dp_stats.ledger.cards import ShownCard
from dp_stats.plan.model import Plan

CAP, COST, LEEWAY = Fraction("0.02"), Fraction("0.005"), Fraction("0.002")
PURPOSES = ("To plan wards.", "To sell the figures.")
CUSTODIANS = ("custodian", "council")
BUDGET = dataset(rho=str(CAP))

Step = tuple[str, ...]
STEPS = st.one_of(
    st.tuples(st.just("swap"), st.sampled_from(PURPOSES)),
    st.tuples(st.just("show"), st.sampled_from(CUSTODIANS)),
    st.tuples(
        st.just("answer"),
        st.sampled_from(CUSTODIANS),
        st.sampled_from(["approved", "approved", "approved", "refused", "expired"]),
        st.sampled_from(["first", "last"]),
    ),
    st.tuples(st.just("charge"), st.sampled_from(["0.0005", "0.0015", "0.006"])),
    st.tuples(st.just("wait")),
    st.tuples(st.just("reserve"), st.sampled_from(["1", "2"])),
)
RUN: list[Step] = [
    *(("show", c) for c in CUSTODIANS),
    *(("answer", c, "approved", "last") for c in CUSTODIANS),
    ("reserve", "1"),
]
ORDERS = st.tuples(*(st.lists(STEPS, max_size=2) for _ in RUN), st.lists(STEPS, max_size=2)).map(
    lambda others: [
        step for between, own in zip(others, [*RUN, None], strict=True) for step in (*between, *([own] if own else []))
    ]
)
"""A request on its way, with whatever else happens before and after each step."""


@cache
def plan_for(purpose: str) -> Plan:
    """What would be measured if the request had this purpose."""
    return plan(rho=COST, release="adhoc", variant=purpose)


@dataclass
class AskedLedger:
    """A ledger, the request as it stands, and what a fair observer noted of every decision that the ledger took."""

    ledger: Ledger
    clock: Clock
    purpose: str = PURPOSES[0]
    shown: dict[str, list[ShownCard]] = field(default_factory=lambda: {c: [] for c in CUSTODIANS})
    decided: dict[str, tuple[str, ShownCard, Any]] = field(default_factory=dict)
    charges: int = 0
    measured: int = 0

    @property
    def plan(self) -> Plan:
        return plan_for(self.purpose)

    def quote(self, revision: int = 1) -> Any:
        return self.ledger.quote(self.plan, dataset=BUDGET, revision=revision, category="adhoc", requested_by="analyst")

    def take(self, step: Step) -> None:
        getattr(self, step[0])(*step[1:])

    def swap(self, purpose: str) -> None:
        self.purpose = purpose

    def show(self, custodian: str) -> None:
        quote = self.quote()
        left = {s.block: s.remaining for s in quote.before}
        floors = {b: max(Fraction(0), after - LEEWAY) for b, after in quote.remaining_after.items()}
        p = self.plan
        self.shown[custodian].append(
            ShownCard(p.hash, p.edition, 1, "analyst", self.purpose, "public", quote.rho, left, floors, "text")
        )

    def answer(self, custodian: str, decision: Any, which: str) -> None:
        if self.shown[custodian]:
            card = self.shown[custodian][0 if which == "first" else -1]
            expires = self.clock.now + timedelta(days=30)
            self.ledger.approve(card.plan, custodian, decision, "Seen.", expires, card)
            self.decided[f"{custodian}/{card.plan}"] = (decision, card, expires)

    def charge(self, rho: str) -> None:
        self.charges += 1
        other = plan(f"2021-W{self.charges + 10}", rho=rho, release="other")
        try:
            self.ledger.reserve(
                sealed(other), dataset=BUDGET, category="scheduled", requested_by="schedule", reason="scheduled"
            )
        except BudgetError:
            assert sum(c.rho for c in self.ledger.charges() if c.state != "void") + Fraction(rho) > CAP

    def wait(self) -> None:
        self.clock.forward(days=20)

    def reserve(self, revision: str) -> None:
        number, now = int(revision), self.plan
        standing = self.ledger.reservation(now.edition, number)
        before = self.quote(number) if standing is None or standing.plan_hash == now.hash else None
        left = sum((c.rho for c in self.ledger.charges() if c.state != "void"), Fraction(0))
        replaced = standing is not None and standing.plan_hash != now.hash
        after = CAP - left - (0 if replaced or (before and not before.charged) else COST)
        fair = all(self.fair(c, number, None if before and not before.charged else after) for c in CUSTODIANS)
        allowed = self.permitted(number)
        refused = self.refusal(number)
        if refused:
            assert not fair or after < 0, f"refused though all approved it as it is: {refused}"
            assert not allowed or replaced, "permitted before rows were read, and refused after"
            assert "Nothing was charged" in refused
        else:
            assert fair, "it was reserved though somebody did not approve it as it is"
            assert allowed or replaced, "refused before rows were read, and reserved after"
            self.measured += 1

    def refusal(self, revision: int) -> str:
        """Reserve; what is said if it is refused."""
        try:
            self.ledger.reserve(
                sealed(self.plan),
                dataset=BUDGET,
                revision=revision,
                category="adhoc",
                requested_by="analyst",
                reason=self.purpose,
            )
        except (ApprovalError, BudgetError) as error:
            return str(error)
        return ""

    def permitted(self, revision: int) -> bool:
        try:
            self.ledger.permit(
                self.plan,
                dataset=BUDGET,
                revision=revision,
                category="adhoc",
                requested_by="analyst",
                purpose=self.purpose,
            )
        except (ApprovalError, BudgetError):
            return False
        return True

    def fair(self, custodian: str, revision: int, after: Fraction | None) -> bool:
        """Whether this custodian's latest answer on this plan is a yes that still holds. ``after``: None if charged."""
        decision, card, expires = self.decided.get(f"{custodian}/{self.plan.hash}", ("none", None, None))
        if decision != "approved" or expires <= self.clock.now:
            return False
        assert card is not None
        if (card.purpose, card.rho, card.revision) != (self.purpose, COST, revision):
            return False
        return after is None or after >= card.floors["2021"]


def play(steps: Sequence[Step]) -> AskedLedger:
    with TemporaryDirectory() as folder:
        clock = Clock()
        asked = AskedLedger(new_ledger(Path(folder), clock), clock)
        for step in steps:
            asked.take(step)
        assert asked.ledger.problems() == []
    return asked


def try_orders(examples: int, **options: Any) -> None:
    """Play that many orders of events; an order in which anything unfair happens fails."""

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck), **options)
    @given(ORDERS)
    def orders(steps: Sequence[Step]) -> None:
        play(steps)

    orders()


def test_what_is_measured_is_what_everybody_saw_and_approved_in_every_order_of_events() -> None:
    try_orders(50)


@pytest.mark.parametrize(
    ("between", "measured"),
    [
        ([], True),
        ([("charge", "0.0015")], True),
        ([("charge", "0.0015"), ("charge", "0.0015")], False),
        ([("charge", "0.006")], False),
        ([("swap", PURPOSES[1])], False),
        ([("swap", PURPOSES[1]), ("swap", PURPOSES[0])], True),
        ([("swap", PURPOSES[1]), ("show", "custodian"), ("answer", "custodian", "approved", "last")], False),
        ([("charge", "0.006"), ("show", "custodian"), ("answer", "custodian", "approved", "first")], False),
        ([("wait",), ("wait",)], False),
        ([("answer", "council", "refused", "last")], False),
    ],
)
def test_a_waiting_approval_outlives_small_charges_and_nothing_else(between: list[Step], measured: bool) -> None:
    assert play([*RUN[:-1], *between, RUN[-1]]).measured == measured


def test_an_approval_pays_for_one_revision() -> None:
    assert play([*RUN, ("reserve", "2"), ("reserve", "1")]).measured == 2, "the first again costs nothing"


def without_floors(card: ShownCard, *, quote: Any = None, **options: Any) -> Iterator[str]:
    return cards.objections(card, quote=None, **options)


def for_any_revision(card: ShownCard, *, revision: int, **options: Any) -> Iterator[str]:
    return cards.objections(card, revision=card.revision, **options)


def for_any_purpose(card: ShownCard, *, plan: str, purpose: Any = None, **options: Any) -> Iterator[str]:
    return cards.objections(card, plan=card.plan, **options)


def as_long_as_nobody_is_charged(card: ShownCard, *, quote: Any = None, **options: Any) -> Iterator[str]:
    full = replace(card, floors={b: rho - card.rho for b, rho in card.left.items()})
    return cards.objections(full, quote=quote, **options)


def of_any_plan(connection: Any, plan_hash: str) -> list[Any]:
    from sqlalchemy import select

    from dp_stats.ledger import schema

    rows = connection.execute(select(schema.approvals).order_by(schema.approvals.c.id)).mappings()
    return [approving.approval_of(row) for row in rows]


FAULTS: dict[str, list[tuple[Any, str, Callable[..., Any]]]] = {
    "the floor is not looked at": [(approving, "objections", without_floors)],
    "any charge elsewhere voids an approval": [(approving, "objections", as_long_as_nobody_is_charged)],
    "one approval pays for every revision": [(approving, "objections", for_any_revision)],
    "an approval counts for another plan and purpose": [
        (approving, "objections", for_any_purpose),
        (approving, "decisions", of_any_plan),
    ],
    "rows are read without asking the ledger first": [(permitting, "permit", lambda *_, **__: None)],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_version_is_found(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    for module, name, broken in FAULTS[fault]:
        monkeypatch.setattr(module, name, broken)
    with pytest.raises((AssertionError, ExceptionGroup)):
        try_orders(400, derandomize=True, phases=[Phase.generate])


def test_a_decision_on_another_plan_than_the_cards_is_not_recorded() -> None:
    with TemporaryDirectory() as folder:
        clock = Clock()
        asked = AskedLedger(new_ledger(Path(folder), clock), clock)
        asked.show("custodian")
        (card,) = asked.shown["custodian"]
        with pytest.raises(ApprovalError, match="whose card was shown"):
            asked.ledger.approve("0" * 64, "custodian", "approved", "", clock.now + timedelta(1), card)
        assert not asked.ledger.approvals("0" * 64)


def test_a_card_reads_back_the_same_and_what_is_none_is_refused() -> None:
    card = ShownCard(
        "p", "a/2021", 1, "Ann", "To plan ☂.", "public", COST, {"2021": CAP}, {"2021": Fraction(1, 3)}, "…"
    )
    assert ShownCard.read(card.content) == card
    for other in (b"", b"[]", b"{}", card.content.replace(b"1/3", b"one third"), card.content[:-1]):
        with pytest.raises(LedgerError, match="cannot be read"):
            ShownCard.read(other)
