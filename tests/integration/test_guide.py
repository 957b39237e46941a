"""The tutorials work: their commands are run in order, in an empty folder, as a newcomer would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).resolve().parents[2] / "docs" / "tutorial"


def printed_by_commands_of(page: str, folder: Path) -> str:
    """What the commands of a tutorial print; each succeeds."""
    commands = re.findall(r"```bash\n(.*?)```", (TUTORIALS / page).read_text(), flags=re.DOTALL)
    assert len(commands) > 5
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DP_STATS_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    printed = ""
    for command in commands:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed += done.stdout
    return printed


@pytest.mark.slow
def test_every_command_of_the_guide_succeeds_in_order(tmp_path: Path) -> None:
    printed = printed_by_commands_of("guide.md", tmp_path)
    edition = tmp_path / "state" / "public" / "visits-by-clinic" / "2024-01" / "r1"
    assert (edition / "by-clinic.csv").exists()
    assert (tmp_path / "state" / "public" / "index.html").exists()
    assert "The ledger is intact" in printed
    assert not list((tmp_path / "state" / "secure" / "staging").rglob("*.parquet"))


@pytest.mark.slow
def test_two_custodians_tables_are_published_by_the_commands_of_their_tutorial(tmp_path: Path) -> None:
    printed = printed_by_commands_of("linked.md", tmp_path)
    for said in ("Refused, with exit code 3", "Stopped, with exit code 5", "hospital-area"):
        assert said in printed
    public = tmp_path / "state" / "public"
    assert (public / "by-area" / "2024-01" / "r1" / "hospital.csv").exists()
    assert not (public / "by-area" / "2024-02").exists()
    (use,) = json.loads((public / "register.json").read_text())
    assert use["custodians"] == "The hospitals; The register"
    assert "Stays and people, version 1" in use["agreement"]
