"""What tests of the pull and of quality checks start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ward import Ward


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)
