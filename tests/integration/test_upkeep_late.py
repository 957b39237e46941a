"""Upkeep names every edition that should be there and is not, and says how far it got."""

from __future__ import annotations

from datetime import date

from dp_stats import pipeline
from dp_stats.operations import upkeep
from tests.conftest import Clinic


def test_every_missing_edition_is_named_with_how_far_it_got(clinic: Clinic) -> None:
    pipeline.run_edition("visits/2024-W02")
    pipeline.pull("visits/2024-W03")
    pipeline.reserve("visits/2024-W03", requested_by="engineer")
    pipeline.run_edition("visits/2024-W04")
    (alert,) = upkeep.late_editions(today=date(2024, 2, 10))
    assert alert.subject == "visits is late"
    assert "3 editions are not published." in alert.text, "W05 is due on Thursday 8 February and has two days' grace"
    assert "Charged, and stopped on the way: 2024-W03." in alert.text
    assert "Nothing charged yet: 2024-W01, 2024-W05." in alert.text
    (alert,) = upkeep.late_editions(today=date(2024, 2, 9))
    assert "2 editions are not published." in alert.text
    assert "W05" not in alert.text


def test_of_many_missing_editions_the_first_and_the_last_are_named(clinic: Clinic) -> None:
    (alert,) = upkeep.late_editions(today=date(2024, 12, 31))
    assert "2024-W01, 2024-W02" in alert.text
    assert "39 more, and 2024-W51." in alert.text
    assert alert.text.count("2024-W") == upkeep.MOST_NAMED
