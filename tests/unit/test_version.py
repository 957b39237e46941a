"""Which version of the declarations a folder holds, and where that is sealed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dp_stats.airflow import bundles
from dp_stats.catalogue.version import version_of
from dp_stats.run import declared_at
from dp_stats.settings import load_settings


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    return subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A catalogue in a repository that holds other things, too."""
    folder = tmp_path / "repository/catalogue"
    (folder / "releases").mkdir(parents=True)
    (folder / "releases/visits.yaml").write_text("id: visits\n")
    (folder.parent / "README.md").write_text("Ours.\n")
    git(folder.parent, "init", "--quiet")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "--quiet", "-m", "First.")
    return folder


def test_a_folder_is_at_the_commit_of_its_repository_and_says_where_it_was_edited_since(catalogue: Path) -> None:
    head = git(catalogue, "rev-parse", "HEAD").strip()
    assert version_of(catalogue) == head
    (catalogue.parent / "README.md").write_text("Edited.\n")
    assert version_of(catalogue) == head, "what lies beside the catalogue decides nothing"
    (catalogue / "releases/other.yaml").write_text("id: other\n")
    assert version_of(catalogue) == f"{head}-dirty"
    assert version_of(catalogue / "releases") == f"{head}-dirty"


def test_a_folder_that_no_repository_holds_has_no_version(tmp_path: Path, catalogue: Path) -> None:
    assert version_of(tmp_path) == ""
    stranger = catalogue.parent / "elsewhere"
    stranger.mkdir()
    (stranger / "visits.yaml").write_text("id: visits\n")
    assert version_of(stranger) == "", "it only happens to lie below a repository"
    assert declared_at(load_settings({"DP_STATS_CATALOGUE": str(stranger)})) == ""
    said = {"DP_STATS_CATALOGUE": str(stranger), "DP_STATS_CATALOGUE_VERSION": "2026-03"}
    assert declared_at(load_settings(said)) == "2026-03"


def test_a_process_takes_declarations_and_version_from_the_bundle_that_it_was_started_with(
    tmp_path: Path, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "bundles"))
    monkeypatch.setenv("DP_STATS_CATALOGUE", "elsewhere")
    monkeypatch.setenv("DP_STATS_CATALOGUE_VERSION", "the image's own")
    pruned = tmp_path / "bundles/releases/versions/0123abcd/catalogue"
    pruned.mkdir(parents=True)
    bundles.use_catalogue(pruned)
    assert (load_settings().catalogue, declared_at(load_settings())) == (pruned, "0123abcd")
    bundles.use_catalogue(catalogue)
    assert (load_settings().catalogue, declared_at(load_settings())) == (catalogue, version_of(catalogue))
