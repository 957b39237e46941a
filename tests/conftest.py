"""What every test may use: a small catalogue of its own and a state folder that is thrown away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def no_state_outside_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that forgets to choose a state folder must not write into the working tree."""
    for name in [name for name in os.environ if name.startswith("DP_STATS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DP_STATS_HOME", str(tmp_path / "home"))
