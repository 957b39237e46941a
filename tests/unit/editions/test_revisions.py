"""Corrections and retractions: what was published stays, and everyone can see what became of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dp_stats.editions import retract, verify_public
from dp_stats.editions.edition import Edition, RevisionFacts
from dp_stats.editions.revisions import corrections, status_of
from dp_stats.errors import PublishedError

EDITION = "cases-by-area/2021-W07"
LATER = datetime(2021, 3, 1, 12, tzinfo=UTC)


def latest(public: Path) -> str:
    return Edition.load(public / "cases-by-area" / "latest").path


def test_a_revision_supersedes_without_touching_what_it_supersedes(
    make_sample: Callable[..., Any], tmp_path: Path
) -> None:
    first = make_sample(seed=1).publish(tmp_path)
    before = {p.name: p.read_bytes() for p in first.folder.iterdir()}
    make_sample(seed=2).publish(tmp_path, revision=2, reason="Late reports", published=LATER)
    assert {p.name: p.read_bytes() for p in first.folder.iterdir()} == before
    state = status_of(tmp_path, EDITION)
    assert state.current == 2
    assert [(r.status, r.superseded_by) for r in state.revisions] == [("superseded", 2), ("final", None)]
    assert state.revision(2).remeasured
    assert state.revision(2).changed is not None
    assert state.revision(2).changed > 40
    assert latest(tmp_path) == f"{EDITION}/r2"
    assert verify_public(tmp_path) == []


def test_a_revision_that_reuses_measurements_changes_no_value_and_costs_nothing(sample: Any, tmp_path: Path) -> None:
    sample.publish(tmp_path)
    fix = RevisionFacts(number=2, kind="unscheduled", reason="A heading was misspelt", supersedes=1)
    sample.publish(tmp_path, revision=fix, published=LATER)
    assert status_of(tmp_path, EDITION).revision(2).changed == 0
    [line] = corrections(tmp_path)
    assert (line.kind, line.costs_budget, line.cells_affected) == ("unscheduled", False, 0)


def test_a_revision_of_nothing_is_refused(sample: Any, tmp_path: Path) -> None:
    with pytest.raises(PublishedError, match="never published"):
        sample.publish(tmp_path, revision=2, reason="x")


def test_a_retraction_keeps_the_files_and_moves_latest_back(make_sample: Callable[..., Any], tmp_path: Path) -> None:
    make_sample(period="2021-W06").publish(tmp_path)
    published = make_sample().publish(tmp_path)
    state = retract(tmp_path, EDITION, revision=1, reason="Wrong opt-out list", when=LATER)
    assert state.current is None
    assert state.revision(1).status == "retracted"
    assert published.folder.is_dir()
    assert verify_public(tmp_path) == []
    assert latest(tmp_path) == "cases-by-area/2021-W06/r1"


def test_latest_goes_when_everything_is_retracted(sample: Any, tmp_path: Path) -> None:
    sample.publish(tmp_path)
    retract(tmp_path, EDITION, revision=1, reason="Wrong", when=LATER)
    assert not (tmp_path / "cases-by-area" / "latest").exists()


def test_retracting_a_revision_makes_the_one_before_it_current_again(
    make_sample: Callable[..., Any], tmp_path: Path
) -> None:
    make_sample(seed=1).publish(tmp_path)
    make_sample(seed=2).publish(tmp_path, revision=2, reason="Late reports", published=LATER)
    state = retract(tmp_path, EDITION, revision=2, reason="The correction was wrong", when=LATER)
    assert state.current == 1
    assert [r.status for r in state.revisions] == ["final", "retracted"]
    assert latest(tmp_path) == f"{EDITION}/r1"


def test_a_second_retraction_changes_nothing(sample: Any, tmp_path: Path) -> None:
    sample.publish(tmp_path)
    one = retract(tmp_path, EDITION, revision=1, reason="Wrong", when=LATER)
    assert retract(tmp_path, EDITION, revision=1, reason="Another reason", when=datetime.now(UTC)) == one


def test_a_retraction_needs_a_reason_and_an_edition(sample: Any, tmp_path: Path) -> None:
    sample.publish(tmp_path)
    with pytest.raises(PublishedError, match="needs a reason"):
        retract(tmp_path, EDITION, revision=1, reason=" ", when=LATER)
    with pytest.raises(PublishedError, match="not published here"):
        retract(tmp_path, EDITION, revision=7, reason="x", when=LATER)


def test_an_unreadable_record_of_retractions_is_not_taken_for_none(sample: Any, tmp_path: Path) -> None:
    sample.publish(tmp_path)
    retract(tmp_path, EDITION, revision=1, reason="Wrong", when=LATER)
    (tmp_path / EDITION / "retractions.json").write_text("{")
    with pytest.raises(PublishedError, match="cannot be read"):
        retract(tmp_path, EDITION, revision=1, reason="Wrong", when=LATER)
