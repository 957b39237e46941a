"""``dp-stats preview``: an edition of invented rows to look at, which reads no row and spends nothing."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import Clinic
from typer.testing import CliRunner

from dp_stats.cli.main import app
from dp_stats.errors import CatalogueError
from tests.public_files import faults


def preview(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["preview", *arguments])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def test_a_preview_shows_pages_and_files_reads_no_row_and_spends_nothing(clinic: Clinic, tmp_path: Path) -> None:
    for file in ("visits.csv", "opt-outs.csv"):
        (clinic.folder / file).unlink()
    clinic.change("releases/visits.yaml", audience="restricted", title="Visits by clinic" + " and day" * 23)
    folder = tmp_path / "preview"
    said = preview("visits", "--out", str(folder), "--rows", "2000", "--period", "2024-W02")
    public = folder / "home" / "public"
    assert str(public / "index.html") in said
    assert not list(faults(public))
    page = (public / "visits" / "index.html").read_text(encoding="utf-8")
    assert "Preview: Visits by clinic" in page
    facts = json.loads((public / "visits" / "2024-W02" / "r1" / "edition.json").read_text(encoding="utf-8"))
    assert any("Every record is invented" in issue for issue in map(str, facts["release"]["known_issues"]))
    assert not clinic.settings.home.exists() or not any(clinic.settings.home.glob("ledger*"))


def test_a_preview_never_writes_into_a_folder_that_is_there(clinic: Clinic, tmp_path: Path) -> None:
    assert "is there already" in preview("visits", "--out", str(tmp_path), code=CatalogueError.exit_code)
