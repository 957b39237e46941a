"""The guide works: its commands are run in its order, in an empty folder, as a newcomer would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "guide.md"


@pytest.mark.slow
def test_every_command_of_the_guide_succeeds_in_order(tmp_path: Path) -> None:
    commands = re.findall(r"```bash\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    assert len(commands) > 8
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DP_STATS_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    printed = ""
    for command in commands:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed += done.stdout
    edition = tmp_path / "state" / "public" / "visits-by-clinic" / "2024-01" / "r1"
    assert (edition / "by-clinic.csv").exists()
    assert (tmp_path / "state" / "public" / "index.html").exists()
    assert "The ledger is intact" in printed
    assert not list((tmp_path / "state" / "secure" / "staging").rglob("*.parquet"))
