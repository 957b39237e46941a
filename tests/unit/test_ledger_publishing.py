"""What an edition's files will say is fixed before they are written, once; what is published never changes."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ledger_examples import Clock, measured, new_ledger, plan, publish

from dp_stats.errors import LedgerError, PublishedError
from dp_stats.ledger import Ledger

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
    with pytest.raises(LedgerError, match="reason"):
        ledger.retracted(EDITION, 1, " ")
    first = ledger.retracted(EDITION, 1, "sent twice")
    assert ledger.retracted(EDITION, 1, "another reason") == first
    assert ledger.retractions(EDITION) == [first]
    ledger.verify()


def test_altered_checksums_and_descriptions_are_not_handed_out(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan())
    publish(ledger, EDITION)
    found = ledger.publication(EDITION)
    assert found is not None
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute("DROP TRIGGER ledger_parts_update")
        raw.execute("UPDATE ledger_parts SET content = x'00'")
    with pytest.raises(LedgerError, match="altered"):
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
