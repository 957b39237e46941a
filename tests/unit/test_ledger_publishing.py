"""What an edition's files will say is fixed before they are written, once; what is published never changes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledger_examples import Clock, measured, new_ledger, plan, publish

from dp_stats.errors import LedgerError, PublishedError
from dp_stats.ledger import Ledger
from dp_stats.ledger.chain import instant
from dp_stats.ledger.records import Description, Publication, Retracted

EDITION = "weekly/2021-W07"


def say(ledger: Ledger, word: str, **options: object) -> object:
    """Fix a description that consists of one word."""
    looks, document = b'["en","",""]', f'{{"format":1,"facts":"{word}","parts":[]}}'.encode()
    names = [hashlib.sha256(part).hexdigest() for part in (document, looks)]
    parts = dict(zip(names, (document, looks), strict=True))
    return ledger.publishing(EDITION, 1, document=names[0], looks=names[1], parts=parts, **options)  # type: ignore[arg-type]


def test_what_is_said_first_stands_with_its_moment_whatever_is_said_later(tmp_path: Path) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    measured(ledger, plan())
    first = say(ledger, "one")
    clock.forward(days=1)
    assert say(ledger, "two") == first == ledger.description(EDITION)
    assert first.published == datetime(2021, 3, 1, 9, 30, tzinfo=UTC)  # type: ignore[attr-defined]
    assert [e.event for e in ledger.entries()].count("publishing") == 1
    ledger.verify()


def test_nothing_is_said_of_what_was_not_measured(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="never measured"):
        say(new_ledger(tmp_path), "one")


def test_a_description_without_one_of_its_parts_is_not_kept(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan())
    with pytest.raises(LedgerError, match="missing or was altered"):
        ledger.publishing(EDITION, 1, document="0" * 64, looks="0" * 64, parts={})
    assert ledger.description(EDITION) is None
    assert "publishing" not in [e.event for e in ledger.entries()]


def test_files_that_nothing_was_said_of_are_not_published(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan())
    with pytest.raises(LedgerError, match="not recorded before"):
        ledger.published(EDITION, 1, b"abc", software={})


def test_a_published_edition_never_changes(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    with pytest.raises(LedgerError, match="never measured"):
        ledger.published(EDITION, 1, b"abc", software={})
    measured(ledger, plan())
    assert ledger.publication(EDITION) is None
    checksums = publish(ledger, EDITION)
    first = ledger.publication(EDITION)
    assert first is not None
    assert ledger.published(EDITION, 1, checksums, software={"dp-stats": "2"}) == first
    assert (ledger.checksums(first), first.software) == (checksums, {"dp-stats": "1"})
    assert ledger.publications() == [first]
    with pytest.raises(PublishedError, match="revision 2"):
        ledger.published(EDITION, 1, b"def", software={})


def test_what_was_published_without_a_description_gets_one_from_its_own_files_alone(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan())
    older(tmp_path, b"abc")
    with pytest.raises(PublishedError, match="earlier version"):
        say(ledger, "one", checksums=b"other files")
    when = datetime(2020, 2, 1, tzinfo=UTC)
    assert say(ledger, "one", checksums=b"abc", published=when).published == when  # type: ignore[attr-defined]
    found = ledger.publication(EDITION)
    assert found is not None
    assert (ledger.checksums(found), found.software) == (b"abc", {})
    ledger.verify()


def test_a_retraction_stands_with_its_first_reason(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan())
    with pytest.raises(PublishedError, match="nothing was retracted"):
        ledger.retracted(EDITION, 1, "sent twice")
    publish(ledger, EDITION)
    with pytest.raises(LedgerError, match="The reason of the retraction, which the public reads, is empty"):
        ledger.retracted(EDITION, 1, " ")
    first = ledger.retracted(EDITION, 1, "sent twice")
    assert ledger.retracted(EDITION, 1, "another reason") == first
    assert ledger.retractions(EDITION) == [first]
    ledger.verify()


def test_what_is_said_published_and_retracted_is_written_down_and_read_back_whole(tmp_path: Path) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    wanted = plan("2021-W08")
    for revision in (1, 2):
        measured(ledger, wanted, revision=revision, reason="late rows")
    publish(ledger, wanted.edition, revision=1)
    fact, looks = b'"a fact"', b"{}"
    document = json.dumps({"parts": [hashlib.sha256(fact).hexdigest()]}).encode()
    parts = {hashlib.sha256(part).hexdigest(): part for part in (looks, fact, document)}
    names = {"document": hashlib.sha256(document).hexdigest(), "looks": hashlib.sha256(looks).hexdigest()}
    whole = (clock.now - timedelta(days=1)).replace(microsecond=0)
    told = ledger.publishing(wanted.edition, 2, **names, parts=parts, published=whole + timedelta(microseconds=7))
    clock.forward(minutes=1)
    made = ledger.published(wanted.edition, 2, b"sums", software={"numpy": "2", "dp-stats": "1"})
    clock.forward(minutes=1)
    gone = ledger.retracted(wanted.edition, 2, " sent twice ")
    edition, checksum = {"edition": wanted.edition, "revision": 2}, hashlib.sha256(b"sums").hexdigest()
    at = {name: instant(when) for name, when in (("published", whole), ("moment", clock.now))}
    assert [(entry.event, entry.payload) for entry in ledger.entries()[-3:]] == [
        (
            "publishing",
            {
                **edition,
                "plan": wanted.hash,
                "description": names["document"],
                "looks": names["looks"],
                "published": at["published"],
            },
        ),
        ("published", {**edition, "checksum": checksum, "software": {"dp-stats": "1", "numpy": "2"}}),
        ("retracted", {**edition, "reason": "sent twice", "moment": at["moment"]}),
    ]
    assert told == ledger.description(wanted.edition, 2)
    assert told == Description(**edition, plan_hash=wanted.hash, **names, published=whole, parts=parts)  # type: ignore[arg-type]
    assert made == ledger.publication(wanted.edition, 2)
    software = {"dp-stats": "1", "numpy": "2"}
    assert made == Publication(**edition, checksum=checksum, at=clock.now - timedelta(minutes=1), software=software)  # type: ignore[arg-type]
    assert gone == Retracted(**edition, reason="sent twice", when=clock.now)  # type: ignore[arg-type]
    assert ledger.retractions(wanted.edition) == [gone]
    assert ledger.retractions(EDITION) == []


def test_editions_are_listed_in_the_order_in_which_they_were_published_and_retractions_in_that_of_decisions(
    tmp_path: Path,
) -> None:
    clock = Clock()
    ledger = new_ledger(tmp_path, clock)
    wishes = [("2021-W08", 1), ("2021-W07", 3), ("2021-W07", 2), ("2021-W07", 1), ("2021-W06", 1)]
    for period, revision in wishes:
        made = measured(ledger, plan(period, rho="0.001"), revision=revision, reason="late rows")
        publish(ledger, made.edition, revision=revision)
        if period == "2021-W08":
            clock.forward(seconds=1)
    found = [(made.edition.removeprefix("weekly/"), made.revision) for made in ledger.publications()]
    assert found == [wishes[0], wishes[4], wishes[3], wishes[2], wishes[1]]
    for revision, day in ((3, 1), (2, 2), (1, 2)):
        ledger.retracted(EDITION, revision, "sent twice", when=datetime(2021, 3, day, tzinfo=UTC))
    assert [gone.revision for gone in ledger.retractions(EDITION)] == [3, 1, 2]
    assert [gone.revision for gone in ledger.retractions()] == [3, 1, 2]


def test_altered_checksums_and_descriptions_are_not_handed_out(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan())
    publish(ledger, EDITION)
    found = ledger.publication(EDITION)
    assert found is not None
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute("DROP TRIGGER ledger_parts_update")
        raw.execute("UPDATE ledger_parts SET content = x'00'")
    with pytest.raises(LedgerError, match=r"The checksums of weekly/2021-W07 \(revision 1\) were altered"):
        ledger.checksums(found)
    with pytest.raises(LedgerError, match="altered"):
        ledger.description(EDITION)


def older(folder: Path, checksums: bytes) -> None:
    """Publish as the version before descriptions did."""
    from dp_stats.ledger.chain import link
    from dp_stats.ledger.database import Database

    with Database(folder / "ledger.db", read_only=False).write() as connection:
        last = new_ledger_entries(folder)[-1]
        payload = {"edition": EDITION, "revision": 1, "checksum": hashlib.sha256(checksums).hexdigest()}
        link(connection, previous=last, now=last.at, event="published", payload=payload)


def new_ledger_entries(folder: Path) -> list:  # type: ignore[type-arg]
    return Ledger.open(folder / "ledger.db", read_only=True).entries()
