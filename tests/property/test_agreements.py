"""Nothing is charged outside an agreement, whatever is declared, on whatever day, in whatever order of versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import Clock, agreement, dataset, new_ledger, plan, reserve, sealed

from dp_stats.errors import AgreementError, ApprovalError
from dp_stats.ledger import Ledger
from dp_stats.ledger.agreeing import why_not_measured

FEW = settings(max_examples=40, deadline=None)
START, END, UNTIL = date(2021, 3, 20), date(2021, 4, 30), date(2021, 4, 20)
OTHERWISE: Mapping[str, Any] = {
    "datasets": ["others"],
    "audiences": ["restricted"],
    "statistics": [{"kind": "persons"}],
    "by": {"date": ["day"]},
    "budget": {"rho": "0.019"},
    "purposes": {"other": "Something else"},
}
"""A field of an agreement → a value with which it does not allow what is asked."""


@contextmanager
def ledger_at(clock: Clock) -> Iterator[Ledger]:
    with TemporaryDirectory() as folder:
        yield new_ledger(Path(folder), clock)


def held(ledger: Ledger) -> Fraction:
    return sum((b.spent + b.reserved for b in ledger.blocks()), Fraction(0))


def shared_until(day: date) -> dict[str, Any]:
    table = {"custodian": "Health service", "purposes": ["plan"], "legal_basis": "An act", "until": day}
    return {"tables": {"rows": table}}


@FEW
@given(
    day=st.dates(START - timedelta(days=15), END + timedelta(days=40)),
    at=st.times(),
    until=st.dates(START, END + timedelta(days=20)),
    otherwise=st.one_of(st.just(""), st.sampled_from(sorted(OTHERWISE))),
)
def test_a_plan_is_reserved_on_the_days_and_for_the_use_that_are_agreed_and_else_nothing_is_written(
    day: date, at: time, until: date, otherwise: str
) -> None:
    changed = {otherwise: OTHERWISE[otherwise]} if otherwise else {}
    tables = shared_until(until)["tables"]
    if otherwise == "purposes":
        tables["rows"]["purposes"] = ["other"]
    under = agreement(tables=tables, starts=START, **changed)
    clock = Clock()
    clock.now = datetime.combine(day, at, UTC)
    with ledger_at(clock) as ledger:
        wanted, before = plan(under=under), ledger.head()
        allowed = START <= day <= min(END, until) and not otherwise
        told = dataset(under=under)
        if allowed:
            ledger.agreed(sealed(wanted), dataset=told)
            made = reserve(ledger, wanted, dataset=told)
            assert made.agreement == sealed(wanted).agreement_hash
            ledger.verify()
        else:
            for refused in (
                lambda: ledger.agreed(sealed(wanted), dataset=told),
                lambda: reserve(ledger, wanted, dataset=told),
            ):
                with pytest.raises(AgreementError, match="Nothing was charged"):
                    refused()
            assert (ledger.head(), held(ledger)) == (before, 0)


SOME = st.sets(st.sampled_from(["county", "shire", "agency"]))


@settings(max_examples=12, deadline=None)
@given(agreed=SOME, wanted=SOME.filter(bool))
def test_figures_for_an_organisation_outside_the_agreement_are_refused_with_nothing_written(
    agreed: set[str], wanted: set[str]
) -> None:
    under = agreement(starts=START, audiences=["public", "restricted"], organisations=sorted(agreed))
    clock = Clock()
    clock.now = datetime.combine(START, time(9), UTC)
    with ledger_at(clock) as ledger:
        made, before = plan(under=under, organisations=sorted(wanted)), ledger.head()
        if wanted <= agreed:
            assert reserve(ledger, made, dataset=dataset(under=under)).agreement
        else:
            outside = "|".join(sorted(wanted - agreed))
            with pytest.raises(AgreementError, match=rf"organisations: '({outside})' is not agreed"):
                reserve(ledger, made, dataset=dataset(under=under))
            assert (ledger.head(), held(ledger)) == (before, 0)


DECISIONS = st.lists(
    st.tuples(
        st.sampled_from(["custodian", "council"]),
        st.sampled_from(["approved", "approved", "refused"]),
        st.integers(0, 25),
    ),
    max_size=6,
)


@FEW
@given(decisions=DECISIONS, wait=st.integers(0, 25))
def test_in_every_order_both_custodians_must_have_approved_last_and_the_agreement_must_hold(
    decisions: list[tuple[str, Any, int]], wait: int
) -> None:
    under, clock = agreement(), Clock()
    with ledger_at(clock) as ledger:
        wanted, told = plan(under=under, variant="Plan beds"), dataset(under=under)
        latest: dict[str, datetime | None] = {}
        for approver, decision, days in decisions:
            clock.forward(days=days)
            until = clock.now + timedelta(days=30) if decision == "approved" else None
            ledger.approve(wanted.hash, approver, decision, "because", until, {"2021": Fraction("0.02")})
            latest[approver] = until
        clock.forward(days=wait)
        approved = len(latest) == 2 and all(until is not None and clock.now < until for until in latest.values())
        in_force = clock.now.date() <= END
        if approved and in_force:
            made = reserve(ledger, wanted, dataset=told, category="adhoc", requested_by="analyst")
            assert made.approvers == ("custodian", "council")
        else:
            with pytest.raises((AgreementError, ApprovalError)):
                reserve(ledger, wanted, dataset=told, category="adhoc", requested_by="analyst")
            assert held(ledger) == 0
        ledger.verify()


@FEW
@given(reserved=st.dates(START, UNTIL), later=st.integers(0, 60))
def test_what_was_reserved_in_time_is_not_measured_after_the_end(reserved: date, later: int) -> None:
    under, clock = agreement(starts=START, **shared_until(UNTIL)), Clock()
    clock.now = datetime.combine(reserved, time(12), UTC)
    with ledger_at(clock) as ledger:
        wanted, told = plan(under=under), dataset(under=under)
        made = reserve(ledger, wanted, dataset=told)
        clock.forward(days=later)
        if clock.now.date() <= UNTIL:
            assert ledger.spend(ledger.resume(sealed(wanted), dataset=told)).state == "spent"
        else:
            for refused in (lambda: ledger.resume(sealed(wanted), dataset=told), lambda: ledger.spend(made)):
                with pytest.raises(AgreementError, match="until 2021-04-20"):
                    refused()
            assert ledger.blocks()[0].spent == 0


@FEW
@given(
    versions=st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["Cases", "Other cases"])), min_size=1, max_size=7)
)
def test_a_version_has_one_text_and_none_follows_a_later_one(versions: list[tuple[int, str]]) -> None:
    with ledger_at(Clock()) as ledger:
        known: dict[int, str] = {}
        for number, (version, title) in enumerate(versions):
            under = agreement(version=version, title=title)
            wanted = plan(f"2021-W{number + 7:02d}", rho="0.001", under=under)
            right = version >= max(known, default=0) and known.get(version, title) == title
            if right:
                known[version] = title
                reserve(ledger, wanted, dataset=dataset(under=under))
            else:
                with pytest.raises(AgreementError, match=r"is in use|has changed"):
                    reserve(ledger, wanted, dataset=dataset(under=under))
        ledger.verify()


def test_a_plan_that_was_made_without_the_agreement_or_under_another_is_refused() -> None:
    with ledger_at(Clock()) as ledger:
        with pytest.raises(AgreementError, match="made without it"):
            reserve(ledger, plan(), dataset=dataset(under=agreement()))
        other = agreement(id="other")
        with pytest.raises(AgreementError, match="is under 'other'"):
            reserve(ledger, plan(under=agreement()), dataset=dataset(under=other))
        with pytest.raises(AgreementError, match="is under 'None'"):
            reserve(ledger, plan(under=agreement()), dataset=dataset())
        assert held(ledger) == 0


def test_the_text_of_an_agreement_is_part_of_what_is_approved_and_kept() -> None:
    one, other = plan(under=agreement()), plan(under=agreement(title="Other"))
    assert len({one.hash, other.hash, plan().hash}) == 3
    with ledger_at(Clock()) as ledger:
        made = reserve(ledger, one, dataset=dataset(under=agreement()))
        assert ledger.sealed(made).agreement == agreement()
        entry = ledger.entries()[-1]
        assert entry.payload["agreement"] == {"id": "sharing", "version": 1, "hash": made.agreement}
        assert not list(why_not_measured(ledger.sealed(made)))
