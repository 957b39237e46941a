"""``dp-stats diff``: what an edit of a catalogue under Git does, said before it is merged."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from conftest import Clinic
from typer.testing import CliRunner

from dp_stats.cli.main import app
from dp_stats.errors import CatalogueError

WHO = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@e.org",
}


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env={**os.environ, **WHO})


@pytest.fixture
def committed(clinic: Clinic) -> Clinic:
    """The small catalogue as it was committed, in a folder below the root of its repository."""
    git(clinic.folder.parent, "init", "-q")
    git(clinic.folder.parent, "add", "--force", clinic.folder.name)
    git(clinic.folder.parent, "commit", "-q", "-m", "As it is")
    return clinic


def diff(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["diff", *arguments])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def rename(clinic: Clinic, **fields: object) -> None:
    """Let the release be called ``another``."""
    old = clinic.folder / "releases" / "visits.yaml"
    old.rename(old.with_name("another.yaml"))
    clinic.change("releases/another.yaml", id="another", **fields)


def test_nothing_differs_from_what_was_committed(committed: Clinic) -> None:
    assert diff("HEAD") == "Nothing that is declared differs from HEAD."


def test_words_are_told_as_words_and_nothing_is_charged(committed: Clinic) -> None:
    committed.change("releases/visits.yaml", title="Visits, in other words")
    said = diff("HEAD", "--markdown", "--no-new-charge")
    assert "same numbers in other words: nothing is charged" in said
    assert "`visits`: `title`" in said


def test_another_loss_is_charged_again_and_a_build_can_refuse_it(committed: Clinic) -> None:
    committed.change("releases/visits.yaml", series=True)
    git(committed.folder.parent, "commit", "-qam", "A series")
    committed.change("releases/visits.yaml", privacy_loss={"epsilon": 2})
    said = diff("HEAD", "--markdown", "--no-new-charge", code=1)
    assert "charged again** in the year of the edit, because of: privacy loss" in said
    assert "`privacy_loss.epsilon`" in said


def test_an_edit_that_the_budget_cannot_pay_for_is_told(committed: Clinic) -> None:
    committed.change("releases/visits.yaml", privacy_loss={"epsilon": 99})
    assert "**does not fit**" in diff("HEAD", "--markdown")


def test_codes_are_named_where_a_list_gains_or_loses_them(committed: Clinic) -> None:
    codes = committed.folder / "codes" / "clinics.csv"
    codes.write_text(codes.read_text().replace("west,West", "far,Far west"))
    assert "- Codes of `clinics`: `far` new; `west` gone" in diff("HEAD", "--markdown")


def test_a_release_that_is_gone_stays_charged_and_one_that_is_new_is_charged(committed: Clinic) -> None:
    rename(committed)
    said = diff("HEAD", "--markdown")
    assert "| `another` | new release, a **new charge**" in said
    assert "| `visits` | ends; what was charged stays charged" in said


def test_a_release_under_a_new_name_goes_on(committed: Clinic) -> None:
    rename(committed, formerly=["visits"])
    assert "| `another`, `visits` before | same numbers" in diff("HEAD", "--markdown", "--no-new-charge")


@pytest.mark.parametrize("revision", ["nothing", "-x", "--output=x"])
def test_what_is_no_revision_is_refused_in_words(committed: Clinic, revision: str) -> None:
    assert "revision" in diff("--", revision, code=CatalogueError.exit_code)


def test_a_catalogue_in_no_repository_is_refused_in_words(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(clinic.folder.parent))
    assert "lies in no Git repository" in diff("HEAD", code=CatalogueError.exit_code)
