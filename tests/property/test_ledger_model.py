"""Whatever is asked of the ledger in whatever order, it answers as a model of a few lines does."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from ledger_examples import Clock, dataset, new_ledger, plan, publish, reserve

from dp_stats.errors import BudgetError, LedgerError, RegisterError
from dp_stats.ledger import Ledger, reserving
from dp_stats.transparency.history import History

CAP, LOWERED = Fraction("0.02"), Fraction("0.012")
WEEKS, BLOCKS = st.integers(1, 3), st.sampled_from([("2020",), ("2021",), ("2020", "2021")])
SHARED = Path("/dev/shm")
"""Memory instead of a disk: these tests write a lot and survive no power cut."""


@dataclass
class Known:
    """What the model knows of one reservation."""

    key: str
    blocks: tuple[str, ...]
    plan: str
    rho: Fraction
    made: Any
    state: str = "reserved"
    content: bytes | None = None
    published: bool = False


@dataclass
class Model:
    """Charges per (key, block), and reservations per edition and revision."""

    charges: dict[tuple[str, str], Fraction] = field(default_factory=dict)
    known: dict[tuple[str, int], Known] = field(default_factory=dict)

    def held(self, block: str) -> Fraction:
        return sum((rho for (_, where), rho in self.charges.items() if where == block), Fraction(0))

    def without(self, gone: Known) -> dict[tuple[str, str], Fraction]:
        """The charges after ``gone`` is void."""
        used = {(o.key, b) for o in self.known.values() if o is not gone for b in o.blocks}
        return {c: rho for c, rho in self.charges.items() if c[0] != gone.key or c[1] not in gone.blocks or c in used}


class LedgerAndModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(dir=SHARED if SHARED.is_dir() else None))
        self.clock = Clock()
        self.ledger: Ledger = new_ledger(self.folder, self.clock)
        self.model = Model()
        self.cap = CAP
        self.told: list[str] = []

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(week=WEEKS, blocks=BLOCKS, series=st.booleans(), cost=st.sampled_from([3, 5, 9]), revision=st.integers(1, 2))
    def reserves(self, week: int, blocks: tuple[str, ...], series: bool, cost: int, revision: int) -> None:
        rho = Fraction(4 if series else cost, 1000)
        name = "weekly" if series else None
        wanted = plan(f"2021-W{week:02d}", rho=rho, blocks=blocks, series=name)
        key = f"{wanted.series_hash if series else wanted.hash}{'+r2' if revision == 2 else ''}"
        found = self.model.known.get((wanted.edition, revision))
        known = Known(key, blocks, wanted.hash, rho, None)
        outcome = self._outcome(found, known)
        self.clock.forward(seconds=1)
        options = {"revision": revision, "reason": "correction", "dataset": dataset(rho=str(self.cap))}
        if outcome is not None:
            with pytest.raises(outcome):
                reserve(self.ledger, wanted, **options)
            return
        made = reserve(self.ledger, wanted, **options)
        if found is None or found.plan != wanted.hash:
            if found is not None:
                self.model.charges = self.model.without(found)
            known.made = made
            self.model.known[wanted.edition, revision] = known
            for block in blocks:
                self.model.charges.setdefault((key, block), rho)
        assert made.state == self.model.known[wanted.edition, revision].state

    def _outcome(self, found: Known | None, wanted: Known) -> type[Exception] | None:
        if found and found.plan == wanted.plan:
            return None
        if found and found.state != "reserved":
            return LedgerError
        charges = self.model.without(found) if found else self.model.charges
        after = Model(dict(charges))
        for block in wanted.blocks:
            if (wanted.key, block) not in charges and after.held(block) + wanted.rho > self.cap:
                return BudgetError
        return None

    @rule(which=st.integers(0, 20))
    def spends(self, which: int) -> None:
        if (known := self._pick(which)) is None:
            return
        if known.made.series:
            expected = len(self.ledger.register_entries(known.made))
            try:
                self.ledger.register_entry(known.made, expected=expected, digest=f"rows {which}")
            except RegisterError:
                assert known.state == "stored"
        self.ledger.spend(known.made)
        known.state = "spent" if known.state == "reserved" else known.state

    @rule(which=st.integers(0, 20), content=st.binary(max_size=8))
    def stores(self, which: int, content: bytes) -> None:
        if (known := self._pick(which)) is None:
            return
        if known.state == "reserved":
            with pytest.raises(LedgerError):
                self.ledger.store(known.made, content)
            return
        known.content = content if known.content is None else known.content
        known.state = "stored"
        assert self.ledger.store(known.made, content) == known.content

    @rule(which=st.integers(0, 20))
    def voids(self, which: int) -> None:
        if (known := self._pick(which)) is None:
            return
        if known.state != "reserved":
            with pytest.raises(LedgerError):
                self.ledger.void(known.made, "not wanted")
            return
        self.ledger.void(known.made, "not wanted")
        self.model.charges = self.model.without(known)
        self.model.known = {k: v for k, v in self.model.known.items() if v is not known}

    @rule(which=st.integers(0, 20))
    def publishes(self, which: int) -> None:
        """What the public is told goes on from what it was told, and adds up to what the ledger has spent."""
        known = self._pick(which)
        if known is None or known.state != "stored" or known.published:
            return
        known.published = True
        edition, revision = known.made.edition, known.made.revision
        account = self.ledger.disclose(edition, revision)
        publish(self.ledger, edition, revision=revision)
        lines, before = self.ledger.log(), self.told
        assert lines[: len(before)] == before
        history, self.told = History.read(lines), lines
        assert account.log is not None
        assert history.head(account.log.size) == account.log
        assert {b.block: b.spent for b in account.blocks} == {
            b: history.spent("cases", b, size=account.log.size) for b in known.blocks
        }
        assert [o.leaf < account.log.size for o in history.editions[len(lines) - 1].charges] == [True] * len(
            known.blocks
        )

    @rule(cap=st.sampled_from([CAP, LOWERED]))
    def changes_the_cap(self, cap: Fraction) -> None:
        self.cap = cap

    @rule()
    def opens_again(self) -> None:
        head = self.ledger.head()
        self.ledger = Ledger.open(self.folder / "ledger.db", clock=self.clock)
        assert self.ledger.verify().head == head

    def _pick(self, which: int) -> Known | None:
        known = list(self.model.known.values())
        return known[which % len(known)] if known else None

    @invariant()
    def budgets_are_those_of_the_model(self) -> None:
        held = {state.block: state.spent + state.reserved for state in self.ledger.blocks()}
        assert {b: rho for b, rho in held.items() if rho} == {
            b: self.model.held(b) for b in ("2020", "2021") if self.model.held(b)
        }
        assert all(rho <= CAP for rho in held.values())


QUICK = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


BROKEN = settings(QUICK, max_examples=300, derandomize=True, phases=[Phase.generate], report_multiple_bugs=False)


@pytest.mark.slow
def test_the_ledger_does_what_the_model_does() -> None:
    run_state_machine_as_test(LedgerAndModel, settings=QUICK)


@pytest.mark.slow
def test_a_ledger_that_gives_back_shared_charges_is_caught() -> None:
    broken = patch.object(reserving, "sharing", lambda connection, reservation: [])
    with broken, pytest.raises((AssertionError, LedgerError, ExceptionGroup)):
        run_state_machine_as_test(LedgerAndModel, settings=BROKEN)
