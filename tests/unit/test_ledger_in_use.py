"""Which revision of each published edition is in use, and what its files say."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ledger_examples import Clock, dataset, measured, new_ledger, plan, publish, reserve
from sqlalchemy import text, update

from dp_stats.errors import LedgerError
from dp_stats.files import sha256
from dp_stats.ledger import Ledger, schema, sealing

RICH = dataset(rho="1")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return new_ledger(tmp_path, Clock())


def made(ledger: Ledger, release: str, week: int, *revisions: int) -> str:
    for revision in revisions:
        wanted = plan(f"2021-W{week:02d}", release=release, series=release if revision == 1 else None)
        measured(ledger, wanted, dataset=RICH, revision=revision, reason="a mistake" if revision > 1 else "")
        publish(ledger, wanted.edition, revision=revision)
    return f"{release}/2021-W{week:02d}"


def test_it_is_the_last_that_is_published_and_not_retracted(ledger: Ledger) -> None:
    one, two, three, four = (made(ledger, "weekly", n, *range(1, most + 1)) for n, most in enumerate((1, 3, 2, 1), 1))
    measured(ledger, plan("2021-W05", release="weekly", series="weekly"), dataset=RICH)  # not published
    assert {edition: number for edition, (number, _) in ledger.in_use(["weekly"]).items()} == {
        one: 1,
        two: 3,
        three: 2,
        four: 1,
    }
    ledger.retracted(two, 3, "sent twice")
    ledger.retracted(three, 1, "sent twice")
    ledger.retracted(four, 1, "sent twice")
    found = ledger.in_use(["weekly"])
    assert {edition: number for edition, (number, _) in found.items()} == {one: 1, two: 2, three: 2}
    for edition, (number, document) in found.items():
        description = ledger.description(edition, number)
        assert description is not None
        assert json.loads(document)["parts"]


def test_what_is_described_and_not_yet_published_is_not_in_use(ledger: Ledger) -> None:
    one, two = made(ledger, "weekly", 1, 1), made(ledger, "weekly", 2, 1, 2)
    measured(ledger, plan("2021-W01", release="weekly"), dataset=RICH, revision=2, reason="a mistake")

    def describing(method: Any, *arguments: Any, **options: Any) -> Any:
        return None if method == ledger.published else method(*arguments, **options)

    publish(ledger, one, revision=2, call=describing)
    assert ledger.revisions(one) == [1, 2]
    assert {edition: number for edition, (number, _) in ledger.in_use(["weekly"]).items()} == {one: 1, two: 2}


def test_it_is_asked_of_the_releases_that_are_named_and_of_no_other_whatever_they_are_called(ledger: Ledger) -> None:
    names = ("week", "weekly", "week-ly", "weekx")
    for name in names:
        made(ledger, name, 1, 1)
    for name in names:
        assert set(ledger.in_use([name])) == {f"{name}/2021-W01"}
    assert set(ledger.in_use(["week", "weekx"])) == {"week/2021-W01", "weekx/2021-W01"}
    assert ledger.in_use(["week_"]) == ledger.in_use(["%"]) == ledger.in_use(["wee"]) == {}


@pytest.mark.parametrize("harm", ["lost", "altered", "no text"])
def test_a_document_that_is_lost_or_altered_is_refused(ledger: Ledger, harm: str) -> None:
    made(ledger, "weekly", 1, 1)
    p = schema.parts.c
    with ledger._database.write() as connection:  # what a hand does to the file that knows how
        for event in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER ledger_parts_{event}")
        name = connection.execute(text("SELECT description FROM ledger_descriptions")).scalar_one()
        if harm == "lost":
            connection.execute(schema.parts.delete().where(p.hash == name))
        else:
            content = zlib.compress(b"{}") if harm == "altered" else b"no text"
            connection.execute(update(schema.parts).where(p.hash == name).values(content=content))
    with pytest.raises(
        LedgerError, match=r"^A part of what the ledger keeps of an edition is missing or was altered\."
    ):
        ledger.in_use(["weekly"])


def test_documents_come_without_the_parts_that_they_name(ledger: Ledger) -> None:
    made(ledger, "weekly", 1, 1)
    with ledger._database.read() as connection:
        name = connection.execute(text("SELECT description FROM ledger_descriptions")).scalar_one()
        assert list(sealing.documents(connection, [name, name])) == [name]
        assert len(sealing.closure(connection, [name])) == 2


def test_what_the_files_of_some_revisions_say_comes_without_those_of_others(ledger: Ledger) -> None:
    one = made(ledger, "weekly", 1, 1, 2)
    made(ledger, "weekly", 2, 1, 2)
    first, second, _, other = known = ledger.publications()
    assert [(each.edition, each.revision) for each in (first, second)] == [(one, 1), (one, 2)]
    found = ledger.described([second, other])
    assert set(found) == {(one, 2), (other.edition, 2)}
    for (edition, revision), document in found.items():
        description = ledger.description(edition, revision)
        assert description is not None
        assert sha256(document) == description.document
    assert len(set(ledger.described(known).values())) == 4
    assert ledger.described([]) == ledger.described([replace(first, revision=9), replace(first, edition="week")]) == {}


def test_the_numbers_that_are_taken_are_those_reserved_or_described(ledger: Ledger) -> None:
    edition = made(ledger, "weekly", 1, 1, 2)
    made(ledger, "weekly", 2, 1, 2, 3)
    assert ledger.revisions(edition) == [1, 2]
    third = reserve(ledger, plan("2021-W01", release="weekly"), dataset=RICH, revision=3, reason="a mistake")
    assert ledger.revisions(edition) == [1, 2, 3]
    ledger.void(third, "not wanted")
    assert ledger.revisions(edition) == [1, 2]
    publish(ledger, edition, revision=4, measured=2)
    assert ledger.revisions(edition) == [1, 2, 4]
    assert ledger.revisions("weekly/2021-W09") == []
