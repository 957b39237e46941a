"""A Git repository as Airflow's bundles are made of: declarations, and the DAG file that reads them, of one commit."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DAG_FILE = """from datetime import datetime
from pathlib import Path

from airflow.sdk import DAG, Param

from dp_stats.airflow import ReleaseTaskGroup, use_catalogue

use_catalogue(Path(__file__).parent / "catalogue")
with DAG("bundled", schedule=None, start_date=datetime(2020, 1, 1), params={"period": Param("", type="string")}):
    ReleaseTaskGroup("bundled", period="{{ params.period }}")
"""
TITLE = "Calls as they were declared first"


@dataclass(frozen=True)
class Repository:
    """The repository in a folder; the release is called ``bundled``."""

    folder: Path

    def change(self, old: str, new: str) -> None:
        """Replace a text in the release's declaration."""
        file = self.folder / "catalogue/releases/bundled.yaml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def commit(self, message: str) -> str:
        """Commit everything; returns the hash."""
        self.git("add", ".")
        self.git("-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def bundles(self) -> str:
        """Airflow's setting of bundles: the DAG files of this checkout, and this repository."""
        local = {
            "name": "dags-folder",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {},
        }
        kwargs = {"repo_url": str(self.folder), "tracking_ref": "main", "refresh_interval": 2}
        mine = {"name": "releases", "classpath": "airflow.providers.git.bundles.git.GitDagBundle", "kwargs": kwargs}
        return json.dumps([local, mine])


def make_repository(folder: Path, clinic: Path) -> Repository:
    """A repository, with nothing committed, of a clinic's declarations."""
    shutil.copytree(clinic, folder / "catalogue")
    made = Repository(folder)
    release = folder / "catalogue/releases/visits.yaml"
    release.rename(release.with_name("bundled.yaml"))
    made.change("id: visits\ntitle: Visits by clinic", f"id: bundled\ntitle: {TITLE}")
    (folder / "dags.py").write_text(DAG_FILE)
    made.git("init", "--quiet", "--initial-branch=main")
    return made
