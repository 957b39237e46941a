"""What follows from the fields of what the ledger hands out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from ledger_examples import Clock, dataset, plan, reserve

from dp_stats.ledger import Ledger
from dp_stats.ledger.records import Account, Approval, BlockBudget, Drawn, Limit, Quote, in_place_of

ONE, TENTH = Fraction(1), Fraction(1, 10)


@pytest.mark.parametrize(
    ("how", "before"),
    [
        ({}, False),
        ({"revision": 2, "reason": "sent late"}, True),
        ({"category": "adhoc"}, True),
        ({"category": "adhoc", "revision": 2, "reason": "sent late"}, True),
    ],
)
def test_a_request_and_a_correction_are_paid_before_a_row_is_read(
    ledger: Ledger, how: dict[str, Any], before: bool
) -> None:
    free = {"no_approval_below": "0.02", "rho": "0.02"}
    assert reserve(ledger, plan(), dataset=dataset(**free), **how).paid_before_reading is before


def approval(instead_of: str = "") -> Approval:
    return Approval("plan", "ann", "approved", "", None, {}, Clock().now, instead_of=instead_of)


def test_a_decision_is_the_custodians_whoever_made_it() -> None:
    assert (approval().custodian, approval().by) == ("ann", "ann")
    assert (approval("bob").custodian, approval("bob").by) == ("bob", "ann in the place of bob")
    assert in_place_of("cy", "") == "cy"


def test_no_less_than_nothing_is_left_of_a_limit() -> None:
    assert Limit("cap", ONE, TENTH).left == Fraction(9, 10)
    assert Limit("cap", TENTH, TENTH).left == Limit("cap", TENTH, ONE).left == 0
    assert Limit("cap", TENTH + Fraction(1, 10**9), TENTH).left == Fraction(1, 10**9)


@pytest.mark.parametrize("approvers", [(), ("ann",)])
def test_an_approval_was_asked_for_where_somebody_must_approve(ledger: Ledger, approvers: tuple[str, ...]) -> None:
    made = replace(reserve(ledger, plan()), approvers=approvers)
    assert Account(made, (), (), ()).approval_asked is bool(approvers)


def state(remaining: Fraction) -> BlockBudget:
    return BlockBudget("holder", "2021", ONE, Fraction(0), ONE - remaining, remaining, Fraction(1, 10**6))


def drawn(each: Fraction, rho: Fraction, *left: Fraction) -> Drawn:
    return Drawn(state(ONE), each, rho, tuple(Limit("cap", one, Fraction(0)) for one in left))


def test_what_another_dataset_would_have_left_may_be_below_nothing() -> None:
    assert drawn(TENTH, Fraction(3, 10)).after == Fraction(7, 10)
    assert drawn(TENTH, Fraction(3, 2)).after == Fraction(-1, 2)
    assert drawn(TENTH, TENTH).name == "holder: 2021"


def quote(*own: Fraction, charged: tuple[str, ...] = ("2021",), others: tuple[Drawn, ...] = ()) -> Quote:
    limits = {
        str(2020 + n): (Limit("cap", one, Fraction(0)), Limit("analyst", 2 * one, Fraction(0)))
        for n, one in enumerate(own)
    }
    return Quote(TENTH, charged, (), {}, (), False, limits=limits, drawn=others)


def test_room_is_what_the_narrowest_limit_leaves_and_of_another_dataset_as_much_as_its_share_pays_for() -> None:
    assert quote(ONE, Fraction(1, 2), Fraction(3, 4)).room == Fraction(1, 2)
    pays_thrice = drawn(TENTH, 3 * TENTH, ONE, Fraction(6, 10))
    assert quote(ONE, others=(pays_thrice,)).room == Fraction(2, 10), "each 0.1 costs the other 0.3, and it has 0.6"
    pays_half = drawn(TENTH, TENTH / 2, Fraction(3, 10))
    assert quote(ONE, others=(pays_thrice, pays_half)).room == Fraction(2, 10)
    assert quote(ONE, others=(pays_half,)).room == Fraction(6, 10)
    pays_nothing = drawn(TENTH, Fraction(0), Fraction(1, 100))
    assert quote(ONE, others=(pays_nothing,)).room == 1
    assert quote(ONE, others=(pays_nothing, pays_half)).room == Fraction(6, 10)


def test_a_quote_is_free_where_nothing_new_is_charged() -> None:
    assert quote(ONE, charged=()).free is True
    assert quote(ONE).free is False


def test_what_would_be_left_of_a_block_is_a_share_of_its_own_cap() -> None:
    before = tuple(replace(state(ONE), block=block, cap=cap) for block, cap in (("2021", ONE), ("2022", Fraction(4))))
    left = {"2021": -TENTH, "2022": ONE}
    assert Quote(TENTH, (), before, left, (), False).parts_left == {"2021": -TENTH, "2022": Fraction(1, 4)}
