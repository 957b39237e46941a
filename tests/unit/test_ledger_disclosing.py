"""The public log has a line for each charge that was spent and each public edition, when an edition is made ready, not before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_examples import measured, new_ledger, plan, publish

from dp_stats.errors import LedgerError
from dp_stats.ledger import Entry
from dp_stats.ledger.disclosing import log_lines
from dp_stats.transparency.history import History
from dp_stats.transparency.leaves import ChargeLeaf, EditionLeaf, LostLeaf, Opening, commitment_of, opening_of

SUMS = "5" * 64


def happened(event: str, **payload: Any) -> Entry:
    return Entry(1, datetime(2021, 3, 1, tzinfo=UTC), event, payload, "", "")


CREATED = happened("created", ledger="a secret", format=1)


def reserved(key: str, *blocks: str, dataset: str = "cases", rho: str = "1/200") -> Entry:
    return happened("reserved", dataset=dataset, key=key, charged=list(blocks), rho=rho, cap="1/50")


def spent(key: str, *blocks: str, dataset: str = "cases") -> Entry:
    return happened("spent", dataset=dataset, key=key, blocks=list(blocks))


def ready(key: str, *blocks: str, edition: str = "weekly/2021-W07", revision: int = 1, dataset: str = "cases") -> Entry:
    return happened("disclosed", edition=edition, revision=revision, dataset=dataset, key=key, blocks=list(blocks))


def published(edition: str = "weekly/2021-W07", revision: int = 1) -> Entry:
    return happened("published", edition=edition, revision=revision, checksum=SUMS)


def opening(key: str, block: str, dataset: str = "cases") -> str:
    return opening_of("a secret", dataset=dataset, key=key, block=block)


def charge(key: str, block: str, dataset: str = "cases", rho: str = "1/200") -> str:
    commitment = commitment_of(opening(key, block, dataset), key)
    leaf = ChargeLeaf(dataset=dataset, block=block, rho=Fraction(rho), cap=Fraction("1/50"), commitment=commitment)
    return leaf.line


def edition(*charges: Opening, edition: str = "weekly/2021-W07", revision: int = 1) -> str:
    return EditionLeaf(edition=edition, revision=revision, sha256=SUMS, charges=charges).line


def test_what_was_spent_is_told_when_an_edition_of_its_dataset_is_made_ready() -> None:
    chain = [
        CREATED,
        reserved("a", "2021", "2022"),
        reserved("d", "2021", dataset="deaths"),
        happened("registered", dataset="cases"),
        spent("a", "2022", "2021"),
        spent("d", "2021", dataset="deaths"),
    ]
    assert log_lines(chain) == []
    chain += [ready("a", "2022", "2021")]
    told = [charge("a", "2021"), charge("a", "2022")]
    assert log_lines(chain) == told
    assert log_lines(chain, published=True) == []
    chain += [published()]
    told += [
        edition(Opening(leaf=1, opening=opening("a", "2022")), Opening(leaf=0, opening=opening("a", "2021"))),
    ]
    assert log_lines(chain) == log_lines(chain, published=True) == told
    chain += [reserved("b", "2021", rho="1/100"), spent("b", "2021"), published("asked/2021-W07", 1)]
    assert log_lines(chain) == told, "for a restricted audience"
    chain += [ready("d", "2021", dataset="deaths", edition="deaths/2021", revision=2)]
    more = sorted([charge("b", "2021", rho="1/100"), charge("d", "2021", "deaths")])
    assert sorted(log_lines(chain)[3:]) == more
    assert log_lines(chain, published=True) == told
    chain += [published("deaths/2021", 2)]
    last = edition(Opening(leaf=4, opening=opening("d", "2021", "deaths")), edition="deaths/2021", revision=2)
    assert log_lines(chain)[3:] == [charge("b", "2021", rho="1/100"), charge("d", "2021", "deaths"), last]


def test_a_charge_is_told_once_for_all_editions_of_its_series() -> None:
    chain = [CREATED, reserved("a", "2021"), spent("a", "2021"), ready("a", "2021"), published()]
    chain += [spent("a", "2021"), ready("a", "2021", edition="weekly/2021-W08"), published("weekly/2021-W08")]
    own = Opening(leaf=0, opening=opening("a", "2021"))
    assert log_lines(chain) == [charge("a", "2021"), edition(own), edition(own, edition="weekly/2021-W08")]
    chain += [reserved("c", "2020"), spent("c", "2020"), ready("c", "2020", revision=2), published(revision=2)]
    other = Opening(leaf=3, opening=opening("c", "2020"))
    assert log_lines(chain)[3:] == [charge("c", "2020"), edition(other, revision=2)]


def test_what_was_given_back_is_told_as_it_was_charged_in_the_end() -> None:
    chain = [CREATED, reserved("a", "2021"), happened("void", dataset="cases", key="a", released=["2021"])]
    chain += [reserved("a", "2021", rho="1/100"), spent("a", "2021"), ready("a", "2021")]
    assert log_lines(chain) == [charge("a", "2021", rho="1/100")]


@pytest.mark.parametrize("without", [None, {}, {"log": f"7:{SUMS}"}])
def test_a_log_in_the_place_of_a_lost_one_begins_with_its_head(without: dict[str, str] | None) -> None:
    first = happened("created", ledger="a secret", **({} if without is None else {"without": without}))
    lost = [LostLeaf(size=7, root=SUMS).line] if without else []
    assert log_lines([first]) == lost
    chain = [first, reserved("a", "2021"), spent("a", "2021"), ready("a", "2021"), published()]
    own = Opening(leaf=len(lost), opening=opening("a", "2021"))
    assert log_lines(chain) == [*lost, charge("a", "2021"), edition(own)]


CHARGES = [("cases", "a", "2022"), ("cases", "b", "2021"), ("cases", "c", "2021"), ("aches", "d", "2023")]


@given(st.permutations(CHARGES))
def test_the_order_of_spending_does_not_show(order: Sequence[tuple[str, str, str]]) -> None:
    chain = [CREATED]
    for dataset, key, block in order:
        chain += [reserved(key, block, dataset=dataset), spent(key, block, dataset=dataset)]
    chain += [ready("d", edition="aches/2023", dataset="aches")]
    chain += [ready("a", "2022")]
    assert log_lines(chain) == [
        charge("d", "2023", "aches"),
        *sorted((charge("b", "2021"), charge("c", "2021")), key=lambda line: line[line.index("commitment") :]),
        charge("a", "2022"),
    ]


def test_an_edition_that_is_made_ready_shows_the_account_and_the_head_of_the_log_that_tells_of_it(
    tmp_path: Path,
) -> None:
    ledger = new_ledger(tmp_path)
    wanted = plan("2021-W53", series="weekly", blocks=["2021", "2022"])
    made = measured(ledger, wanted, revision=2, reason="late rows")
    before = ledger.account(wanted.edition, 2)
    assert before.log is None
    account = ledger.disclose(wanted.edition, 2)
    entry = ledger.entries()[-1]
    assert (entry.event, entry.payload) == (
        "disclosed",
        {"edition": wanted.edition, "revision": 2, "dataset": "cases", "key": made.key, "blocks": ["2021", "2022"]},
    )
    lines = log_lines(ledger.entries())
    assert len(lines) == 2
    assert account.log == History.read(lines).head(2)
    assert (account.reservation, account.charges) == (before.reservation, before.charges)
    assert ledger.log() == []
    publish(ledger, wanted.edition, revision=2)
    assert ledger.log()[:2] == lines
    with pytest.raises(LedgerError, match=r"Nothing is reserved for weekly/2021-W53 \(revision 1\)"):
        ledger.disclose(wanted.edition)


def drawing(key: str, *blocks: str, times: int = 3, holder: str = "records", rho: str = "1/200") -> Entry:
    """A charge that another dataset pays for, too."""
    entry = reserved(key, *blocks, rho=rho)
    draw = {
        "dataset": holder,
        "block": "lifetime",
        "rho": str(times * Fraction(rho)),
        "cap": "1/50",
        "delta": "1/1000000",
    }
    return happened("reserved", **entry.payload, draws=[draw])


def drawn(key: str, block: str, *, rho: str = "3/200", holder: str = "records") -> str:
    return charge(f"{key}@{block}", "lifetime", holder, rho)


def drawn_opening(leaf: int, key: str, block: str) -> Opening:
    return Opening(leaf=leaf, opening=opening(f"{key}@{block}", "lifetime", "records"))


def test_what_a_holder_pays_is_told_with_the_edition_that_it_paid_for() -> None:
    chain = [CREATED, drawing("k", "2021", "2022"), spent("k", "2021", "2022")]
    assert log_lines(chain) == []
    chain.append(ready("k", "2021", "2022"))
    own = [charge("k", "2021"), charge("k", "2022")]
    theirs = sorted((drawn("k", "2021"), drawn("k", "2022")), key=lambda line: line.partition("commitment")[2])
    assert log_lines(chain) == [*own, *theirs]
    chain.append(published())
    place = {block: 2 + theirs.index(drawn("k", block)) for block in ("2021", "2022")}
    told = EditionLeaf(
        edition="weekly/2021-W07",
        revision=1,
        sha256=SUMS,
        charges=(Opening(leaf=0, opening=opening("k", "2021")), Opening(leaf=1, opening=opening("k", "2022"))),
        draws=(drawn_opening(place["2021"], "k", "2021"), drawn_opening(place["2022"], "k", "2022")),
    )
    assert log_lines(chain) == [*own, *theirs, told.line]


def test_a_holder_is_told_of_once_for_a_series_and_again_for_its_next_block() -> None:
    chain = [CREATED, drawing("k", "2021"), spent("k", "2021"), ready("k", "2021"), published()]
    first = log_lines(chain)
    assert first[:2] == [charge("k", "2021"), drawn("k", "2021")]
    chain += [spent("k", "2021"), ready("k", "2021", edition="weekly/2021-W08"), published("weekly/2021-W08")]
    again = log_lines(chain)
    assert again[:3] == first
    assert len(again) == 4
    assert EditionLeaf.model_validate_json(again[3]).draws == (drawn_opening(1, "k", "2021"),)
    chain += [drawing("k", "2022"), spent("k", "2022"), ready("k", "2022", edition="weekly/2022-W01")]
    assert log_lines(chain)[4:] == [charge("k", "2022"), drawn("k", "2022")]


def test_what_a_holder_paid_is_told_as_it_was_charged_in_the_end() -> None:
    """Reserved, given back and reserved again at another price: the last price is what was paid, once."""
    chain = [CREATED, drawing("k", "2021"), drawing("k", "2021", times=2), spent("k", "2021"), ready("k", "2021")]
    assert log_lines(chain) == [charge("k", "2021"), drawn("k", "2021", rho="2/200")]


def test_what_a_holder_spent_otherwise_is_told_from_the_first_public_edition_that_draws_on_it() -> None:
    own = [reserved("own", "lifetime", dataset="records"), spent("own", "lifetime", dataset="records")]
    other = [reserved("x", "2021", dataset="others"), spent("x", "2021", dataset="others")]
    chain = [CREATED, *own, *other, drawing("k", "2021"), spent("k", "2021")]
    assert log_lines(chain) == []
    chain.append(ready("k", "2021"))
    assert sorted(log_lines(chain)) == sorted(
        [charge("k", "2021"), drawn("k", "2021"), charge("own", "lifetime", "records")]
    )


def test_a_later_charge_without_holders_has_none() -> None:
    chain = [CREATED, drawing("k", "2021"), reserved("m", "2021"), spent("m", "2021"), ready("m", "2021"), published()]
    assert log_lines(chain) == [charge("m", "2021"), edition(Opening(leaf=0, opening=opening("m", "2021")))]
