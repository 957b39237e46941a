"""What tests of the pull and of quality checks start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.visits_source import VisitsSource


@pytest.fixture
def visits(tmp_path: Path) -> VisitsSource:
    return VisitsSource(tmp_path)
