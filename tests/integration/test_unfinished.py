"""A correction that was begun and abandoned blocks nothing for ever: given back if nothing was measured, else finished."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dp_stats import pipeline
from dp_stats.cli.main import app
from dp_stats.editions.revisions import status_of
from dp_stats.errors import LedgerError, PublishedError
from dp_stats.ledger import Ledger
from dp_stats.operations import upkeep
from dp_stats.secure import measure
from dp_stats.unfinished import give_back
from tests.conftest import Clinic, publish_clinic

EDITION = "visits/2024-W02"
TWICE = "A clinic sent its visits twice."
LATER = timedelta(days=3)

STOPS: dict[str, tuple[Any, str, str]] = {
    "reserved": (pipeline, "measure", "reserved"),
    "authorised": (Ledger, "spend", "reserved"),
    "spent": (measure, "exact_answers", "spent"),
    "counted": (measure, "draw", "spent"),
    "drawn": (Ledger, "store", "spent"),
    "stored": (pipeline, "estimate", "stored"),
    "described": (Ledger, "published", "stored"),
}
"""Where a correction stops: what is called next, and the state of its charge then."""


class StoppedError(BaseException):
    """As a process that is killed: nothing catches it."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week that is published; each test works on a copy."""
    return publish_clinic(tmp_path_factory.mktemp("unfinished"), EDITION)


@pytest.fixture
def published(original: Path, clinic: Clinic) -> Clinic:
    shutil.copytree(original / "home", clinic.settings.home)
    return clinic


def stop(point: str) -> str:
    """Begin a correction and stop it; the state of its charge."""

    def dies(*_: Any, **__: Any) -> Any:
        raise StoppedError

    target, name, state = STOPS[point]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, name, dies)
        with pytest.raises(StoppedError):
            pipeline.revise(EDITION, kind="correction", reason=TWICE)
    return state


def charged(ledger: Ledger) -> Fraction:
    return sum((block.spent + block.reserved for block in ledger.blocks("visits")), start=Fraction(0))


def rename(clinic: Clinic, old: str = "North", new: str = "Northern") -> None:
    path = clinic.folder / "codes" / "clinics.csv"
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize("point", STOPS)
def test_it_is_given_back_or_finished_and_never_spent_for_nothing_nor_charged_twice(
    published: Clinic, point: str
) -> None:
    ledger = Ledger.open(published.settings.ledger_url)
    before = charged(ledger)
    state = stop(point)
    (begun,) = [one for one in ledger.reservations() if one.revision == 2]
    assert begun.state == state
    assert charged(ledger) == before + begun.rho
    rename(published)
    with pytest.raises(PublishedError, match="not finished"):
        pipeline.propose(EDITION, kind="format", reason="A name was misspelt.")
    assert upkeep.unfinished_corrections() == []
    alerts = upkeep.unfinished_corrections(now=datetime.now(UTC) + LATER)
    assert [alert.subject for alert in alerts] == [
        {
            "reserved": f"The correction {EDITION} r2 was given back",
            "spent": f"The correction {EDITION} r2 is not finished",
            "stored": f"The correction {EDITION} r2 was published",
        }[state]
    ]
    assert charged(ledger) == before + (0 if state == "reserved" else begun.rho)
    if state == "spent":
        with pytest.raises(LedgerError, match="Finish it: dp-stats revise"):
            give_back(EDITION, ledger, revision=2, reason="It is not needed.")
        pipeline.revise(EDITION, kind="correction", reason=TWICE)
    assert (ledger.measurements(EDITION, 2) is None) == (state == "reserved")
    assert upkeep.unfinished_corrections(now=datetime.now(UTC) + LATER) == []
    rename(published, "South", "Southern")
    pipeline.revise(EDITION, kind="format", reason="A name was misspelt.")
    assert status_of(published.settings.public_dir, EDITION).current == (2 if state == "reserved" else 3)
    assert charged(ledger) == before + (0 if state == "reserved" else begun.rho)
    ledger.verify()


def test_what_was_given_back_may_be_made_after_all_while_its_number_is_free(published: Clinic) -> None:
    ledger = Ledger.open(published.settings.ledger_url)
    before = charged(ledger)
    stop("authorised")
    give_back(EDITION, ledger, revision=2, reason="It is not needed.")
    assert charged(ledger) == before
    pipeline.revise(EDITION, kind="correction", reason=TWICE)
    assert status_of(published.settings.public_dir, EDITION).current == 2
    assert charged(ledger) > before
    with pytest.raises(PublishedError, match="retract"):
        give_back(EDITION, ledger, revision=2, reason="It is not needed.")


def test_a_run_that_comes_back_to_a_number_that_was_taken_draws_nothing(published: Clinic) -> None:
    stop("reserved")
    ledger = Ledger.open(published.settings.ledger_url)
    before = charged(ledger)
    give_back(EDITION, ledger, revision=2, reason="It is not needed.")
    rename(published)
    pipeline.revise(EDITION, kind="format", reason="A name was misspelt.")
    with pytest.raises(LedgerError, match="published already"):
        pipeline.measure(EDITION, revision=2)
    assert ledger.measurements(EDITION, 2) is None
    assert charged(ledger) < before
    ledger.verify()


def test_a_first_edition_whose_rows_may_have_been_read_is_finished_and_not_given_back(clinic: Clinic) -> None:
    pipeline.pull(EDITION)
    pipeline.reserve(EDITION, requested_by="engineer")
    ledger = Ledger.open(clinic.settings.ledger_url)
    with pytest.raises(LedgerError, match="Finish it: dp-stats run visits --period 2024-W02"):
        give_back(EDITION, ledger, revision=1, reason="It is not needed.")


def test_the_command_gives_back_the_last_one_and_says_what(published: Clinic) -> None:
    stop("reserved")
    said = CliRunner().invoke(app, ["give-back", EDITION])
    assert said.exit_code == 0, said.output
    assert f"Given back {EDITION} r2" in said.output
    assert "2024" in said.output
    again = CliRunner().invoke(app, ["give-back", EDITION])
    assert again.exit_code != 0
    told = " ".join(again.output.split())
    assert f"Nothing of {EDITION} was begun and is unfinished" in told
    assert "Revision 2 was given back before" in told
    assert "retract" not in told
