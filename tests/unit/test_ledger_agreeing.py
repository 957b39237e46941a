"""What an agreement must say of a charge, which versions of it are known, and what it forbids once it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from ledger_examples import Clock, agreement, dataset, plan, reserve, sealed
from sqlalchemy import select

from dp_stats.errors import AgreementError
from dp_stats.ledger import Ledger, schema
from dp_stats.ledger.agreeing import day_of, why_not_measured

ENDS = date(2021, 4, 30)


def agreements(ledger: Ledger) -> list[dict[str, Any]]:
    c = schema.agreements.c
    with ledger._database.read() as connection:
        query = select(schema.agreements).order_by(c.agreement, c.version)
        return [dict(row) for row in connection.execute(query).mappings()]


def under(version: int = 1, **fields: Any) -> dict[str, Any]:
    """What a plan and its dataset are made with: a version of the agreement."""
    return {"under": agreement(version=version, **fields)}


def test_a_version_is_kept_with_the_first_charge_under_it(ledger: Ledger, clock: Clock) -> None:
    first = reserve(ledger, plan("2021-W07", release="a", **under()), dataset=dataset(rho="0.02", **under()))
    clock.forward(days=3)
    reserve(ledger, plan("2021-W08", release="b", **under()), dataset=dataset(rho="0.02", **under()))
    second = reserve(ledger, plan("2021-W09", release="c", **under(2)), dataset=dataset(rho="0.02", **under(2)))
    assert first.agreement != second.agreement
    assert [tuple(row.values()) for row in agreements(ledger)] == [
        ("sharing", 1, first.agreement, first.id, "2021-03-01T09:30:00.000000Z"),
        ("sharing", 2, second.agreement, second.id, "2021-03-04T09:30:00.000000Z"),
    ]
    assert first.agreement == sealed(plan("2021-W07", release="a", **under())).agreement_hash
    assert ledger.problems() == []


def test_a_charge_without_an_agreement_keeps_none(ledger: Ledger) -> None:
    assert reserve(ledger, plan()).agreement == ""
    assert agreements(ledger) == []


def test_an_older_version_and_another_text_under_a_known_number_are_refused(ledger: Ledger) -> None:
    reserve(ledger, plan("2021-W07", release="a", **under(2)), dataset=dataset(rho="0.02", **under(2)))
    before = ledger.head()
    for told, why in (
        (under(1), "version 2 is in use, and this is version 1"),
        (under(2, title="Cases, reworded"), "its text has changed, and it is still called version 2; raise 'version'"),
    ):
        with pytest.raises(AgreementError, match=why):
            reserve(ledger, plan("2021-W08", release="b", **told), dataset=dataset(rho="0.02", **told))
    assert ledger.head() == before
    reserve(ledger, plan("2021-W08", release="b", **under(2)), dataset=dataset(rho="0.02", **under(2)))
    reserve(ledger, plan("2021-W09", release="c", **under(4)), dataset=dataset(rho="0.02", **under(4)))
    with pytest.raises(AgreementError, match="version 4 is in use, and this is version 3"):
        reserve(ledger, plan("2021-W10", release="d", **under(3)), dataset=dataset(rho="0.02", **under(3)))
    other = under(2, id="another")
    made = reserve(ledger, plan("2021-W10", release="d", **other), dataset=dataset(rho="0.02", **other))
    assert [row["version"] for row in agreements(ledger)] == [2, 2, 4]  # of another agreement, and of this one
    assert made.agreement


@pytest.mark.parametrize(
    ("told", "declared", "why"),
    [
        (under(), {}, r"dataset 'cases' is under 'None'"),
        (under(), under(id="another"), r"dataset 'cases' is under 'another'"),
        ({}, under(), r"by the agreement 'sharing':\n  the plan was made without it; make it again"),
        (under(budget={"rho": "0.0199"}), under(), r"\n  the dataset's budget is larger than the agreement's\n"),
        (under(statistics=[{"kind": "persons"}]), under(), r"\n  .*\nNothing was charged\. Stay within what is agreed"),
    ],
)  # fmt: skip
def test_what_is_charged_must_be_what_was_agreed(
    ledger: Ledger, told: dict[str, Any], declared: dict[str, Any], why: str
) -> None:
    before = ledger.head()
    with pytest.raises(AgreementError, match=why):
        reserve(ledger, plan(**told), dataset=dataset(rho="0.02", **declared))
    assert ledger.head() == before
    assert agreements(ledger) == []


def test_a_budget_as_large_as_the_agreements_is_allowed(ledger: Ledger) -> None:
    told = under(budget={"rho": "0.02"})
    assert reserve(ledger, plan(**told), dataset=dataset(rho="0.02", **told)).state == "reserved"


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        (datetime(2021, 3, 19, 23, 59, tzinfo=UTC), False),
        (datetime(2021, 3, 20, 0, 0, tzinfo=UTC), True),
        (datetime(2021, 4, 30, 23, 59, tzinfo=UTC), True),
        (datetime(2021, 5, 1, 0, 0, tzinfo=UTC), False),
    ],
)
def test_it_holds_from_its_first_day_to_its_last_in_universal_time(
    ledger: Ledger, clock: Clock, now: datetime, allowed: bool
) -> None:
    clock.now, told = now, under(starts="2021-03-20")
    if allowed:
        reserve(ledger, plan(**told), dataset=dataset(rho="0.02", **told))
        return
    with pytest.raises(AgreementError, match=r"^weekly/2021-W07 may not be measured, by the agreement 'sharing'"):
        reserve(ledger, plan(**told), dataset=dataset(rho="0.02", **told))


def test_what_was_reserved_is_neither_confirmed_nor_spent_after_the_end(ledger: Ledger, clock: Clock) -> None:
    made = reserve(ledger, plan(**under()), dataset=dataset(rho="0.02", **under()))
    clock.now = datetime.combine(ENDS, clock.now.time(), UTC)
    assert reserve(ledger, plan(**under()), dataset=dataset(rho="0.02", **under())) == made
    clock.forward(days=1)
    before = ledger.head()
    with pytest.raises(AgreementError, match=r"^weekly/2021-W07 may not be measured, by the agreement 'sharing'"):
        reserve(ledger, plan(**under()), dataset=dataset(rho="0.02", **under()))
    with pytest.raises(AgreementError, match=r"^weekly/2021-W07 may not be measured, by the agreement 'sharing'"):
        ledger.spend(made)
    assert ledger.head() == before


def test_before_rows_are_read_a_plan_is_held_against_what_it_will_be_reserved_under(
    ledger: Ledger, clock: Clock
) -> None:
    wanted, declared = sealed(plan(**under())), dataset(rho="0.02", **under())
    ledger.agreed(wanted, dataset=declared)
    with pytest.raises(AgreementError, match="the plan was made without it"):
        ledger.agreed(sealed(plan()), dataset=declared)
    reserve(ledger, wanted.plan, dataset=declared)
    before = ledger.head()
    ledger.agreed(
        wanted, dataset=dataset()
    )  # what is reserved is under what it was reserved under, whatever is declared today
    for other, revision in ((wanted, 2), (sealed(plan(variant="other", **under())), 1)):
        with pytest.raises(AgreementError, match="dataset 'cases' is under 'None'"):
            ledger.agreed(other, dataset=dataset(), revision=revision)
    clock.now = datetime.combine(ENDS, clock.now.time(), UTC)
    ledger.agreed(wanted, dataset=dataset())
    clock.forward(days=1)
    with pytest.raises(AgreementError, match="may not be measured, by the agreement 'sharing'"):
        ledger.agreed(wanted, dataset=declared)
    assert ledger.head() == before


def test_without_an_agreement_nothing_ends(ledger: Ledger, clock: Clock) -> None:
    made = reserve(ledger, plan())
    clock.forward(days=3650)
    ledger.spend(made)


@pytest.mark.usefixtures("in_tokyo")
def test_its_days_are_those_of_universal_time_wherever_the_machine_stands() -> None:
    assert day_of(datetime(2021, 4, 30, 23, 30, tzinfo=UTC)) == ENDS


@dataclass
class Levels:
    """Of a sealed plan what decides at which levels it measures."""

    agreement: Any
    tables: Any
    release: str = "the release"
    dataset: str = "the dataset"

    @property
    def plan(self) -> Levels:
        return self

    @property
    def grid(self) -> Any:
        tops = (("area", "all"), ("age", "all"))
        return SimpleNamespace(dimensions=[SimpleNamespace(name=n, top=SimpleNamespace(name=t)) for n, t in tops])


class Asked:
    """An agreement that allows no level, and says what it was asked."""

    def why_not_by(self, levels: dict[str, str], release: str, dataset: str) -> list[str]:
        return [f"{levels} of {release} and {dataset}"] if levels else []


def test_every_table_that_is_measured_is_at_levels_that_are_agreed_on() -> None:
    tables = [
        SimpleNamespace(id="whole", levels={"area": "all", "age": "all"}),
        SimpleNamespace(id="areas", levels={"area": "district", "age": "all"}),
        SimpleNamespace(id="fine", levels={"area": "district", "age": "band"}),
    ]
    of = "of the release and the dataset"
    assert list(why_not_measured(Levels(Asked(), tables))) == [  # type: ignore[arg-type]
        f"the plan measures areas: {{'area': 'district'}} {of}",
        f"the plan measures fine: {{'area': 'district', 'age': 'band'}} {of}",
    ]
    assert list(why_not_measured(Levels(None, tables))) == []  # type: ignore[arg-type]
