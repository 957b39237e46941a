"""What a code of practice asks for is said where it is declared, nowhere else, and a review names what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from english import TEXTS
from invented_editions import catalogue, costs, make_sample, sample

from dp_stats.catalogue.texts import Practice
from dp_stats.editions import claims
from dp_stats.operations.review import unsaid_practice

__all__ = ["catalogue", "costs", "make_sample", "sample"]

SAID = {
    "status": "Official statistics in development",
    "revisions": "Once, four weeks later.",
    "pre_release_access": "Nobody.",
    "source_quality": "Every clinic reports.",
    "timeliness": "Ten days.",
    "comparability": "Not before 2020.",
}


def telling(sample: Any, **texts: Any) -> Any:
    release = sample.release
    told = type(release.texts).model_validate({**release.texts.model_dump(), **texts})
    changed = release.model_copy(update={"texts": told})
    releases = {**sample.catalogue.releases, changed.id: changed}
    return replace(sample, release=changed, catalogue=replace(sample.catalogue, releases=releases, _grids={}))


def test_what_is_declared_is_said_in_the_producer_s_words(sample: Any, tmp_path: Path) -> None:
    edition = telling(sample, practice=SAID, contact="statistics@agency.example").publish(tmp_path).edition
    assert [text for _, text in claims.practice(edition.release, TEXTS)] == [
        *SAID.values(),
        "statistics@agency.example",
    ]


def test_nothing_is_said_where_nothing_is_declared(sample: Any, tmp_path: Path) -> None:
    edition = sample.publish(tmp_path).edition
    assert claims.practice(edition.release, TEXTS) == []
    facts = (tmp_path / edition.path / "edition.json").read_text()
    assert '"practice"' not in facts
    for path in tmp_path.rglob("*"):
        if path.suffix in {".json", ".md", ".jsonld"}:
            assert "official statistics" not in path.read_text(encoding="utf-8").lower(), path


@pytest.mark.parametrize("left_out", SAID)
def test_a_part_may_be_left_out_and_a_review_names_it(sample: Any, left_out: str) -> None:
    told = telling(sample, practice={k: v for k, v in SAID.items() if k != left_out}, contact="a@b.example")
    found = [w for w in unsaid_practice(told.catalogue) if w.startswith(f"{told.release.id}:")]
    assert len(found) == 1
    assert f"practice.{left_out}" in found[0]
    assert not any(f"practice.{name}" in found[0] for name in SAID if name != left_out)


def test_a_review_says_nothing_of_a_release_that_says_all(sample: Any) -> None:
    told = telling(sample, practice=SAID, contact="a@b.example")
    assert not [w for w in unsaid_practice(told.catalogue) if w.startswith(f"{told.release.id}:")]


def test_an_issue_may_have_a_day(sample: Any, tmp_path: Path) -> None:
    issues = ["Small areas are uncertain.", {"since": date(2021, 2, 1), "text": "One laboratory reports late."}]
    edition = telling(sample, known_issues=issues).publish(tmp_path).edition
    assert edition.release.known_issues == (
        "Small areas are uncertain.",
        "Since 1 February 2021: One laboratory reports late.",
    )


def test_a_release_without_these_fields_is_sealed_as_before() -> None:
    from dp_stats.catalogue.texts import ReleaseTexts

    assert "practice" not in ReleaseTexts(summary="s").model_dump()
    assert ReleaseTexts(summary="s", practice=Practice(status="x")).model_dump()["practice"]["status"] == "x"


def test_no_approval_needed_is_told_from_none_recorded(sample: Any, tmp_path: Path) -> None:
    edition = sample.edition().model_copy(update={"approvals": ()})
    asked, free, unknown = (edition.model_copy(update={"approval_asked": known}) for known in (True, False, None))
    assert "asks for no approval" in claims.approvals([free], TEXTS)
    for one in (asked, unknown):
        assert "No decision" in claims.approvals([free, one], TEXTS)
