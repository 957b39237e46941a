"""Terms that an organisation accepts and what is handed out to it: who may, from when to when, and what is kept of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ledger_examples import Clock, dataset, measured, new_ledger, plan, publish

from dp_stats.catalogue.models import Organisation
from dp_stats.errors import AgreementError, LedgerError, PublishedError
from dp_stats.files import sha256
from dp_stats.ledger import HandedOut, Ledger

RICH = dataset(rho="1")
TEXT = "Keep it to yourself."
EDITION = "weekly/2021-W07"


def organisation(**fields: Any) -> Organisation:
    return Organisation.model_validate(
        {
            "id": "county",
            "name": "The county",
            "basis": "Contract 7",
            "users": ["dana", "eli"],
            "terms": {"version": 1, "text": TEXT},
            "starts": date(2021, 3, 1),
            "ends": date(2021, 3, 10),
            **fields,
        }
    )


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    made = new_ledger(tmp_path, clock)
    measured(made, plan(), dataset=RICH)
    publish(made, EDITION)
    return made


def give(ledger: Ledger, to: Organisation, **changed: Any) -> HandedOut:
    told: dict[str, Any] = {
        "user": "dana",
        "download": "d-1",
        "edition": EDITION,
        "revision": 1,
        "file": "all.csv",
        "sealed": "1" * 64,
        "marked": "2" * 64,
    }
    return ledger.hand_out(to, **(told | changed))


def test_terms_are_accepted_once_for_all_of_an_organisation_and_kept_with_their_text(
    ledger: Ledger, clock: Clock
) -> None:
    assert ledger.acceptance(organisation()) is None
    first = ledger.accept(organisation(), user="dana")
    assert (first.organisation, first.user, first.version, first.terms) == ("county", "dana", 1, sha256(TEXT.encode()))
    assert first.at == clock.now
    head = ledger.head()
    clock.forward(days=1)
    assert ledger.accept(organisation(), user="eli") == first
    assert ledger.head() == head
    assert ledger.acceptance(organisation()) == first
    assert ledger.acceptances() == [first]
    assert ledger.problems() == []


def test_other_terms_and_another_version_are_asked_again(ledger: Ledger, clock: Clock) -> None:
    ledger.accept(organisation(), user="dana")
    for terms in ({"version": 2, "text": TEXT}, {"version": 1, "text": "Tell everybody.\n"}):
        changed = organisation(terms=terms)
        assert ledger.acceptance(changed) is None
        with pytest.raises(
            AgreementError, match=rf"^Nobody has accepted version {terms['version']} of the terms for The county"
        ):
            give(ledger, changed)
        clock.forward(hours=1)
        made = ledger.accept(changed, user="eli")
        assert give(ledger, changed, download=f"of {made.id}").acceptance == made.id
    other = organisation(id="town", name="The town")
    assert ledger.acceptance(other) is None
    assert [(one.version, one.user) for one in ledger.acceptances()] == [(1, "dana"), (2, "eli"), (1, "eli")]
    assert ledger.acceptance(organisation()) == ledger.acceptances()[0]


def test_what_is_handed_out_is_kept_and_found_by_each_of_its_names(ledger: Ledger, clock: Clock) -> None:
    county, town = organisation(), organisation(id="town", name="The town", users=["tom"])
    accepted, others = ledger.accept(county, user="eli"), ledger.accept(town, user="tom")
    measured(ledger, plan("2021-W08", series="weekly"), dataset=RICH)
    publish(ledger, "weekly/2021-W08")
    clock.forward(hours=2)
    first = give(ledger, county)
    assert first == HandedOut(
        id=first.id,
        download="d-1",
        organisation="county",
        user="dana",
        acceptance=accepted.id,
        edition=EDITION,
        revision=1,
        file="all.csv",
        sealed="1" * 64,
        marked="2" * 64,
        at=clock.now,
    )
    second = give(ledger, town, user="tom", download="d-2", marked="3" * 64)
    third = give(ledger, county, user="eli", download="d-3", edition="weekly/2021-W08", marked="4" * 64)
    assert second.acceptance == others.id
    assert ledger.handed_out() == [first, second, third]
    assert ledger.handed_out(edition=EDITION) == [first, second]
    assert ledger.handed_out(organisation="county") == [first, third]
    assert ledger.handed_out(marked="3" * 64) == [second]
    assert ledger.handed_out(download="d-3") == [third]
    assert ledger.handed_out(edition=EDITION, organisation="county") == [first]
    assert ledger.handed_out(download="nothing") == []
    assert ledger.problems() == []


@pytest.mark.parametrize(
    ("fields", "user", "why"),
    [
        ({}, "mallory", r"^mallory is no user of The county\. Nothing was recorded or handed out\.$"),
        (
            {"starts": date(2021, 3, 2)},
            "dana",
            r"^Nothing is handed out to The county: its contract starts on 2021-03-02\.$",
        ),
        (
            {"starts": date(2021, 2, 1), "ends": date(2021, 2, 28)},
            "dana",
            r"The county: its contract ended on 2021-02-28\.$",
        ),
    ],
)
def test_who_may_not_is_refused_and_nothing_is_written(
    ledger: Ledger, fields: dict[str, Any], user: str, why: str
) -> None:
    ledger.accept(organisation(), user="dana")
    head = ledger.head()
    for refused in (
        lambda: ledger.accept(organisation(**fields, terms={"version": 2, "text": "x"}), user=user),
        lambda: ledger.accept(organisation(**fields), user=user),
        lambda: give(ledger, organisation(**fields), user=user),
    ):
        with pytest.raises(AgreementError, match=why):
            refused()
    assert ledger.head() == head


@pytest.mark.parametrize(("days", "allowed"), [(9, True), (10, False)])
def test_a_contract_holds_to_its_last_day(ledger: Ledger, clock: Clock, days: int, allowed: bool) -> None:
    ledger.accept(organisation(), user="dana")
    clock.forward(days=days)  # from the first of March
    if allowed:
        assert give(ledger, organisation()).at == clock.now
        return
    with pytest.raises(AgreementError, match=r"its contract ended on 2021-03-10\.$"):
        give(ledger, organisation())


def test_only_what_is_published_and_not_retracted_is_handed_out(ledger: Ledger) -> None:
    ledger.accept(organisation(), user="dana")
    measured(ledger, plan("2021-W08", series="weekly"), dataset=RICH)
    for edition, revision in ((EDITION, 2), ("weekly/2021-W08", 1), ("weekly/2021-W09", 1)):
        with pytest.raises(PublishedError, match=rf"^{edition}/r{revision} is not published here\.$"):
            give(ledger, organisation(), edition=edition, revision=revision)
    publish(ledger, "weekly/2021-W08")
    ledger.retracted(EDITION, 1, "sent twice")
    with pytest.raises(PublishedError, match=rf"^{EDITION}/r1 was retracted and is handed out no more\.$"):
        give(ledger, organisation())
    assert give(ledger, organisation(), edition="weekly/2021-W08").edition == "weekly/2021-W08"
    assert len(ledger.handed_out()) == 1


def test_a_file_has_a_name(ledger: Ledger) -> None:
    ledger.accept(organisation(), user="dana")
    assert give(ledger, organisation(), file=" a b ").file == "a b"
    with pytest.raises(LedgerError, match=r"\bname of the file\b"):
        give(ledger, organisation(), file=" ")
